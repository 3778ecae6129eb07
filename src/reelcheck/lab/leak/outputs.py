"""How much of its answer a network shows: all, rounded, or the label alone."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Kind = Literal["full", "rounded", "labels"]
_FULL_DIGITS: Final = 7
"""What a probability of single precision holds near 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One way of answering."""

    kind: Kind
    digits: int = _FULL_DIGITS
    """After the point, of probabilities."""

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"rounded to {self.digits}" if self.kind == "rounded" else self.kind

    def of(self, probabilities: Floats) -> Floats:
        """Return what is shown of probabilities [N, K]; of labels, 1 for the most likely class."""
        if self.kind == "full":
            return probabilities
        if self.kind == "rounded":
            return np.round(probabilities, self.digits)
        return np.asarray(np.eye(probabilities.shape[1])[probabilities.argmax(axis=1)])


def shown_ways(digits: int) -> tuple[Shown, ...]:
    """Return the three ways that are measured."""
    return (Shown(kind="full"), Shown(kind="rounded", digits=digits), Shown(kind="labels"))
