"""Black borders of single pictures."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelcheck.analyzers.defects.limits import DefectLimits

_MIN_SIDE = 16
"""Smaller pictures have no room for borders that could be told from content."""
_QUARTER_TURN = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Borders:
    """Rows and columns of border on each side, and the size of the whole picture."""

    top: int
    bottom: int
    left: int
    right: int
    height: int
    width: int

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """Top, bottom, left, right."""
        return (self.top, self.bottom, self.left, self.right)

    @property
    def rows(self) -> slice:
        """The rows of the picture inside."""
        return slice(self.top, self.height - self.bottom)

    @property
    def columns(self) -> slice:
        """The columns of the picture inside."""
        return slice(self.left, self.width - self.right)

    @property
    def ratios(self) -> tuple[float, float, float, float]:
        """Top, bottom, left, right as shares of the height and the width."""
        return (
            self.top / self.height,
            self.bottom / self.height,
            self.left / self.width,
            self.right / self.width,
        )

    def near(self, other: "Borders", *, cells: int = 1) -> bool:
        """Return whether all four sides differ by at most ``cells``."""
        pairs = zip(self.sides, other.sides, strict=True)
        return all(abs(one - two) <= cells for one, two in pairs)

    def turned(self, degrees: int) -> "Borders":
        """Return the same borders after the picture was turned clockwise."""
        turned = self
        for _ in range(degrees // _QUARTER_TURN % 4):
            turned = Borders(
                top=turned.left,
                right=turned.top,
                bottom=turned.right,
                left=turned.bottom,
                height=turned.width,
                width=turned.height,
            )
        return turned


def find_borders(
    lit_rows: NDArray[np.floating[Any]],
    lit_columns: NDArray[np.floating[Any]],
    limits: DefectLimits,
) -> Borders | None:
    """Return the borders of one picture, or ``None`` when this picture does not tell.

    A border is a block of rows or columns without light whose inner edge is straight: the second
    picture row inside (the first may be a mixture) is lit along most of its length. Borders come
    in pairs of about equal size. A dark picture, or one whose edges are not straight, does not
    tell anything.

    Args:
        lit_rows: share of lit pixels of each row, shape [H].
        lit_columns: the same for each column, shape [W].
        limits: what is lit, straight, equal and thick enough.
    """
    height, width = len(lit_rows), len(lit_columns)
    rows = np.flatnonzero(lit_rows > limits.border_lit_ratio)
    columns = np.flatnonzero(lit_columns > limits.border_lit_ratio)
    if min(height, width) < _MIN_SIDE or not rows.size or not columns.size:
        return None
    top, bottom = int(rows[0]), height - 1 - int(rows[-1])
    left, right = int(columns[0]), width - 1 - int(columns[-1])
    wide, tall = width / (width - left - right), height / (height - top - bottom)
    vertical = _pair(lit_rows * wide, (top, bottom), limits)
    horizontal = _pair(lit_columns * tall, (left, right), limits)
    if vertical is None or horizontal is None:
        return None
    return Borders(
        top=vertical[0],
        bottom=vertical[1],
        left=horizontal[0],
        right=horizontal[1],
        height=height,
        width=width,
    )


def _pair(
    lit: NDArray[np.floating[Any]], dark: tuple[int, int], limits: DefectLimits
) -> tuple[int, int] | None:
    """Return the two opposite borders, (0, 0) for none, ``None`` when it cannot be told."""
    length = len(lit)
    first, last = dark
    least = max(1.0, limits.border_min_ratio * length)
    if max(dark) < least:
        return (0, 0)
    edges = (lit[min(first + 1, length - 1)], lit[max(length - 2 - last, 0)])
    straight = min(edges) >= limits.border_edge_ratio
    equal = abs(first - last) <= max(2.0, _UNEQUAL_RATIO * length)
    return (first, last) if straight and equal and min(dark) >= least else None


_UNEQUAL_RATIO = 0.02
"""Opposite borders differ by no more than this share of the picture's side."""
