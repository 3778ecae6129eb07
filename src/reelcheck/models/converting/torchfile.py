"""Reading the tensors of a PyTorch state dict without PyTorch, and without unpickling.

A ``.pth`` file is a zip with a pickle that describes the tensors, and their numbers one file each.
The pickle is disassembled, not run: of its instructions those that build names, numbers, tuples and
dictionaries are followed here, and the only two functions that a state dict calls stand for
themselves. Anything else is refused. Limits: contiguous float32 and int64 tensors.
"""

import io
import math
import pickletools
import zipfile
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.models.converting.tfjs import refuse

_KINDS: Final = {"torch FloatStorage": "<f4", "torch LongStorage": "<i8"}
_TENSOR: Final = "torch._utils _rebuild_tensor_v2"
_DICTIONARY: Final = "collections OrderedDict"
_PLAIN: Final = {"BINUNICODE", "BININT", "BININT1", "BININT2", "GLOBAL"}
_CONSTANTS: Final[dict[str, Any]] = {"NEWFALSE": False, "NEWTRUE": True, "EMPTY_TUPLE": ()}
_TUPLES: Final = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def read_state_dict(file: bytes) -> dict[str, NDArray[Any]]:
    """Return the tensors of a state dict by name.

    Raises:
        ModelError: it is none, or needs more than this reader can do.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            (name,) = (one for one in archive.namelist() if one.endswith("/data.pkl"))
            found = _Reader(archive, name.removesuffix("data.pkl")).run(archive.read(name))
    except (KeyError, IndexError, TypeError, ValueError, zipfile.BadZipFile) as error:
        refuse(f"it is no PyTorch state dict ({type(error).__name__}: {error})")
    return found


class _Reader:
    """Follows the instructions of one pickle on a stack."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        self._archive, self._folder = archive, folder
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, program: bytes) -> dict[str, NDArray[Any]]:
        for instruction, argument, _ in pickletools.genops(program):
            self._step(instruction.name, argument)
        (found,) = self._stack
        return {name: tensor for name, tensor in found.items() if isinstance(tensor, np.ndarray)}

    def _step(self, name: str, argument: Any) -> None:  # noqa: ANN401 - of a pickle
        stack = self._stack
        if name in _PLAIN:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name in {"BINPUT", "LONG_BINPUT"}:
            self._memo[argument] = stack[-1]
        elif name in {"BINGET", "LONG_BINGET"}:
            stack.append(self._memo[argument])
        elif name == "MARK":
            self._marks.append(len(stack))
        else:
            self._build(name)

    def _build(self, name: str) -> None:
        stack = self._stack
        if name in _TUPLES:
            stack.append(tuple(self._cut(len(stack) - _TUPLES[name])))
        elif name == "TUPLE":
            stack.append(tuple(self._cut(self._marks.pop())))
        elif name in {"SETITEM", "SETITEMS"}:
            items = self._cut(len(stack) - 2 if name == "SETITEM" else self._marks.pop())
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name == "REDUCE":
            function, arguments = self._cut(len(stack) - 2)
            stack.append(self._call(function, arguments))
        elif name == "BUILD":
            stack.pop()  # versions of the layers: nothing that we need
        elif name not in {"PROTO", "STOP", "BINPERSID"}:
            raise ValueError(f"instruction {name}")

    def _cut(self, at: int) -> list[Any]:
        if at < 0:
            raise ValueError("the stack is empty")
        items = self._stack[at:]
        del self._stack[at:]
        return items

    def _call(self, function: str, arguments: tuple[Any, ...]) -> Any:  # noqa: ANN401 - a dictionary or a tensor
        if function == _DICTIONARY and not arguments:
            return {}
        if function != _TENSOR:
            raise ValueError(f"it calls {function}")
        (_, kind, key, _, _), offset, shape, strides, *_ = arguments
        dtype = np.dtype(_KINDS[kind])
        numbers = np.frombuffer(self._archive.read(f"{self._folder}data/{key}"), dtype)
        tensor = numbers[offset : offset + math.prod(shape)].reshape(shape)
        if tuple(step * dtype.itemsize for step in strides) != tensor.strides:
            raise ValueError("a tensor is not contiguous")
        return tensor
