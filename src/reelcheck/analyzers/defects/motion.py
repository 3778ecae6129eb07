"""How much each frame differs from the one before it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelcheck.analyzers.defects.pictures import GridPicture
from reelcheck.spans import TimeSpan


def mean_change(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the mean absolute difference of two planes; 1 when their sizes differ."""
    if one.shape != other.shape:
        return 1.0
    return float(np.abs(one - other).mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From one frame to the next."""

    before: TimeSpan
    after: TimeSpan
    mean_ratio: float
    """Mean absolute change of Y'."""
    max_ratio: float
    """Largest absolute change of any cell."""
    picture: GridPicture
    """The later frame."""
    plain: bool
    """Whether one of the two frames is black, plain or a test picture."""


class Steps:
    """Pair each frame with the one before it."""

    def __init__(self) -> None:
        self._last: GridPicture | None = None
        self._last_was_plain = False

    def see(self, picture: GridPicture, *, plain: bool) -> Step | None:
        """Take the next frame; return the step to it, or ``None`` for the first frame."""
        last, last_was_plain = self._last, self._last_was_plain
        self._last, self._last_was_plain = picture, plain
        if last is None:
            return None
        mean = biggest = 1.0
        if last.luma.shape == picture.luma.shape:
            change = np.abs(picture.luma - last.luma)
            mean, biggest = float(change.mean()), float(change.max())
        return Step(
            before=last.span,
            after=picture.span,
            mean_ratio=mean,
            max_ratio=biggest,
            picture=picture,
            plain=plain or last_was_plain,
        )
