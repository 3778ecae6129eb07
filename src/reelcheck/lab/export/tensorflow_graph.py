"""From an ONNX graph to TensorFlow operations, node by node.

Why no converter: onnx2tf pins an old TensorFlow and fails on GRUs, nobuco fails with Keras 3. What
our exporter writes holds about forty kinds of nodes; an unknown one is refused by name.

TensorFlow convolves on a CPU only with channels last. A value is therefore kept in the layout in
which it was made, and turned when a node wants the other one, so that chains of convolutions and
activations are not turned at all.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.lab.errors import TrainingError
from reelcheck.lab.export.graph import Graph, Node

_KEPT_AS_VARIABLE: Final = 1024
"""Numbers from which a constant becomes a variable: graphs of more than 2 GiB cannot be saved."""
_PICTURES: Final = 4
"""Dimensions of a batch of pictures."""


class Value:
    """A tensor in one layout, turned into the other one at most once."""

    def __init__(self, tf: Any, tensor: Any, *, last: str = "no") -> None:  # noqa: ANN401
        self._tf = tf
        self._first = None if last == "yes" else tensor
        self._last = tensor if last == "yes" else None

    @property
    def is_last(self) -> bool:
        """Whether it is there with channels last."""
        return self._last is not None

    @property
    def first(self) -> Any:  # noqa: ANN401 - a tensor
        """The tensor in the layout of ONNX: [N, C, H, W], or of any other rank."""
        if self._first is None:
            self._first = self._tf.transpose(self._last, (0, 3, 1, 2))
        return self._first

    @property
    def last(self) -> Any:  # noqa: ANN401 - a tensor
        """The tensor of rank 4 as [N, H, W, C]."""
        if self._last is None:
            self._last = self._tf.transpose(self._first, (0, 2, 3, 1))
        return self._last


class Scope:
    """All values of a graph while it is traced."""

    def __init__(self, tf: Any, graph: Graph, variables: dict[str, Any]) -> None:  # noqa: ANN401
        """``variables`` is filled with what the function needs, by a name."""
        self.tf = tf
        self.graph = graph
        self._variables = variables
        self._values: dict[str, Value] = {}

    def put(self, name: str, value: Value) -> None:
        """Keep a value."""
        self._values[name] = value

    def value(self, name: str) -> Value:
        """Return a value by its name; constants become values here."""
        if name not in self._values:
            array = self.graph.constants[name]
            self._values[name] = Value(self.tf, self.weight(name, array))
        return self._values[name]

    def first(self, name: str) -> Any:  # noqa: ANN401 - a tensor
        """Return the tensor in the layout of ONNX."""
        return self.value(name).first

    def weight(self, name: str, array: NDArray[Any]) -> Any:  # noqa: ANN401 - a tensor
        """Return a constant, or a variable for a large one."""
        if array.size < _KEPT_AS_VARIABLE or array.dtype != np.float32:
            return self.tf.constant(array)
        if name not in self._variables:
            with self.tf.init_scope():
                self._variables[name] = self.tf.Variable(array, trainable=False)
        return self.tf.convert_to_tensor(self._variables[name])

    def constant(self, name: str) -> NDArray[Any] | None:
        """Return a value that does not depend on the input, or ``None``."""
        if name in self.graph.constants:
            return self.graph.constants[name]
        found: NDArray[Any] | None = self.tf.get_static_value(self.first(name))
        return found

    def numbers(self, node: Node, place: int, attribute: str = "") -> list[int] | None:
        """Return whole numbers that an input or an attribute gives, ``None`` for none.

        Raises:
            TrainingError: they depend on the input.
        """
        name = node.input(place)
        if not name:
            given = node.attributes.get(attribute)
            return None if given is None else [int(one) for one in given]
        found = self.constant(name)
        if found is None:
            raise refused(node, f"input {place} is no constant")
        return [int(one) for one in np.atleast_1d(found)]


Handler = Callable[[Scope, Node], Any]
"""Returns a tensor in the layout of ONNX, a ``Value``, or a tuple for several outputs."""


def refused(node: Node, why: str) -> TrainingError:
    """Return the error for a node that cannot be translated."""
    return TrainingError(
        f"no SavedModel: {node.kind} ({node.outputs[0]}) cannot be translated: {why}",
        hint="export as onnx",
    )


def trace(
    tf: Any,  # noqa: ANN401 - the module of TensorFlow
    graph: Graph,
    handlers: Mapping[str, Handler],
    tensors: Mapping[str, Any],
    variables: dict[str, Any],
) -> Any:  # noqa: ANN401 - a tensor
    """Run a graph with TensorFlow operations; return its output.

    Args:
        tf: The module.
        graph: What to run.
        handlers: What translates a kind of node.
        tensors: The inputs by name.
        variables: Is filled with the weights.

    Raises:
        TrainingError: a node cannot be translated.
    """
    scope = Scope(tf, graph, variables)
    for name, tensor in tensors.items():
        scope.put(name, Value(tf, tensor))
    for node in graph.nodes:
        if node.kind not in handlers:
            raise refused(node, "its kind is unknown")
        try:
            told = handlers[node.kind](scope, node)
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise refused(node, " ".join(str(error).split())) from error
        several = told if isinstance(told, tuple) else (told,)
        for name, one in zip(node.outputs, several, strict=False):
            value = one if isinstance(one, Value) else Value(tf, one)
            _say_shape(value, graph.shapes.get(name))
            scope.put(name, value)
    return scope.first(graph.output)


def _say_shape(value: Value, shape: tuple[int | None, ...] | None) -> None:
    """Tell TensorFlow a shape that ONNX knows: a convolution must know its channels."""
    if not shape:
        return
    if value.is_last and len(shape) == _PICTURES:
        value.last.set_shape((shape[0], *shape[2:], shape[1]))
    elif not value.is_last:
        value.first.set_shape(shape)
