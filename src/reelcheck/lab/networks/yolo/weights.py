"""Loading weight files with the key names of the authors' release of YOLOX."""

from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from reelcheck.errors import ModelError
from reelcheck.lab.networks.yolo.network import Yolo
from reelcheck.models.protect.pickles import looked_through

_CLASS_LAYERS = "head.cls_preds."


def load_weights(network: Yolo, path: Path) -> tuple[str, ...]:
    """Load a ``.pth`` file of the authors' layout into ``network``.

    The file is read as tensors only: no code in it is run. Every key must fit, but for the last
    class layers, which are left as they are if the number of classes differs.

    Args:
        network: Of the same depth, width and sort of convolution as the file.
        path: A state dict, or a training checkpoint that holds one under ``model``.

    Returns:
        The keys that were left out because the number of classes differs.

    Raises:
        ModelError: the file is missing, is no state dict, or does not fit the network.
    """
    state = _read(path)
    wanted = network.state_dict()
    left_out = tuple(
        key
        for key, value in state.items()
        if key.startswith(_CLASS_LAYERS) and key in wanted and value.shape != wanted[key].shape
    )
    kept = {key: value for key, value in state.items() if key not in left_out}
    try:
        network.load_state_dict({**{key: wanted[key] for key in left_out}, **kept}, strict=True)
    except RuntimeError as error:
        first = str(error).splitlines()
        message = f"{path} does not fit this yolo: {' '.join(line.strip() for line in first[:3])}"
        raise ModelError(
            message,
            hint="depth, width and depthwise must be those of the file",
            code="E_MODEL_INTEGRITY",
        ) from error
    return left_out


def _read(path: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(looked_through(path), map_location="cpu", weights_only=True)
    except OSError as error:
        message = f"cannot read the weights {path}: {error.strerror}"
        raise ModelError(message, code="E_MODEL_MISSING") from error
    except (ModelError, RuntimeError, UnpicklingError, EOFError) as error:
        message = f"{path} is no weight file that can be read without running code in it"
        raise ModelError(message, code="E_MODEL_INTEGRITY") from error
    state = content.get("model", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        message = f"{path} holds no state dict"
        raise ModelError(message, code="E_MODEL_INTEGRITY")
    return state
