"""Square plots side by side, as one SVG."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SIDE: Final = 240
_GAP: Final = 70
_FOOT: Final = 90
_LINE: Final = 13
_TICKS: Final = 5
COLOURS: Final = ("#0b6fa4", "#c8560c", "#3d7d2c", "#8a3ab0", "#a08400", "#007a78", "#b3265e")

Points = NDArray[np.float64]
"""Shape [N, 2]: across and up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One plot."""

    title: str
    across: str
    up: str
    x: tuple[float, float] = (0.0, 1.0)
    """Both ends of the axis across."""
    y: tuple[float, float] = (0.0, 1.0)

    def placed(self, points: Points) -> Points:
        """Return points as they lie in the picture."""
        low, high = np.array([self.x, self.y]).T
        part = (points - low) / (high - low)
        return np.stack([part[:, 0], 1 - part[:, 1]], axis=1) * _SIDE

    def line(self, points: Points, colour: str) -> str:
        """Draw a line through points."""
        shown = " ".join(f"{x:.1f},{y:.1f}" for x, y in self.placed(points))
        return f'<polyline points="{shown}" fill="none" stroke="{colour}" stroke-width="2"/>'

    def diagonal(self) -> str:
        """Draw where both axes say the same."""
        return self.line(np.array([self.x, self.x]).T, "#bbb")

    def dots(self, points: Points, colour: str, *, radius_px: Points | float = 2.5) -> str:
        """Draw a dot at each of N points, of one radius or N."""
        sizes = np.broadcast_to(radius_px, len(points))
        return "".join(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}" fill="{colour}" fill-opacity="0.6"/>'
            for (x, y), size in zip(self.placed(points), sizes, strict=True)
        )

    def mark(self, point: tuple[float, float], text: str, colour: str) -> str:
        """Draw a dot with a word beside it."""
        ((x, y),) = self.placed(np.array([point]))
        dot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
        return dot + f'<text x="{x + 8:.1f}" y="{y + 12:.1f}">{text}</text>'

    def word(self, text: str, colour: str, row: int) -> str:
        """Write a line of the legend; row 0 is the lowest."""
        place = f'x="{_SIDE - 10}" y="{_SIDE - 12 - _LINE * row}" text-anchor="end" font-size="10"'
        return f'<text {place} fill="{colour}">{text}</text>'

    def drawn(self, place: int, body: str) -> str:
        """Draw frame, ticks and names around a body, at a place from the left."""
        ticks = ""
        for at in np.linspace(0, 1, _TICKS):
            x, y = (low + at * (high - low) for low, high in (self.x, self.y))
            px = at * _SIDE
            ticks += f'<text x="{px:g}" y="{_SIDE + 16}" text-anchor="middle">{x:g}</text>'
            ticks += f'<text x="-6" y="{_SIDE - px + 4:g}" text-anchor="end">{y:g}</text>'
        middle = f'x="{_SIDE / 2:g}" text-anchor="middle"'
        return (
            f'<g transform="translate({_GAP + place * (_SIDE + _GAP)},40)">'
            f'<rect width="{_SIDE}" height="{_SIDE}" fill="#fff" stroke="#999"/>{ticks}{body}'
            f'<text {middle} y="-12" font-weight="bold">{self.title}</text>'
            f'<text {middle} y="{_SIDE + 34}">{self.across}</text>'
            f'<text transform="translate(-38,{_SIDE / 2:g}) rotate(-90)" text-anchor="middle">'
            f"{self.up}</text></g>"
        )


def write_svg(path: Path, panels: list[str]) -> None:
    """Write drawn panels side by side."""
    width, height = len(panels) * (_SIDE + _GAP) + _GAP, _SIDE + _FOOT
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="12"><rect width="{width}" height="{height}" '
        f'fill="#fff"/>{"".join(panels)}</svg>\n',
        encoding="utf-8",
    )
