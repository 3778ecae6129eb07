"""In which order samples are drawn: the same for any number of processes, and after a resume."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler


class EpochSampler(Sampler[int]):
    """Draws all samples once per epoch, in an order that seed and epoch alone decide.

    Process ``rank`` of ``world`` takes every ``world``-th one, so that a step of all processes
    together sees just what one process with the joined batch would see.

    Args:
        labels: Class of every sample, or its score.
        seed: Of the recipe.
        rank: Number of this process.
        world: How many there are.
        balance: ``"classes"`` draws every class equally often, with repetition, and of scores each
            tenth of their range; ``"none"`` not.
    """

    def __init__(
        self,
        labels: Sequence[float],
        *,
        seed: int,
        rank: int = 0,
        world: int = 1,
        balance: str = "none",
    ) -> None:
        """Start with epoch 0."""
        self.epoch = 0
        self._labels = np.asarray(labels)
        self._seed = seed
        self._rank = rank
        self._world = world
        self._balance = balance

    def order(self) -> list[int]:
        """Return the order of all processes together, cut to a multiple of ``world``."""
        rng = np.random.default_rng((self._seed, self.epoch))
        count = len(self._labels)
        if self._balance == "classes":
            classes = _tenths(self._labels) if self._labels.dtype.kind == "f" else self._labels
            _, inverse, sizes = np.unique(classes, return_inverse=True, return_counts=True)
            chances = 1 / sizes[inverse]
            order = rng.choice(count, count, p=chances / chances.sum())
        else:
            order = rng.permutation(count)
        return [int(one) for one in order[: count // self._world * self._world]]

    def __iter__(self) -> Iterator[int]:
        """Yield the samples of this process."""
        return iter(self.order()[self._rank :: self._world])

    def __len__(self) -> int:
        """Return how many samples this process draws in an epoch."""
        return len(self._labels) // self._world


def _tenths(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    width = max(float(np.ptp(scores)) / 10, 1e-9)
    return np.asarray(((scores - scores.min()) / width).clip(0, 9), dtype=np.int64)
