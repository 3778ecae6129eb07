"""A small TensorFlow.js model, and what it answers, computed by plain numpy."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

HEIGHT, WIDTH = 11, 14
"""Neither equal nor even: a mistaken axis or a mistaken side of the padding shows."""
_SAME, _VALID = "same", "valid"


class SmallModel:
    """Convolutions, poolings, branches and a dense end, with random weights of 8 bits."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self.layers: list[dict[str, Any]] = []
        self.manifest: list[dict[str, Any]] = []
        self.stored = b""
        self.weights: dict[str, Floats] = {}
        self._build()

    def _build(self) -> None:
        self._layer("InputLayer", "in", (), batch_input_shape=[None, HEIGHT, WIDTH, 3])
        self._weight("conv/kernel", (3, 3, 3, 4))
        self._weight("conv/bias", (4,))
        conv = {"padding": _SAME, "strides": [2, 2], "use_bias": True}
        self._layer("Conv2D", "conv", ("in",), **conv, activation="relu")
        for part in ("gamma", "beta", "moving_mean"):
            self._weight(f"norm/{part}", (4,))
        self._weight("norm/moving_variance", (4,), low=0.5)
        more = {"axis": -1, "epsilon": 0.001, "scale": True, "center": True}
        self._layer("BatchNormalization", "norm", ("conv",), **more)
        self._layer("ZeroPadding2D", "pad", ("norm",), padding=[[0, 1], [2, 0]])
        self._weight("depth/depthwise_kernel", (3, 2, 4, 2))
        deep = {"padding": _VALID, "strides": [1, 1], "use_bias": False}
        self._layer("DepthwiseConv2D", "depth", ("pad",), **deep)
        self._layer("ReLU", "six", ("depth",), max_value=6, negative_slope=0, threshold=0)
        pool = {"pool_size": [3, 3], "strides": [2, 2]}
        self._layer("MaxPooling2D", "most", ("six",), padding=_SAME, **pool)
        self._layer("AveragePooling2D", "mean", ("six",), padding=_SAME, **pool)
        self._layer("Add", "sum", ("most", "mean"))
        self._layer("Concatenate", "both", ("sum", "most"), axis=3)
        self._layer("Dropout", "drop", ("both",), rate=0.5)
        self._layer("Flatten", "flat", ("drop",))
        self._weight("end/kernel", (self.answer_before_end().shape[1], 3))
        self._weight("end/bias", (3,))
        self._layer("Dense", "end", ("flat",), use_bias=True, activation="softmax")

    def _layer(self, kind: str, name: str, inputs: tuple[str, ...], **config: object) -> None:
        inbound = [[[one, 0, 0, {}] for one in inputs]] if inputs else []
        config = {"name": name, **config}
        self.layers.append(
            {"class_name": kind, "name": name, "config": config, "inbound_nodes": inbound}
        )

    def _weight(self, name: str, shape: tuple[int, ...], *, low: float = -1.0) -> None:
        levels = self._rng.integers(0, 256, shape, dtype=np.uint8)
        scale = 0.0078125  # 2 / 256: exact in float32
        coded = {"dtype": "uint8", "min": low, "scale": scale}
        described = {"name": name, "shape": list(shape), "dtype": "float32", "quantization": coded}
        self.manifest.append(described)
        self.stored += levels.tobytes()
        self.weights[name] = (levels * scale + low).astype(np.float32)

    def described(self) -> dict[str, Any]:
        """Return the content of ``model.json``."""
        model = {"layers": self.layers, "input_layers": [["in", 0, 0]]}
        model["output_layers"] = [["end", 0, 0]]
        topology = {"model_config": {"class_name": "Model", "config": model}}
        return {
            "modelTopology": topology,
            "weightsManifest": [{"paths": ["a", "b"], "weights": self.manifest}],
        }

    def files(self) -> list[bytes]:
        """Return ``model.json`` and two shards."""
        middle = len(self.stored) // 2
        parts = [self.stored[:middle], self.stored[middle:]]
        return [json.dumps(self.described()).encode(), *parts]

    def modules(self) -> list[bytes]:
        """Return the same as minified modules, as the package nsfwjs has them."""
        model, *shards = self.files()
        texts = [javascript(json.loads(model)), *(base64.b64encode(one).decode() for one in shards)]
        wrapped = [texts[0], *(f'"{text}"' for text in texts[1:])]
        start = (
            '!function(e){"object"==typeof exports&&(module.exports=e())}(function(a){a.exports='
        )
        return [f"{start}{text}}},{{}}]}},{{}},[1])(1)}});".encode() for text in wrapped]

    def answer(self, pictures: Floats) -> Floats:
        """Return the probabilities for pictures [N, H, W, 3]."""
        rows = self.answer_before_end(pictures) @ self.weights["end/kernel"]
        powers = np.exp(rows + self.weights["end/bias"])
        return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)

    def answer_before_end(self, pictures: Floats | None = None) -> Floats:
        """Return what goes into the last layer."""
        x = np.zeros((1, HEIGHT, WIDTH, 3), np.float32) if pictures is None else pictures
        weights = self.weights
        x = _convolved(_padded(x, 3, 2, 0.0), weights["conv/kernel"], 2)
        x = np.maximum(x + weights["conv/bias"], 0)
        spread = np.sqrt(weights["norm/moving_variance"] + 0.001)
        x = (x - weights["norm/moving_mean"]) / spread
        x = x * weights["norm/gamma"] + weights["norm/beta"]
        x = np.pad(x, ((0, 0), (0, 1), (2, 0), (0, 0)))
        kernel = weights["depth/depthwise_kernel"]
        parts = [
            _convolved(x[..., c : c + 1], kernel[:, :, c : c + 1], 1) for c in range(x.shape[-1])
        ]
        x = np.clip(np.concatenate(parts, -1), 0, 6)
        most = np.stack(list(_windows(_padded(x, 3, 2, -np.inf), 3, 2))).max(0)
        there = _padded(np.ones_like(x), 3, 2, 0.0)
        sums = np.stack(list(_windows(_padded(x, 3, 2, 0.0), 3, 2))).sum(0)
        mean = sums / np.stack(list(_windows(there, 3, 2))).sum(0)
        return np.concatenate([most + mean, most], -1).reshape(len(x), -1)


def _padded(x: Floats, size: int, step: int, value: float) -> Floats:
    """Pad as Keras does for ``same``: what is odd goes to the bottom and to the right."""
    sides = [(0, 0)]
    for length in x.shape[1:3]:
        short = max((-(-length // step) - 1) * step + size - length, 0)
        sides.append((short // 2, short - short // 2))
    return np.pad(x, [*sides, (0, 0)], constant_values=value)


def _windows(x: Floats, size: int, step: int) -> Iterator[Floats]:
    rows, columns = ((length - size) // step + 1 for length in x.shape[1:3])
    for top in range(size):
        for left in range(size):
            yield x[:, top : top + rows * step : step, left : left + columns * step : step]


def _convolved(x: Floats, kernel: Floats, step: int) -> Floats:
    height, width, *_ = kernel.shape
    rows, columns = (x.shape[1] - height) // step + 1, (x.shape[2] - width) // step + 1
    total = np.zeros((len(x), rows, columns, kernel.shape[3]), np.float32)
    for top in range(height):
        for left in range(width):
            part = x[:, top : top + rows * step : step, left : left + columns * step : step]
            total += part @ kernel[top, left]
    return total


def javascript(value: object) -> str:
    """Return a value as a minifier writes it: bare keys, ``!0`` for true, ``.5`` for 0.5."""
    if isinstance(value, bool):
        return "!0" if value else "!1"
    if isinstance(value, dict):
        pairs = (f"{_key(key)}:{javascript(one)}" for key, one in value.items())
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(javascript(one) for one in value) + "]"
    if isinstance(value, float):
        return re.sub(r"^(-?)0\.(?=\d)", r"\1.", repr(value))
    return json.dumps(value)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z_$][\w$]*", key, re.ASCII) else json.dumps(key)
