"""Colour bars: test pictures that were left in, or that replace a lost signal."""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.analyzers.defects.limits import DefectLimits
from reelcheck.analyzers.defects.pictures import GridPicture
from reelcheck.frames import Matrix

_WHITE_YELLOW_CYAN_GREEN = ((1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0))
_MAGENTA_RED_BLUE = ((1, 0, 1), (1, 0, 0), (0, 0, 1))
_SEVEN = _WHITE_YELLOW_CYAN_GREEN + _MAGENTA_RED_BLUE
_LUMA_WEIGHTS: Final = {
    Matrix.BT601: (0.299, 0.587, 0.114),
    Matrix.BT709: (0.2126, 0.7152, 0.0722),
    Matrix.BT2020: (0.2627, 0.6780, 0.0593),
}
"""Red, green, blue. ITU-R BT.601, BT.709, BT.2020."""

_EDGE_CELLS = 2.0
"""Cells beside an edge between two bars are a mixture of both."""
_MIN_COLUMNS = 48
"""Narrower pictures do not show each bar clear of its edges."""
_BAND = (0.10, 0.45)
"""Rows that show the bars in every layout: castellations and ramps lie below."""
_MIN_CONTRAST = 0.1
_MAX_ROW_CHANGE = 0.02

_Bar = tuple[float, tuple[float, float, float]]
"""Width as a share of the picture, and R'G'B' 0 to 1."""


def _scaled(level: float, colours: tuple[tuple[int, int, int], ...], width: float) -> list[_Bar]:
    return [(width, (r * level, g * level, b * level)) for r, g, b in colours]


def _layouts() -> list[list[_Bar]]:
    black: list[_Bar] = [(1 / 8, (0.0, 0.0, 0.0))]
    grey: list[_Bar] = [(1 / 8, (0.4, 0.4, 0.4))]
    white = _scaled(1.0, _SEVEN[:1], 1 / 8)
    return [
        _scaled(1.0, _SEVEN, 1 / 8) + black,
        _scaled(0.75, _SEVEN, 1 / 8) + black,
        white + _scaled(0.75, _SEVEN[1:], 1 / 8) + black,
        _scaled(0.75, _SEVEN, 1 / 7),
        _scaled(1.0, _SEVEN, 1 / 7),
        grey + _scaled(0.75, _SEVEN, 3 / 28) + grey,
    ]


def _ycbcr(rgb: tuple[float, float, float], matrix: Matrix) -> tuple[float, float, float]:
    red, green, blue = _LUMA_WEIGHTS[matrix]
    luma = red * rgb[0] + green * rgb[1] + blue * rgb[2]
    return luma, (rgb[2] - luma) / (2 - 2 * blue), (rgb[0] - luma) / (2 - 2 * red)


@lru_cache(maxsize=64)
def _templates(width: int, matrix: Matrix) -> list[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Return expected columns, shape [3, width], and which lie clear of an edge, per layout."""
    centres = (np.arange(width) + 0.5) / width
    templates = []
    for layout in _layouts():
        edges = np.cumsum([0.0] + [share for share, _ in layout])
        index = np.clip(np.searchsorted(edges, centres, side="right") - 1, 0, len(layout) - 1)
        colours = np.array([_ycbcr(rgb, matrix) for _, rgb in layout])
        distance = np.abs(centres[:, None] - edges[None, 1:-1]).min(axis=1)
        templates.append((colours[index].T, distance * width > _EDGE_CELLS))
    return templates


class ColourBars:
    """Tell colour bars from pictures.

    Known are EBU bars 100/0/100/0, 75/0/75/0 and 100/0/75/0 (ITU-R BT.471), SMPTE EG 1 and
    100 % bars of seven, and the upper part of SMPTE RP 219. All bars must be there, in order, in
    the right colours of one of the usual matrices; black pillars of equal width are cut away.

    Limits: other test cards (circles, grids, tuning cards) and bars with a large overlay in the
    upper half are not known.
    """

    def __init__(self, limits: DefectLimits) -> None:
        self._limits = limits

    def shown_by(self, picture: GridPicture) -> bool:
        """Return whether ``picture`` shows colour bars."""
        height, width = picture.luma.shape
        first, last = int(height * _BAND[0]), int(height * _BAND[1])
        if width < _MIN_COLUMNS or last - first < 2:  # noqa: PLR2004 - two rows to compare
            return False
        upper, lower = picture.luma[first], picture.luma[last]
        if np.abs(upper - lower).mean() > _MAX_ROW_CHANGE or upper.std() < _MIN_CONTRAST:
            return False
        planes = (picture.luma, picture.cb, picture.cr)
        columns = np.stack([plane[first : last + 1].mean(axis=0) for plane in planes])
        inside = self._without_pillars(columns)
        return any(self._fits(part, picture.colour.matrix) for part in (columns, inside))

    def _without_pillars(self, columns: NDArray[np.float32]) -> NDArray[np.float32]:
        lit = np.flatnonzero(columns[0] > self._limits.border_luma_ratio)
        if not lit.size:
            return columns
        width = columns.shape[1]
        pillar = min(int(lit[0]), width - 1 - int(lit[-1]))
        return columns[:, pillar : width - pillar]

    def _fits(self, columns: NDArray[np.float32], matrix: Matrix) -> bool:
        width = columns.shape[1]
        if width < _MIN_COLUMNS:
            return False
        return any(
            np.abs(columns - expected)[:, clear].max() <= self._limits.bars_tolerance_ratio
            for guess in {matrix, Matrix.BT601, Matrix.BT709}
            for expected, clear in _templates(width, guess)
        )
