"""Plots as plain numbers and points, ready for the template to draw as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.lab.evaluation.figures import Evaluation
from reelcheck.lab.evaluation.rows import BoxRows, ClassRows, QualityRows
from reelcheck.lab.measure.classification import BINS, Bins, Rankings
from reelcheck.lab.measure.detection import Detector

WIDTH: Final = 400.0
HEIGHT: Final = 300.0
LEFT: Final = 46.0
TOP: Final = 10.0
INNER_WIDTH: Final = WIDTH - LEFT - 12
INNER_HEIGHT: Final = HEIGHT - TOP - 44
_MOST_LINES: Final = 8
"""Classes of one plot: those that do worst; ours, as many colours as can be told apart."""
_MOST_POINTS: Final = 400
_LEAST_SPREAD: Final = 1e-3
_MOST_BARS: Final = 150
"""Scores of which the predicted interval is drawn."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line; ``points`` are those of an SVG polyline."""

    points: str
    kind: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Rect:
    """A bar."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A point."""

    x: float
    y: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One plot with its axes."""

    title: str
    x_label: str
    y_label: str
    x_ticks: tuple[tuple[float, str], ...]
    """Place and text of each mark."""
    y_ticks: tuple[tuple[float, str], ...]
    lines: tuple[Line, ...] = ()
    bars: tuple[Rect, ...] = ()
    dots: tuple[Dot, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Axes:
    """Two linear scales."""

    x: tuple[float, float] = (0.0, 1.0)
    y: tuple[float, float] = (0.0, 1.0)
    ticks: int = field(default=5)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the place of a point."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return round(LEFT + across * INNER_WIDTH, 2), round(TOP + (1 - up) * INNER_HEIGHT, 2)

    def line(self, xs: Sequence[float], ys: Sequence[float]) -> str:
        """Return points for a polyline."""
        places = (self.at(x, y) for x, y in zip(xs, ys, strict=True))
        return " ".join(f"{x:g},{y:g}" for x, y in places)

    def rect(self, x: tuple[float, float], y: tuple[float, float], kind: str, title: str) -> Rect:
        """Return a bar between two values on each axis."""
        left, bottom = self.at(x[0], y[0])
        right, top = self.at(x[1], y[1])
        return Rect(left, top, round(right - left, 2), round(bottom - top, 2), kind, title)

    def x_ticks(self) -> tuple[tuple[float, str], ...]:
        """Return the marks below."""
        values = np.linspace(*self.x, self.ticks + 1)
        return tuple((self.at(float(one), self.y[0])[0], f"{one:.3g}") for one in values)

    def y_ticks(self) -> tuple[tuple[float, str], ...]:
        """Return the marks on the left."""
        values = np.linspace(*self.y, self.ticks + 1)
        return tuple((self.at(self.x[0], float(one))[1], f"{one:.3g}") for one in values)


def plots(evaluation: Evaluation) -> list[Plot]:
    """Return the plots that belong to the kind of network."""
    rows = evaluation.rows
    if isinstance(rows, ClassRows):
        return [precision_recall(evaluation, rows), *reliability(rows)]
    if isinstance(rows, BoxRows):
        detector = Detector(rows.truths, rows.found, classes=len(evaluation.classes))
        return [boxes(evaluation, detector, overlap) for overlap in (0.5, 0.75)]
    return [scatter(evaluation, rows)] if isinstance(rows, QualityRows) else []


def precision_recall(evaluation: Evaluation, rows: ClassRows) -> Plot:
    """Return the curves of each class against the rest, those that do worst."""
    names = evaluation.classes
    rankings = Rankings(rows.probabilities, rows.labels[:, None] == np.arange(len(names)))
    tested = [label for number, label in enumerate(names) if (rows.labels == number).any()]
    axes = Axes()
    chosen, note = _weakest(evaluation, tested, "pr_auc")
    lines = []
    for number, label in enumerate(chosen):
        recall, precision = rankings.curve(names.index(label))
        xs, ys = _steps(recall, precision)
        area = evaluation.by_class[label]["pr_auc"].value
        lines.append(Line(axes.line(xs, ys), f"c{number}", f"{label} {area:.2f}"))
    return Plot(
        title="Precision and recall by class",
        x_label="recall",
        y_label="precision",
        x_ticks=axes.x_ticks(),
        y_ticks=axes.y_ticks(),
        lines=tuple(lines),
        note=note,
    )


def _weakest(evaluation: Evaluation, labels: list[str], figure: str) -> tuple[list[str], str]:
    order = sorted(labels, key=lambda one: evaluation.by_class[one][figure].value)
    note = (
        f"The {_MOST_LINES} weakest of {len(labels)} classes." if len(labels) > _MOST_LINES else ""
    )
    return order[:_MOST_LINES], note


def _steps(
    recall: NDArray[np.float64], precision: NDArray[np.float64]
) -> tuple[list[float], list[float]]:
    """Return the corners of a step function: each precision holds for the recall before it."""
    if len(recall) > _MOST_POINTS:
        kept = np.linspace(0, len(recall) - 1, _MOST_POINTS).round().astype(int)
        recall, precision = recall[kept], precision[kept]
    before = np.append([0.0], recall[:-1])
    xs = np.stack([before, recall], axis=1).ravel().tolist()
    return xs, np.repeat(precision, 2).tolist()


def reliability(rows: ClassRows) -> list[Plot]:
    """Return how often the classifier is right when it is so sure, and how often it is so sure."""
    table = Bins(rows.probabilities, rows.labels).table()
    axes = Axes()
    bars: list[Rect] = []
    most = -(-max(count for count, _, _ in table) // axes.ticks) * axes.ticks
    counts = Axes(y=(0.0, float(most)))
    tall = []
    for count, sure, right in table:
        place = min(int(sure * BINS), BINS - 1)
        edges = (place / BINS, (place + 1) / BINS)
        title = f"{count} samples: sure by {sure:.2f}, right in {right:.2f}"
        bars.append(axes.rect(edges, (0.0, right), "value", title))
        low, high = sorted((sure, right))
        bars.append(axes.rect(edges, (low, high), "gap", title))
        tall.append(counts.rect(edges, (0.0, float(count)), "value", title))
    return [
        Plot(
            title="Reliability: is it right as often as it says?",
            x_label="probability of what was told",
            y_label="share that is right",
            x_ticks=axes.x_ticks(),
            y_ticks=axes.y_ticks(),
            bars=tuple(bars),
            lines=(Line(axes.line((0, 1), (0, 1)), "dashed"),),
            note="On the dashed line, probabilities mean what they say. Red: the gap to it.",
        ),
        Plot(
            title="How often it is how sure",
            x_label="probability of what was told",
            y_label="samples",
            x_ticks=counts.x_ticks(),
            y_ticks=counts.y_ticks(),
            bars=tuple(tall),
        ),
    ]


def boxes(evaluation: Evaluation, detector: Detector, overlap: float) -> Plot:
    """Return precision at every recall for boxes that overlap the truth by so much."""
    axes = Axes()
    known = [label for label in evaluation.classes if "ap" in evaluation.by_class.get(label, {})]
    chosen, note = _weakest(evaluation, known, "ap")
    lines = []
    recalls = np.linspace(0, 1, 101)
    for number, label in enumerate(chosen):
        at = evaluation.classes.index(label)
        precision = detector.precision_at_recalls(at, overlap=overlap)
        name = f"{label} {precision.mean():.2f}"
        lines.append(Line(axes.line(recalls.tolist(), precision.tolist()), f"c{number}", name))
    return Plot(
        title=f"Precision and recall at overlap {overlap:.2f}",
        x_label="recall",
        y_label="precision",
        x_ticks=axes.x_ticks(),
        y_ticks=axes.y_ticks(),
        lines=tuple(lines),
        note=note,
    )


def scatter(evaluation: Evaluation, rows: QualityRows) -> Plot:
    """Return opinions over scores, with the fitted logistic and the predicted intervals."""
    score, lower, upper = rows.scores.T
    drawn = len(rows) <= _MOST_BARS
    axes = Axes(
        x=_around(np.concatenate([score, lower, upper]) if drawn else score),
        y=_around(rows.opinions),
    )
    lines = []
    if drawn:
        for low, high, opinion in zip(lower, upper, rows.opinions, strict=True):
            lines.append(Line(axes.line((low, high), (opinion, opinion)), "interval"))
    if evaluation.logistic is not None:
        xs = np.linspace(score.min(), score.max(), 101)
        ys = np.clip(evaluation.logistic(xs), *axes.y)
        lines.append(Line(axes.line(xs.tolist(), ys.tolist()), "c0", "fitted logistic"))
    dots = [
        Dot(*axes.at(float(x), float(y)), f"score {x:.2f}, opinion {y:.2f}, group {group}")
        for x, y, group in zip(score, rows.opinions, rows.groups, strict=True)
    ]
    return Plot(
        title="Scores and opinions",
        x_label="score of the network" + (", with its predicted interval" if drawn else ""),
        y_label="opinion of people",
        x_ticks=axes.x_ticks(),
        y_ticks=axes.y_ticks(),
        lines=tuple(lines),
        dots=tuple(dots),
    )


def _around(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return round ends around values, a whole number of fifths apart."""
    low, high = float(values.min()), float(values.max())
    step = max(high - low, _LEAST_SPREAD) / 5
    size = 10 ** np.floor(np.log10(step))
    for factor in (1, 2, 2.5, 5, 10, 20):
        first = float(np.floor(low / (factor * size)) * factor * size)
        if first + 5 * factor * size >= high:
            return first, float(first + 5 * factor * size)
    return low, high
