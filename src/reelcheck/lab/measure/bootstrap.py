"""Intervals of figures, by resampling groups: clips of one source are not independent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_ROUNDS: Final = 1000
_LEVEL: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Show the figure and its interval."""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def interval(
    figure: Callable[[NDArray[np.intp]], float], groups: Sequence[str], *, seed: int = 0
) -> Interval:
    """Return a figure with its percentile bootstrap interval (Efron 1979) over groups.

    Args:
        figure: Computes it from the numbers of the samples to use; ``nan`` rounds are left out.
        groups: Group of each sample; groups are drawn with repetition, whole.
        seed: Of the draws.
    """
    names, inverse = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(inverse == number) for number in range(len(names))]
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(_ROUNDS):
        drawn = rng.integers(0, len(members), len(members))
        values.append(figure(np.concatenate([members[one] for one in drawn])))
    tails = (1 - _LEVEL) / 2
    low, high = np.nanquantile(values, [tails, 1 - tails])
    whole = figure(np.arange(len(inverse)))
    return Interval(value=whole, low=float(low), high=float(high))


def paired_difference(
    right_a: NDArray[np.bool_], right_b: NDArray[np.bool_], groups: Sequence[str], *, seed: int = 0
) -> Interval:
    """Return how much more often ``a`` is right than ``b`` on the same samples.

    The two differ when the interval does not hold 0.
    """
    gain = right_a.astype(np.float64) - right_b.astype(np.float64)
    return interval(lambda chosen: float(gain[chosen].mean()), groups, seed=seed)
