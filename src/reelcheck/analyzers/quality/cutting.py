"""From a luma picture to the fragments that the quality network sees, as in its training."""

import math
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reelcheck.frames import Colour

_LINES: Final = 1080
"""Short side of the largest picture that is judged at its own size."""
_BLACK: Final = 16
_LIMITED_LEVELS: Final = 219
"""8-bit limited range, ITU-R BT.709: black at 16, white at 235."""
_BORDER_STEPS: Final = 8
"""8-bit codes above black up to which a border counts as black: FFmpeg cropdetect's 24 less 16."""
_MIN_CONTENT_RATIO: Final = 0.25
"""Ours: less picture than this is a dark scene, not a border."""

Levels = NDArray[np.uint8]


def in_bytes(codes: NDArray[Any], colour: Colour) -> Levels:
    """Return the eight highest bits of luma codes, shape [H, W]."""
    if colour.bit_depth > 8:  # noqa: PLR2004 - more than a byte
        codes = codes >> (colour.bit_depth - 8)
    return codes.astype(np.uint8, copy=False)


def as_levels(codes: Levels, colour: Colour) -> Levels:
    """Return 8-bit codes as levels from 0 black to 255 white, of the same shape."""
    if colour.full_range:
        return codes
    stretched = (np.arange(256, dtype=np.float64) - _BLACK) * (255 / _LIMITED_LEVELS)
    table = np.clip(stretched.round(), 0, 255).astype(np.uint8)
    return table[codes]


def trimmed(codes: Levels, colour: Colour) -> Levels:
    """Return the picture of 8-bit codes without black rows and columns at its edges."""
    limit = _BORDER_STEPS + (0 if colour.full_range else _BLACK)
    rows, columns = (_content(codes.max(axis=axis), limit) for axis in (1, 0))
    return codes[rows, columns]


def _content(brightest: Levels, limit: int) -> slice:
    lit = np.flatnonzero(brightest > limit)
    if not len(lit) or lit[-1] - lit[0] < _MIN_CONTENT_RATIO * len(brightest):
        return slice(None)
    return slice(int(lit[0]), int(lit[-1]) + 1)


def fragments(picture: Levels, *, grid: int, patch_px: int) -> Levels:
    """Return patches of a picture side by side, shape [grid * patch_px, grid * patch_px].

    One patch from the middle of every cell of a grid, as ``reelcheck.lab`` cuts them for training.
    Pictures that are smaller than a patch are enlarged first; large ones are seen as from far, see
    the module.
    """
    short = min(picture.shape)
    if short < patch_px:
        height, width = (math.ceil(side * patch_px / short) for side in picture.shape)
        picture = resized(picture, (width, height))
    step = halvings(short)
    wide = patch_px * step
    rows, columns = (corners(side, grid=grid, patch_px=wide) for side in picture.shape)
    joined = np.block([[picture[y : y + wide, x : x + wide] for x in columns] for y in rows])
    if step == 1:
        return joined
    side = grid * patch_px
    cells = joined.reshape(side, step, side, step).mean(axis=(1, 3), dtype=np.float32)
    return np.asarray(cells.round(), dtype=np.uint8)


def halvings(short_px: int) -> int:
    """Return how many pixels of a picture become one before it is judged: 1 up to 1600 lines."""
    return max(1, round(short_px / _LINES))


def corners(length_px: int, *, grid: int, patch_px: int) -> list[int]:
    """Return where the patches along one axis begin: in the middles of cells, or spread evenly."""
    if length_px < grid * patch_px:
        return [round(one) for one in np.linspace(0, length_px - patch_px, grid).tolist()]
    edges = [number * length_px // grid for number in range(grid + 1)]
    return [a + (b - a - patch_px) // 2 for a, b in pairwise(edges)]


def resized(picture: Levels, size_px: tuple[int, int]) -> Levels:
    """Return a picture of another size (width, height), averaged bilinearly."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize(size_px, Image.Resampling.BILINEAR))
