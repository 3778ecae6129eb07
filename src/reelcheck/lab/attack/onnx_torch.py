"""An ONNX model as a function in torch, so that it has gradients.

Why own: onnx2torch 1.5.15 (Apache-2.0, last release August 2024) was tried on the models of this
package and refused all three that we exported (ReduceMean 18, Reshape with allowzero, weights
behind a Cast); it read open_nsfw. What is needed is one function per operator (``onnx_ops``).

The graph runs operator by operator, without optimisation; what does not depend on the input is
computed once. It is as fast as torch, slower than ONNX Runtime.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor

from reelcheck.lab.attack.onnx_ops import OPERATORS, Attributes, Inputs, UnknownOperatorError


class OnnxFunction:
    """Runs a graph; takes inputs by name, returns the output asked for."""

    def __init__(self, model: bytes, *, output: str) -> None:
        """Read the graph.

        Args:
            model: An ONNX file, already found harmless.
            output: Name of the output that is wanted.

        Raises:
            UnknownOperatorError: it uses an operator that is not known here.
        """
        loaded = onnx.load_from_string(model)
        graph = loaded.graph
        self._opset = max(one.version for one in loaded.opset_import if not one.domain)
        self._known: dict[str, Tensor] = {
            one.name: torch.from_numpy(np.array(numpy_helper.to_array(one)))
            for one in graph.initializer
        }
        self._output = output
        self._steps: list[tuple[str, tuple[str, ...], str, Attributes]] = []
        for node in graph.node:
            self._take(node)

    def _take(self, node: Any) -> None:  # noqa: ANN401 - onnx has no types
        how = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        how["opset"] = self._opset
        if node.op_type == "Constant":
            value = numpy_helper.to_array(how["value"])
            self._known[node.output[0]] = torch.from_numpy(np.array(value))
            return
        if node.op_type not in OPERATORS or len(node.output) != 1:
            raise UnknownOperatorError(f"operator {node.op_type}")
        step = (node.op_type, tuple(node.input), node.output[0], how)
        if all(name in self._known for name in node.input if name):
            self._known[node.output[0]] = _done(step, self._known)
        else:
            self._steps.append(step)

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the output for inputs by name; gradients flow through.

        Raises:
            UnknownOperatorError: an operator is used in a way that is not known here.
        """
        values = {**self._known, **inputs}
        for step in self._steps:
            values[step[2]] = _done(step, values)
        return values[self._output]


def _done(
    step: tuple[str, tuple[str, ...], str, Attributes], values: Mapping[str, Tensor]
) -> Tensor:
    kind, names, _, how = step
    inputs: Inputs = [values[name] if name else None for name in names]
    return OPERATORS[kind](inputs, how)
