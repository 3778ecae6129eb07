"""Letterbox and pillarbox over time, and the moments at which they change."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.analyzers.defects.found import Measure, event
from reelcheck.analyzers.defects.frame_edges import Borders, find_borders
from reelcheck.analyzers.defects.limits import DefectLimits
from reelcheck.analyzers.defects.pictures import GridPicture, LumaPicture
from reelcheck.frames import VideoInfo
from reelcheck.spans import Box, Observation, TimeSpan

LETTERBOX = Measure(signal="border_ratio", label="letterbox")
PILLARBOX = Measure(signal="border_ratio", label="pillarbox")
CHANGE = Measure(signal="active_area_ratio", label="border_change")

_FORMATS: Final = {"4:3": 4 / 3, "16:9": 16 / 9, "1:1": 1.0, "9:16": 9 / 16, "3:4": 3 / 4}
_FORMAT_TOLERANCE = 0.02
_PROBE = 16
"""Every how many native pixels of a row or column are looked at."""

_Sides = tuple[float, float, float, float]


def grid_borders(picture: GridPicture, limits: DefectLimits) -> Borders | None:
    """Return the borders of a picture of the small view, in cells."""
    lit = picture.luma > limits.border_luma_ratio
    return find_borders(_true_ratio(lit, axis=1), _true_ratio(lit, axis=0), limits)


def _true_ratio(flags: NDArray[np.bool_], *, axis: int) -> NDArray[np.float64]:
    """Return ``flags.mean(axis)``; as a sum of bytes it takes half the time."""
    counts = flags.view(np.uint8).sum(axis=axis, dtype=np.uint16)
    ratios: NDArray[np.float64] = counts / flags.shape[axis]
    return ratios


def luma_borders(picture: LumaPicture, limits: DefectLimits) -> Borders | None:
    """Return the borders of a native picture, in pixels, as coded (not turned upright)."""
    level = picture.code(limits.border_luma_ratio)
    lit_rows = (picture.luma[:, ::_PROBE] > level).mean(axis=1)
    lit_columns = (picture.luma[::_PROBE] > level).mean(axis=0)
    return find_borders(lit_rows, lit_columns, limits)


@dataclass(slots=True)
class _Stretch:
    """Time over which pictures told the same borders."""

    first: Borders
    opening: TimeSpan
    """Of the first picture that told them."""
    end: Fraction
    seen: Counter[Borders] = field(default_factory=Counter)

    @property
    def borders(self) -> Borders:
        """The borders that were told most often; of equals, those that came first."""
        return self.seen.most_common(1)[0][0]

    @property
    def span(self) -> TimeSpan:
        return TimeSpan(self.opening.start, self.end)


class BorderWatch:
    """Report letterbox, pillarbox and changes of the active picture.

    Method: ours. Each frame of the small view tells its borders or says nothing
    (``find_borders``). New borders are believed when frames told them for
    ``border_min_seconds`` without one that told otherwise; they then hold from the first of
    those frames. Frames that say nothing (dark scenes, subtitles in the border) change nothing.
    The place is refined with the native pictures of the same time.

    Limits: borders thinner than ``border_min_ratio``, coloured or blurred borders, and borders on
    one side only are not found; nor are those of a video that is dark throughout.
    """

    def __init__(self, limits: DefectLimits, video: VideoInfo) -> None:
        self._limits = limits
        self._video = video
        self._now: _Stretch | None = None
        self._next: _Stretch | None = None
        self._past: list[tuple[_Stretch, _Stretch | None]] = []
        self._native: list[tuple[Fraction, _Sides]] = []

    def see_grid(self, picture: GridPicture, borders: Borders | None) -> None:
        """Take the next frame of the small view and what it told."""
        if borders is None:
            return
        if self._now and self._agrees(self._now, borders):
            self._next = None
            _extend(self._now, borders, picture.span)
            return
        if self._next is None or not self._agrees(self._next, borders):
            self._next = _Stretch(borders, picture.span, picture.span.end)
        _extend(self._next, borders, picture.span)
        if self._next.span.seconds >= self._limits.border_min_seconds:
            self._turn_over(self._next)

    def see_luma(self, picture: LumaPicture, borders: Borders | None) -> None:
        """Take the next native picture and what it told."""
        if borders is None:
            return
        sides = borders.turned(self._video.rotation_degrees).ratios
        if not self._native or self._native[-1][1] != sides:
            self._native.append((picture.span.start, sides))

    def end(self) -> Iterator[Observation]:
        """Yield everything: only now both views are complete."""
        if self._now:
            self._past.append((self._now, None))
        for stretch, successor in self._past:
            yield from self._borders_of(stretch)
            if successor:
                yield self._change(stretch, successor)

    @staticmethod
    def _agrees(stretch: _Stretch, borders: Borders) -> bool:
        same_size = stretch.first.height == borders.height and stretch.first.width == borders.width
        return same_size and stretch.first.near(borders)

    def _turn_over(self, successor: _Stretch) -> None:
        if self._now and (any(self._now.borders.sides) or any(successor.borders.sides)):
            self._past.append((self._now, successor))
        self._now, self._next = successor, None

    def _borders_of(self, stretch: _Stretch) -> Iterator[Observation]:
        if not any(stretch.borders.sides):
            return
        top, bottom, left, right = self._refined(stretch)
        active = Box(x=left, y=top, width=1 - left - right, height=1 - top - bottom)
        note = self._note(active)
        if top + bottom > 0:
            yield event(LETTERBOX, stretch.span, top + bottom, note, place=active)
        if left + right > 0:
            yield event(PILLARBOX, stretch.span, left + right, note, place=active)

    def _change(self, before: _Stretch, after: _Stretch) -> Observation:
        top, bottom, left, right = self._refined(after)
        active = Box(x=left, y=top, width=1 - left - right, height=1 - top - bottom)
        sizes = [_active_area(sides) for sides in (self._refined(before), self._refined(after))]
        note = f"the picture covers {sizes[1]:.1%} of the frame from here, {sizes[0]:.1%} before"
        return event(CHANGE, after.opening, sizes[1], note, place=active)

    def _refined(self, stretch: _Stretch) -> _Sides:
        """Return the shares of the sides, to the pixel where native pictures agree."""
        coarse = stretch.borders.ratios
        row, column = 1.5 / stretch.borders.height, 1.5 / stretch.borders.width
        reach = (row, row, column, column)
        held = [(Fraction(0), coarse), *self._native]
        votes: Counter[_Sides] = Counter()
        for (start, sides), after in zip(held, [*held[1:], None], strict=True):
            if start >= stretch.end or (after and after[0] <= stretch.opening.start):
                continue
            pairs = zip(sides, coarse, reach, strict=True)
            if sides is not coarse and all(abs(fine - rough) <= far for fine, rough, far in pairs):
                votes[sides] += 1
        return votes.most_common(1)[0][0] if votes else coarse

    def _note(self, active: Box) -> str:
        video = self._video
        frame = float(video.sample_aspect_ratio * video.width_px / video.height_px)
        inside = frame * active.width / active.height
        return f"{_format(inside)} picture in {_format(frame)} frame"


def _extend(stretch: _Stretch, borders: Borders, span: TimeSpan) -> None:
    stretch.seen[borders] += 1
    stretch.end = span.end


def _active_area(sides: _Sides) -> float:
    top, bottom, left, right = sides
    return (1 - top - bottom) * (1 - left - right)


def _format(ratio: float) -> str:
    for name, value in _FORMATS.items():
        if abs(ratio / value - 1) <= _FORMAT_TOLERANCE:
            return name
    return f"{ratio:.2f}:1"


def inside(picture: GridPicture, borders: Borders | None) -> GridPicture:
    """Return ``picture`` without its borders."""
    if borders is None or not any(borders.sides):
        return picture
    rows, columns = borders.rows, borders.columns
    return GridPicture(
        luma=np.ascontiguousarray(picture.luma[rows, columns]),
        cb=picture.cb,
        cr=picture.cr,
        span=picture.span,
        colour=picture.colour,
    )
