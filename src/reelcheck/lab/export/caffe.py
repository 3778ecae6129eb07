"""Caffe from an ONNX file: plain feed-forward networks that look at one picture.

What is known: convolutions (also in groups and dilated), batch norms as Scale, ReLU, ReLU6 (a layer
of OpenCV, not of BVLC Caffe), sigmoid, pools, fully connected layers, sums and joined channels.
Changes of shape that only add or drop dimensions of 1 leave no trace, so that a network for clips
can be written when its clips have one picture. Everything else is refused by name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.lab.errors import TrainingError
from reelcheck.lab.export.caffe_format import Layer, Word, to_caffemodel, to_prototxt
from reelcheck.lab.export.graph import Graph, Node, read_graph

_PLANE: Final = 2
_PICTURE: Final = 3
_RELU6: Final = (0.0, 6.0)


@dataclass(slots=True, kw_only=True)
class _Writer:
    """The layers so far, and under which names values are known to them."""

    graph: Graph
    layers: list[Layer] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    def add(self, node: Node, kind: str, block: str = "", **more: Any) -> None:  # noqa: ANN401
        """Add the layer of a node; its inputs are those that are no constants."""
        bottoms = [self.names[name] for name in node.inputs if name in self.names]
        top = node.outputs[0]
        self.names[top] = top
        self.layers.append(
            Layer(name=top, kind=kind, bottoms=tuple(bottoms), top=top, block=block, **more)
        )

    def constant(self, node: Node, place: int) -> NDArray[Any]:
        """Return an input that is a constant."""
        name = node.input(place)
        if name not in self.graph.constants:
            raise refused(node, f"input {place} is no constant")
        return self.graph.constants[name]

    def sides(self, name: str) -> tuple[int, ...] | None:
        """Return the shape of a value without the batch and without dimensions of 1."""
        shape = self.graph.shapes.get(name)
        if not shape or None in shape[1:]:
            return None
        return tuple(size for size in shape[1:] if size is not None and size != 1)


_Handler = Callable[[_Writer, Node], None]


def refused(node: Node, why: str) -> TrainingError:
    """Return the error for a node that Caffe cannot hold."""
    return TrainingError(
        f"no Caffe: {node.kind} ({node.outputs[0]}) does not fit: {why}",
        hint="Caffe takes plain networks for one picture (frames = 1); export as onnx",
    )


def export_caffe(onnx_file: Path, structure: Path, weights: Path) -> None:
    """Write prototxt and caffemodel that compute what an ONNX file does.

    Raises:
        TrainingError: a node of the graph does not fit.
    """
    graph = read_graph(onnx_file)
    if len(graph.inputs) != 1:
        raise TrainingError(f"no Caffe: the network has {len(graph.inputs)} inputs, not one")
    writer = _Writer(graph=graph)
    _take_input(writer)
    for node in graph.nodes:
        if _leaves_no_trace(writer, node):
            writer.names[node.outputs[0]] = writer.names[node.inputs[0]]
        elif node.kind in _HANDLERS:
            _HANDLERS[node.kind](writer, node)
        else:
            raise refused(node, "its kind is unknown")
    layers = _named_output(writer)
    structure.write_text(to_prototxt(layers, name=structure.stem), "utf-8")
    weights.write_bytes(to_caffemodel(layers, name=structure.stem))


def _take_input(writer: _Writer) -> None:
    (name,) = writer.graph.inputs
    shape = writer.graph.shapes[name]
    sizes = shape[-_PICTURE:]
    if any(size != 1 for size in shape[1:-_PICTURE]):
        raise TrainingError(
            f"no Caffe: the network sees {shape[1]} pictures at once",
            hint="Caffe takes networks for one picture (frames = 1); export as onnx",
        )
    options = {"shape": {"dim": [1, *sizes]}}
    writer.names[name] = name
    writer.layers.append(
        Layer(name=name, kind="Input", bottoms=(), top=name, block="input_param", options=options)
    )


def _named_output(writer: _Writer) -> list[Layer]:
    """Return the layers, the last of which has the name of the output."""
    made = writer.names.get(writer.graph.output, "")
    return [
        Layer(
            name=_renamed(layer.name, made, writer.graph.output),
            kind=layer.kind,
            bottoms=tuple(_renamed(one, made, writer.graph.output) for one in layer.bottoms),
            top=_renamed(layer.top, made, writer.graph.output),
            block=layer.block,
            options=layer.options,
            blobs=layer.blobs,
        )
        for layer in writer.layers
    ]


def _renamed(name: str, old: str, new: str) -> str:
    return new if name == old else name


_RESHAPING: Final = frozenset(
    "Dropout Flatten Gather Identity ReduceMean Reshape Slice Squeeze Unsqueeze".split()
)


def _leaves_no_trace(writer: _Writer, node: Node) -> bool:
    if node.kind not in _RESHAPING or node.inputs[0] not in writer.names:
        return False
    before, after = writer.sides(node.inputs[0]), writer.sides(node.outputs[0])
    return before is not None and before == after


def _plane(node: Node, name: str, default: int) -> list[int]:
    values = [int(one) for one in node.attributes.get(name, [default] * _PLANE)]
    if len(values) != _PLANE:
        raise refused(node, f"{name} {values} are not those of a picture")
    return values


def _pads(node: Node) -> dict[str, int]:
    pads = [int(one) for one in node.attributes.get("pads", [0] * 4)]
    if node.attributes.get("auto_pad", "NOTSET") != "NOTSET" or pads[:_PLANE] != pads[_PLANE:]:
        raise refused(node, f"padding {pads} is not the same on both sides")
    return {"pad_h": pads[0], "pad_w": pads[1]}


def _convolution(writer: _Writer, node: Node) -> None:
    weight = writer.constant(node, 1)
    (height, width), (down, across) = weight.shape[2:], _plane(node, "strides", 1)
    has_bias = bool(node.input(2))
    options = {
        "num_output": len(weight),
        "bias_term": has_bias,
        **_pads(node),
        "kernel_h": height,
        "kernel_w": width,
        "stride_h": down,
        "stride_w": across,
        "group": int(node.attributes.get("group", 1)),
        "dilation": _plane(node, "dilations", 1),
    }
    blobs = (weight, writer.constant(node, 2)) if has_bias else (weight,)
    writer.add(node, "Convolution", "convolution_param", options=options, blobs=blobs)


def _pool(writer: _Writer, node: Node) -> None:
    (height, width), (down, across) = _plane(node, "kernel_shape", 1), _plane(node, "strides", 1)
    pads = _pads(node)
    average = node.kind == "AveragePool"
    if average and any(pads.values()) and not node.attributes.get("count_include_pad"):
        raise refused(node, "Caffe counts the padding in")
    if any(one != 1 for one in _plane(node, "dilations", 1)):
        raise refused(node, "dilations")
    options = {
        "pool": Word("AVE" if average else "MAX"),
        **pads,
        "kernel_h": height,
        "kernel_w": width,
        "stride_h": down,
        "stride_w": across,
    }
    if not node.attributes.get("ceil_mode"):
        options["ceil_mode"] = False  # OpenCV's field; Caffe itself always rounds up
    writer.add(node, "Pooling", "pooling_param", options=options)


def _average(writer: _Writer, node: Node) -> None:
    """Take the mean of every channel."""
    if node.kind == "ReduceMean":
        given = node.attributes.get("axes")
        axes = writer.constant(node, 1) if node.input(1) else np.asarray(given or [])
        rank = len(writer.graph.shapes.get(node.inputs[0], ()))
        if rank != 4 or sorted(one % rank for one in axes.tolist()) != [2, 3]:  # noqa: PLR2004
            raise refused(node, "only the mean over a whole picture is known")
    options = {"pool": Word("AVE"), "global_pooling": True}
    writer.add(node, "Pooling", "pooling_param", options=options)


def _connected(writer: _Writer, node: Node) -> None:
    weight = writer.constant(node, 1)
    given: Mapping[str, Any] = node.attributes
    if given.get("transA") or (given.get("alpha", 1.0), given.get("beta", 1.0)) != (1.0, 1.0):
        raise refused(node, "transA, alpha or beta")
    weight = weight if given.get("transB") else np.ascontiguousarray(weight.T)
    bias = (np.ravel(writer.constant(node, 2)),) if node.input(2) else ()
    options = {"num_output": len(weight), "bias_term": bool(bias)}
    writer.add(node, "InnerProduct", "inner_product_param", options=options, blobs=(weight, *bias))


def _scale(writer: _Writer, node: Node) -> None:
    scale, shift, mean, variance = (writer.constant(node, place) for place in range(1, 5))
    factor = scale / np.sqrt(variance + float(node.attributes.get("epsilon", 1e-5)))
    blobs = (factor, shift - mean * factor)
    writer.add(node, "Scale", "scale_param", options={"bias_term": True}, blobs=blobs)


def _clip(writer: _Writer, node: Node) -> None:
    limits = tuple(float(np.ravel(writer.constant(node, place))[0]) for place in (1, 2))
    if limits != _RELU6:
        raise refused(node, f"the limits {limits} are not those of ReLU6")
    writer.add(node, "ReLU6")


def _sum(writer: _Writer, node: Node) -> None:
    shapes = {writer.sides(name) for name in node.inputs}
    if len(shapes) > 1 or None in shapes or any(name not in writer.names for name in node.inputs):
        raise refused(node, "only sums of two values of one shape are known")
    writer.add(node, "Eltwise", "eltwise_param", options={"operation": Word("SUM")})


def _joined(writer: _Writer, node: Node) -> None:
    if any(name not in writer.names for name in node.inputs) or node.attributes["axis"] != 1:
        raise refused(node, "only channels can be joined")
    writer.add(node, "Concat", "concat_param", options={"axis": 1})


def _flatten(writer: _Writer, node: Node) -> None:
    before, after = (writer.sides(name) for name in (node.inputs[0], node.outputs[0]))
    if before is None or after is None or (int(np.prod(before)),) != after:
        raise refused(node, "only [N, C, H, W] to [N, C * H * W] is known")
    writer.add(node, "Flatten")


_HANDLERS: Final[dict[str, _Handler]] = {
    "Add": _sum,
    "AveragePool": _pool,
    "BatchNormalization": _scale,
    "Clip": _clip,
    "Concat": _joined,
    "Conv": _convolution,
    "Flatten": _flatten,
    "Gemm": _connected,
    "GlobalAveragePool": _average,
    "MatMul": _connected,
    "MaxPool": _pool,
    "ReduceMean": _average,
    "Relu": lambda writer, node: writer.add(node, "ReLU"),
    "Reshape": _flatten,
    "Sigmoid": lambda writer, node: writer.add(node, "Sigmoid"),
}
