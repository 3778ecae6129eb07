"""The operating curve: what each threshold costs and finds, with bounds."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from reelcheck.calibration.bounds import (
    Floats,
    rate_dispersion,
    rate_upper,
    share_dispersion,
    share_lower,
)
from reelcheck.calibration.sweep import Sweep

_ENOUGH: Final = 10
"""Alarms (or misses) that can show whether they come in bursts; with fewer, the dispersion is that
of the nearest threshold with so many. Ours."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """One half of the videos, one minimum duration, T thresholds, the strictest first.

    Bounds count alarms as monotone: at a threshold, the most at this or any stricter one, so that
    alarms which melt into a single long one do not make a loose threshold look good.
    """

    thresholds: tuple[float, ...]
    groups: int
    hours: float
    events: int
    alarms: Floats
    """False alarms of the rule with this very threshold, shape [T]."""
    false_alarms: Floats
    """The same, made monotone: shape [T], never falling."""
    per_hour_upper: Floats
    """Upper bound of false alarms per hour, shape [T], never falling."""
    found: Floats
    """Shape [T], never falling."""
    recall_lower: Floats
    """Lower bound of the share of events that are found, shape [T], never falling."""
    dispersion: Floats
    """Size of the bursts in which false alarms come, 1 or more, shape [T]."""
    spread: Floats
    """The same for finding events."""

    @property
    def per_hour(self) -> Floats:
        """False alarms per hour, shape [T]; ``nan`` without hours."""
        return self.false_alarms / (self.hours or np.nan)

    @property
    def recall(self) -> Floats:
        """Share of events that are found, shape [T]; ``nan`` without events."""
        return self.found / (self.events or np.nan)


def curve_of(part: Sweep, duration: int, *, risk: float) -> Curve:
    """Return the curve of one minimum duration, by its place, with bounds at ``1 - risk``."""
    false = part.false[:, duration].astype(np.float64)
    found = part.found[:, duration].astype(np.float64)
    trials = part.events.astype(np.float64)
    hours, events = float(part.hours.sum()), int(part.events.sum())
    scatter = _borrowed(rate_dispersion(false, part.hours), false.sum(axis=0))
    misses = trials.sum() - found.sum(axis=0)
    spread = _borrowed(share_dispersion(found, trials)[::-1], misses[::-1])[::-1]
    upper = [
        rate_upper(int(count), hours, dispersion=float(wide), risk=risk)
        for count, wide in zip(false.sum(axis=0), scatter, strict=True)
    ]
    lower = [
        share_lower(int(hits), events, dispersion=float(wide), risk=risk)
        for hits, wide in zip(found.sum(axis=0), spread, strict=True)
    ]
    return Curve(
        thresholds=part.thresholds,
        groups=len(part.groups),
        hours=hours,
        events=events,
        alarms=false.sum(axis=0),
        false_alarms=np.maximum.accumulate(false.sum(axis=0)),
        per_hour_upper=np.maximum.accumulate(np.array(upper)),
        found=found.sum(axis=0),
        recall_lower=np.minimum.accumulate(np.array(lower)[::-1])[::-1],
        dispersion=scatter,
        spread=spread,
    )


def _borrowed(dispersion: Floats, counts: Floats) -> Floats:
    """Give thresholds with few counts the dispersion of the next one that has enough, or most."""
    best = int(np.argmax(counts))
    rich = np.flatnonzero(counts >= _ENOUGH)
    places = []
    for place, count in enumerate(counts):
        later = rich[rich >= place]
        stands = later[0] if len(later) else best
        places.append(place if count >= _ENOUGH else stands)
    return dispersion[places]
