"""The operating curve and what belongs to it as plain points, ready for the template."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from reelcheck.calibration.bounds import Floats
from reelcheck.calibration.calibrate import Calibrated
from reelcheck.calibration.choose import Goal
from reelcheck.calibration.reliability import Reliability

LEFT: Final = 52.0
RIGHT: Final = 388.0
TOP: Final = 10.0
BOTTOM: Final = 256.0
_TICKS: Final = 5
_MOST_DECADES: Final = 6


@dataclass(frozen=True, slots=True)
class Line:
    """A line; ``points`` are those of an SVG polyline."""

    points: str
    kind: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Dot:
    """A point."""

    x: float
    y: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One plot with its axes; a mark is its place and its text."""

    title: str
    x_label: str
    y_label: str
    x_marks: tuple[tuple[float, str], ...]
    y_marks: tuple[tuple[float, str], ...]
    lines: tuple[Line, ...]
    dots: tuple[Dot, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from ``low`` to ``high``; a logarithmic one shows all below ``low`` as 0, there."""

    low: float
    high: float
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Return where a value lies, 0 to 1."""
        kept = min(max(value, self.low), self.high)
        if self.logarithmic:
            return math.log(kept / self.low) / math.log(self.high / self.low)
        return (kept - self.low) / (self.high - self.low)

    def marks(self) -> list[tuple[float, str]]:
        """Return values to be marked, as share and text."""
        if not self.logarithmic:
            values = np.linspace(self.low, self.high, _TICKS + 1).tolist()
            return [(self.share(one), f"{one:.3g}") for one in values]
        first, last = round(math.log10(self.low)), round(math.log10(self.high))
        return [
            (self.share(10.0**one), f"{10.0**one:g}" if one > first else "0")
            for one in range(first, last + 1)
        ]


@dataclass(frozen=True, slots=True)
class _Axes:
    x: Scale
    y: Scale

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = LEFT + self.x.share(x) * (RIGHT - LEFT)
        return round(across, 2), round(BOTTOM - self.y.share(y) * (BOTTOM - TOP), 2)

    def line(self, xs: Sequence[float], ys: Sequence[float]) -> str:
        known = ((x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(x))
        return " ".join("{:g},{:g}".format(*self.at(x, y)) for x, y in known)

    def x_marks(self) -> tuple[tuple[float, str], ...]:
        marks = self.x.marks()
        return tuple((round(LEFT + at * (RIGHT - LEFT), 2), text) for at, text in marks)

    def y_marks(self) -> tuple[tuple[float, str], ...]:
        marks = self.y.marks()
        return tuple((round(BOTTOM - at * (BOTTOM - TOP), 2), text) for at, text in marks)


def plots_of(one: Calibrated, goal: Goal) -> list[Plot]:
    """Return the plots of one label."""
    choice = one.choice
    if not (choice.calibration.hours and choice.check.hours):
        return []
    found = [_alarms(one, goal)]
    if choice.calibration.events and choice.check.events:
        found.insert(0, _operating(one, goal))
    if one.reliability is not None:
        found.append(_reliability(one.reliability))
    return found


def _rates(one: Calibrated, goal: Goal) -> Scale:
    """Return an axis for false alarms per hour, in whole decades."""
    choice = one.choice
    values = [choice.calibration.per_hour, choice.check.per_hour, choice.calibration.per_hour_upper]
    known = [float(value) for value in np.concatenate(values) if 0 < value < math.inf]
    known += [goal.max_false_alarms_per_hour or 1.0]
    last = math.ceil(math.log10(max(known)) + 1e-9)
    first = max(math.floor(math.log10(min(known))) - 1, last - _MOST_DECADES)
    return Scale(10.0**first, 10.0**last, logarithmic=True)


def _operating(one: Calibrated, goal: Goal) -> Plot:
    axes = _Axes(_rates(one, goal), Scale(0.0, 1.0))
    choice = one.choice
    lines, dots = [], []
    for curve, kind, name in (
        (choice.calibration, "c0", "the half it was chosen on"),
        (choice.check, "c1", "the other half"),
    ):
        rates, recall = _floored(curve.per_hour, axes.x), curve.recall
        lines.append(Line(axes.line(rates, recall.tolist()), kind, name))
        if choice.place is not None:
            at = axes.at(rates[choice.place], float(recall[choice.place]))
            title = f"{name}: {curve.alarms[choice.place]:g} false alarms in {curve.hours:.3g} h"
            dots.append(Dot(*at, kind, title))
    lines.append(_limit(axes, goal, across=False))
    return Plot(
        title="Operating curve: what is found at what price",
        x_label="false alarms per hour",
        y_label="share of events found",
        x_marks=axes.x_marks(),
        y_marks=axes.y_marks(),
        lines=tuple(lines),
        dots=tuple(dots),
        note="Dots: the chosen threshold. Dashed: the promise.",
    )


def _alarms(one: Calibrated, goal: Goal) -> Plot:
    choice = one.choice
    thresholds = choice.calibration.thresholds
    first = min(thresholds)
    low = 0.0 if 0 < first < max(thresholds) / 100 else first
    axes = _Axes(Scale(low, max(thresholds)), _rates(one, goal))
    lines = [
        Line(axes.line(thresholds, _floored(values, axes.y)), kind, name)
        for values, kind, name in (
            (choice.calibration.per_hour, "c0", "the half it was chosen on"),
            (choice.calibration.per_hour_upper, "bound", "its upper bound"),
            (choice.check.per_hour, "c1", "the other half"),
        )
    ]
    if goal.max_false_alarms_per_hour is not None:
        lines.append(_limit(axes, goal, across=True))
    if choice.place is not None:
        at = thresholds[choice.place]
        ends = (axes.y.low, axes.y.high)
        lines.append(Line(axes.line((at, at), ends), "chosen", f"chosen: {at:g}"))
    return Plot(
        title="False alarms by threshold",
        x_label=f"{one.target.rule.signal} {one.unit}".strip(),
        y_label="false alarms per hour",
        x_marks=axes.x_marks(),
        y_marks=axes.y_marks(),
        lines=tuple(lines),
        note="The rule with its minimum duration; a count holds for all stricter thresholds too.",
    )


def _limit(axes: _Axes, goal: Goal, *, across: bool) -> Line:
    """Return the promise as a dashed line."""
    if goal.min_recall is not None:
        ends = (axes.x.low, axes.x.high)
        return Line(axes.line(ends, (goal.min_recall, goal.min_recall)), "dashed", "the promise")
    rate = goal.max_false_alarms_per_hour or 0.0
    if across:
        ends = (axes.x.low, axes.x.high)
        return Line(axes.line(ends, (rate, rate)), "dashed", "the promise")
    return Line(axes.line((rate, rate), (0.0, 1.0)), "dashed", "the promise")


def _floored(values: Floats, scale: Scale) -> list[float]:
    return [max(float(one), scale.low) if np.isfinite(one) else scale.high for one in values]


def _reliability(found: Reliability) -> Plot:
    axes = _Axes(Scale(0.0, 1.0), Scale(0.0, 1.0))
    lines = [Line(axes.line((0, 1), (0, 1)), "dashed")]
    dots = []
    for bins, kind, name in (
        (found.bins_before, "c0", f"score as it is, error {found.error_before:.3f}"),
        (found.bins_after, "c1", f"after isotonic regression, error {found.error_after:.3f}"),
    ):
        told, right = [one[0] for one in bins], [one[1] for one in bins]
        lines.append(Line(axes.line(told, right), kind, name))
        dots += [
            Dot(*axes.at(x, y), kind, f"told {x:.2f}, true {y:.2f}, {hours:.3g} h")
            for x, y, hours in bins
        ]
    return Plot(
        title="Reliability on the other half: is the score a probability?",
        x_label="probability that was told",
        y_label="share of time in events",
        x_marks=axes.x_marks(),
        y_marks=axes.y_marks(),
        lines=tuple(lines),
        dots=tuple(dots),
        note="On the dashed line, scores mean what they say.",
    )
