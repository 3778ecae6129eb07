"""The model in service on the very same samples: a training, a bundle, a stored model."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from reelcheck.errors import SettingError
from reelcheck.lab.data.prepare import input_spec
from reelcheck.lab.data.sources import open_data
from reelcheck.lab.engine.run import Trained, train
from reelcheck.lab.evaluate import measure
from reelcheck.lab.evaluation.service import rows_of
from reelcheck.lab.export.cards import to_toml
from reelcheck.lab.recipe import InputPart, Recipe
from reelcheck.lab.tasks.motion import CLASSES

RECIPE = Recipe.model_validate(
    {
        "name": "service",
        "data": {"task": "motion-classes", "train_count": 14, "test_count": 14},
        "input": {"frames": 2, "size_px": [32, 32]},
        "network": {"name": "tsm", "options": {"width_mult": 0.1}},
        "training": {"epochs": 1, "batch": 7},
    }
)
SEEN = InputPart(frames=2, size_px=(32, 32), mean=(0.0, 0.0, 0.0), scale=(255.0, 255.0, 255.0))
WEIGHTS = np.random.default_rng(0).normal(0, 3, (3, len(CLASSES))).astype(np.float32)
LABELS = tuple(reversed(CLASSES))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(RECIPE, out=tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of mean colours with its classes in another order, and its own preprocessing."""
    folder = tmp_path_factory.mktemp("bundle") / "old"
    folder.mkdir()
    size: list[str | int | None] = ["batch", 2, 3, 32, 32]
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["clip", "axes"], ["colour"], keepdims=0),
            helper.make_node("MatMul", ["colour", "weights"], ["logits"]),
        ],
        "colours",
        [helper.make_tensor_value_info("clip", TensorProto.FLOAT, size)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(LABELS)])],
        [
            numpy_helper.from_array(np.array([1, 3, 4]), "axes"),
            numpy_helper.from_array(WEIGHTS, "weights"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    data = model.SerializeToString()
    onnx.checker.check_model(model)
    (folder / "model.onnx").write_bytes(data)
    card: dict[str, Any] = {
        **dict.fromkeys(("version", "task", "summary", "licence", "source"), "test"),
        "name": "old",
        "sha256": hashlib.sha256(data).hexdigest(),
        "weights": {"file": "model.onnx"},
        "input": input_spec(SEEN).model_dump(exclude_none=True),
        "output": {"name": "logits", "labels": list(LABELS)},
        "training": {"data": "none"},
        "figures": {},
    }
    (folder / "card.toml").write_text(to_toml(card))
    return folder


def test_a_bundle_is_shown_the_samples_as_its_card_says(bundle: Path) -> None:
    rows = rows_of(str(bundle), RECIPE, classes=CLASSES, part="test")

    samples = open_data(RECIPE.model_copy(update={"input": SEEN})).test
    colours = np.stack([samples[index][0].numpy().mean(axis=(0, 2, 3)) for index in range(14)])
    chances = np.exp(colours @ WEIGHTS)
    chances /= chances.sum(axis=1, keepdims=True)
    assert rows.probabilities == pytest.approx(chances[:, ::-1], abs=1e-5)
    assert rows.labels.tolist() == list(samples.labels)


def test_a_stored_model_is_compared_by_its_name(
    trained: Trained, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELCHECK_MODELS", str(bundle.parent))

    told = measure(RECIPE, trained, against="old")
    assert told.comparison is not None
    assert told.comparison.name == "old"
    assert told.comparison.samples == 14
    ours, theirs = (one["top1"].value for one in (told.comparison.this, told.comparison.other))
    assert told.comparison.differences["top1"].value == pytest.approx(ours - theirs)


def test_another_training_is_compared_by_its_folder(trained: Trained) -> None:
    told = measure(RECIPE, trained, against=str(trained.folder), part="validation")

    assert told.comparison is not None
    assert set(told.comparison.differences) == set(told.evaluation.figures)
    assert {one.value for one in told.comparison.differences.values()} == {0}
    assert told.comparison.conclusion.startswith("No difference can be told with 14 groups")


def test_a_model_that_cannot_be_compared_is_refused(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no training, no bundle and no model"):
        rows_of(str(tmp_path), RECIPE, classes=CLASSES, part="test")
    with pytest.raises(SettingError, match="other classes: a, b"):
        rows_of(str(trained.folder), RECIPE, classes=(*CLASSES, "a", "b"), part="test")
    longer = RECIPE.model_copy(update={"input": RECIPE.input.model_copy(update={"frames": 4})})
    with pytest.raises(SettingError, match="takes 2 pictures of 32 x 32"):
        rows_of(str(trained.folder), longer, classes=CLASSES, part="test")
