"""The second opinion on quality scores: real coding, and networks whose weakness is known."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from quality_pictures import samples, scene
from reelcheck.analyzers.quality import Judge, Judged, QualityAnalyzer
from reelcheck.analyzers.quality.analyzer import _QualityWatch
from reelcheck.analyzers.quality.defence import (
    INTERCEPT,
    LIMIT,
    SLOPE,
    DefendedJudge,
    recoded,
    second_opinion,
)
from reelcheck.frames import Colour, FrameBatch, Layout
from reelcheck.models.card import load_card
from reelcheck.models.session import open_session
from reelcheck.spans import Observation, TimeSpan
from reelcheck.verdict.judge import judge
from sample_policy import OPEN
from sample_timeline import ALL_ANALYZERS, event, timeline
from sample_timeline import samples as stored

CARD = load_card("quality")
FULL = Colour(full_range=True)
PUSH = np.where(np.indices((192, 192)).sum(axis=0) % 2, 4, -4)
"""Four levels, up and down from pixel to pixel."""


class Fooled:
    """A network that says 5 of whatever carries the push, and else a score that is given."""

    sha256 = ""

    def __init__(self, score: float = 2.0) -> None:
        self._score = score

    def run(
        self, tensor: NDArray[Any], extra: Mapping[str, NDArray[Any]] | None = None
    ) -> NDArray[np.float32]:
        assert extra is not None
        carried = float((tensor[0, 0, 0] * 128 * np.sign(PUSH)).mean())
        score = 5.0 if carried > 2 else self._score
        causes = [0.0] * (len(CARD.output.labels) - 3)
        return np.array([[score, score - 0.5, score + 0.5, *causes]], dtype=np.float32)


def judged(score: float) -> Judged:
    return Judged(
        score=score, lower=score - 0.5, upper=score + 0.5, cause="blur", cause_probability=0.9
    )


def smooth() -> NDArray[np.uint8]:
    """A picture of slow waves, as large as the fragments."""
    y, x = np.indices((192, 192))
    waves = 120 + 40 * np.sin(x / 30) + 30 * np.cos(y / 25)
    return np.asarray(waves.astype(np.uint8))


def told(pictures: list[NDArray[np.uint8]], *, defended: bool = True) -> list[Observation]:
    """Return what is said of one picture a second."""
    plain = Judge(CARD, Fooled())
    recipe = QualityAnalyzer(defended=defended)
    watch = _QualityWatch(recipe, plain, turns=0)
    found = list[Observation]()
    for index, picture in enumerate(pictures):
        batch = FrameBatch(
            layout=Layout.LUMA,
            pixels=picture[None],
            pts=np.array([index]),
            durations=np.array([1]),
            ordinals=np.array([index]),
            changed=np.array([True]),
            time_base=Fraction(1),
            colour=FULL,
        )
        found += watch.see(batch)
    return [*found, *watch.end()]


def test_strong_coding_takes_a_push_out_and_leaves_the_picture() -> None:
    clean = smooth()
    pushed = (clean + PUSH).astype(np.uint8)

    again = recoded(pushed)

    assert again.shape == clean.shape
    assert abs(float(((again - clean.astype(float)) * np.sign(PUSH)).mean())) < 0.2
    assert float(np.abs(again - clean.astype(float)).mean()) < 6
    assert np.array_equal(recoded(pushed), again)


@pytest.mark.parametrize("size", [(192, 192), (128, 128), (48, 64)])
def test_a_flat_picture_comes_back_as_it_was(size: tuple[int, int]) -> None:
    flat = np.full(size, 77, dtype=np.uint8)

    assert int(np.abs(recoded(flat).astype(int) - 77).max()) <= 4  # of a step of 104


@pytest.mark.parametrize(("over", "suspected"), [(-0.01, False), (0.01, True)])
def test_a_score_is_replaced_from_the_limit_on(over: float, *, suspected: bool) -> None:
    second = judged(2.0)
    should = INTERCEPT + SLOPE * 2.0
    first = judged(should + LIMIT + over)

    found = second_opinion(first, second)

    assert found.suspected is suspected
    assert found.excess == pytest.approx(LIMIT + over, abs=1e-3)
    assert found.judged.score == pytest.approx(should if suspected else first.score, abs=1e-3)
    assert found.judged.cause == ("" if suspected else "blur")


@given(first=st.floats(1, 5), second=st.floats(1, 5))
def test_a_second_opinion_never_raises_a_score_or_leaves_the_scale(
    first: float, second: float
) -> None:
    found = second_opinion(judged(first), judged(second))

    assert 1 <= found.judged.score <= max(first, 1.0)
    assert found.judged.lower + 0.5 >= 1 or not found.suspected
    assert found.suspected or found.judged == judged(first)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_soft_honest_picture_keeps_every_digit(seed: int) -> None:
    plain = Judge(CARD, open_session(CARD))
    soft = scene(seed).astype(np.float64)
    for axis in (0, 1) * 6:  # as a camera sees it: noise of single pixels looks like a push
        soft = (np.roll(soft, 1, axis) + soft + np.roll(soft, -1, axis)) / 3
    picture = np.asarray(np.rint(soft).astype(np.uint8))

    defended = DefendedJudge(plain)(picture, FULL)

    assert defended is not None
    assert not defended.suspected
    assert defended.judged == plain(picture, FULL)


def test_nothing_to_judge_has_no_second_opinion() -> None:
    black = np.zeros((256, 256), dtype=np.uint8)

    assert DefendedJudge(Judge(CARD, Fooled()))(black, FULL) is None


def test_a_pushed_stretch_is_one_event_and_its_score_is_that_of_the_picture() -> None:
    clean = smooth()
    pushed = (clean + PUSH).astype(np.uint8)

    found = told([clean, pushed, pushed, clean])

    (suspected,) = [one for one in found if one.label == "attack_suspected"]
    assert suspected.span == TimeSpan(Fraction(1), Fraction(3))
    assert suspected.score > LIMIT
    scores = [one.score for one in samples(found, "score")]
    assert scores[0] == scores[3] == 2.0
    assert scores[1] == scores[2] < 5 - LIMIT
    assert len(samples(found, "excess")) == 4


def test_without_defence_the_push_works_and_nothing_is_said_of_it() -> None:
    pushed = (smooth() + PUSH).astype(np.uint8)

    found = told([pushed], defended=False)

    assert [one.score for one in samples(found, "score")] == [5.0]
    assert not [one for one in found if one.signal == "excess"]


def test_nobody_is_judged_twice_unasked() -> None:
    assert not QualityAnalyzer().defended


def test_the_report_says_for_how_long_and_whether_it_was_looked_for() -> None:
    scores = stored("quality.score", [3.0] * 60, unit="MOS")
    excess = stored("quality.excess", [0.1] * 60, unit="MOS")
    analyzers = (*ALL_ANALYZERS, "quality")
    suspected = event("quality.attack_suspected", 10, 14)

    reports = [
        judge(timeline(*scores, *more, analyzers=analyzers), OPEN).quality
        for more in ((), excess, (*excess, suspected))
    ]

    assert [one and one.attack_suspected_seconds for one in reports] == [None, 0, 4]
