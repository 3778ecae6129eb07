"""What an ONNX file may contain, checked before ONNX Runtime sees it.

An ONNX file is no inert table: it can name other files (CVE-2022-25882, CVE-2024-27318), ask for
code of others, and declare more memory than it holds. The protobuf is walked here without the
package onnx, field by field. Refused are: data in other files, whatever the path; sparse tensors
and training graphs, which no model here has and other readers forgot to check; operators of unknown
domains that the file does not define itself, and the one operator that names a file; tensors that
are larger or smaller than their data; constant shapes beyond ``_MAX_ELEMENTS``; graphs nested
deeper than ``_MAX_DEPTH``; fields that ONNX did not have when this was written; and files in ONNX
Runtime's own format, which it would recognise by itself.

Source: onnx.proto of ONNX 1.19 (IR version 12). Limits: shapes that the graph computes are not
known here, nor is how long a loop runs: against those only the limits of the process help, in which
the model runs.
"""

import math
from collections.abc import Iterator
from typing import Final

from reelcheck.models.protect.folder import refusal
from reelcheck.models.runtimes.protobuf import Fields, ints_of

_ORT_MARK: Final = b"ORTM"
_MAX_DEPTH: Final = 16
_MAX_ELEMENTS: Final = 1 << 28
"""1 GiB of float32. Ours: the largest tensor of the catalogue has 2.6e7 elements."""
_DOMAINS: Final = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}
_REFUSED: Final = {"EPContext"}
"""It runs a compiled program from a file that it names."""
_SHAPES: Final = {"ConstantOfShape": 0, "Expand": 1, "Tile": 1, "Resize": 3, "Pad": 1}
"""Operators that make large tensors out of a small one that tells their shape: which input."""
_RANDOM: Final = {"RandomNormal", "RandomUniform"}
_BITS: Final = {
    **dict.fromkeys((2, 3, 9, 17, 18, 19, 20, 24), 8),
    **dict.fromkeys((4, 5, 10, 16), 16),
    **dict.fromkeys((1, 6, 12), 32),
    **dict.fromkeys((7, 11, 13, 14), 64),
    **dict.fromkeys((21, 22, 23), 4),
    **dict.fromkeys((25, 26), 2),
    15: 128,
}
"""Of one element, by TensorProto.DataType."""
_STRING: Final = 8
_INT64: Final = 7

_KNOWN: Final = {
    "model": {1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26},
    "graph": {1, 2, 5, 10, 11, 12, 13, 14, 15, 16},
    "node": {1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
    "attribute": {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 20, 21, 22, 23},
    "function": {1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14},
    "tensor": {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16},
}
"""Field numbers by message."""


def refuse_unsafe(model: bytes) -> None:
    """Refuse an ONNX file that could do more than compute.

    Raises:
        ModelError: it is no ONNX, or holds what the docstring of this module refuses.
    """
    if model[4:8] == _ORT_MARK:
        raise refusal("the model is in ONNX Runtime's own format, which cannot be checked here")
    whole = _message("model", Fields.of(model))
    if whole.messages(20):
        raise refusal("the model holds a training graph")
    functions = [_message("function", one) for one in whole.messages(25)]
    own = {(one.text(10), one.text(1)) for one in functions}
    graphs = whole.messages(7)
    if not graphs:
        raise refusal("the model is no ONNX: it has no graph")
    for graph in graphs:
        _Walk(own).graph(graph, depth=0)
    for function in functions:
        walk = _Walk(own)
        for attribute in function.messages(11):
            walk.attribute(attribute, depth=0)
        walk.nodes(function.messages(7), depth=0)


def _message(kind: str, fields: Fields) -> Fields:
    unknown = fields.numbers - _KNOWN[kind]
    if unknown:
        raise refusal(f"a {kind} of the model has a field {min(unknown)} that is not known here")
    return fields


class _Walk:
    """Looks at everything in a graph, sub-graphs included."""

    def __init__(self, own: set[tuple[str, str]]) -> None:
        self._own = own
        self._constants: dict[str, list[int]] = {}

    def graph(self, graph: Fields, *, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise refusal(f"graphs of the model are nested more than {_MAX_DEPTH} deep")
        _message("graph", graph)
        if graph.messages(15):
            raise refusal("the model holds a sparse tensor")
        for tensor in graph.messages(5):
            _tensor(tensor)
            self._keep(tensor.text(8), tensor)
        self.nodes(graph.messages(1), depth=depth)

    def nodes(self, nodes: list[Fields], *, depth: int) -> None:
        for node in nodes:
            operators, domains = node.texts(4) or [""], node.texts(7) or [""]
            _message("node", node)
            for operator in operators:
                for domain in domains:
                    self._refuse_operator(operator, domain)
            for attribute in node.messages(5):
                self.attribute(attribute, depth=depth)
            self._refuse_shape(node, operators[-1])

    def attribute(self, attribute: Fields, *, depth: int) -> None:
        _message("attribute", attribute)
        if attribute.messages(22) or attribute.messages(23):
            raise refusal("the model holds a sparse tensor")
        for tensor in [*attribute.messages(5), *attribute.messages(10)]:
            _tensor(tensor)
        for graph in [*attribute.messages(6), *attribute.messages(11)]:
            self.graph(graph, depth=depth + 1)

    def _refuse_operator(self, operator: str, domain: str) -> None:
        if (domain, operator) in self._own:
            return
        if domain not in _DOMAINS:
            raise refusal(f"the model needs a custom operator, {domain}.{operator}"[:200])
        if operator in _REFUSED:
            raise refusal(f"the model holds {operator}, which runs a program from a file")

    def _refuse_shape(self, node: Fields, operator: str) -> None:
        """Refuse a node that makes a huge tensor of constant shape; remember constants."""
        if operator == "Constant":
            for tensor in (one for item in node.messages(5) for one in item.messages(5)):
                self._keep(node.text(2), tensor)
            for item in node.messages(5):
                if item.text(1) in {"value_ints", "value_int"}:
                    self._constants[node.text(2)] = item.ints(8) + item.ints(3)
        inputs = node.texts(1)
        shapes = [item.ints(8) for item in node.messages(5) if item.text(1) == "shape"]
        shapes = shapes if operator in _RANDOM else []
        at = _SHAPES.get(operator)
        if at is not None and at < len(inputs):
            shapes.append(self._constants.get(inputs[at], []))
        for shape in shapes:
            _refuse_elements(math.prod(max(1, abs(size)) for size in shape), operator)

    def _keep(self, name: str, tensor: Fields) -> None:
        """Remember a short constant of integers, which may be a shape."""
        if tensor.ints(2)[-1:] == [_INT64]:
            raw = tensor.data(9)
            self._constants[name] = ints_of(raw) if raw is not None else tensor.ints(7)


def _refuse_elements(count: int, what: str) -> None:
    if count > _MAX_ELEMENTS:
        raise refusal(f"the model holds a size bomb: {what} of {count:.3g} elements")


def _tensor(tensor: Fields) -> None:
    """Refuse a tensor whose data lie elsewhere, or are not as large as it says."""
    _message("tensor", tensor)
    name = ascii(tensor.text(8))[:80]
    if tensor.messages(13) or any(tensor.ints(14)):
        raise refusal(f"the data of tensor {name} lie in another file")
    sizes, kinds = tensor.ints(1), tensor.ints(2)
    if any(size < 0 for size in sizes) or len(kinds) != 1:
        raise refusal(f"tensor {name} of the model has no shape or no type")
    count = math.prod(sizes)
    _refuse_elements(count, f"tensor {name}")
    if not _holds(tensor, kinds[0], count):
        raise refusal(f"tensor {name} of the model is not as large as its data")


def _holds(tensor: Fields, kind: int, count: int) -> bool:
    raw = tensor.data(9)
    if kind == _STRING:
        return tensor.count(6) == count and raw is None
    if kind not in _BITS:
        return False
    if raw is not None:
        return len(raw) == -(-count * _BITS[kind] // 8)
    # Each number takes a byte or more; the smallest kinds lie two to a number.
    held = sum(_held(tensor))
    return count <= 2 * held and (count > 0 or held == 0)


def _held(tensor: Fields) -> Iterator[int]:
    for number in (4, 5, 7, 10, 11):
        yield tensor.size(number)
