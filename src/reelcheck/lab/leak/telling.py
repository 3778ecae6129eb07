"""How well scores tell members from others: areas, rates at few false alarms, and accuracy."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.lab.leak.outputs import Floats
from reelcheck.lab.measure.bootstrap import Interval, resample

RATES: Final = (0.01, 0.001)
"""False positive rates at which the true positive rate is told, after Carlini et al. 2022."""


def told_apart(
    scores: Floats, members: NDArray[np.bool_], groups: Sequence[str]
) -> dict[str, Interval]:
    """Return the figures of an attack with their intervals.

    ``auc``: chance that a member scores higher than another, ties half. ``tpr_at_...``: share of
    members found when at most that share of the others is taken for members; left out where there
    are too few others to tell (fewer than one over the rate). ``balanced_accuracy``: with a
    threshold chosen on one half of the samples and used on the other, both ways, so that no
    attacker knows the answer beforehand.

    Args:
        scores: Higher for members, [N].
        members: [N].
        groups: Of the samples, for the intervals.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, truth = scores[order], members[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    halves = np.arange(len(scores)) % 2 == 0
    rates = [rate for rate in RATES if (~members).sum() * rate >= 1]

    def figures(weights: Floats) -> dict[str, float]:
        hit, alarm = _rates(weights[order], truth, ends)
        found = {"auc": float(np.trapezoid(hit, alarm))}
        for rate in rates:
            found[f"tpr_at_{rate:g}"] = float(hit[alarm <= rate + 1e-12].max())
        found["balanced_accuracy"] = _balanced(weights, scores, members, halves)
        return found

    return resample(figures, groups).intervals()


def _rates(
    weights: Floats, truth: NDArray[np.bool_], ends: NDArray[np.intp]
) -> tuple[Floats, Floats]:
    """Return true and false positive rates from the strictest threshold to the laxest."""
    hits, alarms = (np.cumsum(weights * side)[ends] for side in (truth, ~truth))
    return (
        np.concatenate(([0.0], hits / max(hits[-1], 1e-12))),
        np.concatenate(([0.0], alarms / max(alarms[-1], 1e-12))),
    )


def _balanced(
    weights: Floats, scores: Floats, members: NDArray[np.bool_], halves: NDArray[np.bool_]
) -> float:
    found = []
    for chosen in (halves, ~halves):
        limit = _best_limit(weights[chosen], scores[chosen], members[chosen])
        rest = ~chosen
        said, kept = scores[rest] >= limit, weights[rest]
        sides = [members[rest], ~members[rest]]
        shares = [
            float((kept * (side & right)).sum() / max((kept * side).sum(), 1e-12))
            for side, right in zip(sides, (said, ~said), strict=True)
        ]
        found.append(sum(shares) / 2)
    return sum(found) / 2


def _best_limit(weights: Floats, scores: Floats, members: NDArray[np.bool_]) -> float:
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    hit, alarm = _rates(weights[order], members[order], ends)
    best = int(np.argmax(hit - alarm))
    return float(np.inf) if best == 0 else float(ranked[ends[best - 1]])
