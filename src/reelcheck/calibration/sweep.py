"""A rule applied at every threshold, by the very code that judges.

Matching: a finding that shares time with a labelled event (on any stream) finds this event, and may
find several. A finding of which less than half lies in labelled events is a false alarm, whether or
not it found one: a rule that is always on finds everything. It counts once for every started minute
that it lasts outside of events, so that one endless alarm is not cheaper than many short ones. That
is the view of a person who is called: was there a reason, and how much is there to look at? How
exactly edges fit is measured by ``reelcheck lab events``.

Because whole rules are counted and not samples, the maximum over the many samples of a video, the
minimum duration, the hysteresis and the bridging are all in the figures: no further correction is
needed. A score that is exceeded by one harmless sample in ten thousand still means an alarm every
hour at three samples a second, and is counted so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.calibration.tracks import Track
from reelcheck.verdict.hysteresis import Run, Sample, runs_of, samples_on
from reelcheck.verdict.policy import SignalRule
from reelcheck.verdict.rounding import microseconds

Counts = NDArray[np.int64]
DURATIONS_SECONDS: Final = (0.0, 0.5, 1.0, 2.0)
"""Minimum durations that are tried beside that of the rule; ours."""
_HOUR_US: Final = 3_600_000_000
_MINUTE_US: Final = 60_000_000
_TAIL: Final = (0.001, 0.002, 0.005)
_RANGES: Final = {
    "%": (0.0, 100.0, 0.5),
    "1/s": (0.0, 60.0, 0.5),
    "LUFS": (-70.0, 10.0, 0.5),
    "dBTP": (-70.0, 10.0, 0.5),
    "LU": (0.0, 70.0, 0.5),
}
"""Unit -> first, last and step of the thresholds that are tried."""


def thresholds_of(unit: str, direction: str) -> tuple[float, ...]:
    """Return the thresholds to try for a signal of this unit, the strictest first.

    They are the same for all data: the bound of ``choose`` holds for a list that was fixed before
    anybody looked. Signals without a unit go from 0 to 1, finer at both ends.
    """
    if unit in _RANGES:
        first, last, step = _RANGES[unit]
        values = [first + step * place for place in range(round((last - first) / step) + 1)]
    else:
        inner = [round(place / 100, 2) for place in range(1, 100)]
        values = [*_TAIL, *inner, *(round(1 - one, 3) for one in reversed(_TAIL)), 1.0]
    return tuple(reversed(values) if direction == "above" else values)


def rule_at(rule: SignalRule, on_at: float, *, min_duration_seconds: float) -> SignalRule:
    """Return the rule with another threshold. ``off_at`` stays, but never beyond the threshold."""
    off_at = None if rule.off_at is None else _off_at(rule, on_at)
    return rule.model_copy(
        update={"on_at": on_at, "off_at": off_at, "min_duration_seconds": min_duration_seconds}
    )


def _off_at(rule: SignalRule, on_at: float) -> float:
    if rule.off_at is None:
        return on_at
    return min(rule.off_at, on_at) if rule.direction == "above" else max(rule.off_at, on_at)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sweep:
    """What the rule does in G groups of videos, with D minimum durations and T thresholds."""

    thresholds: tuple[float, ...]
    """The strictest first."""
    durations_seconds: tuple[float, ...]
    groups: tuple[str, ...]
    hours: NDArray[np.float64]
    """Seen hours without events of each group, shape [G]."""
    false: Counts
    """False alarms, shape [G, D, T]."""
    found: Counts
    """Events found of those that were seen, shape [G, D, T]."""
    events: Counts
    """Events that were seen, shape [G]."""
    unseen: int
    """Events that nobody could find."""

    def part(self, places: Sequence[int]) -> "Sweep":
        """Return the same for some of the groups."""
        chosen = np.asarray(places, dtype=np.int64)
        return Sweep(
            thresholds=self.thresholds,
            durations_seconds=self.durations_seconds,
            groups=tuple(self.groups[place] for place in places),
            hours=self.hours[chosen],
            false=self.false[chosen],
            found=self.found[chosen],
            events=self.events[chosen],
            unseen=0,
        )


def sweep(tracks: Sequence[Track], rule: SignalRule, durations_seconds: Sequence[float]) -> Sweep:
    """Apply a rule with every threshold and minimum duration to every track."""
    unit = next((track.unit for track in tracks if track.streams), "")
    thresholds = thresholds_of(unit, rule.direction)
    groups = sorted({track.group for track in tracks})
    shape = (len(groups), len(durations_seconds), len(thresholds))
    false, found = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    hours, events = np.zeros(len(groups)), np.zeros(len(groups), np.int64)
    for track in tracks:
        group = groups.index(track.group)
        hours[group] += track.clean_us / _HOUR_US
        events[group] += sum(track.seen)
        alarms, hits = _count(track, rule, thresholds, durations_seconds)
        false[group] += alarms
        found[group] += hits
    return Sweep(
        thresholds=thresholds,
        durations_seconds=tuple(durations_seconds),
        groups=tuple(groups),
        hours=hours,
        false=false,
        found=found,
        events=events,
        unseen=sum(not seen for track in tracks for seen in track.seen),
    )


def _count(
    track: Track, rule: SignalRule, thresholds: Sequence[float], durations: Sequence[float]
) -> tuple[Counts, Counts]:
    """Return false alarms and found events of one track, each of shape [D, T]."""
    false = np.zeros((len(durations), len(thresholds)), np.int64)
    hits = np.zeros((len(durations), len(thresholds), len(track.events)), np.bool_)
    events = np.array(track.events, np.int64).reshape(-1, 2)
    least = np.array([microseconds(one) for one in durations], np.int64)
    for samples in track.streams:
        for places, runs in _runs(samples, rule, thresholds):
            starts = np.array([run.start_us for run in runs], np.int64)
            ends = np.array([max(run.end_us, run.start_us + 1) for run in runs], np.int64)
            shared = np.minimum(ends[:, None], events[:, 1]) - np.maximum(
                starts[:, None], events[:, 0]
            )  # [R, E]
            alarms = _alarms(ends - starts, np.maximum(shared, 0).sum(axis=1))  # [R]
            lasts = np.array([run.counted_us for run in runs], np.int64)[:, None] >= least  # [R, D]
            false[:, places] += (alarms @ lasts)[:, None]
            finds = np.einsum("rd,re->de", lasts, shared > 0)
            hits[:, places] |= finds[:, None]
    return false, (hits & np.array(track.seen, np.bool_)).sum(axis=2)


def _alarms(lengths_us: Counts, inside_us: Counts) -> Counts:
    """Return how many false alarms each finding counts for; 0 if half of it lies in events."""
    minutes: Counts = -((inside_us - lengths_us) // _MINUTE_US)
    return np.where(2 * inside_us < lengths_us, minutes, 0)


def _runs(
    samples: Sequence[Sample], rule: SignalRule, thresholds: Sequence[float]
) -> Iterator[tuple[slice, list[Run]]]:
    """Yield places of thresholds and their runs; where no sample lies between, they are equal."""
    sign = 1 if rule.direction == "above" else -1
    values = np.sort([sign * sample.value for sample in samples])
    on_at = sign * np.array(thresholds)
    off_at = sign * np.array([_off_at(rule, one) for one in thresholds])
    below = np.stack([np.searchsorted(values, on_at), np.searchsorted(values, off_at)])
    turns = np.flatnonzero((np.diff(below, axis=1) != 0).any(axis=0)) + 1
    for first, last in pairwise([0, *turns.tolist(), len(thresholds)]):
        if below[0, first] == len(values):
            continue  # no sample reaches it
        at = rule_at(rule, thresholds[first], min_duration_seconds=0.0)
        yield slice(first, last), runs_of(samples_on(samples, at), at)
