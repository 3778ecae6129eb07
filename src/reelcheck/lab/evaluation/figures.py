"""Figures with 95 % intervals over groups, and where a network was most wrong."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.lab.evaluation.rows import BoxRows, ClassRows, QualityRows, Rows
from reelcheck.lab.measure import classification, quality
from reelcheck.lab.measure.bootstrap import FEW_GROUPS, Figures, Interval, Resampled, resample
from reelcheck.lab.measure.classification import Classifier
from reelcheck.lab.measure.detection import Detector, mistakes
from reelcheck.lab.measure.quality import Judge, Logistic, Opinions, Told

LOWER_IS_BETTER: Final = classification.LOWER_IS_BETTER | quality.LOWER_IS_BETTER
NEITHER_IS_BETTER: Final = frozenset({"coverage", "interval_width"})
"""A predicted interval is to hold what it promises, neither more nor less."""
SURE: Final = 0.5
"""Score from which a box counts as told when pictures are sorted by their mistakes; ours."""
HIT: Final = 0.5
"""Overlap (intersection over union) from which it counts as found: PASCAL VOC."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """Figures of one network on one part of the data."""

    rows: Rows
    classes: tuple[str, ...]
    part: str
    resampled: Resampled
    figures: dict[str, Interval]
    by_class: dict[str, dict[str, Interval]]
    missing: dict[str, str]
    """Figure -> why the samples do not give it."""
    worst: tuple[int, ...]
    """Places of the rows where the network was most wrong, worst first."""
    badness: NDArray[np.float64]
    """How wrong the network was on each sample, see ``badness_of``, shape [N]."""
    fitted: NDArray[np.float64] | None
    """Scores of a quality network on the scale of the opinions, shape [N]."""
    logistic: Logistic | None
    """What fitted them, if anything could."""
    notes: tuple[str, ...]
    """What a reader of the figures should know."""


def kind_of(rows: Rows) -> str:
    """Return ``classes``, ``boxes`` or ``quality``."""
    if isinstance(rows, BoxRows):
        return "boxes"
    return "quality" if isinstance(rows, QualityRows) else "classes"


def main_figure(rows: Rows) -> str:
    """Return the name of the figure that decides which of two networks is better."""
    return {"boxes": "ap", "quality": "srocc", "classes": "top1"}[kind_of(rows)]


def measurer(rows: Rows, classes: tuple[str, ...]) -> Figures:
    """Return what computes the figures of rows from the weights of their samples."""
    if isinstance(rows, BoxRows):
        return Detector(rows.truths, rows.found, classes=len(classes))
    if isinstance(rows, QualityRows):
        score, lower, upper = rows.scores.T
        told = Told(scores=score, lower=lower, upper=upper)
        return Judge(told, Opinions(scores=rows.opinions, half_widths=rows.half_widths))
    if isinstance(rows, ClassRows):
        return Classifier(rows.probabilities, rows.labels)
    message = f"there are no figures for {type(rows).__name__}"
    raise TypeError(message)


def evaluate(
    rows: Rows, classes: tuple[str, ...], *, part: str = "test", worst: int = 20
) -> Evaluation:
    """Return figures with intervals, and the ``worst`` worst mistakes."""
    figures = measurer(rows, classes)
    resampled = resample(figures, rows.groups)
    known = resampled.intervals()
    logistic = figures.logistic if isinstance(figures, Judge) else None
    fitted = None
    if isinstance(rows, QualityRows):
        fitted = logistic(rows.scores[:, 0]) if logistic else rows.scores[:, 0]
    badness = badness_of(rows, fitted)
    return Evaluation(
        rows=rows,
        classes=classes,
        part=part,
        resampled=resampled,
        figures={name: one for name, one in known.items() if "/" not in name},
        by_class=_by_class(known, classes),
        missing=_missing(rows, resampled, classes),
        worst=tuple(int(one) for one in np.argsort(-badness, kind="stable")[:worst]),
        badness=badness,
        fitted=fitted,
        logistic=logistic,
        notes=_notes(rows, resampled, logistic),
    )


def _by_class(
    known: dict[str, Interval], classes: tuple[str, ...]
) -> dict[str, dict[str, Interval]]:
    found: dict[str, dict[str, Interval]] = {}
    for name, one in known.items():
        figure, _, number = name.partition("/")
        if number:
            found.setdefault(classes[int(number)], {})[figure] = one
    return found


def _missing(rows: Rows, resampled: Resampled, classes: tuple[str, ...]) -> dict[str, str]:
    """Return why figures are left out, so that nothing vanishes without a word."""
    missing = {}
    for name, value in resampled.whole.items():
        if np.isfinite(value):
            continue
        figure, _, number = name.partition("/")
        shown = f"{figure} of {classes[int(number)]}" if number else figure
        missing[shown] = _reason(rows, figure)
    if isinstance(rows, QualityRows) and rows.half_widths is None:
        missing["outlier_ratio"] = "the deviations of the opinions are not known"
    return missing


def _reason(rows: Rows, figure: str) -> str:
    if isinstance(rows, BoxRows):
        return "there is no such object to find"
    if isinstance(rows, QualityRows):
        return "all scores or all opinions are equal"
    if figure == "precision":
        return "the class was never told"
    if figure == "roc_auc":
        return "needs samples of the class and of another"
    return "there is no sample of the class"


def _notes(rows: Rows, resampled: Resampled, logistic: Logistic | None) -> tuple[str, ...]:
    notes = []
    if resampled.groups == 1:
        notes.append("All samples are of one group: there are no intervals.")
    elif resampled.groups < FEW_GROUPS:
        notes.append(
            f"Only {resampled.groups} groups: intervals are too narrow; collect more sources."
        )
    if rows.failed:
        notes.append(
            f"{len(rows.failed)} files broke while they were read; their samples are not measured."
        )
    if isinstance(rows, QualityRows) and logistic is None:
        notes.append("The logistic could not be fitted: plcc and rmse are of the plain scores.")
    return tuple(notes)


def badness_of(rows: Rows, fitted: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Return how wrong the network was on each sample, higher is worse, shape [N].

    Of a classifier 1 minus the probability of the label; of a quality network the distance of
    fitted score and opinion; of a detector objects that were missed and boxes that are none.
    """
    if isinstance(rows, BoxRows):
        pairs = zip(rows.truths, rows.found, strict=True)
        counts = [sum(map(len, mistakes(*pair, sure=SURE, overlap=HIT))) for pair in pairs]
        return np.array(counts, dtype=np.float64)
    if isinstance(rows, QualityRows) and fitted is not None:
        return np.abs(fitted - rows.opinions)
    if isinstance(rows, ClassRows):
        return 1 - rows.own
    return np.zeros(len(rows))
