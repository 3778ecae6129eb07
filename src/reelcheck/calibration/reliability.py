"""Scores as probabilities: what share of the time with such a score lies in an event.

Isotonic regression by pooling adjacent violators (Ayer, Brunk, Ewing, Reid and Silverman, Annals of
Mathematical Statistics 26, 1955; for classifiers: Zadrozny and Elkan, KDD 2002), weighted with the
time that samples stand for, so that dense sampling around suspicion does not count twice. The
error is the expected calibration error over 15 equal bins (Guo et al., arXiv 1706.04599).

Limits: such a probability is about one sample, not about a whole video: the highest of many is no
probability (thresholds are set on alarms for that reason). It holds for a share of events like
that of the labelled videos.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from reelcheck.calibration.bounds import Floats
from reelcheck.calibration.tracks import Track

_BINS: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steps:
    """A map from score to probability that never falls: level between knots of a straight line."""

    scores: Floats
    """Mean score of each pool, rising, shape [K]."""
    probabilities: Floats
    """Shape [K], rising."""

    def __call__(self, scores: Floats) -> Floats:
        """Return probabilities; beyond the ends, those of the ends."""
        return np.interp(scores, self.scores, self.probabilities)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reliability:
    """Fitted on one half, measured on the other."""

    steps: Steps
    error_before: float
    """Of the raw scores, 0 to 1."""
    error_after: float
    bins_before: tuple[tuple[float, float, float], ...]
    """Mean score, share in events and hours of each bin that holds samples."""
    bins_after: tuple[tuple[float, float, float], ...]


def reliability(first: Sequence[Track], second: Sequence[Track]) -> Reliability | None:
    """Fit on ``first`` and measure on ``second``.

    Returns ``None`` where scores are no shares of 1, or either half lacks events or time without.
    """
    fitted, held = _samples(first), _samples(second)
    for scores, truth, weights in (fitted, held):
        known = truth[weights > 0]
        if not len(known) or known.all() or not known.any() or scores.min() < 0 or scores.max() > 1:
            return None
    steps = pool_adjacent_violators(*fitted)
    scores, truth, weights = held
    before, after = _bins(scores, truth, weights), _bins(steps(scores), truth, weights)
    return Reliability(
        steps=steps,
        error_before=_error(before),
        error_after=_error(after),
        bins_before=before,
        bins_after=after,
    )


def pool_adjacent_violators(scores: Floats, truth: Floats, weights: Floats) -> Steps:
    """Return the rising map that fits best in weighted squares.

    Args:
        scores: Shape [N].
        truth: What a probability of 1 or 0 would have been right, shape [N].
        weights: Shape [N], positive where a sample counts.
    """
    values, inverse = np.unique(scores[weights > 0], return_inverse=True)
    mass = np.bincount(inverse, weights[weights > 0])
    hits = np.bincount(inverse, (weights * truth)[weights > 0])
    pools: list[tuple[float, float, float]] = []  # weight, weight in events, weight times score
    for weight, hit, value in zip(mass.tolist(), hits.tolist(), values.tolist(), strict=True):
        pool = (weight, hit, weight * value)
        while pools and pools[-1][1] * pool[0] >= pool[1] * pools[-1][0]:
            last = pools.pop()
            pool = (pool[0] + last[0], pool[1] + last[1], pool[2] + last[2])
        pools.append(pool)
    return Steps(
        scores=np.array([moment / weight for weight, _, moment in pools]),
        probabilities=np.array([hit / weight for weight, hit, _ in pools]),
    )


def _samples(tracks: Iterable[Track]) -> tuple[Floats, Floats, Floats]:
    """Return score, truth and seconds of every sample; the middle decides whether it is in."""
    rows = [
        (
            sample.value,
            any(
                start <= (sample.start_us + sample.end_us) // 2 < end for start, end in track.events
            ),
            (sample.end_us - sample.start_us) / 1e6,
        )
        for track in tracks
        for samples in track.streams
        for sample in samples
    ]
    table = np.array(rows, np.float64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _bins(scores: Floats, truth: Floats, weights: Floats) -> tuple[tuple[float, float, float], ...]:
    places = np.minimum((scores * _BINS).astype(np.int64), _BINS - 1)
    mass, told, hits = (
        np.bincount(places, one, minlength=_BINS)
        for one in (weights, weights * scores, weights * truth)
    )
    return tuple(
        (float(told[i] / mass[i]), float(hits[i] / mass[i]), float(mass[i] / 3600))
        for i in np.flatnonzero(mass)
    )


def _error(bins: Iterable[tuple[float, float, float]]) -> float:
    rows = list(bins)
    return sum(hours * abs(told - right) for told, right, hours in rows) / sum(
        hours for _, _, hours in rows
    )
