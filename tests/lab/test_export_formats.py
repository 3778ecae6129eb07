"""From ONNX to other formats, node by node: known numbers, and what does not fit is named."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from reelcheck.lab.errors import TrainingError
from reelcheck.lab.export.caffe import export_caffe
from reelcheck.lab.export.caffe_format import Layer, Word, to_caffemodel, to_prototxt
from reelcheck.lab.export.graph import read_graph
from reelcheck.lab.export.savedmodel import export_savedmodel
from reelcheck.models.runtimes.savedmodel import SIGNATURE, load_tensorflow

Array = NDArray[np.float32]
RNG = np.random.default_rng(0)


def model(
    kind: str,
    shape: tuple[int, ...],
    constants: tuple[NDArray[np.generic] | None, ...] = (),
    **attributes: Any,  # noqa: ANN401 - of any node
) -> onnx.ModelProto:
    """Return a graph of one node, ``x`` to ``y``, with a free batch; its shapes are inferred."""
    names = [f"c{place}" if one is not None else "" for place, one in enumerate(constants)]
    node = helper.make_node(kind, ["x", *names], ["y"], **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(one, name)
            for name, one in zip(names, constants, strict=True)
            if one is not None
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return onnx.shape_inference.infer_shapes(made)


def random(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


def whole(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, dtype=np.int64)


def number(value: float) -> Array:
    return np.array(value, dtype=np.float32)


GRU = (random(1, 12, 3), random(1, 12, 4), random(1, 24))
MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    "conv": lambda: model("Conv", (3, 9, 8), (random(4, 3, 3, 3), random(4)), pads=[1, 0, 1, 2]),
    "conv dilated": lambda: model("Conv", (3, 9, 9), (random(4, 3, 3, 3),), dilations=[2, 2]),
    "conv strided": lambda: model("Conv", (3, 9, 9), (random(4, 3, 3, 3),), strides=[2, 1]),
    "conv in groups": lambda: model("Conv", (4, 9, 9), (random(6, 2, 3, 3),), group=2),
    "depthwise": lambda: model("Conv", (4, 9, 9), (random(4, 1, 3, 3), random(4)), group=4),
    "depthwise twice": lambda: model("Conv", (4, 9, 9), (random(8, 1, 3, 3), random(8)), group=4),
    "conv of a line": lambda: model(
        "Conv", (3, 9), (random(4, 3, 3), random(4)), pads=[1, 1], strides=[2]
    ),
    "conv of a volume": lambda: model("Conv", (1, 4, 5, 6), (random(2, 1, 3, 3, 3),), pads=[1] * 6),
    "max pool": lambda: model(
        "MaxPool", (3, 9, 9), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]
    ),
    "average pool": lambda: model("AveragePool", (3, 9, 9), kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "average pool with edges": lambda: model(
        "AveragePool", (3, 9, 9), kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1
    ),
    "batch norm": lambda: model(
        "BatchNormalization",
        (3, 4, 4),
        (random(3), random(3), random(3), np.abs(random(3)) + 1),
        epsilon=1e-3,
    ),
    "instance norm": lambda: model("InstanceNormalization", (3, 4, 4), (random(3), random(3))),
    "layer norm": lambda: model("LayerNormalization", (3, 8), (random(8), random(8)), axis=-1),
    "gemm": lambda: model("Gemm", (5,), (random(4, 5), random(4)), transB=1, alpha=0.5, beta=2.0),
    "gru": lambda: model("GRU", (2, 3), GRU, hidden_size=4, linear_before_reset=1),
    "softmax": lambda: model("Softmax", (3, 4), axis=1),
    "clip": lambda: model("Clip", (3, 4), (number(-0.5), number(1))),
    "clip below": lambda: model("Clip", (3, 4), (number(0), None)),
    "hard swish": lambda: model("HardSwish", (3, 4)),
    "hard sigmoid": lambda: model("HardSigmoid", (3, 4), alpha=0.3),
    "leaky relu": lambda: model("LeakyRelu", (3, 4), alpha=0.1),
    "softplus": lambda: model("Softplus", (3, 4)),
    "slice": lambda: model("Slice", (6, 7), (whole(1, -3), whole(5, 99), whole(1, 2))),
    "slice with steps": lambda: model("Slice", (6, 7), (whole(0), whole(6), whole(1), whole(2))),
    "gather": lambda: model("Gather", (6, 2), (whole(4, 0, -1),), axis=1),
    "reshape with zero": lambda: model("Reshape", (4, 6), (whole(0, 8, 3),)),
    "transpose": lambda: model("Transpose", (4, 6), perm=[0, 2, 1]),
    "pad": lambda: model("Pad", (4, 6), (whole(0, 1, 0, 0, 2, 1), number(3))),
    "pad reflected": lambda: model("Pad", (4, 6), (whole(0, 1, 0, 0, 2, 1),), mode="reflect"),
    "expand": lambda: model("Expand", (4, 1), (whole(1, 1, 5),)),
    "mean": lambda: model("ReduceMean", (4, 6, 2), (whole(2, -1),), keepdims=0),
    "mean of a picture": lambda: model("ReduceMean", (4, 6, 2), (whole(2, 3),)),
    "unsqueeze": lambda: model("Unsqueeze", (4,), (whole(1, -1),)),
    "repeat": lambda: model(
        "Resize",
        (2, 3, 3),
        (None, np.array([1, 1, 2, 3], dtype=np.float32)),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    ),
}


def by_onnxruntime(path: Path, x: Array) -> Array:
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    told: Array = session.run(None, {"x": x})[0]
    return told


@pytest.mark.parametrize("name", MODELS)
def test_tensorflow_computes_what_onnx_says(name: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    tf = load_tensorflow(needed_by="a test")
    made = MODELS[name]()
    path = tmp_path / "m.onnx"
    onnx.save(made, path)

    export_savedmodel(path, tmp_path / "1")

    loaded = tf.saved_model.load(str(tmp_path / "1"))  # its variables live as long as it does
    function = loaded.signatures[SIGNATURE]
    shape = [one.dim_value for one in made.graph.input[0].type.tensor_type.shape.dim][1:]
    for count in (1, 3):
        x = random(count, *shape)
        told = function(x=tf.constant(x))["y"].numpy()
        expected = by_onnxruntime(path, x)
        assert told.shape == expected.shape
        assert np.abs(told - expected).max() < 1e-5


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda: model("Asin", (3,)), r"Asin \(y\).*unknown"),
        (lambda: model("MaxPool", (3, 5, 5), kernel_shape=[2, 2], ceil_mode=1), "ceil_mode"),
        (lambda: model("GRU", (2, 3), GRU, hidden_size=4), "linear_before_reset"),
        (lambda: model("Slice", (6,), (whole(5), whole(0), whole(1), whole(-1))), "step below 1"),
        (lambda: model("Conv", (4, 4, 4, 4), (random(4, 1, 3, 3, 3),), group=4), "3 dimensions"),
    ],
)
def test_a_node_that_tensorflow_cannot_get_is_named(
    made: Callable[[], onnx.ModelProto], reason: str, tmp_path: Path
) -> None:
    pytest.importorskip("tensorflow")
    onnx.save(made(), tmp_path / "m.onnx")

    with pytest.raises(TrainingError, match=reason):
        export_savedmodel(tmp_path / "m.onnx", tmp_path / "1")

    assert not (tmp_path / "1").exists()


CAFFE = (
    "conv dilated|conv strided|conv in groups|depthwise|depthwise twice|max pool|batch norm|"
    "average pool with edges|mean of a picture"
).split("|")


@pytest.mark.parametrize("name", CAFFE)
def test_caffe_computes_what_onnx_says(name: str, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    made = MODELS[name]()
    path = tmp_path / "m.onnx"
    onnx.save(made, path)

    export_caffe(path, tmp_path / "m.prototxt", tmp_path / "m.caffemodel")

    net = cv2.dnn.readNetFromCaffe(str(tmp_path / "m.prototxt"), str(tmp_path / "m.caffemodel"))
    shape = [one.dim_value for one in made.graph.input[0].type.tensor_type.shape.dim][1:]
    for count in (1, 3):
        x = random(count, *shape)
        net.setInput(x, "x")
        told, expected = net.forward("y"), by_onnxruntime(path, x)
        assert told.shape == expected.shape
        assert np.abs(told - expected).max() < 1e-5


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda: model("Conv", (3, 9, 8), (random(4, 3, 3, 3),), pads=[1, 0, 1, 2]), "both sides"),
        (MODELS["average pool"], "counts the padding"),
        (MODELS["clip"], "ReLU6"),
        (MODELS["transpose"], r"Transpose \(y\).*unknown"),
        (MODELS["reshape with zero"], "known"),
        (lambda: model("Relu", (4, 3, 9, 9)), "4 pictures at once"),
    ],
)
def test_what_caffe_cannot_hold_is_named(
    made: Callable[[], onnx.ModelProto], reason: str, tmp_path: Path
) -> None:
    onnx.save(made(), tmp_path / "m.onnx")

    with pytest.raises(TrainingError, match=reason) as refusal:
        export_caffe(tmp_path / "m.onnx", tmp_path / "a", tmp_path / "b")

    assert "onnx" in refusal.value.hint


def test_a_graph_is_read_with_its_constants_and_free_batch(tmp_path: Path) -> None:
    onnx.save(MODELS["gemm"](), tmp_path / "m.onnx")

    graph = read_graph(tmp_path / "m.onnx")

    assert graph.inputs == ("x",)
    assert graph.shapes["x"] == (None, 5)
    assert graph.shapes["y"] == (None, 4)
    assert [node.kind for node in graph.nodes] == ["Gemm"]
    assert set(graph.constants) == {"c0", "c1"}


LAYERS = [
    Layer(name="x", kind="Input", bottoms=(), top="x", block="input_param",
          options={"shape": {"dim": [1, 3, 4, 5]}}),
    Layer(name="y", kind="InnerProduct", bottoms=("x",), top="y", block="inner_product_param",
          options={"num_output": 2, "bias_term": False, "kind": Word("AVE")},
          blobs=(np.arange(300, dtype=np.float32).reshape(2, 150),)),
]  # fmt: skip


def test_the_structure_is_text_as_caffe_writes_it() -> None:
    assert to_prototxt(LAYERS, name="n") == (
        'name: "n"\nlayer {\n  name: "x"\n  type: "Input"\n  top: "x"\n  input_param {\n'
        "    shape { dim: 1 dim: 3 dim: 4 dim: 5 }\n  }\n}\n"
        'layer {\n  name: "y"\n  type: "InnerProduct"\n  bottom: "x"\n  top: "y"\n'
        "  inner_product_param {\n    num_output: 2\n    bias_term: false\n    kind: AVE\n  }\n}\n"
    )


def caffe_net() -> Any:  # noqa: ANN401 - google.protobuf has no types
    """Return an empty net of the reader of Google, after caffe.proto of BVLC Caffe."""
    descriptor_pb2, descriptor_pool, message_factory = (
        import_module(f"google.protobuf.{name}")
        for name in ("descriptor_pb2", "descriptor_pool", "message_factory")
    )

    proto = descriptor_pb2.FileDescriptorProto(name="c.proto", package="c", syntax="proto2")
    field = descriptor_pb2.FieldDescriptorProto
    many, one = field.LABEL_REPEATED, field.LABEL_OPTIONAL
    wanted = {
        "Shape": [("dim", 1, many, field.TYPE_INT64, "")],
        "Blob": [
            ("data", 5, many, field.TYPE_FLOAT, ""),
            ("shape", 7, one, field.TYPE_MESSAGE, ".c.Shape"),
        ],
        "Layer": [
            ("name", 1, one, field.TYPE_STRING, ""),
            ("type", 2, one, field.TYPE_STRING, ""),
            ("blobs", 7, many, field.TYPE_MESSAGE, ".c.Blob"),
        ],
        "Net": [
            ("name", 1, one, field.TYPE_STRING, ""),
            ("layer", 100, many, field.TYPE_MESSAGE, ".c.Layer"),
        ],
    }
    for name, fields in wanted.items():
        message = proto.message_type.add(name=name)
        for called, number, label, kind, of in fields:
            item = message.field.add(name=called, number=number, label=label, type=kind)
            if kind == field.TYPE_MESSAGE:
                item.type_name = of
            elif label == many:
                item.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(proto)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("c.Net"))()


def test_the_weights_are_protobuf_that_another_reader_understands() -> None:
    net = caffe_net()

    net.ParseFromString(to_caffemodel(LAYERS, name="n"))

    assert net.name == "n"
    (layer,) = net.layer
    assert (layer.name, layer.type) == ("y", "InnerProduct")
    assert list(layer.blobs[0].shape.dim) == [2, 150]
    assert list(layer.blobs[0].data) == list(range(300))
