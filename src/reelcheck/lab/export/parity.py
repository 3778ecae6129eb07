"""Whether an exported model computes what the trained network does, on the runtime of its card."""

from typing import Final

import numpy as np

from reelcheck.lab.errors import TrainingError
from reelcheck.lab.export.interface import Interface
from reelcheck.models.session import Runner

TOLERANCE: Final = 1e-4
"""Largest difference of any output; of the largest output where that is above 1."""
_BATCHES: Final = (1, 3)


def difference(interface: Interface, session: Runner) -> float:
    """Return the largest difference between PyTorch and a runtime, on batches of 1 and 3.

    Raises:
        TrainingError: the shapes differ, or an output is no number.
    """
    worst = 0.0
    for count in _BATCHES:
        batch = interface.batch(count)
        expected = interface.run(batch).numpy()
        first, *others = batch
        told = session.run(batch[first].numpy(), {name: batch[name].numpy() for name in others})
        if told.shape != expected.shape:
            raise TrainingError(f"exported outputs are {told.shape}, trained {expected.shape}")
        found = float(np.abs(told - expected).max()) / max(1.0, float(np.abs(expected).max()))
        if not np.isfinite(found):
            raise TrainingError("the outputs of the network are no numbers")
        worst = max(worst, found)
    return worst


def refuse_difference(worst: float, *, runtime: str) -> None:
    """Refuse a model that computes something else.

    Raises:
        TrainingError: the difference is more than ``TOLERANCE``.
    """
    if worst > TOLERANCE:
        raise TrainingError(
            f"{runtime} differs from PyTorch by {worst:.2g}, more than {TOLERANCE:g}"
        )
