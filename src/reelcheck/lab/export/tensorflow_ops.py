"""Element-wise operations and changes of shape of ONNX in TensorFlow.

Source: the operator schemas of ONNX, opset 18.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from reelcheck.lab.export.graph import Node
from reelcheck.lab.export.tensorflow_graph import Handler, Scope, Value, refused

_INT64_MAX: Final = np.iinfo(np.int64).max
_HALF: Final = 0.5
_SIXTH: Final = 1 / 6


def _hard_sigmoid(tf: Any, x: Any, slope: float, shift: float) -> Any:  # noqa: ANN401 - tensors
    return tf.clip_by_value(x * slope + shift, 0.0, 1.0)


_UNARY: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "Abs": lambda tf, x: tf.abs(x),
    "Erf": lambda tf, x: tf.math.erf(x),
    "Exp": lambda tf, x: tf.exp(x),
    "HardSwish": lambda tf, x: x * _hard_sigmoid(tf, x, _SIXTH, _HALF),
    "Identity": lambda tf, x: tf.identity(x),
    "Log": lambda tf, x: tf.math.log(x),
    "Neg": lambda tf, x: tf.negative(x),
    "Not": lambda tf, x: tf.logical_not(x),
    "Relu": lambda tf, x: tf.nn.relu(x),
    "Sigmoid": lambda tf, x: tf.sigmoid(x),
    "Softplus": lambda tf, x: tf.math.softplus(x),
    "Sqrt": lambda tf, x: tf.sqrt(x),
    "Tanh": lambda tf, x: tf.tanh(x),
}
_BINARY: Final[dict[str, Callable[[Any, Any, Any], Any]]] = {
    "Add": lambda tf, x, y: tf.add(x, y),
    "And": lambda tf, x, y: tf.logical_and(x, y),
    "Div": lambda tf, x, y: x // y if x.dtype.is_integer else tf.divide(x, y),
    "Equal": lambda tf, x, y: tf.equal(x, y),
    "Greater": lambda tf, x, y: tf.greater(x, y),
    "Less": lambda tf, x, y: tf.less(x, y),
    "Max": lambda tf, x, y: tf.maximum(x, y),
    "Min": lambda tf, x, y: tf.minimum(x, y),
    "Mul": lambda tf, x, y: tf.multiply(x, y),
    "Or": lambda tf, x, y: tf.logical_or(x, y),
    "Pow": lambda tf, x, y: tf.pow(x, tf.cast(y, x.dtype)),
    "Sub": lambda tf, x, y: tf.subtract(x, y),
}


def _unary(scope: Scope, node: Node) -> Value:
    value = scope.value(node.inputs[0])
    make = _UNARY[node.kind]
    if value.is_last:
        return Value(scope.tf, make(scope.tf, value.last), last="yes")
    return Value(scope.tf, make(scope.tf, value.first))


def _binary(scope: Scope, node: Node) -> Value:
    if len(node.inputs) != 2:  # noqa: PLR2004 - Max and Min may take more
        raise refused(node, f"{len(node.inputs)} inputs")
    values = [scope.value(name) for name in node.inputs]
    make = _BINARY[node.kind]
    # In the other layout only where nothing but single numbers would have to be turned.
    scalar = [not value.is_last and value.first.shape.rank == 0 for value in values]
    if any(value.is_last for value in values) and all(
        value.is_last or plain for value, plain in zip(values, scalar, strict=True)
    ):
        ready = [value.last if value.is_last else value.first for value in values]
        return Value(scope.tf, make(scope.tf, *ready), last="yes")
    return Value(scope.tf, make(scope.tf, *(value.first for value in values)))


def _clip(scope: Scope, node: Node) -> Value:
    tf = scope.tf
    limits = [scope.first(name) if name else None for name in (node.input(1), node.input(2))]
    value = scope.value(node.inputs[0])
    x = value.last if value.is_last else value.first
    x = x if limits[0] is None else tf.maximum(x, limits[0])
    x = x if limits[1] is None else tf.minimum(x, limits[1])
    return Value(tf, x, last="yes" if value.is_last else "no")


def _hard_sigmoid_node(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    slope, shift = (float(node.attributes.get(*one)) for one in (("alpha", 0.2), ("beta", 0.5)))
    return _hard_sigmoid(scope.tf, scope.first(node.inputs[0]), slope, shift)


def _leaky(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    slope = float(node.attributes.get("alpha", 0.01))
    return scope.tf.nn.leaky_relu(scope.first(node.inputs[0]), slope)


def _cast(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    kinds = {1: "float32", 6: "int32", 7: "int64", 9: "bool", 11: "float64"}
    kind = kinds.get(int(node.attributes["to"]))
    if kind is None:
        raise refused(node, f"type {node.attributes['to']}")
    return scope.tf.cast(scope.first(node.inputs[0]), kind)


def _where(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    return scope.tf.where(*(scope.first(name) for name in node.inputs))


def _reshape(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    tf, x = scope.tf, scope.first(node.inputs[0])
    shape = scope.constant(node.inputs[1])
    if shape is None:
        return tf.reshape(x, scope.first(node.inputs[1]))
    sizes = [int(one) for one in shape]
    if 0 in sizes and not node.attributes.get("allowzero"):
        sizes = [one or tf.shape(x)[place] for place, one in enumerate(sizes)]
    return tf.reshape(x, sizes)


def _flatten(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    if int(node.attributes.get("axis", 1)) != 1:
        raise refused(node, "an axis other than 1")
    x = scope.first(node.inputs[0])
    return scope.tf.reshape(x, (-1, int(np.prod([one or 0 for one in x.shape[1:]]))))


def _transpose(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    return scope.tf.transpose(scope.first(node.inputs[0]), node.attributes.get("perm"))


def _concat(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor or value
    tf, axis = scope.tf, int(node.attributes["axis"])
    values = [scope.value(name) for name in node.inputs]
    if axis == 1 and all(value.is_last for value in values):
        return Value(tf, tf.concat([value.last for value in values], 3), last="yes")
    return tf.concat([value.first for value in values], axis)


def _slice(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    x = scope.first(node.inputs[0])
    starts, ends = scope.numbers(node, 1) or [], scope.numbers(node, 2) or []
    axes = scope.numbers(node, 3) or list(range(len(starts)))
    steps = scope.numbers(node, 4) or [1] * len(starts)
    if any(step < 1 for step in steps):
        raise refused(node, "a step below 1")
    cut = [slice(None)] * len(x.shape)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        far = None if end >= _INT64_MAX or (x.shape[axis] or end + 1) <= end else end
        cut[axis] = slice(start, far, step)
    return x[tuple(cut)]


def _gather(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    x, axis = scope.first(node.inputs[0]), int(node.attributes.get("axis", 0))
    places = scope.constant(node.inputs[1])
    if places is None:
        return scope.tf.gather(x, scope.first(node.inputs[1]), axis=axis)
    if (places < 0).any():
        if x.shape[axis] is None:
            raise refused(node, "a place from the end of a free dimension")
        places = places % x.shape[axis]
    return scope.tf.gather(x, places, axis=axis)


def _split(scope: Scope, node: Node) -> tuple[Any, ...]:
    x, axis = scope.first(node.inputs[0]), int(node.attributes.get("axis", 0))
    sizes = scope.numbers(node, 1, "split") or len(node.outputs)
    return tuple(scope.tf.split(x, sizes, axis))


def _pad(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    x, mode = scope.first(node.inputs[0]), str(node.attributes.get("mode", "constant"))
    pads = scope.numbers(node, 1, "pads") or []
    if mode not in {"constant", "reflect"} or node.input(3) or min(pads) < 0:
        raise refused(node, f"mode {mode}, axes or negative pads")
    filled = scope.constant(node.input(2)) if node.input(2) else None
    half = len(pads) // 2
    around = list(zip(pads[:half], pads[half:], strict=True))
    value = 0.0 if filled is None else float(np.ravel(filled)[0])
    return scope.tf.pad(x, around, mode.upper(), constant_values=value)


def _expand(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    tf, x = scope.tf, scope.first(node.inputs[0])
    wanted = tf.cast(scope.first(node.inputs[1]), tf.int32)
    return tf.broadcast_to(x, tf.broadcast_dynamic_shape(tf.shape(x), wanted))


def _squeeze(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    return scope.tf.squeeze(scope.first(node.inputs[0]), scope.numbers(node, 1, "axes"))


def _unsqueeze(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    x = scope.first(node.inputs[0])
    axes = scope.numbers(node, 1, "axes") or []
    rank = len(x.shape) + len(axes)
    for axis in sorted(one % rank for one in axes):
        x = scope.tf.expand_dims(x, axis)
    return x


def _shape(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    x, given = scope.first(node.inputs[0]), node.attributes
    return scope.tf.shape(x, out_type=scope.tf.int64)[given.get("start", 0) : given.get("end")]


def _filled(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    value = node.attributes.get("value", np.zeros(1, np.float32))
    return scope.tf.fill(scope.first(node.inputs[0]), scope.tf.constant(value.ravel()[0]))


def _reduce(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    tf = scope.tf
    make = {"ReduceMax": tf.reduce_max, "ReduceMean": tf.reduce_mean, "ReduceSum": tf.reduce_sum}
    axes = scope.numbers(node, 1, "axes")
    keep = bool(node.attributes.get("keepdims", 1))
    return make[node.kind](scope.first(node.inputs[0]), axes, keepdims=keep)


def _resize(scope: Scope, node: Node) -> Any:  # noqa: ANN401 - a tensor
    """Enlarge by whole factors, each number repeated, as torch's nearest does."""
    given = node.attributes
    how = (given.get("mode"), given.get("coordinate_transformation_mode"))
    factors = scope.constant(node.input(2)) if node.input(2) else None
    if how != ("nearest", "asymmetric") or factors is None or (factors % 1).any():
        raise refused(node, f"{how}, only whole factors by repetition are known")
    x = scope.first(node.inputs[0])
    for axis, factor in enumerate(factors.astype(int)):
        x = scope.tf.repeat(x, factor, axis) if factor > 1 else x
    return x


OPERATIONS: Final[dict[str, Handler]] = {
    **dict.fromkeys(_UNARY, _unary),
    **dict.fromkeys(_BINARY, _binary),
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "ConstantOfShape": _filled,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "HardSigmoid": _hard_sigmoid_node,
    "LeakyRelu": _leaky,
    "Pad": _pad,
    "ReduceMax": _reduce,
    "ReduceMean": _reduce,
    "ReduceSum": _reduce,
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": _shape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}
