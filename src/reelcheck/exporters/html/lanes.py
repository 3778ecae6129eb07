"""The picture of a report: bars and curves over one time axis, in units of ``WIDTH``."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from reelcheck.verdict.report import Event, Report, Signal

WIDTH: Final = 1000.0
HEIGHT: Final = 60.0
_MIN_BAR: Final = 2.0
"""A bar is at least this wide, so that a single bad frame of a long film can be seen."""
_MAX_BARS: Final = 1500
_MAX_POINTS: Final = 600
_STEPS_SECONDS: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_MAX_TICKS: Final = 10


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch on a lane."""

    x: float
    width: float
    kind: str
    """``fail``, ``warn``, ``info`` or a state of coverage."""
    title: str
    start_seconds: float


@dataclass(frozen=True, slots=True)
class Lane:
    """One row of bars."""

    name: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """One signal over time."""

    name: str
    unit: str
    pieces: tuple[str, ...]
    """Points of SVG polylines, in ``WIDTH`` x ``HEIGHT``, y down: one for each stretch that was
    measured without a gap."""
    low: float
    high: float
    band: tuple[str, ...] = ()
    """Points of SVG polygons around it: its interval, if it has one."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One mark of the time axis."""

    percent: float
    seconds: float


def _scale(report: Report) -> float:
    longest = max(
        [report.coverage.duration_seconds, *(event.end_seconds for event in report.events)]
    )
    return WIDTH / longest if longest > 0 else 0.0


def _bar(scale: float, start: float, end: float, kind: str, title: str) -> Bar:
    width = max(_MIN_BAR, (end - start) * scale)
    x = min(start * scale, WIDTH - _MIN_BAR)
    return Bar(round(x, 2), round(min(width, WIDTH - x), 2), kind, title, start)


def coverage_lanes(report: Report) -> list[Lane]:
    """Return one lane per video stream: what was seen and what was not."""
    scale = _scale(report)
    lanes = []
    for video in report.video.video_streams:
        spans = [one for one in report.coverage.spans if one.stream == video.stream]
        bars = tuple(
            _bar(scale, one.start_seconds, one.end_seconds, one.state, one.cause or one.state)
            for one in spans[:_MAX_BARS]
        )
        several = len(report.video.video_streams) > 1
        lanes.append(Lane(f"coverage, stream {video.stream}" if several else "coverage", bars))
    return lanes


def event_lanes(report: Report) -> list[Lane]:
    """Return one lane per analyzer that was asked to run, strongest findings on top."""
    scale = _scale(report)
    order = {"info": 0, "warn": 1, "fail": 2}
    lanes = []
    for name in sorted({*report.video.analyzers, *(event.analyzer for event in report.events)}):
        mine = [event for event in report.events if event.analyzer == name]
        strongest = sorted(mine, key=lambda one: order[one.severity])[-_MAX_BARS:]
        lanes.append(Lane(name, tuple(_event_bar(scale, event) for event in strongest)))
    return lanes


def _event_bar(scale: float, event: Event) -> Bar:
    title = f"{event.label.replace('_', ' ')}: {event.note or event.score}"
    return _bar(scale, event.start_seconds, event.end_seconds, event.severity, title)


_CURVES: Final = (
    ("quality.score", "quality", 1.0, 5.0),
    ("fights.score", "fights", 0.0, 1.0),
    ("nudity.score", "nudity", 0.0, 1.0),
    ("flashes.transitions", "flash transitions", 0.0, 12.0),
    ("loudness.short_term_lufs", "loudness", -60.0, 0.0),
    ("defects.luma_mean", "brightness", 0.0, 1.0),
    ("defects.blur_score", "blur", 0.0, 1.0),
    ("defects.blockiness_score", "blockiness", 0.0, 1.0),
    ("defects.noise_score", "noise", 0.0, 1.0),
    ("defects.banding_score", "banding", 0.0, 1.0),
)


_LOW_IS_BAD: Final = "quality.score"


def curves(report: Report) -> list[Curve]:
    """Return the curves that a person wants to see, those that the report has."""
    scale = _scale(report)
    return [
        Curve(
            name,
            signal.unit,
            tuple(map(" ".join, _pieces(signal, scale, low, high, worst=_worst(key)))),
            low,
            high,
            _quality_band(report, scale, low, high) if key == _LOW_IS_BAD else (),
        )
        for key, name, low, high in _CURVES
        if (signal := report.signals.get(key)) and signal.values
    ]


def _worst(key: str) -> Callable[[Iterable[float]], float]:
    return min if key == _LOW_IS_BAD else max


def _quality_band(report: Report, scale: float, low: float, high: float) -> tuple[str, ...]:
    ends = [report.signals.get(f"quality.{name}") for name in ("lower", "upper")]
    lower, upper = (_pieces(one, scale, low, high, worst=min) if one else [] for one in ends)
    return tuple(
        " ".join([*below, *reversed(above)])
        for below, above in zip(lower, upper, strict=False)  # a stored report may lack an end
    )


def _pieces(
    signal: Signal,
    scale: float,
    low: float,
    high: float,
    *,
    worst: Callable[[Iterable[float]], float],
) -> list[list[str]]:
    """Return the samples as steps; many are thinned to the worst of each group.

    What was not measured is left blank where that can be seen: from one unit of ``WIDTH`` on.
    """
    group = max(1, -(-len(signal.values) // _MAX_POINTS))
    pieces: list[list[str]] = []
    end = 0.0
    for at in range(0, len(signal.values), group):
        last = min(at + group, len(signal.values)) - 1
        value = worst(signal.values[at : last + 1])
        y = HEIGHT * (1 - (min(high, max(low, value)) - low) / (high - low))
        start = signal.times_seconds[at] * scale
        if not pieces or start - end > 1:
            pieces.append([])
        end = (signal.times_seconds[last] + signal.durations_seconds[last]) * scale
        pieces[-1] += [f"{start:.1f},{y:.1f}", f"{end:.1f},{y:.1f}"]
    return pieces


def axis(duration_seconds: float) -> Sequence[Tick]:
    """Return at most ten round marks."""
    if duration_seconds <= 0:
        return []
    fitting = (one for one in _STEPS_SECONDS if duration_seconds / one <= _MAX_TICKS)
    step = next(fitting, duration_seconds / _MAX_TICKS)
    count = int(duration_seconds / step) + 1
    marks = [index * step for index in range(count)]
    return [Tick(round(100 * one / duration_seconds, 3), one) for one in marks]
