"""Figures of classifiers, from one row of probabilities per sample."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

_BINS: Final = 15
"""Of the calibration error: Guo et al., arXiv 1706.04599."""
_TOP: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """Figures of one classifier, all 0 to 1."""

    top1: float
    top5: float
    """Equal to 1 with five classes or fewer."""
    mean_class_accuracy: float
    """Mean of the recalls of the classes that occur."""
    pr_auc: float
    """Mean over classes of average precision, one against the rest."""
    calibration_error: float
    """Expected calibration error over 15 equal bins of confidence (Guo et al. 2017)."""


def classified(probabilities: Floats, labels: Labels) -> Classified:
    """Return the figures.

    Args:
        probabilities: Shape [N, K], rows sum to 1.
        labels: Shape [N], 0 to K - 1.
    """
    told = probabilities.argmax(axis=1)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :_TOP]
    present = np.unique(labels)
    recalls = [float((told[labels == one] == one).mean()) for one in present]
    precisions = [average_precision(probabilities[:, one], labels == one) for one in present]
    return Classified(
        top1=float((told == labels).mean()),
        top5=float((best == labels[:, None]).any(axis=1).mean()),
        mean_class_accuracy=float(np.mean(recalls)),
        pr_auc=float(np.mean(precisions)),
        calibration_error=calibration_error(probabilities, labels),
    )


def average_precision(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Return the area under the precision-recall curve, as a step function.

    Ties count as one step: their order must not matter. Equal to scikit-learn's
    ``average_precision_score``.

    Args:
        scores: Shape [N], higher is more positive.
        positive: Shape [N].
    """
    if not positive.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positive[order])
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, [True]))
    recall = hits[last] / positive.sum()
    precision = hits[last] / (last + 1)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def calibration_error(probabilities: Floats, labels: Labels) -> float:
    """Return the expected calibration error of the most likely class, 0 to 1."""
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((sure * _BINS).astype(np.int64), _BINS - 1)
    gaps = [
        abs(float(sure[bins == one].mean() - right[bins == one].mean()))
        * float((bins == one).mean())
        for one in np.unique(bins)
    ]
    return float(np.sum(gaps))


def confusion(told: Labels, labels: Labels, classes: int) -> NDArray[np.int64]:
    """Return how often each true class (row) was told as each class (column)."""
    table = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(table, (labels, told), 1)
    return table
