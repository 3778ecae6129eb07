"""Everything that was measured of a network as one HTML file: no script, no other file.

Text that comes from data (labels, groups, names of files) is made plain and escaped; the content
security policy allows this very style and pictures of the file itself, and nothing else.
"""

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
from jinja2 import Environment
from markupsafe import Markup
from numpy.typing import NDArray

from reelcheck import __version__
from reelcheck.errors import OutputError
from reelcheck.exporters.base import plain_text
from reelcheck.lab.evaluate import Measured
from reelcheck.lab.evaluation.figures import (
    HIT,
    LOWER_IS_BETTER,
    NEITHER_IS_BETTER,
    SURE,
    Evaluation,
    kind_of,
    main_figure,
)
from reelcheck.lab.evaluation.pictures import picture, strip
from reelcheck.lab.evaluation.plots import plots
from reelcheck.lab.evaluation.record import mistake
from reelcheck.lab.evaluation.rows import BoxRows, ClassRows
from reelcheck.lab.measure.bootstrap import Interval
from reelcheck.lab.measure.classification import confusion

MEANINGS: Final = {
    "top1": "share of samples whose most likely class is their label",
    "top5": "share of samples whose label is among the five most likely classes",
    "mean_class_accuracy": "mean over classes of the share that is recognised",
    "pr_auc": "area under precision and recall, mean over classes",
    "roc_auc": "area under the ROC curve, mean over classes",
    "calibration_error": "mean distance of probability and truth, 15 equal bins",
    "calibration_error_adaptive": "the same, bins of equally many samples",
    "brier": "squared error of the probabilities, 0 to 2",
    "log_loss": "mean negative log of the probability of the label",
    "ap": "COCO average precision, overlaps 0.50 to 0.95",
    "ap50": "average precision at overlap 0.50",
    "ap75": "average precision at overlap 0.75",
    "ap_small": "of objects up to 32 x 32 px",
    "ap_medium": "of objects between",
    "ap_large": "of objects from 96 x 96 px",
    "ar100": "recall of the best 100 boxes of a picture",
    "srocc": "Spearman's rank correlation with the opinions",
    "krocc": "Kendall's rank correlation with the opinions",
    "plcc": "Pearson's correlation after the fitted logistic",
    "rmse": "error after the fitted logistic, in units of the opinions",
    "outlier_ratio": "share of errors beyond the 95 % interval of the opinion",
    "coverage": "share of opinions within the predicted interval",
    "interval_width": "mean width of the predicted interval",
}
"""Figure -> what it is."""
TITLES: Final = {
    "top1": "top-1",
    "top5": "top-5",
    "pr_auc": "PR-AUC",
    "roc_auc": "ROC-AUC",
    "brier": "Brier score",
    "calibration_error_adaptive": "the same, adaptive",
    "ap": "AP",
    "ap50": "AP50",
    "ap75": "AP75",
    "ap_small": "AP small",
    "ap_medium": "AP medium",
    "ap_large": "AP large",
    "ar100": "AR100",
    "srocc": "SROCC",
    "krocc": "KROCC",
    "plcc": "PLCC",
    "rmse": "RMSE",
}
"""Figure -> how people write it, where that is not its name with spaces."""
_UNBOUNDED: Final = frozenset({"brier", "log_loss", "rmse", "interval_width"})
_MOST_CLASSES: Final = 20
"""Of a whole confusion matrix; with more, only the most frequent confusions are listed."""
_MOST_CONFUSIONS: Final = 20
_LEAST_SCORE: Final = 0.3
"""Of a box that is drawn; ours."""
_SHADES: Final = 10


def write_page(measured: Measured, path: Path) -> None:
    """Write the page.

    Raises:
        OutputError: the file cannot be written.
    """
    data = render(measured).encode("utf-8", "backslashreplace")
    try:
        path.write_bytes(data)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def render(measured: Measured) -> str:
    """Return the page."""
    style = _asset("evaluation.css")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["plain"] = lambda value: plain_text(str(value))
    environment.filters["words"] = _words
    evaluation, comparison = measured.evaluation, measured.comparison
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    main = main_figure(evaluation.rows)
    return environment.from_string(_asset("evaluation.html.j2")).render(
        style=Markup(style),  # noqa: S704 - our own file
        policy=f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'",
        version=__version__,
        plan=measured.plan,
        evaluation=evaluation,
        kind=kind_of(evaluation.rows),
        groups=len(set(evaluation.rows.groups)),
        main=main,
        headline=evaluation.figures.get(main),
        figures=[_figure(name, one) for name, one in evaluation.figures.items()],
        plots=plots(evaluation),
        table=_confusion(evaluation),
        pairs=_confusions(evaluation),
        classes=_classes(evaluation),
        slices=_slices(measured),
        comparison=comparison,
        verdict=(comparison.conclusion.split()[0].lower() if comparison else ""),
        worst=[_mistake(measured, place) for place in evaluation.worst],
        sure=SURE,
        hit=HIT,
    )


def _words(name: str) -> str:
    return TITLES.get(name) or plain_text(str(name)).replace("_", " ")


def _asset(name: str) -> str:
    return (resources.files("reelcheck.lab.evaluation") / "templates" / name).read_text("utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figure:
    """One line of the table of figures; places in percent of the scale from 0 to 1."""

    name: str
    meaning: str
    better: str
    interval: Interval
    at: float | None
    low: float | None
    high: float | None


def _figure(name: str, interval: Interval) -> _Figure:
    def place(value: float | None) -> float | None:
        drawn = value is not None and name not in _UNBOUNDED
        return round(100 * min(1.0, max(0.0, value)), 2) if drawn and value is not None else None

    better = "lower is better" if name in LOWER_IS_BETTER else "higher is better"
    return _Figure(
        name=name,
        meaning=MEANINGS.get(name, ""),
        better="" if name in NEITHER_IS_BETTER else better,
        interval=interval,
        at=place(interval.value),
        low=place(interval.low),
        high=place(interval.high),
    )


def _confusion(evaluation: Evaluation) -> list[list[tuple[int, int]]]:
    """Return count and shade of every cell; empty when there is no table to show."""
    rows = evaluation.rows
    if not isinstance(rows, ClassRows) or len(evaluation.classes) > _MOST_CLASSES:
        return []
    counts: NDArray[np.int64] = confusion(rows.told, rows.labels, len(evaluation.classes))
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shades = np.ceil(_SHADES * counts / totals).astype(int)
    return [
        list(zip(line, shade, strict=True))
        for line, shade in zip(counts.tolist(), shades.tolist(), strict=True)
    ]


def _confusions(evaluation: Evaluation) -> list[tuple[str, str, int]]:
    """Return the most frequent confusions of many classes: label, what was told, how often."""
    rows = evaluation.rows
    if not isinstance(rows, ClassRows) or len(evaluation.classes) <= _MOST_CLASSES:
        return []
    counts = confusion(rows.told, rows.labels, len(evaluation.classes))
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:_MOST_CONFUSIONS]
    cells = (divmod(int(one), len(evaluation.classes)) for one in order)
    names = evaluation.classes
    return [(names[i], names[j], int(counts[i, j])) for i, j in cells if counts[i, j]]


def _classes(evaluation: Evaluation) -> list[tuple[str, int, dict[str, Interval]]]:
    """Return name, number of samples (or objects) and figures of every class."""
    rows = evaluation.rows
    counts = np.zeros(len(evaluation.classes), dtype=np.int64)
    if isinstance(rows, ClassRows):
        counts += np.bincount(rows.labels, minlength=len(counts))
    elif isinstance(rows, BoxRows):
        for truth in rows.truths:
            counts += np.bincount(truth.labels, minlength=len(counts))
    named = zip(evaluation.classes, counts.tolist(), strict=True)
    return [(label, count, evaluation.by_class.get(label, {})) for label, count in named]


def _slices(measured: Measured) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for one in measured.slices:
        found.setdefault(one.column, []).append(one)
    return found


def _mistake(measured: Measured, place: int) -> dict[str, Any]:
    """Return what is known of one mistake, with its picture."""
    evaluation, samples = measured.evaluation, measured.samples
    rows = evaluation.rows
    known = mistake(evaluation, samples, place)
    inputs = samples[rows.numbers[place]][0]
    if not isinstance(rows, BoxRows):
        return {**known, "picture": strip(inputs, measured.plan.input)}
    url, width, height = picture(inputs)
    truth, found = rows.truths[place], rows.found[place]
    told = zip(found.boxes_px, found.labels, found.scores, strict=True)
    names = evaluation.classes
    return {
        **known,
        "picture": url,
        "size": (width, height),
        "truths": [
            (_corner_and_size(box), names[label])
            for box, label in zip(truth.boxes_px, truth.labels, strict=True)
        ],
        "found": [
            (_corner_and_size(box), names[label], float(score))
            for box, label, score in told
            if score >= _LEAST_SCORE
        ],
    }


def _corner_and_size(box: NDArray[np.float64]) -> tuple[float, ...]:
    left, top, right, bottom = (round(float(one), 1) for one in box)
    return left, top, round(right - left, 1), round(bottom - top, 1)
