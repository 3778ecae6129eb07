"""``reelcheck sbom``: what reelcheck is made of on this machine, as a CycloneDX 1.6 bill.

Packages are those that reelcheck asks for and those that they ask for, as they are installed; the
extras count where they are. Wheels carry native libraries that no list of packages shows (FFmpeg
in PyAV): each stands inside its package with the SHA-256 of its file. Models stand with the SHA-256
that is checked whenever they start.

Source: CycloneDX 1.6, JSON. Limits: the number of a library is that of its file name, which for
most is the number of its interface, not of its release (FFmpeg itself is listed by release, with
its CPE); what is linked into a library statically cannot be seen; markers of packages are not
evaluated, what they ask for counts where it is installed.
"""

import hashlib
import json
import platform
import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

import typer

from reelcheck import __version__
from reelcheck.cli.writing import write_file
from reelcheck.errors import ReelcheckError
from reelcheck.models.card import Card, card_names, load_card
from reelcheck.models.store import locate, own_names, read_parts
from reelcheck.verdict.canonical import canonical

_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_LIBRARY: Final = re.compile(
    r"(?P<name>lib[^/]*?)(-[0-9a-f]{8}(-[0-9a-f]{8})?)?\.so(?P<so>[.0-9]*)$"
)
_OF_EXTRA: Final = re.compile(r"\bextra\b")
_SHORT: Final = 80
"""Characters; a licence field that is longer is the text of the licence, not its name."""
_INTERFACE: Final = "number of the interface, from the file name; not the release"


def write_bill(out: Path | None) -> None:
    """Write the bill of materials to a file, or to stdout.

    Raises:
        OutputError: the file cannot be written.
    """
    text = json.dumps(bill(), indent=2, ensure_ascii=False) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return
    write_file(out, text.encode())


def bill() -> dict[str, Any]:
    """Return the bill of materials."""
    found = packages()
    components = [
        *(_package(one) for _, one in sorted(found.items())),
        _python(),
        *(_model(card) for card in _models()),
    ]
    links = [_links(one, found) for _, one in sorted(found.items())]
    links += [{"ref": part["bom-ref"], "dependsOn": []} for part in components[len(found) :]]
    core = {"ref": "reelcheck", "dependsOn": [part["bom-ref"] for part in components]}
    content = {"components": components, "dependencies": [core, *links]}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # The same parts give the same number.
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, canonical(content).hex())}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            "component": {
                "type": "application",
                "bom-ref": "reelcheck",
                "name": "reelcheck",
                "version": __version__,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "purl": f"pkg:pypi/reelcheck@{__version__}",
            },
        },
        **content,
    }


def packages() -> dict[str, Distribution]:
    """Return the installed packages that reelcheck needs, by normal name, and not itself."""
    found = dict[str, Distribution]()
    waiting = list(_asked_for(distribution("reelcheck"), extras=True))
    while waiting:
        name = waiting.pop()
        if name in found or name == "reelcheck":
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue
        waiting += _asked_for(found[name], extras=False)
    return found


def _asked_for(one: Distribution, *, extras: bool) -> Iterator[str]:
    for line in one.requires or ():
        wish, _, marker = line.partition(";")
        match = _NAME.match(wish)
        if match and (extras or not _OF_EXTRA.search(marker)):
            yield _normal(match[0])


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _reference(one: Distribution) -> str:
    return f"pkg:pypi/{_normal(one.metadata['Name'])}@{one.version}"


def _links(one: Distribution, found: Mapping[str, Distribution]) -> dict[str, Any]:
    asked = {name for name in _asked_for(one, extras=False) if name in found}
    return {
        "ref": _reference(one),
        "dependsOn": sorted(_reference(found[name]) for name in asked),
    }


def _package(one: Distribution) -> dict[str, Any]:
    reference = _reference(one)
    inside = [*_libraries(one, reference), *_ffmpeg(one, reference)]
    return {
        "type": "library",
        "bom-ref": reference,
        "name": one.metadata["Name"],
        "version": one.version,
        "purl": reference,
        **_licences(one),
        **({"components": inside} if inside else {}),
    }


def _licences(one: Distribution) -> dict[str, Any]:
    fields = one.metadata.json
    if fields.get("license_expression"):
        return {"licenses": [{"expression": fields["license_expression"]}]}
    text = str(fields.get("license", "")).strip()
    if text and len(text) <= _SHORT and "\n" not in text:
        return {"licenses": [{"license": {"name": text}}]}
    classes = fields.get("classifier", [])
    names = [line.rpartition("::")[2].strip() for line in classes if line.startswith("License ::")]
    return {"licenses": [{"license": {"name": name}} for name in names]} if names else {}


def _libraries(one: Distribution, inside: str) -> Iterator[dict[str, Any]]:
    for file in sorted(one.files or (), key=str):
        match = _LIBRARY.fullmatch(file.name)
        path = Path(str(one.locate_file(file)))
        if not match or not path.is_file():
            continue
        number = match["so"].strip(".")
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        yield {
            "type": "library",
            "bom-ref": f"{inside}#{file}",
            "name": match["name"],
            **({"version": number} if number else {}),
            "hashes": [{"alg": "SHA-256", "content": digest}],
            "properties": [
                {"name": "reelcheck:file", "value": str(file)},
                *([{"name": "reelcheck:version", "value": _INTERFACE}] if number else []),
            ],
        }


def _ffmpeg(one: Distribution, inside: str) -> Iterator[dict[str, Any]]:
    if _normal(one.metadata["Name"]) != "av":
        return
    import av  # noqa: PLC0415 - only to ask which FFmpeg it carries

    release = str(av.ffmpeg_version_info)
    yield {
        "type": "library",
        "bom-ref": f"{inside}#FFmpeg",
        "name": "FFmpeg",
        "version": release,
        "cpe": f"cpe:2.3:a:ffmpeg:ffmpeg:{release}:*:*:*:*:*:*:*",
        "properties": [
            {"name": f"reelcheck:{name}", "value": ".".join(str(part) for part in version)}
            for name, version in sorted(av.library_versions.items())
        ],
    }


def _python() -> dict[str, Any]:
    version = platform.python_version()
    return {
        "type": "platform",
        "bom-ref": f"python@{version}",
        "name": platform.python_implementation(),
        "version": version,
        "cpe": f"cpe:2.3:a:python:python:{version}:*:*:*:*:*:*:*",
        "licenses": [{"license": {"id": "PSF-2.0"}}],
    }


def _models() -> Iterator[Card]:
    for name in (*card_names(), *own_names()):
        card = load_card(name)
        if card.url or locate(card) is not None:
            yield card


def _model(card: Card) -> dict[str, Any]:
    told = [("runtime", card.runtime), ("state", _state(card))]
    if card.url:
        told.append(("url", card.url))
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{card.name}@{card.version}",
        "name": card.name,
        "version": card.version,
        "description": card.summary,
        "licenses": [{"license": {"name": card.licence}}],
        **({"hashes": [{"alg": "SHA-256", "content": card.sha256}]} if card.sha256 else {}),
        "properties": [{"name": f"reelcheck:{name}", "value": value} for name, value in told],
    }


def _state(card: Card) -> str:
    """Return whether the weights here are those of the card."""
    if card.url:
        return "on another machine: cannot be checked from here"
    try:
        read_parts(card)
    except ReelcheckError as error:
        return f"refused, {error.code}: {error}"
    return "as its card says"
