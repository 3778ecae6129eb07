"""Writing an ONNX file: a graph of nodes and constants, and its protobuf encoding.

Source: onnx.proto of ONNX 1.12 (IR version 8, operator set 17) and the protobuf encoding guide.
The package onnx could write it too, but its bytes may change with its version, and it would be a
dependency of 20 MB for these few messages. Limits: float32, int64 and uint8 tensors, one input, one
output, no sub-graphs, and files below the 2 GiB of a protobuf message.
"""

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Attribute = int | float | str | tuple[int, ...]

_IR_VERSION: Final = 8
_OPERATOR_SET: Final = 17
_ELEMENTS: Final = {"float32": 1, "uint8": 2, "int64": 7}
"""TensorProto.DataType by numpy's names."""
_VARINT, _BYTES, _FIXED32 = 0, 2, 5
"""Wire types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """An input or an output."""

    name: str
    element: str = "float32"
    shape: tuple[int, ...]
    """A size of 0 is free."""


def element(name: str) -> int:
    """Return the ONNX number of an element type, for the attribute ``to`` of ``Cast``."""
    return _ELEMENTS[name]


class GraphWriter:
    """Collects nodes and constants in the order in which they run."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []

    def constant(self, values: NDArray[np.float32 | np.int64 | np.uint8]) -> str:
        """Add a constant; return its name."""
        name = f"c{len(self._constants)}"
        tensor = b"".join(_field(1, size) for size in values.shape)
        tensor += _field(2, _ELEMENTS[values.dtype.name]) + _field(8, name)
        little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        self._constants.append(tensor + _field(9, little.tobytes()))
        return name

    def floats(self, *values: float) -> str:
        """Add float32 numbers, shape [N], or [] for one; return their name."""
        array = np.array(values, np.float32)
        return self.constant(array[0:1].reshape(()) if len(values) == 1 else array)

    def ints(self, *values: int) -> str:
        """Add int64 numbers, shape [N]; return their name."""
        return self.constant(np.array(values, np.int64))

    def node(self, operator: str, *inputs: str, **attributes: Attribute) -> str:
        """Add a node with one output; return the name of the output."""
        name = f"n{len(self._nodes)}"
        self._add(operator, inputs, name, attributes)
        return name

    def _add(
        self,
        operator: str,
        inputs: tuple[str, ...],
        output: str,
        attributes: dict[str, Attribute] | None = None,
    ) -> None:
        parts = [_field(1, one) for one in inputs]
        parts += [_field(2, output), _field(3, f"{operator}:{output}"), _field(4, operator)]
        parts += [_field(5, _attribute(*item)) for item in sorted((attributes or {}).items())]
        self._nodes.append(b"".join(parts))

    def model(self, *, given: Value, gives: Value, source: str) -> bytes:
        """Return the file.

        Args:
            given: The input.
            gives: The output, float32.
            source: What computes the output.
        """
        self._add("Identity", (source,), gives.name)
        graph = b"".join(_field(1, one) for one in self._nodes)
        graph += _field(2, self._name)
        graph += b"".join(_field(5, one) for one in self._constants)
        graph += _field(11, _value(given)) + _field(12, _value(gives))
        versions = _field(8, _field(1, "") + _field(2, _OPERATOR_SET))
        head = _field(1, _IR_VERSION) + _field(2, "reelcheck")
        return head + _field(7, graph) + versions


def _attribute(name: str, value: Attribute) -> bytes:
    start = _field(1, name)
    if isinstance(value, float):
        return start + _field(2, value) + _field(20, 1)
    if isinstance(value, int):
        return start + _field(3, value) + _field(20, 2)
    if isinstance(value, str):
        return start + _field(4, value) + _field(20, 3)
    return start + b"".join(_field(8, one) for one in value) + _field(20, 7)


def _value(value: Value) -> bytes:
    sizes = (_field(1, size) if size else b"" for size in value.shape)
    tensor = _field(1, _ELEMENTS[value.element])
    tensor += _field(2, b"".join(_field(1, size) for size in sizes))
    return _field(1, value.name) + _field(2, _field(1, tensor))


def _field(number: int, value: int | float | str | bytes) -> bytes:  # noqa: PYI041 - an int is encoded as an int, not as a float
    if isinstance(value, float):
        return _varint(number << 3 | _FIXED32) + struct.pack("<f", value)
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value % (1 << 64))
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    groups = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits to a byte
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
