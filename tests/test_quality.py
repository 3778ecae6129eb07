"""The picture that the network gets, what becomes of its answers, and the shipped weights."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import reelcheck
from quality_pictures import (
    Levels,
    blurred,
    enlarged,
    noisy,
    samples,
    scene,
)
from reelcheck.analyzers.quality import (
    Judge,
    QualityAnalyzer,
    as_levels,
    fragments,
    in_bytes,
    trimmed,
)
from reelcheck.analyzers.quality.analyzer import _QualityWatch
from reelcheck.frames import Colour, FrameBatch, Layout
from reelcheck.models.card import load_card
from reelcheck.models.session import open_session
from reelcheck.models.store import locate
from reelcheck.spans import Observation

CARD = load_card("quality")
FULL = Colour(full_range=True)
CAUSES = CARD.output.labels[3:]
PLACING = 4
"""How often the network is asked where the worst picture is bad."""


@pytest.mark.parametrize(
    ("code", "colour", "level"),
    [
        (16, Colour(), 0),
        (235, Colour(), 255),
        (126, Colour(), 128),
        (3, Colour(), 0),
        (250, Colour(), 255),
        (16, FULL, 16),
        (940, Colour(bit_depth=10), 255),
        (64, Colour(bit_depth=10), 0),
        (1023, Colour(bit_depth=10, full_range=True), 255),
    ],
)
def test_luma_codes_become_levels_from_black_to_white(
    code: int, colour: Colour, level: int
) -> None:
    codes = np.full((2, 3), code, dtype=np.uint8 if colour.bit_depth == 8 else np.uint16)

    assert (as_levels(in_bytes(codes, colour), colour) == level).all()


def test_fragments_are_exact_crops_from_the_middles_of_the_cells() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (400, 800), dtype=np.uint8)

    mosaic = fragments(picture, grid=4, patch_px=48)

    assert mosaic.shape == (192, 192)
    assert (mosaic[:48, :48] == picture[26:74, 76:124]).all()
    assert (mosaic[144:, 48:96] == picture[326:374, 276:324]).all()


@settings(max_examples=30, deadline=None)
@given(width=st.integers(1, 300), height=st.integers(1, 300))
def test_fragments_of_any_size_have_one_shape(width: int, height: int) -> None:
    picture = np.full((height, width), 7, dtype=np.uint8)

    mosaic = fragments(picture, grid=4, patch_px=48)

    assert mosaic.shape == (192, 192)
    assert (mosaic == 7).all()


@pytest.mark.parametrize(("lines", "same"), [(1080, True), (1600, True), (1640, False)])
def test_large_pictures_are_seen_from_as_far_as_1080_lines(lines: int, *, same: bool) -> None:
    stripes = np.zeros((lines, lines), dtype=np.uint8)
    stripes[:, ::2] = 200

    mosaic = fragments(stripes, grid=4, patch_px=48)

    assert set(np.unique(mosaic)) == ({0, 200} if same else {100})


@pytest.mark.parametrize(("colour", "black"), [(Colour(), 24), (FULL, 8)])
@pytest.mark.parametrize(
    ("rows", "columns"), [((40, 216), (0, 256)), ((0, 256), (56, 200)), ((30, 226), (20, 236))]
)
def test_black_borders_are_left_out(
    rows: tuple[int, int], columns: tuple[int, int], colour: Colour, black: int
) -> None:
    picture = np.full((256, 256), black, dtype=np.uint8)
    picture[slice(*rows), slice(*columns)] = black + 1

    assert trimmed(picture, colour).shape == (rows[1] - rows[0], columns[1] - columns[0])


def test_a_dark_picture_with_one_light_is_not_trimmed() -> None:
    picture = np.full((256, 256), 16, dtype=np.uint8)
    picture[100:110, 100:110] = 90

    assert trimmed(picture, Colour()).shape == (256, 256)


class Scripted:
    """A network whose score is a twentieth of the mean level, and whose cause is always one."""

    sha256 = ""

    def __init__(self, cause: str = "blur") -> None:
        self.calls = 0
        self._logits = [9.0 if name == cause else 0.0 for name in CAUSES]

    def run(
        self, tensor: NDArray[Any], extra: Mapping[str, NDArray[Any]] | None = None
    ) -> NDArray[np.float32]:
        assert tensor.shape == (1, 1, 3, 192, 192)
        assert extra is not None
        assert extra["glance"].shape == (1, 3, 128, 128)
        self.calls += 1
        score = (float(tensor.mean()) * 128 + 127) / 20
        return np.array([[score, score - 0.5, score + 0.5, *self._logits]], dtype=np.float32)


def told(
    levels: Sequence[int],
    *,
    rate: int = 1,
    network: Scripted | None = None,
    recipe: QualityAnalyzer | None = None,
) -> list[Observation]:
    """Return what is said of pictures of these mean levels; below 0 they are plain black."""
    judge = Judge(CARD, network or Scripted())
    watch = _QualityWatch(recipe or QualityAnalyzer(), judge, turns=0)
    found = list[Observation]()
    stripes = np.where(np.arange(64) % 2, 5, -5).astype(np.int16)
    for index, level in enumerate(levels):
        picture = np.zeros((1, 64, 64), np.uint8)
        if level >= 0:
            picture += (level + stripes).astype(np.uint8)
        batch = FrameBatch(
            layout=Layout.LUMA,
            pixels=picture,
            pts=np.array([index]),
            durations=np.array([1]),
            ordinals=np.array([index]),
            changed=np.array([True]),
            time_base=Fraction(1, rate),
            colour=FULL,
        )
        found += watch.see(batch)
    return [*found, *watch.end()]


def times(found: Sequence[Observation]) -> list[tuple[float, float]]:
    return [(float(one.span.start), float(one.span.end)) for one in found]


def test_samples_tile_the_time_and_the_interval_holds_the_score() -> None:
    found = told([60, 80, 100])

    scores = samples(found, "score")
    assert [one.score for one in scores] == pytest.approx([3.0, 4.0, 5.0], abs=0.01)
    assert times(scores) == [(0, 1), (1, 2), (2, 3)]
    for low, high in zip(samples(found, "lower"), samples(found, "upper"), strict=True):
        assert 1 <= low.score <= high.score <= 5


@pytest.mark.parametrize("rate", [8, 30])
def test_a_strobe_costs_at_most_four_pictures_a_second(rate: int) -> None:
    network = Scripted()

    found = told([50, 120] * rate, rate=rate, network=network)

    scores = samples(found, "score")
    assert network.calls - PLACING == len(scores) <= 8
    assert all(a.span.end == b.span.start for a, b in pairwise(scores))
    assert (float(scores[0].span.start), float(scores[-1].span.end)) == (0, 2)


def test_a_poor_stretch_is_one_event_with_its_lowest_score_and_cause() -> None:
    found = told([60, 36, 32, 38, 60, 30])

    events = [one for one in found if one.label]
    assert times(events) == [(1, 4), (5, 6)]
    assert events[0].score == pytest.approx(1.6, abs=0.01)
    assert events[0].label == "poor_picture"
    assert events[0].note.endswith("(90 % interval 1.1 to 2.1); likely cause: blur")


@pytest.mark.parametrize(("level", "blamed"), [(70, True), (79, True), (81, False)])
def test_only_what_is_less_than_good_has_a_cause(level: int, *, blamed: bool) -> None:
    found = told([level] * 3)

    causes = samples(found, "cause_blur")
    assert times(causes) == ([(0, 3)] if blamed else [])
    assert all(one.score > 0.99 for one in causes)


def test_no_cause_is_told_of_clean_pictures_and_exposure_goes_first() -> None:
    clean = told([60] * 3, network=Scripted("clean"))
    dark = told([5] * 3)

    assert not [one for one in clean if one.signal.startswith("cause_")]
    assert [one.signal for one in dark if one.signal.startswith("cause_")] == ["cause_exposure"]


def test_plain_pictures_have_nothing_to_judge() -> None:
    network = Scripted()

    found = told([-1, -1, 60, -1], network=network)

    assert network.calls == 1 + PLACING
    assert times(samples(found, "score")) == [(2, 3)]
    assert not [one for one in found if one.label]


def test_the_weights_lie_in_the_package_and_are_small() -> None:
    path = locate(CARD)

    assert path is not None
    assert path.is_relative_to(Path(reelcheck.__file__).parent)
    assert path.stat().st_size <= 5_000_000


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(CARD, open_session(CARD))


def score_of(judge: Judge, picture: Levels) -> float:
    judged = judge(picture)
    assert judged is not None
    return judged.score


@pytest.mark.parametrize(
    ("worsen", "grades", "drop"),
    [
        (blurred, (0.0, 1.5, 4.0), 1.0),
        (noisy, (0.0, 15.0, 45.0), 0.2),
        (enlarged, (1.0, 2.5, 6.0), 1.0),
    ],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_more_damage_gives_a_lower_score(
    worsen: Callable[[Levels, float], Levels],
    grades: tuple[float, ...],
    drop: float,
    seed: int,
    judge: Judge,
) -> None:
    scores = [score_of(judge, worsen(scene(seed), grade)) for grade in grades]

    assert scores == sorted(scores, reverse=True)
    assert scores[0] - scores[-1] > drop


@pytest.mark.parametrize("side", [16, 17, 40])
def test_tiny_pictures_are_judged_from_16_pixels_on(side: int, judge: Judge) -> None:
    assert judge(scene(1)[:side, :side]) is not None
    assert judge(scene(1)[: side - 1, :15]) is None


QUARTERS = ("top left", "top right", "bottom left", "bottom right")


def spoilt(picture: Levels, spoil: Callable[[Levels], Levels], quarter: str) -> Levels:
    """Return a picture of which one quarter is spoilt."""
    height, width = (side // 2 for side in picture.shape)
    y, x = divmod(QUARTERS.index(quarter), 2)
    rows, columns = slice(y * height, (y + 1) * height), slice(x * width, (x + 1) * width)
    made = picture.copy()
    made[rows, columns] = spoil(picture)[rows, columns]
    return made


@pytest.mark.parametrize("quarter", QUARTERS)
@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (lambda picture: blurred(picture, 3), "blur"),
        (lambda picture: noisy(picture, 25), "noise"),
        (lambda picture: enlarged(picture, 4), "scaling"),
    ],
)
def test_the_quarter_that_is_spoilt_is_named(
    spoil: Callable[[Levels], Levels], cause: str, quarter: str, judge: Judge
) -> None:
    named = []
    for seed in range(3):
        seen = judge.views(spoilt(smooth(seed), spoil, quarter), FULL)
        assert seen is not None
        named.append(judge.quarter(*seen, cause))

    assert {found[0] for found in named if found} == {quarter}
    assert named.count(None) <= 1


def smooth(seed: int) -> Levels:
    """Return a scene without the fine noise that ``scene`` adds."""
    return blurred(scene(seed, width=640, height=384), 1.0)


def test_no_quarter_is_named_for_lost_data(judge: Judge) -> None:
    seen = judge.views(spoilt(smooth(0), lambda one: noisy(one, 25), "top left"), FULL)
    assert seen is not None

    assert judge.quarter(*seen, "noise") is not None
    assert judge.quarter(*seen, "loss") is None


def test_no_quarter_is_named_when_all_are_spoilt_or_the_cause_is_a_rule(judge: Judge) -> None:
    seen = judge.views(noisy(scene(1, width=640, height=384), 25), FULL)
    assert seen is not None

    assert judge.quarter(*seen, "noise") is None
    assert judge.quarter(*seen, "exposure") is None


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_the_place_is_that_of_the_worst_picture_as_it_is_shown(turns: int, judge: Judge) -> None:
    good = smooth(0)
    pictures = [good, spoilt(good, lambda one: noisy(one, 25), "top right"), good]
    watch = _QualityWatch(QualityAnalyzer(blamed_below=5.0), judge, turns=turns)
    found = list[Observation]()
    for index, picture in enumerate(pictures):
        batch = FrameBatch(
            layout=Layout.LUMA,
            pixels=np.ascontiguousarray(np.rot90(picture, -turns))[None],
            pts=np.array([index]),
            durations=np.array([1]),
            ordinals=np.array([index]),
            changed=np.array([index == 0]),
            time_base=Fraction(1),
            colour=FULL,
        )
        found += watch.see(batch)
    found += watch.end()

    places = [one for one in found if one.signal.startswith("place_")]
    assert [(one.signal, one.span.start, one.span.end) for one in places] == [
        ("place_top_right", Fraction(1), Fraction(2))
    ]
