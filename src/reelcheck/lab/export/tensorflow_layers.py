"""Convolutions, pools, products, normalisation and GRUs of ONNX in TensorFlow.

Source: the operator schemas of ONNX, opset 18.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.lab.export.graph import Node
from reelcheck.lab.export.tensorflow_graph import Handler, Scope, Value, refused

_LINE: Final = 1
_PLANE: Final = 2
_SPACE: Final = 3


def _spatial(node: Node, name: str, rank: int, default: int) -> list[int]:
    return [int(one) for one in node.attributes.get(name, [default] * rank)]


def _padded(scope: Scope, node: Node, x: Any, rank: int, value: float = 0.0) -> Any:  # noqa: ANN401
    """Pad a tensor [N, ..., C] as the node says."""
    if node.attributes.get("auto_pad", "NOTSET") not in {"NOTSET", "VALID"}:
        raise refused(node, "auto_pad")
    pads = _spatial(node, "pads", 2 * rank, 0)
    if not any(pads):
        return x
    around = [(0, 0), *zip(pads[:rank], pads[rank:], strict=True), (0, 0)]
    return scope.tf.pad(x, around, constant_values=value)


def _convolution(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor or value
    tf = scope.tf
    weight = scope.constant(node.inputs[1])
    if weight is None:
        raise refused(node, "its weights are no constant")
    rank = weight.ndim - 2
    if rank == _PLANE:
        x = _padded(scope, node, scope.value(node.inputs[0]).last, rank)
        return Value(tf, _plane(scope, node, x, weight), last="yes")
    if rank == _LINE:  # a plane of height 1
        x = _padded(scope, node, tf.transpose(scope.first(node.inputs[0]), (0, 2, 1)), rank)
        y = _plane(scope, node, x[:, tf.newaxis], weight[:, :, np.newaxis])
        return tf.transpose(tf.squeeze(y, 1), (0, 2, 1))
    if rank == _SPACE and int(node.attributes.get("group", 1)) == 1:
        x = tf.transpose(scope.first(node.inputs[0]), (0, 2, 3, 4, 1))
        kernel = scope.weight(node.outputs[0], weight.transpose(2, 3, 4, 1, 0).copy())
        strides, dilations = ([1, *_spatial(node, n, rank, 1), 1] for n in ("strides", "dilations"))
        y = tf.nn.conv3d(
            _padded(scope, node, x, rank), kernel, strides, "VALID", "NDHWC", dilations
        )
        return tf.transpose(_biased(scope, node, y), (0, 4, 1, 2, 3))
    raise refused(node, f"{rank} dimensions in groups")


def _plane(scope: Scope, node: Node, x: Any, weight: NDArray[Any]) -> Any:  # noqa: ANN401
    """Convolve padded [N, H, W, C] with [O, C / groups, h, w]; all strides of a line are one."""
    tf, groups = scope.tf, int(node.attributes.get("group", 1))
    strides, dilations = (
        (_spatial(node, name, _PLANE, 1) * _PLANE)[:_PLANE] for name in ("strides", "dilations")
    )
    if groups > 1 and weight.shape[1] == 1 and strides[0] == strides[1]:
        # Depthwise: [C * m, 1, h, w] to [h, w, C, m].
        each = weight.reshape(groups, -1, *weight.shape[2:])
        kernel = scope.weight(node.outputs[0], each.transpose(2, 3, 0, 1).copy())
        y = tf.nn.depthwise_conv2d(x, kernel, [1, *strides, 1], "VALID", dilations=dilations)
    else:
        kernel = scope.weight(node.outputs[0], weight.transpose(2, 3, 1, 0).copy())
        y = tf.nn.conv2d(x, kernel, strides, "VALID", dilations=dilations)
    return _biased(scope, node, y)


def _biased(scope: Scope, node: Node, y: Any) -> Any:  # noqa: ANN401 - tensors
    return scope.tf.nn.bias_add(y, scope.first(node.inputs[2])) if node.input(2) else y


def _pool(scope: Scope, node: Node) -> Value:
    tf = scope.tf
    window = _spatial(node, "kernel_shape", _PLANE, 1)
    if len(window) != _PLANE or node.attributes.get("ceil_mode"):
        raise refused(node, "ceil_mode or not two dimensions")
    if any(one != 1 for one in _spatial(node, "dilations", _PLANE, 1)):
        raise refused(node, "dilations")
    strides = _spatial(node, "strides", _PLANE, 1)
    x = scope.value(node.inputs[0]).last
    if node.kind == "MaxPool":
        padded = _padded(scope, node, x, _PLANE, value=float(np.finfo(np.float32).min))
        return Value(tf, tf.nn.max_pool2d(padded, window, strides, "VALID"), last="yes")
    y = tf.nn.avg_pool2d(_padded(scope, node, x, _PLANE), window, strides, "VALID")
    if any(_spatial(node, "pads", 2 * _PLANE, 0)) and not node.attributes.get("count_include_pad"):
        inside = _padded(scope, node, tf.ones_like(x[:1, :, :, :1]), _PLANE)
        y /= tf.nn.avg_pool2d(inside, window, strides, "VALID")
    return Value(tf, y, last="yes")


def _global_average(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    return scope.tf.reduce_mean(scope.first(node.inputs[0]), (2, 3), keepdims=True)


def _gemm(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    tf, given = scope.tf, node.attributes
    y = tf.matmul(
        scope.first(node.inputs[0]),
        scope.first(node.inputs[1]),
        transpose_a=bool(given.get("transA", 0)),
        transpose_b=bool(given.get("transB", 0)),
    )
    y = y * float(given.get("alpha", 1.0))
    if not node.input(2):
        return y
    return y + scope.first(node.inputs[2]) * float(given.get("beta", 1.0))


def _matmul(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    return scope.tf.matmul(scope.first(node.inputs[0]), scope.first(node.inputs[1]))


def _batch_norm(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    tf = scope.tf
    x, scale, shift, mean, variance = (scope.first(name) for name in node.inputs)
    shape = (1, -1, *[1] * (len(x.shape) - 2))
    factor = scale * tf.math.rsqrt(variance + float(node.attributes.get("epsilon", 1e-5)))
    return x * tf.reshape(factor, shape) + tf.reshape(shift - mean * factor, shape)


def _instance_norm(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    tf = scope.tf
    x, scale, shift = (scope.first(name) for name in node.inputs)
    mean, variance = tf.nn.moments(x, list(range(2, len(x.shape))), keepdims=True)
    shape = (1, -1, *[1] * (len(x.shape) - 2))
    ready = (x - mean) * tf.math.rsqrt(variance + float(node.attributes.get("epsilon", 1e-5)))
    return ready * tf.reshape(scale, shape) + tf.reshape(shift, shape)


def _layer_norm(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    tf = scope.tf
    x = scope.first(node.inputs[0])
    axis = int(node.attributes.get("axis", -1)) % len(x.shape)
    mean, variance = tf.nn.moments(x, list(range(axis, len(x.shape))), keepdims=True)
    y = (x - mean) * tf.math.rsqrt(variance + float(node.attributes.get("epsilon", 1e-5)))
    y = y * scope.first(node.inputs[1])
    return y + scope.first(node.inputs[2]) if node.input(2) else y


def _softmax(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    axis = int(node.attributes.get("axis", -1))
    return scope.tf.nn.softmax(scope.first(node.inputs[0]), axis=axis)


def _gru(scope: Scope, node: Node) -> tuple[Any, Any]:
    """Follow a sequence [T, N, numbers]; gates are in the order update, reset, new."""
    tf, given = scope.tf, node.attributes
    if not given.get("linear_before_reset", 0) or given.get("direction", "forward") != "forward":
        raise refused(node, "only torch's form (linear_before_reset), forward, is known")
    if node.input(4) or given.get("layout", 0) or given.get("activations"):
        raise refused(node, "sequence_lens, layout or activations")
    x = scope.first(node.inputs[0])
    weight, recurrent = (scope.first(name)[0] for name in node.inputs[1:3])
    size = int(given["hidden_size"])
    bias = scope.first(node.inputs[3])[0] if node.input(3) else tf.zeros(6 * size)
    start = scope.first(node.inputs[5])[0] if node.input(5) else tf.zeros((tf.shape(x)[1], size))
    fed = tf.matmul(x, weight, transpose_b=True) + bias[: 3 * size]

    def step(hidden: Any, now: Any) -> Any:  # noqa: ANN401 - tensors
        kept = tf.matmul(hidden, recurrent, transpose_b=True) + bias[3 * size :]
        update = tf.sigmoid(now[:, :size] + kept[:, :size])
        reset = tf.sigmoid(now[:, size : 2 * size] + kept[:, size : 2 * size])
        new = tf.tanh(now[:, 2 * size :] + reset * kept[:, 2 * size :])
        return (1 - update) * new + update * hidden

    every = tf.scan(step, fed, start)
    return every[:, tf.newaxis], every[-1][tf.newaxis]


LAYERS: Final[dict[str, Handler]] = {
    "AveragePool": _pool,
    "BatchNormalization": _batch_norm,
    "Conv": _convolution,
    "GRU": _gru,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "MatMul": _matmul,
    "MaxPool": _pool,
    "Softmax": _softmax,
}
