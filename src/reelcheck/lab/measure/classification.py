"""Figures of classifiers, from one row of probabilities per sample.

Every figure takes weights (how often each sample counts), so that the bootstrap needs no sorting
in its rounds; with weights of 1 they are the usual figures.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

BINS: Final = 15
"""Of the calibration error: Guo et al., arXiv 1706.04599."""
_TOP: Final = 5
_LEAST_PROBABILITY: Final = 1e-12
"""Below it, a probability counts as this one: the log loss of a certain mistake stays finite."""
LOWER_IS_BETTER: Final = frozenset(
    {"calibration_error", "calibration_error_adaptive", "brier", "log_loss"}
)


class Classifier:
    """Computes the figures of one classifier on N samples of K classes from weights.

    ``top1``, ``top5`` (only with more than five classes), ``mean_class_accuracy`` (mean of the
    recalls of the classes that occur), ``pr_auc`` and ``roc_auc`` (means over those classes, one
    against the rest), all 0 to 1; ``calibration_error`` (expected, of the most likely class, over
    15 equal bins: Guo et al. 2017) and ``calibration_error_adaptive`` (bins of equally many
    samples: Nguyen and O'Connor 2015), 0 to 1; ``brier`` (sum over classes of squared errors, 0 to
    2: Brier 1950) and ``log_loss`` (mean negative log of the probability of the label, in nats).
    ``recall/k``, ``precision/k``, ``pr_auc/k`` and ``roc_auc/k`` are those of class k.

    A figure is ``nan`` where the samples do not give it.
    """

    def __init__(self, probabilities: Floats, labels: Labels) -> None:
        """Sort once.

        Args:
            probabilities: Shape [N, K], rows sum to 1.
            labels: Shape [N], 0 to K - 1.
        """
        count, classes = probabilities.shape
        rows = np.arange(count)
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :_TOP]
        own = probabilities[rows, labels]
        self._truth = labels[:, None] == np.arange(classes)  # [N, K]
        self._told = best[:, :1] == np.arange(classes)
        self._plain = {"top1": (best[:, 0] == labels).astype(np.float64)}
        if classes > _TOP:
            self._plain["top5"] = (best == labels[:, None]).any(axis=1).astype(np.float64)
        self._plain["brier"] = np.square(probabilities - self._truth).sum(axis=1)
        self._plain["log_loss"] = -np.log(np.maximum(own, _LEAST_PROBABILITY))
        self._rankings = Rankings(probabilities, self._truth)
        self._bins = Bins(probabilities, labels)

    def __call__(self, weights: Floats) -> dict[str, float]:
        """Return all figures."""
        total = weights.sum()
        truth, told = weights @ self._truth, weights @ self._told
        right = weights @ (self._truth & self._told)
        precisions, areas = self._rankings.areas(weights)
        by_class = {
            "recall": _share(right, truth),
            "precision": _share(right, told),
            "pr_auc": precisions,
            "roc_auc": areas,
        }
        plain = {name: float(weights @ value / total) for name, value in self._plain.items()}
        figures: dict[str, float] = {"top1": plain["top1"]}
        if "top5" in plain:
            figures["top5"] = plain["top5"]
        figures["mean_class_accuracy"] = _mean(by_class["recall"])
        figures["pr_auc"], figures["roc_auc"] = _mean(precisions), _mean(areas)
        figures["calibration_error"] = self._bins.error(weights, self._bins.equal(weights))
        figures["calibration_error_adaptive"] = self._bins.error(
            weights, self._bins.adaptive(weights)
        )
        figures |= {name: plain[name] for name in ("brier", "log_loss")}
        for name, values in by_class.items():
            figures |= {f"{name}/{k}": float(value) for k, value in enumerate(values)}
        return figures


def _share(part: Floats, whole: Floats) -> Floats:
    shares: Floats = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return shares


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


class Rankings:
    """Samples sorted by each of K scores, the highest first; equal scores count as one step."""

    def __init__(self, scores: Floats, positive: NDArray[np.bool_]) -> None:
        """Sort once.

        Args:
            scores: Shape [N, K], higher is more positive.
            positive: Shape [N, K].
        """
        self._order = np.argsort(-scores.T, axis=1, kind="stable")  # [K, N]
        count = scores.shape[0]
        places = np.arange(count)
        ordered = np.take_along_axis(scores.T, self._order, axis=1)
        self._positive = np.take_along_axis(positive.T, self._order, axis=1)
        ends = np.ones_like(self._positive)
        ends[:, :-1] = np.diff(ordered, axis=1) != 0
        self._ends = ends
        last = np.where(ends, places, count)
        self._last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
        starts = np.ones_like(ends)
        starts[:, 1:] = ends[:, :-1]
        self._first = np.maximum.accumulate(np.where(starts, places, 0), axis=1)

    def areas(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return the areas under the precision-recall curve (steps) and the ROC curve, each [K].

        Equal to ``average_precision_score`` and ``roc_auc_score`` of scikit-learn with sample
        weights. ``nan`` without a positive; the second also without a negative.
        """
        gained, hits, everything = self._sums(weights)
        false = np.pad(everything - hits, ((0, 0), (1, 0)))
        at_last = np.take_along_axis(hits, self._last, axis=1)
        all_last = np.take_along_axis(everything, self._last, axis=1)
        precision = np.divide(at_last, all_last, out=np.zeros_like(hits), where=all_last > 0)
        before, after = (
            np.take_along_axis(false, one, axis=1) for one in (self._first, self._last + 1)
        )
        below = false[:, -1:] - (before + after) / 2
        positives, negatives = hits[:, -1], false[:, -1]
        precisions = _share((gained * precision).sum(axis=1), positives)
        return precisions, _share((gained * below).sum(axis=1), positives * negatives)

    def curve(self, label: int) -> tuple[Floats, Floats]:
        """Return recall and precision of one score after each step; empty without a positive."""
        _, hits, everything = self._sums(np.ones(self._order.shape[1]))
        ends = self._ends[label]
        mine, total = hits[label, ends], everything[label, ends]
        if not mine[-1]:
            return np.zeros(0), np.zeros(0)
        return mine / mine[-1], mine / total

    def _sums(self, weights: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the weight of each positive, and the sums up to each place, each [K, N]."""
        mine = weights[self._order]
        gained = mine * self._positive
        return gained, gained.cumsum(axis=1), mine.cumsum(axis=1)


class Bins:
    """Samples by how sure the classifier was of what it told."""

    def __init__(self, probabilities: Floats, labels: Labels) -> None:
        """``probabilities`` of shape [N, K], ``labels`` of shape [N]."""
        self._sure = probabilities.max(axis=1)
        self._gap = self._sure - (probabilities.argmax(axis=1) == labels)
        self._order = np.argsort(self._sure, kind="stable")

    def equal(self, weights: Floats) -> Labels:
        """Return the bin of each sample when all are equally wide."""
        del weights
        bins: Labels = np.minimum((self._sure * BINS).astype(np.int64), BINS - 1)
        return bins

    def adaptive(self, weights: Floats) -> Labels:
        """Return the bin of each sample when all hold about equally many."""
        mine = weights[self._order]
        middle = np.cumsum(mine) - mine / 2
        bins = np.empty(len(mine), dtype=np.int64)
        bins[self._order] = np.minimum((middle / mine.sum() * BINS).astype(np.int64), BINS - 1)
        return bins

    def error(self, weights: Floats, bins: Labels) -> float:
        """Return the mean distance of confidence and accuracy over bins, 0 to 1."""
        gaps = np.bincount(bins, weights * self._gap, minlength=BINS)
        return float(np.abs(gaps).sum() / weights.sum())

    def table(self) -> list[tuple[int, float, float]]:
        """Return count, mean confidence and accuracy of each equal bin that holds samples."""
        bins = self.equal(self._sure)
        chosen = ((one, bins == one) for one in range(BINS))
        return [
            (
                int(mine.sum()),
                float(self._sure[mine].mean()),
                float((self._sure - self._gap)[mine].mean()),
            )
            for _, mine in chosen
            if mine.any()
        ]


def confusion(told: Labels, labels: Labels, classes: int) -> NDArray[np.int64]:
    """Return how often each true class (row) was told as each class (column)."""
    table = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(table, (labels, told), 1)
    return table
