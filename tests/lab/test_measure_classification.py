"""Figures of classifiers: by hand, weighted as repeated, and against what they are defined by."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from reelcheck.lab.measure.classification import Bins, Classifier, Rankings, confusion

Floats = NDArray[np.float64]


def figures(probabilities: list[list[float]], labels: list[int]) -> dict[str, float]:
    told = Classifier(np.array(probabilities), np.array(labels))
    return told(np.ones(len(labels)))


def one_ranking(scores: Floats, positive: NDArray[Any]) -> Rankings:
    return Rankings(scores[:, None], positive[:, None].astype(bool))


def test_a_perfect_classifier_has_perfect_figures() -> None:
    told = figures([[1, 0], [1, 0], [0, 1]], [0, 0, 1])

    assert {told[name] for name in ("top1", "mean_class_accuracy", "pr_auc", "roc_auc")} == {1}
    assert {told[name] for name in ("calibration_error", "brier", "log_loss")} == {0}
    assert "top5" not in told  # with two classes it says nothing


def test_figures_of_three_samples_by_hand() -> None:
    told = figures([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7]], [0, 1, 1])

    assert told["top1"] == pytest.approx(2 / 3)
    assert told["mean_class_accuracy"] == pytest.approx((1 + 1 / 2) / 2)
    assert told["brier"] == pytest.approx(2 * (0.2**2 + 0.6**2 + 0.3**2) / 3)
    assert told["log_loss"] == pytest.approx(-np.log([0.8, 0.4, 0.7]).mean())
    assert told["calibration_error"] == pytest.approx((0.2 + 0.6 + 0.3) / 3)
    assert told["recall/1"] == pytest.approx(1 / 2)
    assert told["precision/0"] == pytest.approx(1 / 2)


@pytest.mark.parametrize(("rank", "top5"), [(4, 1.0), (5, 0.0)])
def test_the_label_counts_among_the_first_five(rank: int, top5: float) -> None:
    row = np.linspace(1, 0.1, 7)
    told = figures([list(row / row.sum())], [rank])

    assert told["top5"] == top5


def test_a_figure_that_the_samples_do_not_give_is_no_number() -> None:
    told = figures([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1]], [0, 1])

    assert np.isnan(told["pr_auc/2"])
    assert np.isnan(told["precision/2"])
    assert np.isfinite(told["pr_auc"])  # the mean over the classes that occur


@pytest.mark.parametrize(
    ("scores", "positive", "pr", "roc"),
    [
        ([0.9, 0.8, 0.1], [1, 0, 1], (1 + 2 / 3) / 2, 1 / 2),
        ([0.5, 0.5, 0.5, 0.5], [1, 0, 0, 0], 1 / 4, 1 / 2),  # ties are one step
        ([0.9, 0.1], [0, 1], 1 / 2, 0),
    ],
)
def test_areas_by_hand(scores: list[float], positive: list[int], pr: float, roc: float) -> None:
    found = one_ranking(np.array(scores), np.array(positive)).areas(np.ones(len(scores)))

    assert [float(area[0]) for area in found] == pytest.approx([pr, roc])


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_the_area_under_roc_is_the_share_of_pairs_in_order(data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 12))
    scores = data.draw(arrays.arrays(np.float64, count, elements=st.sampled_from([0, 0.3, 0.5, 1])))
    positive = data.draw(arrays.arrays(np.bool_, count))
    if positive.all() or not positive.any():
        return
    pairs = [
        float(one > other) + 0.5 * float(one == other)
        for one in scores[positive]
        for other in scores[~positive]
    ]

    _, area = one_ranking(scores, positive).areas(np.ones(count))
    assert float(area[0]) == pytest.approx(np.mean(pairs))


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_a_weight_is_worth_so_many_copies(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 10))
    raw = data.draw(arrays.arrays(np.float64, (count, 3), elements=st.floats(0.01, 1)))
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    labels = data.draw(arrays.arrays(np.int64, count, elements=st.integers(0, 2)))
    weights = data.draw(arrays.arrays(np.int64, count, elements=st.integers(0, 3)))
    if not weights.any():
        return
    copies = np.repeat(np.arange(count), weights)

    weighted = Classifier(probabilities, labels)(weights.astype(np.float64))
    repeated = Classifier(probabilities[copies], labels[copies])(np.ones(len(copies)))
    del weighted["calibration_error_adaptive"]  # copies may fall into several bins
    assert weighted == pytest.approx({name: repeated[name] for name in weighted}, nan_ok=True)


def test_adaptive_bins_hold_equally_many() -> None:
    sure = np.linspace(0.51, 0.99, 150)
    bins = Bins(np.stack([sure, 1 - sure], axis=1), np.zeros(150, dtype=np.int64))

    counts = np.bincount(bins.adaptive(np.ones(150)))
    assert counts.tolist() == [10] * 15
    assert sum(count for count, _, _ in bins.table()) == 150


def test_a_curve_of_precision_ends_at_the_share_of_positives() -> None:
    ranking = one_ranking(np.array([0.9, 0.7, 0.7, 0.2]), np.array([1, 0, 1, 0]))
    recall, precision = ranking.curve(0)

    assert all(one <= other for one, other in pairwise(recall))
    assert recall[-1] == 1
    assert precision[-1] == pytest.approx(1 / 2)


def test_confusion_has_the_truth_in_rows() -> None:
    table = confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 2)

    assert table.tolist() == [[1, 1], [0, 1]]
