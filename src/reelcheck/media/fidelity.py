"""How close one picture is to another: squared error, PSNR and SSIM on code values.

Sources. PSNR is ``10 log10(peak^2 / MSE)`` with the peak ``2^bits - 1``. Weighted PSNR-YUV is
``(6 Y + U + V) / 8`` in decibels (Ohm et al., "Comparison of the Coding Efficiency of Video
Coding Standards", IEEE TCSVT 22(12), 2012). SSIM is Wang, Bovik, Sheikh and Simoncelli, "Image
Quality Assessment: From Error Visibility to Structural Similarity", IEEE TIP 13(4), 2004: luma,
Gaussian window of 11 x 11 pixels with a deviation of 1.5, K1 = 0.01, K2 = 0.03, range 255, only
windows that lie wholly inside the picture.

Limits: SSIM is taken at native size, without the downscaling that its authors later put before
it, and the windows stand on every fourth row and column (as those of FFmpeg's ``ssim`` do, whose
window is an 8 x 8 box). Against a window on every pixel, the mean of a picture moved by 0.0004 on
average and 0.0021 at most (45 pictures of five everyday scenes, coded well and badly); it costs a
quarter. Code values of more than 8 bits are scaled to 0 to 255.
"""

from functools import cache
from math import log10
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

WINDOW_PX: Final = 11
STEP_PX: Final = 4
_DEVIATION_PX: Final = 1.5
_RANGE: Final = 255.0
_C1: Final = np.float32((0.01 * _RANGE) ** 2)
_C2: Final = np.float32((0.03 * _RANGE) ** 2)
_TILE: Final = 16
"""Windows along one side of a tile: small enough for a cache, large enough for a fast product."""
_BYTE_BITS: Final = 8
_WEIGHTS: Final = (6, 1, 1)
"""Ohm et al. 2012: of Y, U and V."""

Plane = NDArray[Any]


def mean_squared_error(reference: Plane, distorted: Plane) -> float:
    """Return the mean squared difference of two planes of one shape; 0 only if they are equal.

    The sum is exact: integers all the way.
    """
    if reference.dtype == np.uint8:
        short = np.subtract(reference, distorted, dtype=np.int16)
        difference = short.astype(np.int32)
    else:
        difference = np.subtract(reference, distorted, dtype=np.int64)
    rows = np.einsum("ij,ij->i", difference, difference)
    return int(rows.sum(dtype=np.int64)) / difference.size


def psnr_db(squared_error: float, *, bit_depth: int) -> float | None:
    """Return the PSNR of a mean squared error in decibels; ``None`` for infinite, no error."""
    if not squared_error:
        return None
    peak = (1 << bit_depth) - 1
    return 10 * log10(peak * peak / squared_error)


def ceiling_db(bit_depth: int) -> float:
    """Return the PSNR at which libvmaf cuts: 60 dB for 8 bits, 6 more for each further bit."""
    return 6.0 * bit_depth + 12.0


def weighted_psnr_db(squared_errors: tuple[float, ...], *, bit_depth: int) -> float | None:
    """Return PSNR-YUV, ``(6 Y + U + V) / 8``; ``None`` for infinite: all three without error.

    A plane without error counts with ``ceiling_db`` as long as another plane has one.
    """
    planes = [psnr_db(error, bit_depth=bit_depth) for error in squared_errors]
    if all(plane is None for plane in planes):
        return None
    top = ceiling_db(bit_depth)
    capped = [top if plane is None else min(plane, top) for plane in planes]
    return sum(w * p for w, p in zip(_WEIGHTS, capped, strict=True)) / sum(_WEIGHTS)


def ssim(reference: Plane, distorted: Plane, *, bit_depth: int) -> float | None:
    """Return the mean SSIM of two luma planes; ``None`` when the window is larger than they are.

    Args:
        reference: Code values, uint8 or uint16, shape [H, W].
        distorted: The same shape and type.
        bit_depth: Of the code values.

    Returns:
        -1 to 1; exactly 1 for equal planes.
    """
    height, width = reference.shape
    rows, columns = _windows(height), _windows(width)
    if rows < 1 or columns < 1:
        return None
    total = 0.0
    for first in range(0, rows, _TILE):
        count = min(_TILE, rows - first)
        kernel = _kernel(count)
        strip = slice(first * STEP_PX, first * STEP_PX + kernel.shape[1])
        total += _strip_sum(
            _floats(reference[strip], bit_depth), _floats(distorted[strip], bit_depth), kernel
        )
    return total / (rows * columns)


def _windows(side_px: int) -> int:
    return (side_px - WINDOW_PX) // STEP_PX + 1


def _floats(part: Plane, bit_depth: int) -> NDArray[np.float32]:
    values = part.astype(np.float32)
    if bit_depth > _BYTE_BITS:
        values *= np.float32(_RANGE / ((1 << bit_depth) - 1))
    return values


def _strip_sum(
    x: NDArray[np.float32], y: NDArray[np.float32], kernel: NDArray[np.float32]
) -> float:
    """Return the sum of SSIM over one row of tiles.

    ``x`` and ``y`` are used up. Variances are needed only as a sum, so four maps do: the means
    of x, y, x^2 + y^2 and xy.
    """
    count, width = len(kernel), x.shape[1]
    maps = np.empty((4, count, width), dtype=np.float32)
    np.matmul(kernel, x, out=maps[0])
    np.matmul(kernel, y, out=maps[1])
    np.matmul(kernel, x * y, out=maps[3])
    np.multiply(x, x, out=x)
    np.multiply(y, y, out=y)
    x += y
    np.matmul(kernel, x, out=maps[2])
    mean_x, mean_y, squares, products = _across(maps.reshape(4 * count, width), count)
    means = mean_x * mean_y
    squared_means = mean_x * mean_x + mean_y * mean_y
    above = (2 * means + _C1) * (2 * (products - means) + _C2)
    below = (squared_means + _C1) * ((squares - squared_means) + _C2)
    return float((above / below).sum(dtype=np.float64))


def _across(maps: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return maps averaged along their rows, shape [4, count, windows]."""
    windows = _windows(maps.shape[1])
    out = np.empty((len(maps), windows), dtype=np.float32)
    for first in range(0, windows, _TILE):
        kernel = _kernel(min(_TILE, windows - first))
        part = maps[:, first * STEP_PX : first * STEP_PX + kernel.shape[1]]
        np.matmul(part, kernel.T, out=out[:, first : first + len(kernel)])
    return out.reshape(4, count, windows)


@cache
def _kernel(windows: int) -> NDArray[np.float32]:
    """Return the weights of ``windows`` neighbouring windows over the pixels below them."""
    offsets = np.arange(WINDOW_PX) - WINDOW_PX // 2
    weights = np.exp(-(offsets**2) / (2 * _DEVIATION_PX**2))
    weights /= weights.sum()
    kernel = np.zeros((windows, (windows - 1) * STEP_PX + WINDOW_PX), dtype=np.float32)
    for window in range(windows):
        kernel[window, window * STEP_PX : window * STEP_PX + WINDOW_PX] = weights
    return kernel
