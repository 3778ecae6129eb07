"""Figures of quality scores against mean opinions, after ITU-T P.1401 and VQEG's practice."""

import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeWarning, curve_fit
from scipy.stats import kendalltau, spearmanr

Floats = NDArray[np.float64]

_LEAST_TO_FIT: Final = 10
_LEAST_WIDTH: Final = 1e-9
_STEEPEST: Final = 500.0
"""Exponent at which the logistic is flat; a larger one would overflow."""
LOWER_IS_BETTER: Final = frozenset({"rmse", "outlier_ratio"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Opinions:
    """What people said of N videos."""

    scores: Floats
    """Mean opinion scores, shape [N]."""
    half_widths: Floats | None = None
    """Half of the 95 % interval of each, shape [N]; ``None`` where deviations are not known."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told:
    """What a network said of N videos, each part of shape [N], on its own scale."""

    scores: Floats
    lower: Floats
    upper: Floats


class Judge:
    """Computes the figures of one quality measure on N videos from weights.

    ``srocc`` (Spearman) and ``krocc`` (Kendall's tau-b) before any fit; ``plcc`` (Pearson) and
    ``rmse`` (in units of the opinions) after the four-parameter logistic; ``outlier_ratio``, the
    share of errors beyond the 95 % interval of the opinion, where one is known; ``coverage``, the
    share of opinions within the predicted interval, and ``interval_width``, its mean width.

    The logistic is fitted anew in every round, from where the fit of all videos ended. A figure is
    ``nan`` where the samples do not give it: a correlation needs two different scores.
    """

    def __init__(self, told: Told, opinions: Opinions) -> None:
        """Fit all videos."""
        self._told, self._opinions = told, opinions
        self.logistic = Logistic.fit(told.scores, opinions.scores)
        """``None`` when it could not be fitted: scores are then used as they are."""

    def __call__(self, weights: Floats) -> dict[str, float]:
        """Return all figures."""
        chosen = np.repeat(np.arange(len(weights)), weights.astype(np.int64))
        scores, truth = self._told.scores[chosen], self._opinions.scores[chosen]
        fitted = self.logistic and Logistic.fit(scores, truth, start=self.logistic)
        mapped = fitted(scores) if fitted else scores
        error = mapped - truth
        lower, upper = self._told.lower[chosen], self._told.upper[chosen]
        figures = {
            "srocc": _correlation(scores, truth, "spearman"),
            "krocc": _correlation(scores, truth, "kendall"),
            "plcc": _correlation(mapped, truth, "pearson"),
            "rmse": float(np.sqrt(np.mean(error**2))),
            "coverage": float(((lower <= truth) & (truth <= upper)).mean()),
            "interval_width": float((upper - lower).mean()),
        }
        if self._opinions.half_widths is not None:
            outside = np.abs(error) > self._opinions.half_widths[chosen]
            figures["outlier_ratio"] = float(outside.mean())
        return figures


def _correlation(one: Floats, other: Floats, kind: str) -> float:
    if len(one) < 2 or not np.ptp(one) or not np.ptp(other):  # noqa: PLR2004 - a correlation needs two
        return float("nan")
    if kind == "spearman":
        return float(spearmanr(one, other).statistic)
    if kind == "kendall":
        return float(kendalltau(one, other).statistic)
    return float(np.corrcoef(one, other)[0, 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic:
    """``(top - bottom) / (1 + exp(-(x - middle) / |width|)) + bottom``, after ITU-T J.149."""

    top: float
    bottom: float
    middle: float
    width: float

    def __call__(self, scores: Floats) -> Floats:
        """Return scores on the scale of the opinions."""
        return _logistic(scores, self.top, self.bottom, self.middle, self.width)

    @staticmethod
    def fit(
        scores: Floats, opinions: Floats, *, start: "Logistic | None" = None
    ) -> "Logistic | None":
        """Return the curve of least squares, or ``None`` when there is none.

        Started at the largest and smallest opinion, the mean score and a quarter of its deviation
        (VQEG) unless told otherwise; ``None`` with fewer than ten scores or all scores equal.
        """
        spread = float(scores.std())
        if len(scores) < _LEAST_TO_FIT or spread == 0:
            return None
        first = start or Logistic(
            top=float(opinions.max()),
            bottom=float(opinions.min()),
            middle=float(scores.mean()),
            width=spread / 4,
        )
        begin = (first.top, first.bottom, first.middle, first.width)
        try:
            # The covariance is not used, whether it is unknown or overflows.
            with warnings.catch_warnings(), np.errstate(over="ignore"):
                warnings.simplefilter("ignore", OptimizeWarning)
                found, _ = curve_fit(
                    _logistic, scores, opinions, p0=begin, jac=_slopes, maxfev=2_000
                )
        except RuntimeError:
            return None
        top, bottom, middle, width = (float(one) for one in found)
        curve = Logistic(top=top, bottom=bottom, middle=middle, width=width)
        mapped = curve(scores)
        return curve if bool(np.isfinite(mapped).all() and np.ptp(mapped) > 0) else None


def _logistic(x: Floats, top: float, bottom: float, middle: float, width: float) -> Floats:
    return (top - bottom) * _rise(x, middle, width) + bottom


def _slopes(x: Floats, top: float, bottom: float, middle: float, width: float) -> Floats:
    """Return the derivatives by the four parameters, shape [N, 4].

    Differences would do, but not around a parameter of almost 0: their step would be as small.
    """
    rise = _rise(x, middle, width)
    steep = (top - bottom) * rise * (1 - rise) / max(abs(width), _LEAST_WIDTH)
    by_width = -steep * (x - middle) / (width or _LEAST_WIDTH)
    return np.stack([rise, 1 - rise, -steep, by_width], axis=1)


def _rise(x: Floats, middle: float, width: float) -> Floats:
    slope = np.clip(-(x - middle) / max(abs(width), _LEAST_WIDTH), -_STEEPEST, _STEEPEST)
    return np.asarray(1 / (1 + np.exp(slope)), dtype=np.float64)
