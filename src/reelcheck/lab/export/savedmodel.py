"""TensorFlow SavedModel from an ONNX file, laid out for TensorFlow Serving.

TensorFlow Serving takes ``--model_base_path`` = the folder of the bundle and looks for folders with
numbers in it: ours is ``1``. The signature ``serving_default`` has the names of the card.
"""

from pathlib import Path
from typing import Any, Final

from reelcheck.lab.export.graph import Graph, read_graph
from reelcheck.lab.export.tensorflow_graph import trace
from reelcheck.lab.export.tensorflow_layers import LAYERS
from reelcheck.lab.export.tensorflow_ops import OPERATIONS
from reelcheck.models.runtimes.savedmodel import SIGNATURE, load_tensorflow

VERSION_FOLDER: Final = "1"


def export_savedmodel(onnx_file: Path, folder: Path) -> None:
    """Write a SavedModel that computes what an ONNX file does.

    Args:
        onnx_file: Written by ``export_onnx``: all inputs are float32 and have a free batch.
        folder: Where to write.

    Raises:
        TrainingError: a node of the graph cannot be translated.
        MissingExtraError: TensorFlow is not installed.
    """
    tf = load_tensorflow(needed_by="the export to a SavedModel")
    graph = read_graph(onnx_file)
    module = tf.Module()
    variables: dict[str, Any] = {}
    call, signature = _call(tf, graph, variables), _signature(tf, graph)
    function = tf.function(call, input_signature=signature, autograph=False)
    traced = function.get_concrete_function()
    module.weights = list(variables.values())
    tf.saved_model.save(module, str(folder), signatures={SIGNATURE: traced})


def _call(tf: Any, graph: Graph, variables: dict[str, Any]) -> Any:  # noqa: ANN401 - a function
    def call(*tensors: Any) -> dict[str, Any]:  # noqa: ANN401 - tensors
        named = dict(zip(graph.inputs, tensors, strict=True))
        handlers = {**LAYERS, **OPERATIONS}
        return {graph.output: trace(tf, graph, handlers, named, variables)}

    return call


def _signature(tf: Any, graph: Graph) -> list[Any]:  # noqa: ANN401 - specifications
    return [
        tf.TensorSpec((None, *graph.shapes[name][1:]), tf.float32, name=name)
        for name in graph.inputs
    ]
