"""What ONNX operators do, in torch: those that our exporter and open_nsfw use, and no others.

Source: the ONNX operator specification, opsets 9 to 18; names of arguments are its own. Axes,
bounds and shapes come as attributes in older opsets and as inputs in newer ones; both are read.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, Final

import onnx
import torch
import torch.nn.functional as F  # noqa: N812 - what everybody calls it
from onnx import numpy_helper
from torch import Tensor

Attributes = Mapping[str, Any]
Inputs = Sequence[Tensor | None]
Operator = Callable[[Inputs, Attributes], Tensor]
_LARGEST: Final = 2**31
_PLAIN_SOFTMAX: Final = 13
"""Opset from which a softmax runs along one axis, and no longer over all behind it."""
_DTYPES: Final = {
    onnx.TensorProto.FLOAT: torch.float32,
    onnx.TensorProto.DOUBLE: torch.float64,
    onnx.TensorProto.INT64: torch.int64,
    onnx.TensorProto.INT32: torch.int32,
    onnx.TensorProto.BOOL: torch.bool,
}


class UnknownOperatorError(Exception):
    """A graph uses what is not known here; the attack falls back to answers alone."""


def _numbers(inputs: Inputs, place: int, attributes: Attributes, name: str) -> list[int] | None:
    """Return whole numbers that are an input in newer opsets, an attribute in older ones."""
    given = inputs[place] if len(inputs) > place else None
    if given is not None:
        return [int(one) for one in given.reshape(-1).tolist()]
    found = attributes.get(name)
    return None if found is None else [int(one) for one in found]


def _tensor(inputs: Inputs, place: int) -> Tensor:
    found = inputs[place]
    if found is None:
        raise UnknownOperatorError(f"input {place} is missing")
    return found


def _padded(x: Tensor, attributes: Attributes, *, fill: float) -> Tensor:
    """Return x with the paddings of all sides, which torch knows by pairs only."""
    if attributes.get("auto_pad", b"NOTSET") not in {b"NOTSET", b"VALID"}:
        raise UnknownOperatorError("automatic padding")
    pads = attributes.get("pads") or [0, 0, 0, 0]
    top, left, bottom, right = pads
    return F.pad(x, (left, right, top, bottom), value=fill) if any(pads) else x


def _conv(inputs: Inputs, attributes: Attributes) -> Tensor:
    bias = inputs[2] if len(inputs) > 2 else None  # noqa: PLR2004 - the third input
    x = _tensor(inputs, 0)
    pads = list(attributes.get("pads") or [0, 0, 0, 0])
    even = pads[:2] == pads[2:]
    known = attributes.get("auto_pad", b"NOTSET") in {b"NOTSET", b"VALID"}
    x = x if even and known else _padded(x, attributes, fill=0.0)
    return F.conv2d(
        x,
        _tensor(inputs, 1),
        bias,
        stride=list(attributes.get("strides", [1, 1])),
        padding=pads[:2] if even else 0,
        dilation=list(attributes.get("dilations", [1, 1])),
        groups=int(attributes.get("group", 1)),
    )


def _max_pool(inputs: Inputs, attributes: Attributes) -> Tensor:
    x = _padded(_tensor(inputs, 0), attributes, fill=-torch.inf)
    _refuse_ceiling(attributes)
    return F.max_pool2d(
        x, list(attributes["kernel_shape"]), stride=list(attributes.get("strides", [1, 1]))
    )


def _average_pool(inputs: Inputs, attributes: Attributes) -> Tensor:
    if any(attributes.get("pads") or []):
        raise UnknownOperatorError("padded averages")
    _refuse_ceiling(attributes)
    return F.avg_pool2d(
        _tensor(inputs, 0),
        list(attributes["kernel_shape"]),
        stride=list(attributes.get("strides", [1, 1])),
    )


def _refuse_ceiling(attributes: Attributes) -> None:
    if attributes.get("ceil_mode") or set(attributes.get("dilations", [1])) != {1}:
        raise UnknownOperatorError("a pool with ceiling or dilation")


def _batch_norm(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, weight, bias, mean, variance = (_tensor(inputs, place) for place in range(5))
    return F.batch_norm(
        x, mean, variance, weight, bias, training=False, eps=attributes.get("epsilon", 1e-5)
    )


def _clip(inputs: Inputs, attributes: Attributes) -> Tensor:
    low, high = (
        inputs[place] if len(inputs) > place else attributes.get(name)
        for place, name in ((1, "min"), (2, "max"))
    )
    bounds = {name: float(one) for name, one in (("min", low), ("max", high)) if one is not None}
    return _tensor(inputs, 0).clamp(**bounds) if bounds else _tensor(inputs, 0)


def _gemm(inputs: Inputs, attributes: Attributes) -> Tensor:
    a, b = _tensor(inputs, 0), _tensor(inputs, 1)
    a = a.T if attributes.get("transA") else a
    b = b.T if attributes.get("transB") else b
    product: Tensor = attributes.get("alpha", 1.0) * (a @ b)
    added = inputs[2] if len(inputs) > 2 else None  # noqa: PLR2004 - the third input
    return product if added is None else product + attributes.get("beta", 1.0) * added


def _reduced(how: Callable[..., Tensor]) -> Operator:
    def operator(inputs: Inputs, attributes: Attributes) -> Tensor:
        x = _tensor(inputs, 0)
        axes = _numbers(inputs, 1, attributes, "axes")
        if not axes and attributes.get("noop_with_empty_axes"):
            return x
        dims = axes or list(range(x.ndim))
        return how(x, dim=dims, keepdim=bool(attributes.get("keepdims", 1)))

    return operator


def _reshape(inputs: Inputs, attributes: Attributes) -> Tensor:
    x = _tensor(inputs, 0)
    shape = _numbers(inputs, 1, attributes, "shape") or []
    if not attributes.get("allowzero"):
        shape = [x.shape[place] if side == 0 else side for place, side in enumerate(shape)]
    return x.reshape(shape)


def _flatten(inputs: Inputs, attributes: Attributes) -> Tensor:
    x = _tensor(inputs, 0)
    axis = int(attributes.get("axis", 1)) % (x.ndim + 1)
    return x.reshape(prod(x.shape[:axis]), -1)


def _slice(inputs: Inputs, attributes: Attributes) -> Tensor:
    x = _tensor(inputs, 0)
    starts = _numbers(inputs, 1, attributes, "starts") or []
    ends = _numbers(inputs, 2, attributes, "ends") or []
    axes = _numbers(inputs, 3, attributes, "axes") or list(range(len(starts)))
    steps = _numbers(inputs, 4, {}, "") or [1] * len(starts)
    cut = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 1:
            raise UnknownOperatorError("a slice that runs backwards")
        cut[axis] = slice(start, None if end >= _LARGEST - 1 else end, step)
    return x[tuple(cut)]


def _gather(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, places = _tensor(inputs, 0), _tensor(inputs, 1)
    axis = int(attributes.get("axis", 0)) % x.ndim
    found = x.index_select(axis, places.reshape(-1).long() % x.shape[axis])
    return found.reshape(*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])


def _unsqueeze(inputs: Inputs, attributes: Attributes) -> Tensor:
    x = _tensor(inputs, 0)
    axes = _numbers(inputs, 1, attributes, "axes") or []
    for axis in sorted(one % (x.ndim + len(axes)) for one in axes):
        x = x.unsqueeze(axis)
    return x


def _softmax(inputs: Inputs, attributes: Attributes) -> Tensor:
    x = _tensor(inputs, 0)
    axis = int(attributes.get("axis", -1)) % x.ndim
    if axis != x.ndim - 1 and attributes["opset"] < _PLAIN_SOFTMAX:
        raise UnknownOperatorError("a softmax before the last axis, which changed its meaning")
    return x.softmax(dim=axis)


def _cast(inputs: Inputs, attributes: Attributes) -> Tensor:
    wanted = _DTYPES.get(attributes["to"])
    if wanted is None:
        raise UnknownOperatorError(f"a cast to type {attributes['to']}")
    return _tensor(inputs, 0).to(wanted)


def _einsum(inputs: Inputs, attributes: Attributes) -> Tensor:
    equation = attributes["equation"].decode()
    return torch.einsum(equation, *[_tensor(inputs, place) for place in range(len(inputs))])


def _instance_norm(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, scale, bias = (_tensor(inputs, place) for place in range(3))
    return F.instance_norm(x, weight=scale, bias=bias, eps=attributes.get("epsilon", 1e-5))


def _gru(inputs: Inputs, attributes: Attributes) -> Tensor:
    """Return all states [T, 1, N, H] of one that looks back, reset after the product as torch's."""
    plain = attributes.get("direction", b"forward") == b"forward"
    if not plain or not attributes.get("linear_before_reset") or attributes.get("layout"):
        raise UnknownOperatorError("a GRU of another kind")
    x, weights, state_weights, biases = (_tensor(inputs, place) for place in range(4))
    fixed, kept = biases[0].chunk(2)
    state = _tensor(inputs, 5)[0]
    states = []
    for told in x:
        update, reset, new = F.linear(told, weights[0], fixed).chunk(3, dim=1)
        update_kept, reset_kept, new_kept = F.linear(state, state_weights[0], kept).chunk(3, dim=1)
        share = (update + update_kept).sigmoid()
        fresh = (new + (reset + reset_kept).sigmoid() * new_kept).tanh()
        state = (1 - share) * fresh + share * state
        states.append(state)
    return torch.stack(states)[:, None]


def _constant_of_shape(inputs: Inputs, attributes: Attributes) -> Tensor:
    value = attributes.get("value")
    fill = torch.zeros(1) if value is None else torch.tensor(numpy_helper.to_array(value))
    return fill.expand(_numbers(inputs, 0, attributes, "") or [])


def _shape(inputs: Inputs, attributes: Attributes) -> Tensor:
    sizes = list(_tensor(inputs, 0).shape)
    return torch.tensor(sizes[attributes.get("start", 0) : attributes.get("end", len(sizes))])


def _plain(how: Callable[..., Tensor]) -> Operator:
    return lambda inputs, _: how(*[_tensor(inputs, place) for place in range(len(inputs))])


OPERATORS: Final[dict[str, Operator]] = {
    "Abs": _plain(torch.abs),
    "Add": _plain(torch.add),
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": lambda inputs, how: torch.cat(
        [_tensor(inputs, place) for place in range(len(inputs))], dim=how["axis"]
    ),
    "ConstantOfShape": _constant_of_shape,
    "Conv": _conv,
    "Div": _plain(torch.div),
    "Einsum": _einsum,
    "Flatten": _flatten,
    "Gather": _gather,
    "GRU": _gru,
    "Gemm": _gemm,
    "Greater": _plain(torch.gt),
    "InstanceNormalization": _instance_norm,
    "MatMul": _plain(torch.matmul),
    "MaxPool": _max_pool,
    "Mul": _plain(torch.mul),
    "Neg": _plain(torch.neg),
    "Pow": _plain(torch.pow),
    "ReduceMax": _reduced(torch.amax),
    "ReduceMean": _reduced(torch.mean),
    "ReduceSum": _reduced(torch.sum),
    "Relu": _plain(torch.relu),
    "Reshape": _reshape,
    "Shape": _shape,
    "Sigmoid": _plain(torch.sigmoid),
    "Sign": _plain(torch.sign),
    "Slice": _slice,
    "Softmax": _softmax,
    "Softplus": _plain(F.softplus),
    "Sqrt": _plain(torch.sqrt),
    "Sub": _plain(torch.sub),
    "Transpose": lambda inputs, how: _tensor(inputs, 0).permute(*how["perm"]),
    "Unsqueeze": _unsqueeze,
    "Where": _plain(torch.where),
}
