"""One stream, watched: each picture is handed to the checks of its view."""

from collections.abc import Iterator
from fractions import Fraction

from reelcheck.analyzers.defects.borders import BorderWatch, grid_borders, inside, luma_borders
from reelcheck.analyzers.defects.found import Measure, event
from reelcheck.analyzers.defects.levels import Levels
from reelcheck.analyzers.defects.limits import DefectLimits
from reelcheck.analyzers.defects.native_view import NativeSample, NativeViewChecks
from reelcheck.analyzers.defects.pictures import (
    GridPicture,
    LumaPicture,
    grid_pictures,
    luma_pictures,
)
from reelcheck.analyzers.defects.small_view import SmallViewChecks
from reelcheck.frames import FrameBatch, Layout, VideoInfo
from reelcheck.spans import Observation, TimeSpan

INTERLACED = Measure(signal="interlaced", label="interlaced")


class DefectsWatch:
    """All defect checks on one stream.

    The views may interleave in any way: nothing that one of them reports depends on how far the
    other one is. What needs both (levels, the place of borders, the end of the last sample)
    waits for both.
    """

    def __init__(self, limits: DefectLimits, video: VideoInfo, *, sample_seconds: Fraction) -> None:
        """``sample_seconds`` is the time between two native pictures."""
        self._limits = limits
        self._small = SmallViewChecks(limits, neighbours=not video.key_frames_only)
        self._native = NativeViewChecks(limits, longest=2 * sample_seconds)
        self._borders = BorderWatch(limits, video)
        self._levels = Levels(limits)
        self._interlaced = video.interlaced_from_header
        self._seen: TimeSpan | None = None
        self._small_end: Fraction | None = None

    def see(self, batch: FrameBatch) -> list[Observation]:
        """Take the next frames of one of the two views; return what is certain by now."""
        found: list[Observation] = []
        if batch.layout is Layout.GRID:
            for small in grid_pictures(batch):
                found.extend(self._see_small(small))
        elif batch.layout is Layout.LUMA:
            for native in luma_pictures(batch):
                found.extend(self._see_native(native))
        return found

    def end(self) -> list[Observation]:
        """Return what only the end of the stream makes certain."""
        found: list[Observation] = []
        for measured, span in self._native.last(until=self._small_end):
            found.extend(self._report(measured, span))
        for checks in (self._small, self._native, self._levels, self._borders):
            found.extend(checks.end())
        if self._interlaced and self._seen:
            note = "the stream says that its frames are interlaced"
            found.append(event(INTERLACED, self._seen, 1.0, note))
        return found

    def _see_small(self, picture: GridPicture) -> Iterator[Observation]:
        self._note_time(picture.span)
        self._small_end = picture.span.end
        borders = grid_borders(picture, self._limits)
        self._borders.see_grid(picture, borders)
        yield from self._small.see(picture, inside(picture, borders))
        yield from self._levels.see_grid(picture)

    def _see_native(self, picture: LumaPicture) -> Iterator[Observation]:
        self._note_time(picture.span)
        borders = luma_borders(picture, self._limits)
        self._borders.see_luma(picture, borders)
        for measured, span in self._native.see(picture, borders):
            yield from self._report(measured, span)

    def _report(self, measured: NativeSample, span: TimeSpan) -> Iterator[Observation]:
        yield from self._native.report(measured, span)
        yield from self._levels.see_luma(measured.out_percent, span)

    def _note_time(self, span: TimeSpan) -> None:
        seen = self._seen or span
        self._seen = TimeSpan(min(seen.start, span.start), max(seen.end, span.end))
