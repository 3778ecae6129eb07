"""The whole way: train, export, add to the store, run on a video, read times in the report."""

from pathlib import Path

import numpy as np
import pytest

import reelcheck
from reelcheck.lab.engine.run import train
from reelcheck.lab.evaluate import evaluate, predict
from reelcheck.lab.export.bundle import export_bundle
from reelcheck.lab.export.cards import to_toml
from reelcheck.lab.export.interface import interface_of
from reelcheck.lab.export.parity import TOLERANCE, difference
from reelcheck.lab.recipe import Recipe
from reelcheck.lab.tasks.motion import CLASSES, motion_clip
from reelcheck.media import guard
from reelcheck.media.synth import write_video
from reelcheck.models.card import load_card
from reelcheck.models.session import open_session
from reelcheck.models.store import add_bundle

RECIPE = Recipe.model_validate(
    {
        "name": "small",
        "seed": 2,
        "data": {
            "task": "motion-classes",
            "train_count": 14,
            "test_count": 7,
            "clip_seconds": 0.5,
        },
        "input": {"frames": 4, "size_px": [32, 32]},
        "network": {"name": "tsm", "options": {"width_mult": 0.1}},
        "training": {"epochs": 1, "batch": 7},
    }
)


def test_a_trained_network_runs_as_an_analyzer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = train(RECIPE, out=tmp_path / "run")
    figures = evaluate(predict(trained.network, trained.data.test, batch=7), CLASSES).figures
    words = {name: str(value) for name, value in figures.items()}
    folder = export_bundle(
        RECIPE, trained, figures=words, licence="Apache-2.0", out=tmp_path / "motion"
    )
    clip = motion_clip(0, seed=0, frames=50)
    path = write_video(tmp_path / "clip.mkv", ((one, i) for i, one in enumerate(clip.frames)))
    monkeypatch.setenv("REELCHECK_MODELS", str(tmp_path / "store"))

    interface = interface_of(trained.network, trained.data.test[0][0])
    card = add_bundle(folder)
    assert difference(interface, open_session(card)) < TOLERANCE
    assert float(card.figures["onnx_difference"]) < TOLERANCE
    guard.stop_server()  # the child learns of the store when it starts
    report = reelcheck.analyze(path, only=["motion"])

    assert load_card("motion").output.labels == CLASSES
    assert not report.failures
    assert set(report.signals) == {f"motion.{label}" for label in CLASSES}
    values = np.array([signal.values for signal in report.signals.values()], dtype=np.float64)
    assert values.sum(axis=0) == pytest.approx(1, abs=1e-3)
    signal = report.signals[f"motion.{CLASSES[0]}"]
    ends = np.add(signal.times_seconds, signal.durations_seconds)
    assert signal.times_seconds[0] == 0
    assert list(ends[:-1]) == pytest.approx(list(signal.times_seconds[1:]), abs=1e-5)
    assert ends[-1] == pytest.approx(2.0, abs=0.05)
    assert [use.name for use in report.models] == ["motion"]


def test_a_card_is_written_as_toml_that_reads_back() -> None:
    import tomllib  # noqa: PLC0415 - only here

    values = {
        "name": 'a "b"\n',
        "n": [1, 2],
        "rows": [{"shape": [1, 2], "q": "a"}, {"shape": []}],
        "part": {"x y": 1.5, "z": "ü"},
    }

    assert tomllib.loads(to_toml(values)) == values
