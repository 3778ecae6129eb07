"""False contours in smooth gradients."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.analyzers.defects.pictures import LumaPicture

_LINES = 360
"""The picture is thinned (not averaged, which would smooth the steps) to about so many lines."""
_TILE = 32
_FLAT_REACH = 2
"""A pixel is flat when so many neighbours on each of its four sides have exactly its value."""
_MIN_LEVEL_RATIO = 0.03
"""Share of a tile that a level must fill with flat pixels to count as a plateau."""
_VISIBILITY: Final = (0.0, 0.15, 0.6, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
"""How much a step of 0, 1, 2 ... 8 of 255 between two plateaus counts. Ours: every smooth
gradient of an 8-bit picture has steps of 1; from 9 on it is drawing, not gradient."""
_WORST_RATIO = 0.3
"""Share of the tiles, the worst, that make up the score. CAMBI pools 0.6 of the pixels."""


def banding_score(picture: LumaPicture) -> float | None:
    """Return how much of the picture is gradient broken into steps: 0 nothing, 1 severe.

    Method: ours, a simple form of CAMBI (Tandon et al. 2021): only pixels in exactly flat
    surroundings count, so that noise, dither and texture are none. In tiles of 32 x 32 of the
    thinned picture the levels of such pixels are counted; two neighbouring levels that both fill
    a part of the tile and lie 1 to 8 steps of 255 apart are a contour. It counts with the area
    of the smaller of both plateaus, twice, times the visibility of its step. The score is the
    mean of the worst 30 % of the tiles.

    Limits: lossy coding that ripples the plateaus hides banding; steps in pictures deeper than
    8 bits are judged by their height in light code, so finer ones count as smooth. Drawings
    whose neighbouring tones are only 2 to 8 steps apart look like banding. ``None`` for
    pictures smaller than one tile.
    """
    height, width = picture.luma.shape
    stride = max(1, round(min(height, width) / _LINES))
    thin = np.ascontiguousarray(picture.luma[::stride, ::stride])
    down, across = thin.shape[0] // _TILE, thin.shape[1] // _TILE
    if not down * across:
        return None
    thin = thin[: down * _TILE, : across * _TILE]
    rows, columns = np.nonzero(_flat(thin))
    tile = (rows // _TILE) * across + columns // _TILE
    levels = 2**picture.colour.bit_depth
    counts = np.bincount(tile * levels + thin[rows, columns], minlength=down * across * levels)
    scores = _tile_scores(counts.reshape(-1, levels), picture.step)
    worst = np.sort(scores)[::-1][: max(1, int(_WORST_RATIO * len(scores)))]
    return float(worst.mean())


def _flat(picture: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.bool_]:
    """Return which pixels equal ``_FLAT_REACH`` neighbours on each of their four sides."""
    flat = np.zeros(picture.shape, dtype=np.bool_)
    reach = _FLAT_REACH
    across = picture[:, 1:] == picture[:, :-1]
    down = picture[1:] == picture[:-1]
    width, height = across.shape[1] - 2 * reach + 1, down.shape[0] - 2 * reach + 1
    level = across[:, :width].copy()
    upright = down[:height].copy()
    for offset in range(1, 2 * reach):
        level &= across[:, offset : offset + width]
        upright &= down[offset : offset + height]
    flat[reach:-reach, reach:-reach] = level[reach:-reach] & upright[:, reach:-reach]
    return flat


def _tile_scores(counts: NDArray[np.int64], step: int) -> NDArray[np.float64]:
    """Return the score of each tile, 0 to 1, from its counts of flat pixels per level."""
    area = _TILE**2
    tile, level = np.nonzero(counts >= _MIN_LEVEL_RATIO * area)
    filled = counts[tile, level]
    height = (level[1:] - level[:-1]) / step
    neighbours = (tile[1:] == tile[:-1]) & (height < len(_VISIBILITY) - 1)
    visible = np.interp(height[neighbours], range(len(_VISIBILITY)), _VISIBILITY)
    smaller = np.minimum(filled[1:], filled[:-1])[neighbours]
    weights = 2 * smaller / area * visible
    scores = np.bincount(tile[1:][neighbours], weights=weights, minlength=len(counts))
    return np.minimum(scores, 1.0)
