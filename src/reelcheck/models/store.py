"""Where weights lie on this machine. Nothing is ever fetched here."""

import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

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


def locate(card: Card) -> Path | None:
    """Return the path of a model's weights, or ``None`` when they are not on this machine."""
    if not card.weights.package:
        path = store_folder() / card.name / card.weights.file
        return path if path.is_file() else None
    # The package is found but not imported: we want its file, not its code.
    spec = find_spec(card.weights.package)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / card.weights.file
        if path.is_file():
            return path
    return None


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
    source = folder / Path(card.weights.file).name
    if not source.is_file():
        raise ModelError(f"{source} is missing", code="E_MODEL_MISSING")
    data = source.read_bytes()
    _check(card, hashlib.sha256(data).hexdigest(), hint="export the bundle again")
    target = store_folder() / card.name
    try:
        target.mkdir(parents=True, exist_ok=True)
        (target / source.name).write_bytes(data)
        (target / CARD_FILE).write_bytes(path.read_bytes())
    except OSError as error:
        raise OutputError(f"cannot write to {target}: {error.strerror}") from error
    return card


def _check(card: Card, digest: str, *, hint: str) -> None:
    if card.sha256 and digest != card.sha256:
        raise ModelError(
            f"the weights of model {card.name!r} were changed: sha256 {digest[:12]}..., "
            f"the card says {card.sha256[:12]}...",
            code="E_MODEL_INTEGRITY",
            hint=hint,
        )


def read_weights(card: Card) -> tuple[bytes, str]:
    """Return the weights of a model and their SHA-256.

    They are read once and loaded from memory, so that what was checked is what runs, and so that
    ONNX Runtime cannot follow external data to other files.

    Raises:
        ModelError: the weights are missing, or are not those of the card.
    """
    path = locate(card)
    if path is None:
        raise ModelError(
            f"the weights of model {card.name!r} are not on this machine",
            code="E_MODEL_MISSING",
            hint=f"they belong in {store_folder() / card.name}",
        )
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    _check(card, digest, hint="reinstall the package that carries them")
    return data, digest
