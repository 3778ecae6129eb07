"""The seal of a report: what it said when it was made, and who vouches for it.

A seal holds the SHA-256 of the canonical report and of each of its parts, so that a change is not
only seen but named. Signed, it is Ed25519 or ECDSA on P-256 over ``reelcheck report 1``, a line
feed and the canonical seal; unsigned, it is a checksum that anybody can make anew.

Limits: a seal says that nothing was changed, not that what was said was true; it has no date that
somebody else vouches for, and the pictures of evidence are covered as the base64 that they are.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from reelcheck.errors import ReportError
from reelcheck.models.protect.keys import PrivateKey, PublicKey
from reelcheck.verdict.canonical import canonical
from reelcheck.verdict.parts import Part, Text

_PURPOSE: Final = b"reelcheck report 1\n"
_FIELD: Final = "seal"
_MAX_REPORT_BYTES: Final = 1 << 30

State = Literal["intact", "altered", "unsigned", "stranger"]
AnyReport = TypeVar("AnyReport", bound=BaseModel)


class Seal(Part):
    """What a report said when it was made."""

    format: Literal["reelcheck-report-1"] = "reelcheck-report-1"
    sha256: Text
    """Of the canonical JSON (RFC 8785) of the report without its seal."""
    parts: dict[Text, Text]
    """SHA-256 of the canonical JSON of every part: keys of the report, and keys of those keys."""
    key_id: Text = ""
    """SHA-256 of the public key that fits the signature; empty when there is none."""
    signature: Text = ""
    """In hexadecimal."""

    def signed(self) -> bytes:
        """Return what a signature is made over."""
        return _PURPOSE + canonical(self.model_dump(exclude={"signature"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What became of a report since it was made."""

    state: State
    """``stranger``: it is signed, and fits, but by a key that nobody told us to trust."""
    changes: tuple[str, ...] = ()
    """What is not as it was, in words."""
    key_id: str = ""
    content: Mapping[str, Any]
    """The report, as it is now."""


def sealed(report: AnyReport, key: PrivateKey | None = None) -> AnyReport:
    """Return a report with its seal, signed if there is a key to sign with."""
    content = report.model_dump(mode="python", exclude={_FIELD})
    seal = Seal(
        sha256=_digest(content),
        parts=dict(_parts(content)),
        key_id=key.public.key_id if key else "",
    )
    if key:
        seal = seal.model_copy(update={"signature": key.sign(seal.signed()).hex()})
    return report.model_copy(update={_FIELD: seal})


def check_report(data: bytes, trusted: Sequence[PublicKey]) -> Checked:
    """Tell whether a stored report is as it was made. Spaces and the order of keys do not count.

    Raises:
        ReportError: it is no report at all.
        MissingExtraError: it is signed, and the library for signatures is not installed.
    """
    content = _read(data)
    raw = content.pop(_FIELD, None)
    if raw is None:
        return Checked(state="unsigned", changes=("there is no seal",), content=content)
    try:
        seal = Seal.model_validate(raw, strict=True)
    except ValidationError:
        return Checked(state="altered", changes=("the seal was damaged",), content=content)
    changes = tuple(_changes(seal, content))
    if changes:
        return Checked(state="altered", changes=changes, key_id=seal.key_id, content=content)
    if not seal.signature and not seal.key_id:
        return Checked(state="unsigned", changes=("nobody signed it",), content=content)
    return _check_signature(seal, trusted, content)


def _check_signature(
    seal: Seal, trusted: Sequence[PublicKey], content: Mapping[str, Any]
) -> Checked:
    damaged = Checked(
        state="altered",
        changes=("the signature was changed: it does not fit the seal",),
        key_id=seal.key_id,
        content=content,
    )
    try:
        signature = bytes.fromhex(seal.signature)
    except ValueError:
        return damaged
    key = next((one for one in trusted if one.key_id == seal.key_id), None)
    if signature.hex() != seal.signature:
        return damaged
    if key is None:
        return Checked(state="stranger", key_id=seal.key_id, content=content)
    if not key.fits(signature, seal.signed()):
        return damaged
    return Checked(state="intact", key_id=seal.key_id, content=content)


def _read(data: bytes) -> dict[str, Any]:
    try:
        if len(data) > _MAX_REPORT_BYTES:
            raise ValueError(f"it is larger than {_MAX_REPORT_BYTES >> 30} GiB")  # noqa: TRY301 - told below
        content = json.loads(data, object_pairs_hook=_once, parse_constant=_refuse)
        canonical(content)
    except (ValueError, RecursionError) as error:
        raise ReportError(f"not a report: {error}") from error
    if not isinstance(content, dict) or "reelcheck_version" not in content:
        raise ReportError("not a report of reelcheck", hint="give the report.json of an analysis")
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice: two readers could then read two reports."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return found


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _parts(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            # The empty object too, or it could not be told from one that is gone.
            yield name, _digest(sorted(value))
            yield from ((f"{name}.{inside}", _digest(one)) for inside, one in value.items())
        else:
            yield name, _digest(value)


def _digest(value: Any) -> str:  # noqa: ANN401 - what JSON can hold
    return hashlib.sha256(canonical(value)).hexdigest()


def _changes(seal: Seal, content: Mapping[str, Any]) -> Iterator[str]:
    found = dict(_parts(content))
    told = False
    for name in sorted({*seal.parts, *found}):
        if seal.parts.get(name) == found.get(name):
            continue
        told = True
        word = "added" if name not in seal.parts else "taken away"
        yield f"{name} was {'changed' if name in seal.parts and name in found else word}"
    if not told and seal.sha256 != _digest(content):
        yield "the seal was changed: it does not fit the report"
