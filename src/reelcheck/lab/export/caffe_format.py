"""Caffe's two files: the structure as text (prototxt), the weights in protobuf's wire format.

Source: ``caffe.proto`` of BVLC Caffe for names and numbers of fields; "Encoding" of the Protocol
Buffers documentation for the wire format. Few fields are needed, so they are written by hand.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_NET_NAME: Final = 1
_NET_LAYER: Final = 100
_LAYER_NAME: Final = 1
_LAYER_TYPE: Final = 2
_LAYER_BLOBS: Final = 7
_BLOB_DATA: Final = 5
_BLOB_SHAPE: Final = 7
_SHAPE_DIM: Final = 1
_BYTES: Final = 2
"""Wire type of everything that carries its length."""
_MORE: Final = 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer."""

    name: str
    kind: str
    """Caffe's ``type``."""
    bottoms: tuple[str, ...]
    top: str
    block: str = ""
    """Name of the block with its options, such as ``convolution_param``."""
    options: Mapping[str, Any] = field(default_factory=dict)
    blobs: tuple[NDArray[Any], ...] = ()


class Word(str):
    """A value that is written without quotes."""

    __slots__ = ()


def to_prototxt(layers: Iterable[Layer], *, name: str) -> str:
    """Return the structure of a network as text."""
    lines = [f'name: "{name}"']
    for layer in layers:
        lines += ["layer {", f'  name: "{layer.name}"', f'  type: "{layer.kind}"']
        lines += [f'  bottom: "{bottom}"' for bottom in layer.bottoms]
        lines.append(f'  top: "{layer.top}"')
        if layer.block:
            lines.append(f"  {layer.block} {{")
            lines += [f"    {line}" for line in _options(layer.options)]
            lines.append("  }")
        lines.append("}")
    return "\n".join(lines) + "\n"


def _options(options: Mapping[str, Any]) -> Iterator[str]:
    for key, value in options.items():
        if isinstance(value, Mapping):
            inside = " ".join(_options(value))
            yield f"{key} {{ {inside} }}"
            continue
        for one in value if isinstance(value, list | tuple) else [value]:
            yield f"{key}: {str(one).lower() if isinstance(one, bool) else one}"


def to_caffemodel(layers: Iterable[Layer], *, name: str) -> bytes:
    """Return the weights of a network; layers are found by their names."""
    parts = [_block(_NET_NAME, name.encode())]
    for layer in layers:
        if layer.blobs:
            blobs = b"".join(_block(_LAYER_BLOBS, _blob(one)) for one in layer.blobs)
            head = _block(_LAYER_NAME, layer.name.encode())
            kind = _block(_LAYER_TYPE, layer.kind.encode())
            parts.append(_block(_NET_LAYER, head + kind + blobs))
    return b"".join(parts)


def _blob(array: NDArray[Any]) -> bytes:
    dims = b"".join(_varint(size) for size in array.shape)
    data = np.ascontiguousarray(array, dtype="<f4").tobytes()
    return _block(_BLOB_DATA, data) + _block(_BLOB_SHAPE, _block(_SHAPE_DIM, dims))


def _block(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Return a whole number, seven bits at a time, the lowest first."""
    out = bytearray()
    while value >= _MORE:
        out.append(value & (_MORE - 1) | _MORE)
        value >>= 7
    out.append(value)
    return bytes(out)
