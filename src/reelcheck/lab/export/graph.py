"""An ONNX graph as plain values, which the writers of other formats read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operation."""

    kind: str
    inputs: tuple[str, ...]
    """An optional input that is not given is an empty name."""
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def input(self, place: int) -> str:
        """Return the name of an input, empty when it is not given."""
        return self.inputs[place] if place < len(self.inputs) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A network as operations in an order in which they can be run."""

    inputs: tuple[str, ...]
    output: str
    nodes: tuple[Node, ...]
    constants: Mapping[str, NDArray[Any]]
    shapes: Mapping[str, tuple[int | None, ...]]
    """Of every value where it is known; ``None`` is a dimension that is free."""


def read_graph(path: Path) -> Graph:
    """Return the graph of an ONNX file that we wrote ourselves."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path), data_prop=True)
    graph = model.graph
    constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    nodes = []
    for one in graph.node:
        attributes = {item.name: _plain(item) for item in one.attribute}
        if one.op_type == "Constant":
            constants[one.output[0]] = _constant(attributes)
            continue
        nodes.append(
            Node(
                kind=one.op_type,
                inputs=tuple(one.input),
                outputs=tuple(one.output),
                attributes=attributes,
            )
        )
    return Graph(
        inputs=tuple(one.name for one in graph.input if one.name not in constants),
        output=graph.output[0].name,
        nodes=tuple(nodes),
        constants=constants,
        shapes={one.name: _shape(one) for one in (*graph.input, *graph.value_info, *graph.output)},
    )


def _plain(attribute: onnx.AttributeProto) -> Any:  # noqa: ANN401 - by type of the attribute
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return value


def _constant(attributes: Mapping[str, Any]) -> NDArray[Any]:
    (name, value), *_ = attributes.items()
    if name in {"value_float", "value_floats"}:
        return np.asarray(value, dtype=np.float32)
    return np.asarray(value)  # tensors keep their type, Python's whole numbers are int64


def _shape(value: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims)
