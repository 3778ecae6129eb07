"""Tiny pictures of every frame, as the network of this package sees them."""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

HEIGHT: Final = 27
WIDTH: Final = 48
"""As in TransNet V2 (arXiv 2008.04838)."""


def tiny_levels(grid: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a small picture of any shape at 48 x 27 cells.

    Args:
        grid: float32 Y'CbCr of the grid view, Y' 0 to 1, Cb and Cr around 0, shape [3, h, w].

    Returns:
        uint8 [27, 48, 3], 0 to 255, Cb and Cr around 128: means of whole cells; the shape of the
        picture is not kept.
    """
    (down, rows), (across, columns) = _cells(grid.shape[1], HEIGHT), _cells(grid.shape[2], WIDTH)
    levels = (down @ grid @ across.T) * (255 / (rows[:, None] * columns))
    levels[1:] += 128
    levels = np.clip(np.rint(levels), 0, 255)
    return np.asarray(levels.astype(np.uint8).transpose(1, 2, 0))


@cache
def _cells(length: int, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return which of ``length`` places each cell adds up, 0 or 1, [count, length], and how many.

    One product of matrices takes a third of the time of sums over uneven stretches.
    """
    starts = np.arange(count) * length // count
    ends = np.maximum(np.append(starts[1:], length), starts + 1)
    place = np.arange(length)
    inside = (place >= starts[:, None]) & (place < ends[:, None])
    return inside.astype(np.float32), inside.sum(axis=1).astype(np.float32)
