"""Every kind of network as a bundle: named inputs, honest cards, and what is refused."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reelcheck.analyzers.trained import TrainedAnalyzer
from reelcheck.errors import SettingError
from reelcheck.lab.data.sources import open_data
from reelcheck.lab.engine.run import Trained
from reelcheck.lab.errors import TrainingError
from reelcheck.lab.export.bundle import export_bundle
from reelcheck.lab.export.drift import measure_drift
from reelcheck.lab.export.int8 import export_int8
from reelcheck.lab.export.interface import Interface, interface_of
from reelcheck.lab.export.parity import TOLERANCE, difference, refuse_difference
from reelcheck.lab.networks import build
from reelcheck.lab.recipe import Recipe
from reelcheck.models.card import Card, parse_card
from reelcheck.models.session import open_session
from reelcheck.models.store import add_bundle

TINY: dict[str, dict[str, Any]] = {
    "clip": {
        "data": {"task": "motion-classes", "train_count": 7, "test_count": 7},
        "input": {"frames": 3, "size_px": [16, 16]},
        "network": {"name": "tsn", "options": {"width_mult": 0.1}},
    },
    "streams": {
        "data": {"task": "streams", "train_count": 8, "test_count": 8},
        "network": {"name": "deepsense", "options": {"width": 8, "hidden": 6}},
    },
    "quality": {
        "data": {"task": "distortions", "train_count": 8, "test_count": 8},
        "input": {"frames": 2, "size_px": [32, 32], "fragments_grid": 2, "fragments_px": 16},
        "network": {"name": "quality", "options": {"width_mult": 0.1}},
    },
    "boxes": {
        "data": {"task": "shapes-boxes", "train_count": 4, "test_count": 4},
        "input": {"frames": 1, "size_px": [64, 64]},
        "network": {"name": "yolo", "options": {"width": 0.125}},
    },
}


class Plain(nn.Module):
    """A network of any kind that is traced in a moment; only the shapes are real."""

    def __init__(self, kind: str, *, outputs: int) -> None:
        super().__init__()
        self.kind = kind
        self.head = nn.LazyLinear(outputs)

    def forward(self, first: Any, second: Tensor | None = None) -> Tensor:  # noqa: ANN401 - by kind
        tensors = list(first.values()) if isinstance(first, dict) else [first]
        tensors += [] if second is None else [second]
        told: Tensor = self.head(torch.cat([one.flatten(1) for one in tensors], dim=1).tanh())
        return told

    def predict(self, image: Tensor) -> Tensor:
        return self.forward(image).reshape(len(image), -1, 8)


def trained_of(kind: str, folder: Path) -> tuple[Recipe, Trained]:
    recipe = Recipe.model_validate({"name": f"my_{kind}", **TINY[kind]})
    data = open_data(recipe)
    torch.manual_seed(0)
    outputs = {"quality": 3, "boxes": 16}.get(kind, len(data.classes))
    network = Plain(kind, outputs=outputs)
    interface = interface_of(network, data.test[0][0])
    interface.run(interface.batch(1))  # the first run tells a lazy layer its size
    return recipe, Trained(folder=folder, network=network, data=data, seconds=0.0)


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A bundle of a kind, and what it was made of."""

    card: Card
    folder: Path
    recipe: Recipe
    trained: Trained


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Exported]:
    """Give one bundle of every kind that is asked for; tests leave it as it is."""

    @cache
    def make(kind: str) -> Exported:
        folder = tmp_path_factory.mktemp(kind)
        recipe, trained = trained_of(kind, folder)
        out = export_bundle(
            recipe, trained, figures={"x": "1"}, licence="MIT", out=folder / recipe.name
        )
        card = parse_card((out / "card.toml").read_text(), where=kind)
        return Exported(card=card, folder=out, recipe=recipe, trained=trained)

    return make


INPUTS = {
    "clip": ("clip", []),
    "streams": ("rgb", ["motion", "audio", "present"]),
    "quality": ("fragments", ["glance"]),
    "boxes": ("image", []),
}


@pytest.mark.parametrize("kind", TINY)
def test_every_kind_becomes_a_bundle_whose_card_names_what_it_takes(
    kind: str, made: Callable[[str], Exported]
) -> None:
    one = made(kind)
    card, trained = one.card, one.trained
    interface = interface_of(trained.network, trained.data.test[0][0])

    first, others = INPUTS[kind]
    assert card.input.name == first
    assert [item.name for item in card.extra_inputs] == others
    for item in card.extra_inputs:
        assert item.shape == tuple(interface.sample[item.name].shape)
    assert card.output.kind == (kind if kind in {"boxes", "quality"} else "classes")
    assert difference(interface, open_session(card, folder=one.folder)) < TOLERANCE


def test_a_bundle_tells_nothing_of_the_machine_that_made_it(
    made: Callable[[str], Exported],
) -> None:
    weights = (made("clip").folder / made("clip").card.weights.file).read_bytes()

    assert str(Path(__file__).parents[2]).encode() not in weights
    assert b"stack_trace" not in weights


@pytest.mark.parametrize("kind", ["streams", "quality", "boxes"])
def test_what_is_no_classifier_of_clips_is_refused_as_an_analyzer(
    kind: str,
    made: Callable[[str], Exported],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REELCHECK_MODELS", str(tmp_path / "store"))
    add_bundle(made(kind).folder)

    with pytest.raises(SettingError, match="cannot be run on a video by itself"):
        TrainedAnalyzer.of(f"my_{kind}")


def test_a_network_with_several_inputs_becomes_a_saved_model_with_their_names(
    made: Callable[[str], Exported], tmp_path: Path
) -> None:
    pytest.importorskip("tensorflow")
    one = made("streams")

    out = export_bundle(
        one.recipe,
        one.trained,
        figures={},
        licence="MIT",
        out=tmp_path / "streams",
        format="savedmodel",
    )

    card = parse_card((out / "card.toml").read_text(), where="streams")
    assert float(card.figures["savedmodel_difference"]) < TOLERANCE
    assert (card.input, card.extra_inputs) == (one.card.input, one.card.extra_inputs)


def test_a_network_whose_graph_depends_on_what_it_finds_is_refused() -> None:
    network = build("faster_rcnn", outputs=2, options={"backbone": "small"})

    with pytest.raises(TrainingError, match="FasterRcnn cannot be exported"):
        interface_of(network, torch.zeros(3, 64, 64))


@pytest.mark.parametrize(("worst", "refused"), [(TOLERANCE, False), (1.01 * TOLERANCE, True)])
def test_a_model_that_computes_something_else_is_refused(worst: float, *, refused: bool) -> None:
    if refused:
        with pytest.raises(TrainingError, match="onnx differs from PyTorch"):
            refuse_difference(worst, runtime="onnx")
    else:
        refuse_difference(worst, runtime="onnx")


class Shifted:
    """A runtime that is off by a little, or tells no numbers, or another shape."""

    sha256 = ""

    def __init__(self, network: nn.Module, change: Callable[[Any], Any]) -> None:
        self._network = network
        self._change = change

    def run(self, tensor: Any, extra: Any = None) -> Any:  # noqa: ANN401 - arrays
        del extra
        with torch.inference_mode():
            return self._change(self._network(torch.from_numpy(tensor)).numpy())


def test_the_difference_is_measured_on_the_largest_output() -> None:
    network = nn.Linear(4, 2)
    interface = Interface(
        network=network, sample={"clip": torch.ones(4)}, output="logits", kind="classes"
    )

    assert difference(interface, Shifted(network, lambda told: told)) == 0
    assert difference(interface, Shifted(network, lambda told: told + 0.5)) > 0.1
    for change, reason in (
        (lambda told: told * np.nan, "no numbers"),
        (lambda told: told[:, :1], "outputs are"),
    ):
        with pytest.raises(TrainingError, match=reason):
            difference(interface, Shifted(network, change))


def test_a_failed_export_leaves_what_was_there(
    made: Callable[[str], Exported], tmp_path: Path
) -> None:
    one = made("clip")
    folder = tmp_path / "clip"
    folder.mkdir()
    (folder / "card.toml").write_text("of an older export")
    (folder / "mine.txt").write_text("kept")

    with pytest.raises(TrainingError, match="3 pictures at once"):
        export_bundle(
            one.recipe, one.trained, figures={}, licence="MIT", out=folder, format="caffe"
        )

    assert {path.name for path in folder.iterdir()} == {"card.toml", "mine.txt"}
    assert (folder / "card.toml").read_text() == "of an older export"
    assert [path.name for path in tmp_path.iterdir()] == ["clip"]


@pytest.mark.parametrize("kind", ["streams", "quality"])
def test_int8_is_its_own_bundle_with_a_report_of_what_it_changes(
    kind: str, made: Callable[[str], Exported], tmp_path: Path
) -> None:
    one = made(kind)
    count = len(one.trained.data.test)

    drift = export_int8(one.recipe, one.trained, one.folder, out=tmp_path / "small", samples=4)

    small = parse_card((tmp_path / "small" / "card.toml").read_text(), where="small")
    told = json.loads((tmp_path / "small" / "drift.json").read_text())
    assert (small.name, small.input, small.output) == ("small", one.card.input, one.card.output)
    assert small.sha256 != one.card.sha256
    assert "calibrated on at most 4 samples of the training part" in small.source
    assert told["samples"] == count
    assert drift.int8_bytes < drift.float_bytes
    assert 0 < drift.mean_difference <= drift.largest_difference < 1
    assert (drift.agreement is None) == (kind == "quality")
    assert set(drift.comparison.this) == set(drift.comparison.other)
    assert f"int8 against float on {count} test samples" in drift.to_text()


def test_int8_of_a_detector_is_refused(made: Callable[[str], Exported], tmp_path: Path) -> None:
    one = made("boxes")

    with pytest.raises(TrainingError, match="not for detectors"):
        export_int8(one.recipe, one.trained, one.folder, out=tmp_path / "small")
    assert not (tmp_path / "small").exists()


@pytest.mark.parametrize(
    ("agreement", "warned"), [(None, False), (1.0, False), (0.98, False), (0.979, True)]
)
def test_another_class_for_more_than_two_in_a_hundred_is_a_warning(
    agreement: float | None,
    *,
    warned: bool,
    made: Callable[[str], Exported],
) -> None:
    one = made("streams")
    session = open_session(one.card, folder=one.folder)
    drift = measure_drift(
        one.trained.network,
        one.trained.data,
        floats=session,
        ints=session,
        files=(one.folder / "model.onnx", one.folder / "model.onnx"),
        batch=4,
    )
    assert (drift.agreement, drift.largest_difference, drift.warning) == (1.0, 0.0, "")

    changed = replace(drift, agreement=agreement)

    assert bool(changed.warning) == warned
    assert changed.to_text().endswith(changed.warning)
