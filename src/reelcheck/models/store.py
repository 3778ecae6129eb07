"""Where weights lie on this machine. Nothing is ever fetched here."""

import hashlib
import os
from importlib.util import find_spec
from pathlib import Path

from reelcheck.errors import ModelError
from reelcheck.models.card import Card


def store_folder() -> Path:
    """Return the folder of the user's own weights: ``$REELCHECK_MODELS`` or the XDG data home."""
    chosen = os.environ.get("REELCHECK_MODELS")
    if chosen:
        return Path(chosen)
    data_home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data_home) / "reelcheck" / "models"


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
    if card.sha256 and digest != card.sha256:
        raise ModelError(
            f"the weights of model {card.name!r} were changed: sha256 {digest[:12]}..., "
            f"the card says {card.sha256[:12]}...",
            code="E_MODEL_INTEGRITY",
            hint="reinstall the package that carries them",
        )
    return data, digest
