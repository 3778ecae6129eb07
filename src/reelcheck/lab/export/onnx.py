"""ONNX with a free batch size."""

import warnings
from pathlib import Path
from typing import Final

import onnx
import torch

from reelcheck.lab.errors import TrainingError
from reelcheck.lab.export.interface import Interface

_OPSET: Final = 18


def export_onnx(interface: Interface, path: Path) -> None:
    """Write a network as ONNX, in one file.

    Args:
        interface: What to write.
        path: Where.

    Raises:
        TrainingError: the network cannot be traced.
    """
    free_batch = {0: torch.export.Dim("batch")}
    examples = interface.batch(2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of its own deprecated parts
            torch.onnx.export(
                interface.network,
                tuple(examples.values()),
                str(path),
                opset_version=_OPSET,
                dynamo=True,
                external_data=False,
                dynamic_shapes=tuple(free_batch for _ in examples),
                input_names=list(examples),
                output_names=[interface.output],
                verbose=False,
            )
    except (RuntimeError, torch.onnx.OnnxExporterError) as error:
        root: BaseException = error
        while root.__cause__ is not None:
            root = root.__cause__
        first = str(root).strip().splitlines()[:1] or [type(root).__name__]
        raise TrainingError(f"the network cannot become ONNX: {first[0]}") from error
    _forget_origins(path)


def _forget_origins(path: Path) -> None:
    """Remove the stack traces that torch writes to every node: they hold paths of this machine."""
    model = onnx.load(path)
    graph = model.graph
    told = (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer)
    for part in (model, graph, *model.functions, *told):
        del part.metadata_props[:]
        part.doc_string = ""
    onnx.save(model, path)
