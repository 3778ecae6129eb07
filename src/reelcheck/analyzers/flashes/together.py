"""Flashes apart from motion, and what share of each cell a flash covers."""

from fractions import Fraction
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from .cells import FEW_RATIO, Floats, Mask

_T = TypeVar("_T", bound=np.generic)

_RADIUS_RATIO: Final = 1 / 20
"""Half the side of a neighbourhood, as a share of the long side of the grid."""
_TILE: Final = 4
"""Cells that share one decision, in width and height: a matter of speed only."""
_TOGETHER_RATIO: Final = 2 / 3
"""Share of the lively cells of a neighbourhood that must change in the same frame."""
_LIVELY_SECONDS: Final = 1.0
"""A cell is lively for this long after each of its transitions."""


class Together:
    """Lets pass the transitions that most lively cells around make in the same frame.

    Where things move, every cell has transitions too, at times of its own: in a pan at most about
    half of the lively cells change in any one frame. Where light flashes, all do, whether up or
    down, and however many of the cells take part. Ours; the two thirds were chosen on real clips
    (pans, sport, dance) and synthetic flashes.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._last_seconds = np.full(shape, -np.inf, dtype=np.float32)
        radius = max(1, round(max(shape) * _RADIUS_RATIO))
        self._rows, self._to_row = _neighbourhoods(shape[0], radius)
        self._columns, self._to_column = _neighbourhoods(shape[1], radius)

    def keep(self, at: Fraction, changed: Mask) -> Mask | None:
        """Return the cells of ``changed`` that pass, ``None`` when none do."""
        at_seconds = np.float32(at)
        np.copyto(self._last_seconds, at_seconds, where=changed)
        if np.count_nonzero(changed) < FEW_RATIO * changed.size:
            return None
        lively = self._last_seconds > at_seconds - _LIVELY_SECONDS
        enough = np.float32(_TOGETHER_RATIO) * self._around(lively)
        together = self._around(changed) >= np.maximum(enough, 1)
        if not together.any():
            return None
        kept = together.take(self._to_row, axis=0).take(self._to_column, axis=1)
        kept &= changed
        return kept if kept.any() else None

    def _around(self, cells: Mask) -> Floats:
        """Count ``cells`` in the neighbourhood of each tile; exact, as float32 holds integers."""
        return self._rows @ cells.astype(np.float32) @ self._columns.T


def _neighbourhoods(side: int, radius: int) -> tuple[Floats, NDArray[np.intp]]:
    """Return which cells lie around each tile, shape [tiles, side], and the tile of each cell."""
    cells = np.arange(side)
    centres = np.arange(0, side, _TILE) + _TILE // 2
    near = np.abs(centres[:, None] - cells) <= radius
    return near.astype(np.float32), cells // _TILE


_LEAST_COVERAGE: Final = np.float32(0.05)
"""Share of a cell below which an edge is taken not to reach into it."""
_NEIGHBOURS: Final = 9
"""Cells of a neighbourhood of 3 x 3."""
_EDGE_NEIGHBOURS: Final = 3
"""Of these, how many a straight edge of a flash has beside a cell that it cuts."""


def coverage(changed: Mask, change: Floats) -> Floats:
    """Estimate which share of each cell takes part in a flash, where an edge cuts through cells.

    A cell is an average of code values, so a cell that is covered in part changes by that part of
    what its fully covered neighbour changes. Cells inside count in full, whatever they show.

    Args:
        changed: Cells that made the transition, shape [h, w].
        change: How much the code values of each cell changed in this frame, shape [h, w].

    Returns:
        0 to 1, float32, shape [h, w]: also above 0 for cells beside ``changed`` that are covered
        too little to make the transition themselves.
    """
    around = np.pad(np.where(changed, change, np.float32(0)), 1)
    peak = _over_neighbours(around, np.maximum)
    beside = _over_neighbours(np.pad(changed, 1).astype(np.uint8), np.add)
    inside = beside == _NEIGHBOURS
    share: Floats = change / np.maximum(peak, np.float32(1e-9))
    share[~changed & ((beside < _EDGE_NEIGHBOURS) | (share < _LEAST_COVERAGE))] = 0
    share[inside | (share > 1)] = 1
    return share


def _over_neighbours(padded: NDArray[_T], join: np.ufunc) -> NDArray[_T]:
    rows = join(join(padded[:-2], padded[1:-1]), padded[2:])
    joined: NDArray[_T] = join(join(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
    return joined
