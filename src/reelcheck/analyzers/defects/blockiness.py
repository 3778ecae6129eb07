"""Edges of coding blocks."""

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.analyzers.defects.lines import LinePair, steps_along

_SCALES = (1.0, 1.2, 1.25, 4 / 3, 1.5, 1.6, 1.875, 2.0, 2.25, 2.5, 3.0, 0.75, 2 / 3, 0.5)
_PERIODS_PX: Final = tuple(sorted({8 * scale for scale in _SCALES} | {4.0, 16.0}))
"""Blocks of 8 px, and what is left of them after the usual changes of size (480 to 720 lines is
1.5, 720 to 1080 is 1.5, 480 to 1080 is 2.25 ...): 4 to 24 px. FFmpeg ``blockdetect``: 3 to 24."""
_BANDS = 4
"""A grid must show in most of four bands of the picture, with the same phase."""
_CLIP = 16
"""Larger steps, in 8-bit steps, are contours: they count no more than this."""
_FLOOR = 1.5
"""Added to the mean step, in 8-bit steps: ripples below it are not seen. Ours: with 0.5, dark
pictures in MPEG-4 of good quality came out as blocky as bright ones in Motion JPEG of poor."""
_SMALLEST_PERIODS = 6


def blockiness_score(lines: LinePair) -> float | None:
    """Return how strongly the picture shows a grid of blocks: 0 not at all, towards 1 severe.

    Method: after Wang, Bovik and Evans 2000 and FFmpeg ``blockdetect`` (periodic peaks of the
    steps between neighbours). A step counts by how much it exceeds the steps within 2 px on both
    sides, clipped at 16 of 255. The profile of these over all lines is folded at each period; a
    period's strength is the best phase less the median of all phases, the median over four bands
    of the picture. With r = strength / (mean step + 1.5), the score is r / (1 + r) of the weaker
    of the two directions: a grid must be there in both, so that fences and shirts are none.

    Limits: deblocking filters remove what this finds (the picture is then soft, not blocky).
    Grids scaled differently in width and height are found as long as both periods are known.
    Text and tiles with a period of 4 to 24 px in both directions look alike. ``None`` below six
    periods of 8 px.
    """
    strengths = [_strength(samples, lines.step) for samples in (lines.rows, lines.columns)]
    if any(strength is None for strength in strengths):
        return None
    ratio = min(strength for strength in strengths if strength is not None)
    return ratio / (1 + ratio)


def _strength(samples: NDArray[np.signedinteger[Any]], step: int) -> float | None:
    count = len(samples) // _BANDS
    if samples.shape[1] < _SMALLEST_PERIODS * 8 or not count:
        return None
    steps = np.minimum(steps_along(samples), _CLIP * step)
    beside = steps[:, 1:-3] + steps[:, 3:-1] + steps[:, :-4] + steps[:, 4:]
    excess = 4 * steps[:, 2:-2] - beside
    bands = excess[: count * _BANDS].reshape(_BANDS, count, -1).sum(axis=1, dtype=np.int64)
    sums = bands.astype(np.float64)
    folded = max(_folded(sums, period) for period in _PERIODS_PX)
    mean = float(steps.sum(dtype=np.int64)) / steps.size
    strength = max(0.0, folded) / (4 * count) / (mean + _FLOOR * step)
    return float(strength)


def _folded(bands: NDArray[np.float64], period: float) -> float:
    """Return the strength of the best phase of ``period``: the median over the bands."""
    length = bands.shape[1]
    if length < _SMALLEST_PERIODS * period:
        return 0.0
    index, members = _phases(length, period)
    sums = np.bincount(index, weights=bands.reshape(-1), minlength=_BANDS * len(members))
    means = sums.reshape(_BANDS, -1) / members
    above = means - _median(means)[:, np.newaxis]
    return float(_median(above.T).max())


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median along the last axis; on a few values faster than NumPy's own."""
    ordered = np.sort(values, axis=-1)
    count = values.shape[-1]
    middle: NDArray[np.float64] = (ordered[..., (count - 1) // 2] + ordered[..., count // 2]) / 2
    return middle


@lru_cache(maxsize=256)
def _phases(length: int, period: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each position of each band is added up, and how many share a phase."""
    count = int(period)
    phase = ((np.arange(length) % period) * (count / period)).astype(np.int64)
    phase = np.minimum(phase, count - 1)
    index = np.arange(_BANDS)[:, np.newaxis] * count + phase
    return index.reshape(-1), np.bincount(phase, minlength=count)
