"""Tiny pictures of every frame, as the network of this package sees them."""

from typing import Any, Final

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
    levels = _means(_means(grid, HEIGHT, axis=1), WIDTH, axis=2) * 255
    levels[1:] += 128
    levels = np.clip(np.rint(levels), 0, 255)
    return np.asarray(levels.astype(np.uint8).transpose(1, 2, 0))


def _means(cells: NDArray[Any], count: int, *, axis: int) -> NDArray[Any]:
    length = cells.shape[axis]
    starts = np.arange(count) * length // count
    if length < count:
        return np.asarray(np.take(cells, starts, axis=axis))
    widths = np.diff(np.append(starts, length)).reshape([-1 if n == axis else 1 for n in range(3)])
    return np.asarray(np.add.reduceat(cells, starts, axis=axis) / widths)
