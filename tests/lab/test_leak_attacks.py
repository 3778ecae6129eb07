"""Attacks on training data: figures on scores of known shape, and on networks that memorise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from reelcheck.lab.leak.attacks import confidence, likelihood
from reelcheck.lab.leak.outputs import Floats, Shown, shown_ways
from reelcheck.lab.leak.telling import told_apart

COUNT = 1200
MEMBERS = np.arange(2 * COUNT) < COUNT
GROUPS = [str(one) for one in range(2 * COUNT)]
FULL, ROUNDED, LABELS = shown_ways(2)


def test_perfect_scores_find_every_member() -> None:
    found = told_apart(MEMBERS.astype(float), MEMBERS, GROUPS)

    assert {name: one.value for name, one in found.items()} == {
        "auc": 1.0,
        "tpr_at_0.01": 1.0,
        "tpr_at_0.001": 1.0,
        "balanced_accuracy": 1.0,
    }


@pytest.mark.parametrize(
    "scores", [np.zeros(2 * COUNT), np.random.default_rng(3).random(2 * COUNT)]
)
def test_scores_that_know_nothing_find_no_more_than_chance(scores: np.ndarray) -> None:
    found = told_apart(scores, MEMBERS, GROUPS)

    assert found["auc"].value == pytest.approx(0.5, abs=0.03)
    assert found["balanced_accuracy"].value == pytest.approx(0.5, abs=0.03)
    assert found["tpr_at_0.01"].value <= 0.03


def test_the_area_under_two_normal_curves_is_known() -> None:
    """Of distance d: the normal distribution function at d over the root of 2; 0.760 for 1."""
    scores = np.random.default_rng(4).normal(size=2 * COUNT) + MEMBERS

    found = told_apart(scores, MEMBERS, GROUPS)

    low, high = found["auc"].low, found["auc"].high
    assert low is not None
    assert high is not None
    assert low < 0.7602 < high
    assert found["balanced_accuracy"].value == pytest.approx(0.6915, abs=0.02)


def test_rates_that_too_few_others_cannot_show_are_left_out() -> None:
    few = np.arange(400) < 200

    assert "tpr_at_0.001" not in told_apart(few.astype(float), few, GROUPS[:400])


def test_ties_count_half() -> None:
    members = np.array([True, True, False, False])

    found = told_apart(np.array([1.0, 0, 1, 0]), members, ["a", "b", "c", "d"])

    assert found["auc"].value == 0.5


@given(st.lists(st.floats(0.001, 1), min_size=3, max_size=3), st.integers(1, 6))
def test_less_is_shown_each_way(weights: list[float], digits: int) -> None:
    told = np.array([weights]) / sum(weights)
    rounded = Shown(kind="rounded", digits=digits).of(told)

    assert np.array_equal(FULL.of(told), told)
    assert np.abs(rounded - told).max() <= 0.5 * 10**-digits + 1e-12
    assert sorted(LABELS.of(told)[0]) == [0, 0, 1]
    assert LABELS.of(told)[0].argmax() == told[0].argmax()


def memorised(*, shadows: int, way: Shown) -> tuple[float, float]:
    """AUC of both attacks where each sample has a hardness of its own, and members gain a little.

    The confidence attack mistakes easy samples for members; the ratio knows how hard each one is.
    """
    rng = np.random.default_rng(5)
    hardness = rng.normal(scale=2, size=2 * COUNT)
    sides = rng.permuted(np.tile([True, False], (2 * COUNT, shadows // 2)), axis=1).T

    def network(trained_on: NDArray[np.bool_]) -> Floats:
        logits = hardness + 1.5 * trained_on + rng.normal(scale=0.5, size=2 * COUNT)
        own = 1 / (1 + np.exp(-logits))
        return way.of(np.stack([own, 1 - own], axis=1))

    labels = np.zeros(2 * COUNT, dtype=np.int64)
    told = network(MEMBERS)
    others = np.stack([network(side) for side in sides])
    plain = confidence(told, labels)
    ratio = likelihood(told, labels, shadows=others, trained_on=sides, way=way)
    return tuple(told_apart(one, MEMBERS, GROUPS)["auc"].value for one in (plain, ratio))  # type: ignore[return-value]


def test_shadows_find_what_confidence_alone_does_not() -> None:
    plain, ratio = memorised(shadows=8, way=FULL)

    assert plain < 0.75
    assert ratio > 0.93


def test_rounding_takes_little_and_labels_take_much() -> None:
    full, rounded, labels = (memorised(shadows=8, way=way)[1] for way in (FULL, ROUNDED, LABELS))

    assert full >= rounded > labels > 0.5
