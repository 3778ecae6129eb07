"""Noise in the calmest parts of a picture."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelcheck.analyzers.defects.pictures import LumaPicture

_TILE_PX = 16
_TILES = 400
"""About so many tiles are looked at, evenly spread."""
_MIN_TILES = 8
_DARKEST, _BRIGHTEST = 0.05, 0.95
"""Y' between which a tile must lie: clipping hides noise."""
_PERCENT = 10
_FULL_SIGMA = 10.0
"""Standard deviation, in 8-bit steps, that gives score 1."""


def noise_score(picture: LumaPicture) -> float | None:
    """Return how noisy the calm parts of the picture are: 0 clean, 1 severe.

    Method: Immerkaer 1996 (a Laplacian that is blind to planes and edges, scaled to the standard
    deviation of white noise) on tiles of 16 px; the 10th percentile of the tiles, so that texture
    does not count as long as a tenth of the picture is calm. The score is that standard deviation
    in 8-bit steps, divided by 10.

    Limits: fine texture over the whole picture looks like noise. Coarse grain is underrated, as
    the kernel is 3 x 3. ``None`` when fewer than 8 tiles are neither dark nor clipped.
    """
    height, width = picture.luma.shape
    down, across = height // _TILE_PX, width // _TILE_PX
    stride = max(1, round((down * across / _TILES) ** 0.5))
    whole = picture.luma[: down * _TILE_PX, : across * _TILE_PX]
    split = whole.reshape(down, _TILE_PX, across, _TILE_PX)[::stride, :, ::stride]
    tiles = np.swapaxes(split, 1, 2).reshape(-1, _TILE_PX, _TILE_PX).astype(np.int32)
    sums = tiles.sum(axis=(1, 2))
    area = _TILE_PX**2
    fair = (sums > picture.code(_DARKEST) * area) & (sums < picture.code(_BRIGHTEST) * area)
    if np.count_nonzero(fair) < _MIN_TILES:
        return None
    sigmas = np.sort(_laplacian_sums(tiles[fair]))
    lowest = int(sigmas[(len(sigmas) - 1) * _PERCENT // 100])
    sigma = (np.pi / 2) ** 0.5 / 6 * lowest / (_TILE_PX - 2) ** 2 / picture.step
    return min(1.0, float(sigma) / _FULL_SIGMA)


def _laplacian_sums(tiles: NDArray[np.int32]) -> NDArray[np.signedinteger[Any]]:
    """Return the sum of the absolute answers of the kernel in each tile, shape [N]."""
    rows = tiles[:, :-2] - 2 * tiles[:, 1:-1] + tiles[:, 2:]
    answers = rows[:, :, :-2] - 2 * rows[:, :, 1:-1] + rows[:, :, 2:]
    sums: NDArray[np.signedinteger[Any]] = np.abs(answers).sum(axis=(1, 2))
    return sums
