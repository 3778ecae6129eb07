"""Converted models answer as the originals do, and what is no model is refused."""

import contextlib
import io
import pickle
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from reelcheck.errors import ModelError
from reelcheck.models.converting import convert
from reelcheck.models.converting.tfjs import _literal
from reelcheck.models.converting.torchfile import read_state_dict
from tfjs_model import HEIGHT, WIDTH, SmallModel, javascript


def answer(model: bytes, output: str, **given: NDArray[Any]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (found,) = session.run([output], given)
    return np.asarray(found)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("form", ["files", "modules"])
def test_a_converted_model_answers_as_numpy_says(form: str, seed: int) -> None:
    model = SmallModel(seed)
    pictures = np.random.default_rng(7).random((3, HEIGHT, WIDTH, 3), np.float32)

    made = convert("tfjs-layers", getattr(model, form)())

    assert answer(made, "end", **{"in": pictures}) == pytest.approx(
        model.answer(pictures), abs=1e-5
    )


def test_the_same_weights_give_the_same_bytes() -> None:
    assert convert("tfjs-layers", SmallModel().files()) == convert(
        "tfjs-layers", SmallModel().modules()
    )


def altered(name: str, **changes: object) -> list[bytes]:
    model = SmallModel()
    layer = next(one for one in model.layers if one["name"] == name)
    layer.update({key: value for key, value in changes.items() if key in layer})
    layer["config"].update({key: value for key, value in changes.items() if key not in layer})
    return model.files()


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (altered("pad", class_name="Cropping2D"), "Cropping2D is not known"),
        (altered("conv", activation="gelu"), "gelu is not known"),
        (altered("conv", data_format="channels_first"), "not channels_last"),
        (altered("both", axis=1), "does not join channels"),
        (altered("norm", axis=1), "does not normalise channels"),
        (altered("six", negative_slope=0.1), "no plain ReLU"),
        (altered("six", inbound_nodes=[]), "not used exactly once"),
        ([*SmallModel().files()[:2], b""], "smaller than requested"),
        ([*SmallModel().files(), b"\0"], "bytes of weights"),
        ([b"{}", b""], "no TensorFlow.js layers model"),
        ([b"a.exports=function(){}", b""], "no TensorFlow.js layers model"),
        ([b"\xff\xfe", b""], "no TensorFlow.js layers model"),
    ],
)
def test_what_cannot_be_converted_is_refused(members: Sequence[bytes], reason: str) -> None:
    with pytest.raises(ModelError, match=reason) as refusal:
        convert("tfjs-layers", members)

    assert refusal.value.code == "E_MODEL_INTEGRITY"


_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=8)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(value=st.dictionaries(_TEXTS, _VALUES, max_size=4))
def test_a_literal_of_a_minified_module_is_read_as_it_was_written(value: dict[str, Any]) -> None:
    assert _literal(f"a.exports={javascript(value)}}},{{}}]".encode()) == value


class _Storage:
    """Stands for the numbers of a tensor, as torch writes them."""

    def __init__(self, key: str, numbers: NDArray[Any]) -> None:
        self.key, self.numbers = key, numbers


class _Tensor:
    def __init__(self, storage: _Storage, strides: tuple[int, ...]) -> None:
        self.storage, self.strides = storage, strides


def state_dict(tensors: Mapping[str, NDArray[Any]], *, flipped: bool = False) -> bytes:
    """Return a state dict as ``torch.save`` writes it. The modules of torch are stand-ins."""
    torch, inner = ModuleType("torch"), ModuleType("torch._utils")
    kinds = {"f": type("FloatStorage", (), {}), "i": type("LongStorage", (), {})}

    def _rebuild_tensor_v2(*_: object) -> None:
        raise AssertionError

    for kind in kinds.values():
        kind.__module__, kind.__qualname__ = "torch", kind.__name__
        setattr(torch, kind.__name__, kind)
    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = (
        "torch._utils",
        "_rebuild_tensor_v2",
    )
    setattr(inner, _rebuild_tensor_v2.__name__, _rebuild_tensor_v2)

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: object) -> object:
            if not isinstance(value, _Storage):
                return None
            kind = kinds[value.numbers.dtype.kind]
            return ("storage", kind, value.key, "cpu", value.numbers.size)

        def reducer_override(self, value: object) -> Any:  # noqa: ANN401 - as pickle has it
            if not isinstance(value, _Tensor):
                return NotImplemented
            shape = value.storage.numbers.shape
            return _rebuild_tensor_v2, (value.storage, 0, shape, value.strides, False, {})

    wrapped = {}
    for key, (name, numbers) in enumerate(tensors.items()):
        steps = tuple(step // numbers.itemsize for step in numbers.strides)
        wrapped[name] = _Tensor(_Storage(str(key), numbers), steps[::-1] if flipped else steps)
    program = io.BytesIO()
    with standing_in({"torch": torch, "torch._utils": inner}):
        Pickler(program, protocol=2).dump(wrapped)
    return zipped(program.getvalue(), list(tensors.values()))


@contextlib.contextmanager
def standing_in(modules: Mapping[str, ModuleType]) -> Iterator[None]:
    """Let modules take the place of others for a while."""
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in before.items():
            del sys.modules[name]
            sys.modules.update({name: module} if module else {})


def zipped(program: bytes, numbers: Sequence[NDArray[Any]] = ()) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        for key, one in enumerate(numbers):
            archive.writestr(f"archive/data/{key}", one.tobytes())
    return file.getvalue()


def test_the_tensors_of_a_state_dict_are_read_without_torch() -> None:
    tensors: dict[str, NDArray[Any]] = {
        "a.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "a.count": np.array(7, dtype=np.int64),
    }

    found = read_state_dict(state_dict(tensors))

    assert set(found) == set(tensors)
    assert all((found[name] == tensors[name]).all() for name in tensors)


class _Bomb:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self._path,)


def test_a_state_dict_that_would_run_code_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ran"

    with pytest.raises(ModelError, match="no PyTorch state dict"):
        read_state_dict(zipped(pickle.dumps({"a": _Bomb(path)}, protocol=2)))

    assert not path.exists()


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"not a zip",
        zipped(b"."),
        zipped(b""),
        zipped(b"0."),
        zipped(b"\x80\x02}"),
        zipped(pickle.dumps([1.5], protocol=2)),
        state_dict({"a": np.zeros((2, 3), np.float32)}, flipped=True),
    ],
)
def test_a_file_that_is_no_state_dict_is_refused(file: bytes) -> None:
    with pytest.raises(ModelError, match="state dict"):
        read_state_dict(file)


def zeros(*shape: int) -> NDArray[np.float32]:
    return np.zeros(shape, np.float32)


def transnet_weights() -> dict[str, NDArray[Any]]:
    """Return weights with which a frame's answer is how alike the colours of the next one are."""
    weights: dict[str, NDArray[Any]] = {}
    for block, channels in enumerate((16, 32, 64)):
        for cell in range(2):
            inner = channels * 4 if cell else (3, 64, 128)[block]
            name = f"SDDCNN.{block}.DDCNN.{cell}"
            for rate in (1, 2, 4, 8):
                layer = f"{name}.Conv3D_{rate}.layers"
                weights[f"{layer}.0.weight"] = zeros(2 * channels, inner, 1, 3, 3)
                weights[f"{layer}.1.weight"] = zeros(channels, 2 * channels, 3, 1, 1)
            for part in ("weight", "bias", "running_mean"):
                weights[f"{name}.bn.{part}"] = zeros(channels * 4)
            weights[f"{name}.bn.running_var"] = zeros(channels * 4) + 1
    rows = {"frame_sim_layer.projection": (128, 448), "fc1": (1024, 4864), "cls_layer1": (1, 1024)}
    rows |= {"frame_sim_layer.fc": (128, 101), "color_hist_layer.fc": (128, 101)}
    for name, shape in rows.items():
        weights[f"{name}.weight"], weights[f"{name}.bias"] = zeros(*shape), zeros(shape[0])
    weights["color_hist_layer.fc.weight"][0, 51] = 1.0
    weights["fc1.weight"][0, 0] = 1.0
    weights["cls_layer1.weight"][0, 0] = 4.0
    weights["cls_layer1.bias"][0] = -2.0
    return weights


def test_the_shots_network_compares_the_colours_of_a_frame_with_those_of_the_next() -> None:
    frames = np.zeros((1, 100, 27, 48, 3), np.uint8)
    frames[0, :40] = (250, 10, 10)
    frames[0, 40:, :, :24] = (10, 250, 10)
    frames[0, 40:, :, 24:] = (10, 10, 250)

    found = answer(convert("transnetv2", [state_dict(transnet_weights())]), "single", frames=frames)

    expected = np.full(100, 1 / (1 + np.exp(-2)))
    expected[[39, 99]] = 1 / (1 + np.exp(2))  # at the cut; after the last frame nothing is alike
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_state_dict_of_another_network_is_refused() -> None:
    with pytest.raises(ModelError, match="weights of TransNetV2"):
        convert("transnetv2", [state_dict({"a": np.zeros(3, np.float32)})])


def test_a_file_that_is_onnx_already_stays_as_it_is() -> None:
    assert convert("", [b"onnx"]) == b"onnx"
