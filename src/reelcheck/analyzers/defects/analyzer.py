"""The recipe and the watch that hands each picture to every check."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from reelcheck.analyzers.defects.borders import BorderWatch, grid_borders, inside, luma_borders
from reelcheck.analyzers.defects.exposure import Brightness, Exposure
from reelcheck.analyzers.defects.found import NAME, Measure, event
from reelcheck.analyzers.defects.freeze import Freezes, RepeatedFrames
from reelcheck.analyzers.defects.levels import Levels, luma_out_percent
from reelcheck.analyzers.defects.limits import DefectLimits
from reelcheck.analyzers.defects.motion import Steps
from reelcheck.analyzers.defects.pictures import (
    GridPicture,
    LumaPicture,
    grid_pictures,
    luma_pictures,
)
from reelcheck.analyzers.defects.plain import PlainPictures
from reelcheck.analyzers.defects.runs import Tiles
from reelcheck.analyzers.defects.structure import Scores, Structure
from reelcheck.analyzers.defects.timing import DroppedFrames
from reelcheck.frames import FrameBatch, FrameNeeds, Layout, VideoInfo
from reelcheck.spans import Observation, TimeSpan

INTERLACED = Measure(signal="interlaced", label="interlaced")

_RATE_FPS: Final = Fraction(2)
_NEEDS: Final = (
    FrameNeeds(layout=Layout.GRID, batch_frames=16),
    FrameNeeds(layout=Layout.LUMA, rate_fps=_RATE_FPS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectsAnalyzer(DefectLimits):
    """Find technical faults of the picture.

    Events: ``black``, ``solid_colour``, ``test_picture``, ``freeze``, ``duplicate_frames``,
    ``dropped_frames``, ``underexposed``, ``overexposed``, ``letterbox``, ``pillarbox``,
    ``border_change``, ``interlaced`` (edges exact to the frame), and ``blur``, ``blockiness``,
    ``noise``, ``banding``, ``combing``, ``levels`` (edges exact to the sample, two a second).

    Signals, two a second: ``luma_mean`` (0 to 1), ``blur_score``, ``blockiness_score``,
    ``noise_score``, ``banding_score`` (0 good, 1 severe), ``levels_out_percent`` (%).

    In the fast profile, which decodes key frames only, nothing is said about freezes, repeated
    and dropped frames. What each check does, where it comes from and where it ends stands at
    its class. Not covered: dropouts, moire, judder, field order, scratches, aliasing.
    """

    name: str = NAME
    needs: tuple[FrameNeeds, ...] = _NEEDS

    def watch(self, video: VideoInfo) -> "DefectsWatch":
        """Start on one stream."""
        return DefectsWatch(self, video)


class DefectsWatch:
    """All defect checks on one stream. The two views never wait for each other's state."""

    def __init__(self, limits: DefectLimits, video: VideoInfo) -> None:
        self._grid = _GridChecks(limits, video)
        self._luma = _LumaChecks(limits)
        self._borders = BorderWatch(limits, video)
        self._levels = Levels(limits)
        self._limits = limits
        self._interlaced = video.interlaced_from_header
        self._seen: TimeSpan | None = None
        self._grid_end: Fraction | None = None

    def see(self, batch: FrameBatch) -> list[Observation]:
        """Take the next frames of one of the two views."""
        found: list[Observation] = []
        if batch.layout is Layout.GRID:
            for small in grid_pictures(batch):
                found.extend(self._see_grid(small))
        elif batch.layout is Layout.LUMA:
            for native in luma_pictures(batch):
                found.extend(self._see_luma(native))
        return found

    def end(self) -> list[Observation]:
        """Return what only the end of the stream makes certain."""
        found: list[Observation] = []
        for sampled, span in self._luma.last(until=self._grid_end):
            found.extend(self._report(sampled, span))
        found.extend(self._grid.end())
        found.extend(self._luma.end())
        found.extend(self._levels.end())
        found.extend(self._borders.end())
        if self._interlaced and self._seen:
            note = "the stream says that its frames are interlaced"
            found.append(event(INTERLACED, self._seen, 1.0, note))
        return found

    def _see_grid(self, picture: GridPicture) -> Iterator[Observation]:
        self._note_time(picture.span)
        self._grid_end = picture.span.end
        borders = grid_borders(picture, self._limits)
        self._borders.see_grid(picture, borders)
        yield from self._grid.see(picture, inside(picture, borders))
        yield from self._levels.see_grid(picture)

    def _see_luma(self, picture: LumaPicture) -> Iterator[Observation]:
        self._note_time(picture.span)
        borders = luma_borders(picture, self._limits)
        self._borders.see_luma(picture, borders)
        for sampled, span in self._luma.see(picture, borders):
            yield from self._report(sampled, span)

    def _report(self, sampled: "_Sampled", span: TimeSpan) -> Iterator[Observation]:
        yield from self._luma.report(sampled, span)
        yield from self._levels.see_luma(sampled.out_percent, span)

    def _note_time(self, span: TimeSpan) -> None:
        if self._seen is None:
            self._seen = span
        first, last = min(self._seen.start, span.start), max(self._seen.end, span.end)
        self._seen = TimeSpan(first, last)
