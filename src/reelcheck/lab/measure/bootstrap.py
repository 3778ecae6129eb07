"""Intervals of figures, by resampling groups: clips of one source are not independent.

The percentile bootstrap (Efron 1979) over groups: whole groups are drawn with repetition, so that
each round gives every sample a weight (how often its group was drawn). All figures are computed
from the same draws, and two models on the same samples too: their differences are paired.

Limits: with few groups the interval is too narrow, and below ``FEW_GROUPS`` whoever shows it is to
say so; with one group there is none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]
"""How often each sample counts, shape [N]: whole numbers of 0 or more."""
Figures = Callable[[Weights], Mapping[str, float]]
"""Computes figures by name; ``nan`` for one that these samples do not give."""

FEW_GROUPS: Final = 10
"""Ours: below it the 95 % percentile interval of a mean holds the truth clearly less often."""
LEAST_GROUPS: Final = 6
"""Fewer cannot tell two models apart: a two-sided sign test over five groups reaches 2 / 2^5."""
_ROUNDS: Final = 1000
_LEVEL: Final = 0.95
_MOST_UNKNOWN: Final = 0.5
"""Share of rounds without the figure from which there is no interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure with its 95 % interval; both ends are ``None`` where there is none."""

    value: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        """Show the figure and its interval."""
        if self.low is None or self.high is None:
            return f"{self.value:.3f} (no interval)"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resampled:
    """Figures of all samples, and of every round."""

    whole: dict[str, float]
    rounds: dict[str, NDArray[np.float64]]
    groups: int

    def intervals(self) -> dict[str, Interval]:
        """Return the figures that all samples give, with their intervals."""
        return {
            name: _interval(value, self.rounds[name], self.groups)
            for name, value in self.whole.items()
            if np.isfinite(value)
        }

    def minus(self, other: "Resampled") -> dict[str, Interval]:
        """Return the differences to another model, measured on the same samples and groups."""
        return {
            name: _interval(
                value - other.whole[name], self.rounds[name] - other.rounds[name], self.groups
            )
            for name, value in self.whole.items()
            if name in other.whole and np.isfinite(value - other.whole[name])
        }


def resample(figures: Figures, groups: Sequence[str], *, seed: int = 0) -> Resampled:
    """Return figures of all samples and of a thousand draws of groups.

    Args:
        figures: Computes them from the weights of the samples.
        groups: Group of each sample.
        seed: Of the draws; equal seeds and groups give equal draws.
    """
    names, inverse = np.unique(np.asarray(groups), return_inverse=True)
    whole = dict(figures(np.ones(len(inverse))))
    rounds = {name: np.full(_ROUNDS, np.nan) for name in whole}
    rng = np.random.default_rng(seed)
    for number in range(_ROUNDS if len(names) > 1 else 0):
        drawn = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
        for name, value in figures(drawn[inverse].astype(np.float64)).items():
            rounds[name][number] = value
    return Resampled(whole=whole, rounds=rounds, groups=len(names))


def _interval(value: float, rounds: NDArray[np.float64], groups: int) -> Interval:
    known = rounds[np.isfinite(rounds)]
    if groups < 2 or len(known) < (1 - _MOST_UNKNOWN) * len(rounds):  # noqa: PLR2004 - one group
        return Interval(value=value, low=None, high=None)
    tails = (1 - _LEVEL) / 2
    low, high = np.quantile(known, [tails, 1 - tails])
    return Interval(value=value, low=float(low), high=float(high))
