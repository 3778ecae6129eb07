"""Membership inference: a score per sample, higher for those that look trained on.

``confidence``: the probability of the true label, after Yeom et al. 2018, "Privacy Risk in Machine
Learning" (of labels alone it is their gap attack: right or wrong). ``likelihood``: the ratio of
Carlini et al. 2022, "Membership Inference Attacks From First Principles": shadow networks, each
trained on a random half, tell how sure a network is of this very sample when it was trained on it
and when it was not. With few shadows the variance is that of all samples together, as they advise;
of labels alone it is the ratio of how often shadows are right (ours, with one added to each count).

Limits: a few shadows make ``likelihood`` weaker than with the hundreds of the paper. Attacks on
labels that ask for many variations of a sample (Choquette-Choo et al. 2021) are not made, so what
labels alone give away is a lower bound.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.lab.leak.outputs import Floats, Shown

Labels = NDArray[np.int64]
_LEAST_VARIANCE: Final = 1e-6


def confidence(shown: Floats, labels: Labels) -> Floats:
    """Return the probability of the label of each sample, as it is shown."""
    return np.asarray(shown[np.arange(len(labels)), labels])


def likelihood(
    shown: Floats, labels: Labels, *, shadows: Floats, trained_on: NDArray[np.bool_], way: Shown
) -> Floats:
    """Return the log of the likelihood ratio of each sample.

    Args:
        shown: Of the network, [N, K].
        labels: [N].
        shadows: What S shadow networks show, [S, N, K].
        trained_on: Which shadow was trained on which sample, [S, N]; each sample must be on both
            sides.
        way: How answers are shown.
    """
    own = confidence(shown, labels)
    others = np.stack([confidence(one, labels) for one in shadows])
    if way.kind == "labels":
        return _right_or_wrong(own, others, trained_on)
    least = 0.5 * 10.0**-way.digits
    own, others = _logit(own, least), _logit(others, least)
    inside, outside = (_means(others, side) for side in (trained_on, ~trained_on))
    spread = [
        max(_LEAST_VARIANCE, float(((others - mean) ** 2)[side].mean()))
        for mean, side in ((inside, trained_on), (outside, ~trained_on))
    ]
    ratio = _log_normal(own, inside, spread[0]) - _log_normal(own, outside, spread[1])
    return np.asarray(ratio)


def _logit(values: Floats, least: float) -> Floats:
    kept = values.clip(least, 1 - least)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def _means(values: Floats, side: NDArray[np.bool_]) -> Floats:
    return np.asarray((values * side).sum(axis=0) / side.sum(axis=0))


def _log_normal(values: Floats, mean: Floats, variance: float) -> Floats:
    return np.asarray(-((values - mean) ** 2) / (2 * variance) - 0.5 * np.log(variance))


def _right_or_wrong(own: Floats, others: Floats, trained_on: NDArray[np.bool_]) -> Floats:
    chances = [
        ((others * side).sum(axis=0) + 1) / (side.sum(axis=0) + 2)
        for side in (trained_on, ~trained_on)
    ]
    right, wrong = (
        np.log(inside) - np.log(outside)
        for inside, outside in (chances, [1 - one for one in chances])
    )
    return np.asarray(np.where(own > 0, right, wrong))
