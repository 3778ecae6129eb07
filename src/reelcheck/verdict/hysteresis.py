"""Turn the samples of one signal into stretches of time on which it is too high or too low.

Whole microseconds throughout, so that a stretch of exactly the limit is never lost to rounding.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reelcheck.verdict.policy import SignalRule
from reelcheck.verdict.report import Signal
from reelcheck.verdict.rounding import microseconds


@dataclass(frozen=True, slots=True)
class Sample:
    """One value and the time that it stands for."""

    start_us: int
    end_us: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A stretch on which a signal stays beyond its limit."""

    start_us: int
    end_us: int
    counted_us: int
    """Time that its samples stand for; overlaps count once, bridged holes do not count."""
    extreme: float
    """The value furthest beyond the limit."""


def samples_of(signal: Signal) -> list[Sample]:
    """Return the samples of ``signal`` in order of time."""
    columns = zip(signal.times_seconds, signal.durations_seconds, signal.values, strict=True)
    return sorted(
        (
            Sample(microseconds(start), microseconds(start) + microseconds(duration), value)
            for start, duration, value in columns
        ),
        key=lambda sample: (sample.start_us, sample.end_us, sample.value),
    )


def samples_on(samples: Iterable[Sample], rule: SignalRule) -> list[Sample]:
    """Return the samples for which ``rule`` is on.

    It turns on at ``on_at`` or beyond, and off again before ``off_at`` is reached. Nothing is
    known about a hole longer than ``bridge_seconds``: after it, ``on_at`` must be reached anew.
    """
    sign = 1 if rule.direction == "above" else -1
    on_at = sign * rule.on_at
    off_at = on_at if rule.off_at is None else sign * rule.off_at
    bridge_us = microseconds(rule.bridge_seconds)
    is_on = False
    seen_until_us: int | None = None
    found = []
    for sample in samples:
        value = sign * sample.value
        after_hole = seen_until_us is not None and sample.start_us - seen_until_us > bridge_us
        is_on = value >= (off_at if is_on and not after_hole else on_at)
        seen_until_us = max(sample.end_us, seen_until_us or sample.end_us)
        if is_on:
            found.append(sample)
    return found


def runs_of(samples: Sequence[Sample], rule: SignalRule) -> list[Run]:
    """Join ``samples`` on which ``rule`` is on into the runs that last long enough."""
    bridge_us = microseconds(rule.bridge_seconds)
    groups: list[list[Sample]] = []
    end_us = 0
    for sample in samples:
        if groups and sample.start_us - end_us <= bridge_us:
            groups[-1].append(sample)
            end_us = max(end_us, sample.end_us)
        else:
            groups.append([sample])
            end_us = sample.end_us
    runs = [_run(group, rule) for group in groups]
    least_us = microseconds(rule.min_duration_seconds)
    return [run for run in runs if run.counted_us >= least_us]


def _run(samples: Sequence[Sample], rule: SignalRule) -> Run:
    counted_us = 0
    end_us = samples[0].start_us
    for sample in samples:
        counted_us += max(0, sample.end_us - max(sample.start_us, end_us))
        end_us = max(end_us, sample.end_us)
    values = [sample.value for sample in samples]
    return Run(
        start_us=samples[0].start_us,
        end_us=end_us,
        counted_us=counted_us,
        extreme=max(values) if rule.direction == "above" else min(values),
    )
