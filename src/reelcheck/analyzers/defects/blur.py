"""How blurred the sharpest parts of a picture are."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelcheck.analyzers.defects.lines import LinePair, steps_along

_REACH_PX = 8
"""Contrast of an edge is taken over this many pixels on both sides: enough for blur of 3 px."""
_MIN_CONTRAST = 32
"""Weaker edges, in 8-bit steps, say more about noise than about sharpness."""
_ZONES = 6
"""The picture is cut into 6 x 6 zones."""
_MIN_EDGES = 12
_ZONE_PERCENT = 95
_PICTURE_PERCENT = 75
_LEVELS = 256

_Ints = NDArray[np.signedinteger[Any]]
_Choose = Callable[[_Ints, _Ints], _Ints]


def blur_score(lines: LinePair) -> float | None:
    """Return how blurred the picture is: 0 pixel-sharp, 1 no edge at all within 17 px.

    Method: ours, after the idea of Marziliano et al. 2002 (width of edges), written as a slope so
    that it needs no search: at each local maximum of the gradient along rows and columns, the
    largest step between neighbours is divided by the contrast within 8 px on both sides. A step
    over one pixel gives 1, Gaussian blur of s px gives about 0.4 / s. Of each zone the sharpest
    edges count (95th percentile), of the zones the sharper ones (75th), so that a soft background
    is no blur, and neither a logo nor a caption makes a blurred picture sharp. The score is 1
    minus that slope.

    Limits: it judges pixels, not viewing: a picture that was enlarged is blurred at its size, and
    fast motion of the whole picture is blurred too. Strong noise and blocks look sharp. ``None``
    when there are too few edges (fog, flat drawings).
    """
    zones = np.zeros((_ZONES * _ZONES, _LEVELS), dtype=np.int64)
    for samples, transposed in ((lines.rows, False), (lines.columns, True)):
        if samples.shape[1] <= 4 * _REACH_PX:
            return None
        _count_slopes(zones, samples, transposed=transposed, step=lines.step)
    edges = zones.sum(axis=1)
    sharp = [_percentile(zone, _ZONE_PERCENT) for zone in zones[edges >= _MIN_EDGES]]
    if not sharp:
        return None
    rank = (len(sharp) - 1) * _PICTURE_PERCENT // 100
    return 1 - sorted(sharp)[rank] / (_LEVELS - 1)


def _count_slopes(zones: NDArray[np.int64], samples: _Ints, *, transposed: bool, step: int) -> None:
    """Add the slopes of all edges along ``samples`` to the histogram of their zone."""
    steps = steps_along(samples)
    width = 2 * _REACH_PX + 2
    contrast = _window(np.maximum, samples, width) - _window(np.minimum, samples, width)
    centre = steps[:, _REACH_PX : _REACH_PX + contrast.shape[1]]
    around = _window(np.maximum, steps, 5)
    highest = around[:, _REACH_PX - 2 : _REACH_PX - 2 + contrast.shape[1]]
    edges = np.flatnonzero((contrast >= _MIN_CONTRAST * step) & (centre == highest))
    line, position = np.divmod(edges, contrast.shape[1])
    steepest = centre.reshape(-1)[edges].astype(np.float32)
    # Exact in float32: both are whole numbers far below 2**24, and no quotient exceeds 255.
    slope = (steepest * (_LEVELS - 1) / contrast.reshape(-1)[edges]).astype(np.int64)
    lines = np.arange(len(samples)) * _ZONES // len(samples)
    positions = (np.arange(contrast.shape[1]) + _REACH_PX) * _ZONES // samples.shape[1]
    across, along = (1, _ZONES) if transposed else (_ZONES, 1)
    zone = (lines * across)[line] + (positions * along)[position]
    zones += np.bincount(zone * _LEVELS + slope, minlength=zones.size).reshape(zones.shape)


def _window(choose: _Choose, values: _Ints, width: int) -> _Ints:
    """Return ``choose`` over each window of ``width`` along the second axis."""
    reach = 1
    while 2 * reach <= width:
        values = choose(values[:, :-reach], values[:, reach:])
        reach *= 2
    rest = width - reach
    return choose(values[:, :-rest], values[:, rest:]) if rest else values


def _percentile(histogram: NDArray[np.int64], percent: int) -> int:
    """Return the smallest level that at least ``percent`` of the counts do not exceed."""
    total = np.cumsum(histogram)
    return int(np.searchsorted(total * 100, total[-1] * percent))
