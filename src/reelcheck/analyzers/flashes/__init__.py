"""Flashing light that can harm people with photosensitive epilepsy.

Implements the published thresholds of WCAG 2.2 (success criterion 2.3.1), ITU-R BT.1702-3 and
Ofcom Annex 1, in true presentation time, and the extended rule and the warning of EA IRIS. It is
no broadcast certificate, and nothing here is medical advice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.analyzers.base import Needs
from reelcheck.frames import FrameBatch, FrameNeeds, Layout, VideoInfo
from reelcheck.media.colour import linear_rgb, luminance_of
from reelcheck.spans import Observation, TimeSpan

from .cells import Floats, LuminanceCells, RedCells
from .rules import GENERAL, RED, Track
from .windows import Curve

__all__ = ["FlashesAnalyzer"]

_STILL: Final = 1e-3
"""Change of a code value (0 to 1) up to which a frame counts as the one before. Ours: at most
0.0024 of relative luminance, a fortieth of the smallest flash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashesAnalyzer:
    """Find flashing light, frame by frame, on a grid of at most 160 cells a side.

    A transition is a change of a cell's luminance by 20 cd/m2 or more whose darker state lies
    below 160 cd/m2 (SDR: 0.10 and 0.80 of the peak of 200; HDR: from 160 cd/m2 on, a Michelson
    contrast of 1/17), or a change to or from a saturated red by more than 0.2 in u'v'. Only
    opposing transitions count, and a change that takes many frames counts once.

    Events, with flashes (pairs of transitions) in the worst second as score, and the stretch from
    the first to the last transition of the seconds that break the rule as span:

    * ``general_flash``, ``red_flash``: 7 or more transitions within any second, where flashes
      occupy more than 25 % of the screen;
    * ``small_field_flash``: the same in more than 25 % of a field of a third of the width and
      height of the picture, wherever it lies, but not of the screen;
    * ``extended_flash``: 4 to 6 transitions a second for 4 s within 5 s;
    * ``flash_warning``: 4 to 6 transitions within a second.

    Signals: ``transitions``, the most transitions of either kind within the second that ends now
    (1/s), and ``area_percent``, the largest area that made a transition in one frame (whole %);
    both as the largest value of every quarter of a second, equal neighbours joined.

    Limits: spatial patterns are not checked; a cell is an average, so flashing detail finer than
    the grid is seen as its mean (a balanced pattern as none), and edges of an area are exact to
    half a cell, so that areas within about 1 % of the limit can fall on either side; the size and
    distance of the viewer's screen are taken from WCAG. A video of key frames only is not judged.
    """

    name: str = "flashes"
    needs: tuple[Needs, ...] = (FrameNeeds(layout=Layout.GRID, batch_frames=16),)

    def watch(self, video: VideoInfo) -> "_FlashesWatch":
        """Start on one stream."""
        return _FlashesWatch(judge=not video.key_frames_only)


class _FlashesWatch:
    """Follows one stream. Memory holds one second of cell masks at most."""

    def __init__(self, *, judge: bool) -> None:
        self._judge = judge
        self._state: _State | None = None

    def see(self, batch: FrameBatch) -> Iterator[Observation]:
        """Take the next frames."""
        if not self._judge:
            return
        for index in range(len(batch)):
            if self._state is None:
                self._state = _State(batch)
            yield from self._state.see(batch, index)

    def end(self) -> Iterator[Observation]:
        """Report what was still open."""
        if self._state is not None:
            yield from self._state.end()


class _State:
    """What is known of a stream from its first frame on."""

    def __init__(self, batch: FrameBatch) -> None:
        grid = batch.pixels[:1]
        self._colour = batch.colour
        self._shape = (grid.shape[2], grid.shape[3])
        light = luminance_of(linear_rgb(grid, self._colour), self._colour)[0]
        self._luminance = LuminanceCells(light, self._colour.transfer)
        self._red = RedCells(self._colour, light.size)
        self._last = np.full_like(grid, np.inf)
        start = self._end = batch.start(0)
        self._tracks = (Track(GENERAL, self._shape, start), Track(RED, self._shape, start))
        self._level = Curve(start)
        self._area = Curve(start)

    def see(self, batch: FrameBatch, index: int) -> Iterator[Observation]:
        """Take one frame."""
        at, self._end = batch.start(index), batch.end(index)
        self._pass_time(at)
        grid = _fit(batch.pixels[index : index + 1], self._shape)
        change = np.abs(grid - self._last)[0]
        if change.max() > _STILL:
            self._last = grid
            self._compare(at, grid, change.sum(axis=0))
        self._level.touch(self._highest())
        yield from self._finished()

    def _compare(self, at: Fraction, grid: Floats, change: Floats) -> None:
        linear = linear_rgb(grid, self._colour)
        light = luminance_of(linear, self._colour)
        found = self._luminance.see(light[0]), self._red.see(at, grid[0], linear[0])
        for track, transitions in zip(self._tracks, found, strict=True):
            if transitions is not None:
                track.add(at, transitions, change)
                cells = np.count_nonzero(transitions.changed)
                self._area.touch(round(100 * cells / transitions.changed.size))

    def _highest(self) -> int:
        return max(track.level for track in self._tracks)

    def _pass_time(self, to: Fraction) -> None:
        """Let transitions leave the last second one after the other until ``to``."""
        while due := [at for track in self._tracks if (at := track.next_expiry) and at <= to]:
            self._level.advance(min(due), self._highest())
            for track in self._tracks:
                track.expire(min(due))
        self._level.advance(to, self._highest())
        self._area.advance(to, 0)

    def end(self) -> Iterator[Observation]:
        """Report what was still open."""
        self._pass_time(self._end)
        for track in self._tracks:
            track.advance(self._end)
        self._level.finish()
        self._area.finish()
        yield from self._finished(ended=True)

    def _finished(self, *, ended: bool = False) -> Iterator[Observation]:
        for track in self._tracks:
            yield from track.findings(ended=ended)
        curves = (("transitions", "1/s", self._level), ("area_percent", "%", self._area))
        for signal, unit, curve in curves:
            for start, end, value in curve.done:
                yield Observation(
                    analyzer="flashes",
                    signal=signal,
                    span=TimeSpan(start, end),
                    score=float(value),
                    unit=unit,
                )
            curve.done.clear()


def _fit(pixels: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return the frame on the grid of the first one, by nearest cells when its size changed."""
    height, width = pixels.shape[2:]
    if (height, width) == shape:
        return pixels
    rows = np.arange(shape[0]) * height // shape[0]
    columns = np.arange(shape[1]) * width // shape[1]
    return np.ascontiguousarray(pixels[:, :, rows[:, None], columns])
