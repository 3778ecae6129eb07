"""Figures of quality scores against mean opinions, after ITU-T P.1401 and VQEG's practice."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from scipy.stats import kendalltau, pearsonr, spearmanr

Floats = NDArray[np.float64]

_LEAST_TO_FIT: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Figures of one quality measure."""

    srocc: float
    """Spearman's rank correlation, before any fit."""
    krocc: float
    """Kendall's tau-b, before any fit."""
    plcc: float
    """Pearson's correlation after the fit."""
    rmse: float
    """In units of the opinions, after the fit."""
    outlier_ratio: float | None
    """Share of errors beyond the 95 % interval of the opinion; ``None`` when none is known."""
    fitted: bool
    """False when the logistic could not be fitted (or there are fewer than ten samples): the
    scores are then used as they are."""


def scored(scores: Floats, opinions: Floats, intervals: Floats | None = None) -> Scored:
    """Return the figures.

    Args:
        scores: Shape [N], higher is better.
        opinions: Mean opinion scores, shape [N].
        intervals: Half width of the 95 % interval of each opinion, shape [N].
    """
    mapped, fitted = logistic_fit(scores, opinions)
    error = mapped - opinions
    outliers = None if intervals is None else float((np.abs(error) > intervals).mean())
    return Scored(
        srocc=float(spearmanr(scores, opinions).statistic),
        krocc=float(kendalltau(scores, opinions).statistic),
        plcc=float(pearsonr(mapped, opinions).statistic),
        rmse=float(np.sqrt(np.mean(error**2))),
        outlier_ratio=outliers,
        fitted=fitted,
    )


def logistic_fit(scores: Floats, opinions: Floats) -> tuple[Floats, bool]:
    """Return the scores on the scale of the opinions, and whether a fit was found.

    The four-parameter logistic ``(b1 - b2) / (1 + exp(-(x - b3) / |b4|)) + b2``, started at the
    largest and smallest opinion, the mean score and a quarter of its deviation.
    """
    spread = float(scores.std())
    if len(scores) < _LEAST_TO_FIT or spread == 0:
        return scores, False
    start = (float(opinions.max()), float(opinions.min()), float(scores.mean()), spread / 4)
    try:
        found, _ = curve_fit(_logistic, scores, opinions, p0=start, maxfev=20_000)
    except RuntimeError:
        return scores, False
    mapped = np.asarray(_logistic(scores, *found), dtype=np.float64)
    good = bool(np.isfinite(mapped).all() and mapped.std() > 0)
    return (mapped, True) if good else (scores, False)


def _logistic(x: Floats, top: float, bottom: float, middle: float, width: float) -> Floats:
    slope = np.clip(-(x - middle) / max(abs(width), 1e-9), -500, 500)
    return np.asarray((top - bottom) / (1 + np.exp(slope)) + bottom, dtype=np.float64)
