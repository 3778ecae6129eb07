"""From a Keras model of TensorFlow.js to ONNX.

Method: one ONNX node per layer, after the definitions of Keras; weights as they are, batch
normalisation unfolded (ONNX Runtime folds it when it loads the model). The input stays NHWC, as the
card says; inside, pictures are NCHW. Parity with TensorFlow.js: see the cards of nsfwjs.

Limits: functional models in which every layer is used once, of the layers in ``_LAYERS``, with
``channels_last``. Anything else is refused, never guessed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.models.converting.onnxfile import GraphWriter, Value
from reelcheck.models.converting.tfjs import read_tfjs, refuse

_TO_NCHW: Final = (0, 3, 1, 2)
_TO_NHWC: Final = (0, 2, 3, 1)
_PADDING: Final = {"same": "SAME_UPPER", "valid": "VALID"}
_FLAT: Final = {"Dense", "Flatten", "GlobalAveragePooling2D"}
_CHANNEL_AXES: Final = {-1, 3}


def convert_keras(members: Sequence[bytes]) -> bytes:
    """Return the ONNX file of a TensorFlow.js layers model.

    Args:
        members: The model, then the shards of its weights.

    Raises:
        ModelError: it is none, or has a layer that is not known here.
    """
    model, weights = read_tfjs(members[0], members[1:])
    try:
        return _Conversion(weights).run(model["config"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        refuse(f"its description is not complete ({type(error).__name__}: {error})")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """One layer on its way into the graph."""

    graph: GraphWriter
    config: Mapping[str, Any]
    inputs: tuple[str, ...]
    weights: Mapping[str, NDArray[np.float32]]

    def weight(self, name: str) -> NDArray[np.float32]:
        return self.weights[f"{self.config['name']}/{name}"]

    def node(self, operator: str, *more: str, **attributes: Any) -> str:  # noqa: ANN401 - handed on to the writer
        return self.graph.node(operator, *self.inputs, *more, **attributes)


class _Conversion:
    """Puts the layers of a model one after the other into a graph."""

    def __init__(self, weights: Mapping[str, NDArray[np.float32]]) -> None:
        self._weights = weights
        self._graph = GraphWriter("keras")
        self._made: dict[str, str] = {}
        self._given: Value | None = None

    def run(self, config: Mapping[str, Any]) -> bytes:
        for layer in config["layers"]:
            self._made[layer["name"]] = self._layer(layer)
        if self._given is None or len(config["output_layers"]) != 1:
            refuse("it must have one input and one output")
        output = config["output_layers"][0][0]
        kinds = {layer["name"]: layer["class_name"] for layer in config["layers"]}
        if kinds[output] not in _FLAT:
            refuse(f"its output {output} is no row of numbers for each picture")
        row = Value(name=output, shape=(0, 0))
        return self._graph.model(given=self._given, gives=row, source=self._made[output])

    def _layer(self, layer: Mapping[str, Any]) -> str:
        kind, config = layer["class_name"], layer["config"]
        if kind == "InputLayer":
            return self._input(config)
        if kind not in _LAYERS:
            refuse(f"the layer {kind} is not known")
        if config.get("data_format", "channels_last") != "channels_last":
            refuse(f"the layer {config['name']} is not channels_last")
        if len(layer["inbound_nodes"]) != 1:
            refuse(f"the layer {config['name']} is not used exactly once")
        inputs = tuple(self._made[node[0]] for node in layer["inbound_nodes"][0])
        made = _LAYERS[kind](
            _Layer(graph=self._graph, config=config, inputs=inputs, weights=self._weights)
        )
        return _activation(self._graph, made, config.get("activation", "linear"))

    def _input(self, config: Mapping[str, Any]) -> str:
        if self._given is not None:
            refuse("it must have one input and one output")
        _, height, width, channels = config["batch_input_shape"]
        self._given = Value(name=config["name"], shape=(0, height, width, channels))
        return self._graph.node("Transpose", config["name"], perm=_TO_NCHW)


def _activation(graph: GraphWriter, made: str, kind: str) -> str:
    if kind == "linear":
        return made
    if kind == "softmax":
        return graph.node("Softmax", made, axis=-1)
    if kind not in {"relu", "sigmoid", "tanh"}:
        refuse(f"the activation {kind} is not known")
    return graph.node(kind.capitalize(), made)


def _convolution(layer: _Layer, kernel: NDArray[np.float32], groups: int) -> str:
    config = layer.config
    more = [layer.graph.constant(kernel)]
    if config["use_bias"]:
        more.append(layer.graph.constant(layer.weight("bias")))
    return layer.node(
        "Conv",
        *more,
        auto_pad=_PADDING[config["padding"]],
        dilations=tuple(config.get("dilation_rate", (1, 1))),
        group=groups,
        strides=tuple(config["strides"]),
    )


def _conv2d(layer: _Layer) -> str:
    return _convolution(layer, layer.weight("kernel").transpose(3, 2, 0, 1), 1)


def _depthwise(layer: _Layer) -> str:
    kernel = layer.weight("depthwise_kernel")
    height, width, channels, multiple = kernel.shape
    apart = kernel.transpose(2, 3, 0, 1).reshape(channels * multiple, 1, height, width)
    return _convolution(layer, apart, channels)


def _normalisation(layer: _Layer) -> str:
    if layer.config["axis"] not in _CHANNEL_AXES and layer.config["axis"] != [3]:
        refuse(f"the layer {layer.config['name']} does not normalise channels")
    mean, variance = layer.weight("moving_mean"), layer.weight("moving_variance")
    gamma = layer.weight("gamma") if layer.config["scale"] else np.ones_like(mean)
    beta = layer.weight("beta") if layer.config["center"] else np.zeros_like(mean)
    constants = [layer.graph.constant(one) for one in (gamma, beta, mean, variance)]
    return layer.node("BatchNormalization", *constants, epsilon=float(layer.config["epsilon"]))


def _relu(layer: _Layer) -> str:
    if layer.config.get("negative_slope") or layer.config.get("threshold"):
        refuse(f"the layer {layer.config['name']} is no plain ReLU")
    highest = layer.config.get("max_value")
    if highest is None:
        return layer.node("Relu")
    return layer.node("Clip", layer.graph.floats(0.0), layer.graph.floats(float(highest)))


def _zero_padding(layer: _Layer) -> str:
    (top, bottom), (left, right) = layer.config["padding"]
    return layer.node("Pad", layer.graph.ints(0, 0, top, left, 0, 0, bottom, right))


def _pooling(layer: _Layer, operator: str) -> str:
    # Like Keras, ONNX leaves padding out of an average unless told otherwise.
    return layer.node(
        operator,
        auto_pad=_PADDING[layer.config["padding"]],
        kernel_shape=tuple(layer.config["pool_size"]),
        strides=tuple(layer.config["strides"]),
    )


def _flatten(layer: _Layer) -> str:
    again = layer.node("Transpose", perm=_TO_NHWC)
    return layer.graph.node("Flatten", again, axis=1)


def _global_average(layer: _Layer) -> str:
    return layer.graph.node("Flatten", layer.node("GlobalAveragePool"), axis=1)


def _dense(layer: _Layer) -> str:
    more = [layer.graph.constant(layer.weight("kernel"))]
    if layer.config["use_bias"]:
        more.append(layer.graph.constant(layer.weight("bias")))
    return layer.node("Gemm", *more)


def _concatenate(layer: _Layer) -> str:
    if layer.config["axis"] not in _CHANNEL_AXES:
        refuse(f"the layer {layer.config['name']} does not join channels")
    return layer.node("Concat", axis=1)


_LAYERS: Final[dict[str, Callable[[_Layer], str]]] = {
    "Activation": lambda layer: layer.inputs[0],
    "Add": lambda layer: layer.node("Sum"),
    "AveragePooling2D": lambda layer: _pooling(layer, "AveragePool"),
    "BatchNormalization": _normalisation,
    "Concatenate": _concatenate,
    "Conv2D": _conv2d,
    "Dense": _dense,
    "DepthwiseConv2D": _depthwise,
    "Dropout": lambda layer: layer.inputs[0],
    "Flatten": _flatten,
    "GlobalAveragePooling2D": _global_average,
    "MaxPooling2D": lambda layer: _pooling(layer, "MaxPool"),
    "ReLU": _relu,
    "ZeroPadding2D": _zero_padding,
}
