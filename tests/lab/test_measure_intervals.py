"""Intervals over groups, pairs of models, and figures of quality."""

import numpy as np
import pytest
from scipy.stats import binomtest, spearmanr

from reelcheck.lab.evaluation.against import mcnemar
from reelcheck.lab.evaluation.rows import ClassRows
from reelcheck.lab.measure.bootstrap import Interval, resample
from reelcheck.lab.measure.quality import Judge, Logistic, Opinions, Told


def mean_of(values: list[float] | np.ndarray) -> object:
    array = np.asarray(values, dtype=np.float64)
    return lambda weights: {"mean": float(weights @ array / weights.sum())}


def test_an_interval_of_a_mean_is_that_of_the_normal_law() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    interval = resample(mean_of(values), [str(one) for one in range(400)]).intervals()["mean"]  # type: ignore[arg-type]

    error = 1.96 * values.std() / 20
    assert interval.value == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - error, abs=0.03)
    assert interval.high == pytest.approx(values.mean() + error, abs=0.03)


def test_samples_of_one_group_are_drawn_together() -> None:
    values = np.repeat(np.random.default_rng(0).normal(0, 1, 20), 10)
    groups = [str(one) for one in np.repeat(np.arange(20), 10)]

    alone = resample(mean_of(values), [str(one) for one in range(200)]).intervals()["mean"]  # type: ignore[arg-type]
    whole = resample(mean_of(values), groups).intervals()["mean"]  # type: ignore[arg-type]
    assert width(whole) > 2.5 * width(alone)


def width(interval: Interval) -> float:
    assert interval.low is not None
    assert interval.high is not None
    return interval.high - interval.low


def test_one_group_gives_no_interval() -> None:
    interval = resample(mean_of([1, 2, 3]), ["a", "a", "a"]).intervals()["mean"]  # type: ignore[arg-type]

    assert (interval.value, interval.low, interval.high) == (2, None, None)
    assert "no interval" in str(interval)


def test_a_figure_that_cannot_be_computed_has_no_interval() -> None:
    found = resample(lambda _: {"never": float("nan")}, ["a", "b"])

    assert found.intervals() == {}


def test_a_difference_is_paired() -> None:
    rng = np.random.default_rng(1)
    hard = rng.normal(0, 5, 200)  # what makes a sample hard is common to both models
    groups = [str(one) for one in range(200)]
    one = resample(mean_of(hard + 0.5 + rng.normal(0, 0.1, 200)), groups)  # type: ignore[arg-type]
    other = resample(mean_of(hard), groups)  # type: ignore[arg-type]

    difference = one.minus(other)["mean"]
    assert width(difference) < width(one.intervals()["mean"]) / 20
    assert difference.low is not None
    assert difference.low > 0.4


def rows(right: list[bool]) -> ClassRows:
    told = np.array([[1.0, 0.0] if one else [0.0, 1.0] for one in right])
    names = tuple(str(one) for one in range(len(right)))
    return ClassRows(
        groups=names,
        numbers=tuple(range(len(right))),
        probabilities=told,
        labels=np.zeros(len(right), dtype=np.int64),
    )


@pytest.mark.parametrize(("this", "other"), [(8, 1), (3, 3), (0, 6), (0, 0)])
def test_mcnemar_is_the_binomial_test_of_the_unequal_samples(this: int, other: int) -> None:
    mine = rows([True] * this + [False] * other + [True] * 5)
    theirs = rows([False] * this + [True] * other + [True] * 5)

    test = mcnemar(mine, theirs)
    assert (test.only_this, test.only_other) == (this, other)
    expected = binomtest(this, this + other).pvalue if this + other else 1.0
    assert test.p_value == pytest.approx(expected)


def judged(scores: np.ndarray, opinions: np.ndarray, half: float | None = None) -> Judge:
    widths = None if half is None else np.full(len(scores), half)
    told = Told(scores=scores, lower=scores - 1, upper=scores + 1)
    return Judge(told, Opinions(scores=opinions, half_widths=widths))


def test_the_logistic_undoes_a_logistic() -> None:
    curve = Logistic(top=4.8, bottom=1.2, middle=0.3, width=0.8)
    scores = np.linspace(-2, 2, 60)
    figures = judged(scores, curve(scores))(np.ones(60))

    assert figures["srocc"] == figures["krocc"] == pytest.approx(1)
    assert figures["plcc"] == pytest.approx(1, abs=1e-6)
    assert figures["rmse"] == pytest.approx(0, abs=1e-3)
    assert "outlier_ratio" not in figures


def test_opinions_that_scores_do_not_tell_are_fitted_without_a_warning() -> None:
    chance = np.random.default_rng(37)  # of 38 seeds the first whose covariance overflows
    scores, opinions = chance.normal(size=10), chance.normal(size=10)

    assert Logistic.fit(scores, opinions) is not None


@pytest.mark.parametrize(("half", "outliers"), [(0.4, 1.0), (0.6, 0.0)])
def test_an_outlier_lies_beyond_the_interval_of_the_opinion(half: float, outliers: float) -> None:
    scores = np.arange(8.0)  # too few to fit: scores are used as they are
    figures = judged(scores, scores + 0.5, half)(np.ones(8))

    assert figures["outlier_ratio"] == outliers
    assert figures["coverage"] == 1
    assert figures["rmse"] == pytest.approx(0.5)


def test_equal_scores_have_no_correlation() -> None:
    figures = judged(np.ones(12), np.arange(12.0))(np.ones(12))

    assert np.isnan(figures["srocc"])
    assert np.isnan(figures["plcc"])
    assert np.isfinite(figures["rmse"])


def test_weights_are_copies_of_videos() -> None:
    rng = np.random.default_rng(2)
    scores, opinions = rng.normal(0, 1, 20), rng.normal(3, 1, 20)
    weights = rng.integers(0, 3, 20)
    copies = np.repeat(np.arange(20), weights)

    figures = judged(scores, opinions)(weights.astype(np.float64))
    assert figures["srocc"] == pytest.approx(spearmanr(scores[copies], opinions[copies]).statistic)
