"""Whether two aligned files show the same thing at all, all the way through.

Limits, all ours. Coarse looks know nothing of fine detail: the same scene with other captions
passes. A crop or a shift of a few pixels passes too, and then costs PSNR and SSIM dearly.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.onepass.reference.offset import Look, differences
from reelcheck.onepass.reference.pairing import NO_PARTNER, Indices

SAME: Final = 0.8
"""Median correlation of looks from which the content is the same. On eight everyday scenes it was
0.93 or more for H.264 at its worst quality and a quarter of the size, and 0.32 or less for the
best alignment of any two different scenes."""
_FLAT: Final = 0.01
"""Looks of less contrast (2 code values of 8 bits) tell nothing by their shape."""
_LEVEL: Final = 0.1
"""How far the brightness of flat looks may differ."""
_MIRROR_GAIN: Final = 0.5
_WINDOW_SECONDS: Final = 1.0
_REACH_SECONDS: Final = 10.0
"""How far a cut or an insert inside the file may shift what follows and still be named."""
_WORSE: Final = 4.0
_GOOD_SHARE: Final = 0.25
_AS_GOOD: Final = 1.5
_FLOOR: Final = (0.1 / 219) ** 2
_MIN_WINDOWS: Final = 2
_MAX_TRIED: Final = 60
"""Windows that are searched at most: a cut shows in the first of them or not at all."""
FLIPS: Final = {"mirrored": (2,), "upside down": (1,), "turned by 180 degrees": (1, 2)}
"""Axes of the looks that undo it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """A stretch that fits better under another offset: something was cut out or put in."""

    at_seconds: float
    """Where it begins in the distorted file."""
    by_seconds: float
    """How much the offset changes."""


def likeness(reference: Look, distorted: Look, found: Indices) -> float:
    """Return the median correlation of the looks of pairs, -1 to 1.

    Pairs in which one picture is flat do not count; if all are, it is 1 when the two are about
    equally bright and 0 when they are not.
    """
    ours, theirs = _pairs(reference, distorted, found)
    return _median_correlation(ours, theirs)


def flipped(reference: Look, distorted: Look, found: Indices) -> str:
    """Return how the distorted picture is flipped, in words; empty when it is not."""
    ours, theirs = _pairs(reference, distorted, found)
    straight = _median_correlation(ours, theirs)
    for words, axes in FLIPS.items():
        other = _median_correlation(ours, np.flip(theirs, axes))
        if other >= SAME and 1 - other < _MIRROR_GAIN * (1 - straight):
            return words
    return ""


def _pairs(
    reference: Look, distorted: Look, found: Indices
) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    usable = _usable(reference, distorted, found)
    return reference.looks[found[usable]], distorted.looks[usable]


def _usable(reference: Look, distorted: Look, found: Indices) -> Indices:
    paired = np.flatnonzero((found != NO_PARTNER) & distorted.valid)
    return paired[reference.valid[found[paired]]]


def _median_correlation(ours: NDArray[np.float16], theirs: NDArray[np.float16]) -> float:
    a = ours.reshape(len(ours), -1).astype(np.float32)
    b = theirs.reshape(len(theirs), -1).astype(np.float32)
    level_a, level_b = a.mean(axis=1, keepdims=True), b.mean(axis=1, keepdims=True)
    a, b = a - level_a, b - level_b
    strength_a, strength_b = np.sqrt((a * a).mean(axis=1)), np.sqrt((b * b).mean(axis=1))
    telling = (strength_a > _FLAT) & (strength_b > _FLAT)
    if not telling.any():
        if ((strength_a > _FLAT) != (strength_b > _FLAT)).any():
            return 0.0
        return float(np.median(np.abs(level_a - level_b)) <= _LEVEL)
    products = (a * b).mean(axis=1)[telling]
    return float(np.median(products / (strength_a * strength_b)[telling]))


def slip(reference: Look, distorted: Look, found: Indices) -> Slip | None:
    """Return where the offset changes inside the file, or ``None``.

    A window of a second has slipped when its looks differ four times as much as those of the
    well-aligned quarter, and another offset within ten seconds makes them as like as those. Two
    windows in a row must agree: a freeze has no such offset, and damage is damage anywhere.
    """
    windows = _windows(distorted, found)
    if len(windows) <= _MIN_WINDOWS:
        return None
    costs = [_cost(reference, distorted, window, found[window]) for window in windows]
    usual = float(np.quantile(costs, _GOOD_SHARE))
    good = [w for w, cost in zip(windows, costs, strict=True) if cost <= usual]
    if likeness(reference, distorted, _only(found, good)) < SAME:
        return None
    before: Slip | None = None
    tried = 0
    for window, cost in zip(windows, costs, strict=True):
        now = None
        if cost > _WORSE * (usual + _FLOOR) and tried < _MAX_TRIED:
            tried += 1
            now = _local(reference, distorted, window, found, _AS_GOOD * usual + _FLOOR)
        if now and before and abs(now.by_seconds - before.by_seconds) < _WINDOW_SECONDS / 4:
            return before
        before = now
    return None


def _only(found: Indices, windows: list[Indices]) -> Indices:
    kept = np.full_like(found, NO_PARTNER)
    for window in windows:
        kept[window] = found[window]
    return kept


def _windows(distorted: Look, found: Indices) -> list[Indices]:
    paired = np.flatnonzero((found != NO_PARTNER) & distorted.valid)
    numbers = (distorted.line.starts_seconds[paired] / _WINDOW_SECONDS).astype(np.intp)
    edges = np.flatnonzero(np.diff(numbers)) + 1
    return [part for part in np.split(paired, edges) if len(part)]


def _cost(reference: Look, distorted: Look, window: Indices, ours: Indices) -> float:
    return float(differences(reference.looks[ours], distorted.looks[window]).mean())


def _local(
    reference: Look, distorted: Look, window: Indices, found: Indices, limit: float
) -> Slip | None:
    """Return the shift that makes a window differ least, if that is less than ``limit``."""
    step = float(reference.line.usual)
    reach = int(_REACH_SECONDS / step) if step > 0 else 0
    ours = found[window]
    best, best_cost = 0, limit
    for frames in range(-reach, reach + 1):
        moved = ours + frames
        if moved[0] < 0 or moved[-1] >= len(reference.looks) or not frames:
            continue
        cost = _cost(reference, distorted, window, moved)
        if cost < best_cost:
            best, best_cost = frames, cost
    if not best:
        return None
    return Slip(at_seconds=float(distorted.line.starts_seconds[window[0]]), by_seconds=best * step)
