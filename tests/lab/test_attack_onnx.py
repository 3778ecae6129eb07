"""ONNX graphs with gradients give what ONNX Runtime gives."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from reelcheck.lab.attack.onnx_ops import UnknownOperatorError
from reelcheck.lab.attack.onnx_torch import OnnxFunction
from reelcheck.models.card import load_card
from reelcheck.models.session import open_session
from reelcheck.models.store import read_parts

Case = tuple[str, list[Any], dict[str, Any], int]
X = (2, 6, 9, 11)
W = np.random.default_rng(1)


def _f(*shape: int) -> NDArray[np.float32]:
    return W.uniform(0.1, 1, shape).astype(np.float32)


def _i(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


CASES: list[Case] = [
    ("Conv", [_f(4, 3, 3, 3), _f(4)], {"group": 2, "pads": [1, 0, 1, 0], "strides": [2, 1]}, 18),
    ("Conv", [_f(4, 6, 3, 3)], {"pads": [0, 0, 1, 1], "dilations": [2, 2]}, 18),
    ("MaxPool", [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 1]}, 9),
    ("AveragePool", [], {"kernel_shape": [3, 2], "strides": [1, 2]}, 9),
    ("BatchNormalization", [_f(6), _f(6), _f(6), _f(6)], {"epsilon": 0.001}, 15),
    ("Clip", [np.float32(0.2), np.float32(0.7)], {}, 18),
    ("Clip", [], {"min": 0.3}, 9),
    ("ReduceMean", [_i(2, 3)], {"keepdims": 0}, 18),
    ("ReduceMean", [], {"axes": [1], "keepdims": 1}, 9),
    ("ReduceMax", [_i(1)], {"keepdims": 0}, 18),
    ("ReduceSum", [_i(3)], {"keepdims": 1}, 18),
    ("Reshape", [_i(0, -1, 9)], {}, 18),
    ("Slice", [_i(1, 2), _i(3, 2**62), _i(1, 3), _i(1, 2)], {}, 18),
    ("Gather", [_i(-1, 0)], {"axis": 1}, 18),
    ("Unsqueeze", [_i(0, 3)], {}, 18),
    ("Transpose", [], {"perm": [0, 2, 3, 1]}, 18),
    ("Softmax", [], {"axis": 1}, 18),
    ("Softmax", [], {"axis": 3}, 9),
    ("Flatten", [], {"axis": 2}, 18),
    ("Concat", [_f(2, 1, 9, 11)], {"axis": 1}, 18),
    ("MatMul", [_f(11, 4)], {}, 18),
    ("Pow", [np.float32(2)], {}, 18),
    ("InstanceNormalization", [_f(6), _f(6)], {"epsilon": 0.01}, 18),
    ("Einsum", [_f(2, 9, 11)], {"equation": "nchw,nhw->nc"}, 18),
    *((name, [_f(6, 1, 1)], {}, 18) for name in ("Add", "Sub", "Mul", "Div")),
    *((name, [], {}, 18) for name in ("Abs", "Neg", "Relu", "Sigmoid", "Sign", "Softplus", "Sqrt")),
]


def _model(kind: str, constants: list[Any], how: dict[str, Any], opset: int) -> bytes:
    names = [f"c{number}" for number in range(len(constants))]
    node = helper.make_node(kind, ["x", *names], ["y"], **how)
    held = [
        numpy_helper.from_array(np.asarray(one), name)
        for name, one in zip(names, constants, strict=True)
    ]
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, X)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        held,
    )
    imports = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("case", CASES, ids=lambda one: f"{one[0]}-{one[3]}-{len(one[1])}")
def test_every_operator_does_what_onnx_runtime_does(case: Case) -> None:
    model = _model(*case)
    x = np.random.default_rng(0).uniform(-1, 1, X).astype(np.float32)
    x = np.abs(x) if case[0] == "Sqrt" else x
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    told = OnnxFunction(model, output="y")({"x": torch.from_numpy(x)}).numpy()

    np.testing.assert_allclose(told, session.run(None, {"x": x})[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "case",
    [
        ("Erf", [], {}, 18),
        ("Conv", [_f(4, 6, 3, 3)], {"auto_pad": "SAME_UPPER"}, 18),
        ("Softmax", [], {"axis": 1}, 9),
        ("MaxPool", [], {"kernel_shape": [2, 2], "ceil_mode": 1}, 18),
    ],
    ids=lambda one: one[0],
)
def test_what_is_not_known_is_refused_not_guessed(case: Case) -> None:
    with pytest.raises(UnknownOperatorError):
        OnnxFunction(_model(*case), output="y")({"x": torch.zeros(X)})


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("quality", {"fragments": (2, 1, 3, 192, 192), "glance": (2, 3, 128, 128)}),
        ("fights", {"rows": (2, 4, 1542)}),
        ("moving-look", {"picture": (1, 3, 224, 224), "coarse": (1, 4, 7, 7), "fine": (1, 14, 14)}),
    ],
)
def test_shipped_models_answer_alike_on_both(name: str, shapes: dict[str, tuple[int, ...]]) -> None:
    card = load_card(name)
    rng = np.random.default_rng(3)
    fed = {one: rng.random(shape).astype(np.float32) for one, shape in shapes.items()}
    extra = {one: value for one, value in fed.items() if one != card.input.name}
    wanted = open_session(card).run(fed[card.input.name], extra)

    model = read_parts(card).content[card.weights.file]
    inputs = {one: torch.from_numpy(value).requires_grad_() for one, value in fed.items()}
    told = OnnxFunction(model, output=card.output.name)(inputs)
    told.sum().backward()  # type: ignore[no-untyped-call]

    room = 1e-4 * max(1.0, float(np.abs(wanted).max()))
    assert float(np.abs(told.detach().numpy() - wanted).max()) <= room
    assert all(float(one.grad.abs().max()) > 0 for one in inputs.values() if one.grad is not None)
