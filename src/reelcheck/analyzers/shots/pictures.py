"""What the detectors remember of a frame, and how two frames differ."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

PLAIN_CONTRAST: Final = 0.02
"""Standard deviation of Y' below which a picture is plain. Ours: 4 of 219 steps."""
_REACH: Final = 2
"""Motion that a difference forgives, in pixels of the half-size picture: 2.5 % of the width."""
_TILE: Final = 8
"""Side of a tile of the coarse picture, in cells of the grid."""
_BLUR: Final = 3
"""Side, in pixels, of the means that are taken away to leave only structure."""
_LIT: Final = 0.1
"""Y' of a tile above which it is not nearly black: dark tiles are alike in all dark shots. Ours."""
_LEAST_LIT: Final = 0.5
"""Share of lit tiles below which a difference counts no more than at this share. Ours."""
_FAINT: Final = 0.02
"""Root mean square of structure that counts half; stronger structure counts the same everywhere.
Ours: without it the edges of equal black borders made 14 of 391 cuts between real clips look
like changes of light, with it none."""
_ALIKE: Final = 0.02
"""Mean difference of Y' up to which two tiles show the same."""

BLEND_RESIDUAL: Final = 0.2
"""Squared distance from the line between two pictures, per squared length of that line, up to
which a picture is a blend of the two. Ours, chosen on generated dissolves between real clips."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """One frame, at half the size of the grid and as coarse tiles."""

    at: Fraction
    end: Fraction
    luma: Floats
    """Y', shape [h / 2, w / 2]."""
    low: Floats
    """Smallest Y' within reach of each pixel, same shape."""
    high: Floats
    """Largest Y' within reach of each pixel, same shape."""
    coarse: Floats
    """Y', Cb, Cr of all tiles, one after the other, shape [3 x tiles]."""
    contrast: float
    """Standard deviation of Y'."""
    detail: float
    """Root mean square of the differences of neighbouring pixels of Y'."""

    @property
    def is_plain(self) -> bool:
        """Whether nothing can be seen in it."""
        return self.contrast < PLAIN_CONTRAST


class Sketcher:
    """Draws the pictures of grids of one shape."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._rows, self._columns = (_tile_means(side) for side in shape)
        self._widen_rows, self._widen_columns = (_clamped(max(1, side // 2)) for side in shape)

    def draw(self, grid: Floats, at: Fraction, end: Fraction) -> Picture:
        """Return the picture of one frame, float32 Y'CbCr of shape [3, h, w]."""
        luma = _half(grid[0])
        wide = luma.take(self._widen_rows, axis=0).take(self._widen_columns, axis=1)
        across, down = luma[:, 1:] - luma[:, :-1], luma[1:] - luma[:-1]
        return Picture(
            at=at,
            end=end,
            luma=luma,
            low=_within_reach(wide, np.minimum),
            high=_within_reach(wide, np.maximum),
            coarse=np.ravel(self._rows @ grid @ self._columns.T),
            contrast=_mean_square(luma - luma.mean()) ** 0.5,
            detail=(_mean_square(across) + _mean_square(down)) ** 0.5,
        )


def _tile_means(side: int) -> Floats:
    """Return a matrix that averages ``side`` cells into tiles, shape [tiles, side]."""
    tiles = max(1, round(side / _TILE))
    tile_of = np.arange(side) * tiles // side
    belongs = (np.arange(tiles)[:, None] == tile_of).astype(np.float32)
    means: Floats = belongs / belongs.sum(axis=1, keepdims=True)
    return means


def _clamped(side: int) -> NDArray[np.intp]:
    """Return the indices of a side that is continued by its last cells, ``_REACH`` each way."""
    return np.clip(np.arange(-_REACH, side + _REACH), 0, side - 1)


def _half(cells: Floats) -> Floats:
    """Average 2 x 2 cells; what is left over at an odd edge is cut off."""
    height, width = (side // 2 * 2 for side in cells.shape)
    if not height * width:  # one cell high or wide: nothing to average that way
        return np.ascontiguousarray(cells[: max(1, height) : 2, : max(1, width) : 2])
    rows = cells[0:height:2, :width] + cells[1:height:2, :width]
    halved: Floats = (rows[:, ::2] + rows[:, 1::2]) * np.float32(0.25)
    return halved


def _within_reach(wide: Floats, extreme: np.ufunc) -> Floats:
    for axis in (0, 1):
        rows = wide if axis == 0 else wide.T
        pairs = extreme(rows[:-1], rows[1:])
        fours = extreme(pairs[:-2], pairs[2:])
        fives = extreme(fours[:-1], rows[4:])
        wide = fives if axis == 0 else fives.T
    return np.ascontiguousarray(wide)


def _mean_square(values: Floats) -> float:
    return float(np.dot(values.ravel(), values.ravel())) / max(1, values.size)


def difference(one: Picture, other: Picture) -> float:
    """Return how much two pictures differ beyond small motion, 0 to about 1.

    Mean amount by which Y' of either leaves the range that the other shows nearby, plus half the
    mean difference of Cb and Cr of the tiles. Ours: the range makes it blind to motion within
    reach, to noise and to most compression.
    """
    beyond = (_beyond(one, other) + _beyond(other, one)) / one.luma.size
    chroma = len(one.coarse) // 3
    colour = np.abs(one.coarse[chroma:] - other.coarse[chroma:]).mean()
    return 0.5 * beyond + 0.5 * float(colour)


def _beyond(one: Picture, other: Picture) -> float:
    """Return the sum over Y' of what leaves the range that ``other`` shows nearby."""
    above = one.luma - other.high
    np.maximum(above, other.low - one.luma, out=above)
    np.maximum(above, 0, out=above)
    return float(above.sum())


def change(before: Picture, after: Picture) -> float:
    """Return ``difference`` in proportion to contrast, so that dark scenes count, 0 to about 2.

    And in proportion to the lit part of the picture, so that black borders do not thin it out.
    """
    tiles = len(before.coarse) // 3
    lit_ratio = max(_LEAST_LIT, float(_lit(before, after).sum()) / tiles)
    return difference(before, after) / (before.contrast + after.contrast + 0.1) / lit_ratio


def structure_likeness(one: Picture, other: Picture) -> float:
    """Return the correlation of the structure of two pictures, -1 to 1: light does not matter."""
    first, second = _structure(one.luma), _structure(other.luma)
    scale = float(np.sqrt(np.dot(first, first) * np.dot(second, second)))
    return float(np.dot(first, second)) / scale if scale > 0 else 0.0


def _structure(luma: Floats) -> Floats:
    height, width = (side // _BLUR * _BLUR for side in luma.shape)
    if not height * width:
        return luma.ravel()
    blocks = luma[:height, :width].reshape(height // _BLUR, _BLUR, width // _BLUR, _BLUR)
    apart = blocks - blocks.mean(axis=(1, 3), keepdims=True)
    strength = np.sqrt((apart * apart).mean(axis=(1, 3), keepdims=True))
    return np.ravel(apart / (strength + np.float32(_FAINT)))


def alike_ratio(one: Picture, other: Picture) -> float:
    """Return the share of lit tiles, 0 to 1, that show the same in both pictures.

    Tiles that are dark in both say nothing: black borders are alike in all shots.
    """
    tiles = len(one.coarse) // 3
    lit = _lit(one, other)
    alike = lit & (np.abs(one.coarse[:tiles] - other.coarse[:tiles]) < _ALIKE)
    return float(alike.sum() / np.maximum(lit.sum(), 1))


def _lit(one: Picture, other: Picture) -> NDArray[np.bool_]:
    """Return which tiles are not nearly black in both pictures, shape [tiles]."""
    tiles = len(one.coarse) // 3
    lit: NDArray[np.bool_] = np.maximum(one.coarse[:tiles], other.coarse[:tiles]) > _LIT
    return lit


def blend_position(before: Picture, middle: Picture, after: Picture) -> float | None:
    """Return where ``middle`` lies between the others when it is a blend of them, 0 to 1.

    ``None`` when it is none: when more than ``BLEND_RESIDUAL`` of its energy is not explained.
    """
    step = after.coarse - before.coarse
    here = middle.coarse - before.coarse
    energy = float(np.dot(step, step))
    if energy <= 0:
        return None
    position = float(np.dot(here, step)) / energy
    left = float(np.dot(here, here)) / energy - position**2
    return position if left < BLEND_RESIDUAL else None
