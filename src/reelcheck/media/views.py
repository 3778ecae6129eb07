"""What analyzers asked to see, made once per frame however many asked.

A frame that nobody asked for costs only its decoding. The small picture of every frame is
sampled from the decoder's own planes: swscale would read all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from reelcheck.frames import Colour, FrameBatch, FrameNeeds, Layout, Matrix, Transfer
from reelcheck.media.clock import common_time_base
from reelcheck.media.colour import tone_map
from reelcheck.media.decode import TimedFrame
from reelcheck.media.planes import GridSampler, planar_yuv, plane

GRID_LONG_SIDE: Final = 160
_CHANGE_MIN: Final = 0.05
_CHANGE_RATIO: Final = 2.5
_CHANGE_DECAY: Final = 0.8
"""Ours, chosen on everyday clips: a frame differs suddenly when the mean change of its small
picture is 5 % of full scale and 2.5 times the running mean of the changes before it. Cuts and
one-frame inserts pass, pans and handheld motion do not."""

_SWSCALE_MATRIX: Final = {
    Matrix.BT601: Colorspace.ITU601,
    Matrix.BT709: Colorspace.ITU709,
    Matrix.BT2020: Colorspace.BT2020,
}

_SCALER: Final = (
    Interpolation.BILINEAR
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)
"""Triangle filter over the whole footprint, like Pillow's BILINEAR; the flags halve the
difference to converting at full size first."""

Sink = Callable[[FrameBatch], None]


@dataclass(slots=True)
class _Collector:
    """Chooses and gathers the frames of one need."""

    needs: FrameNeeds
    sinks: list[Sink]
    time_base: Fraction
    colour: Colour
    _slot: int = -1
    _pixels: list[NDArray[Any]] = field(default_factory=list)
    _pts: list[int] = field(default_factory=list)
    _ends: list[int] = field(default_factory=list)
    _ordinals: list[int] = field(default_factory=list)
    _changed: list[bool] = field(default_factory=list)
    _slots_per_tick: tuple[int, int] = field(init=False)
    """As a ratio in whole numbers, for it is asked of every frame."""

    def __post_init__(self) -> None:
        per_tick = self.time_base * (self.needs.rate_fps or 0)
        self._slots_per_tick = per_tick.numerator, per_tick.denominator

    def wants(self, start: int, *, changed: bool) -> bool:
        """Return whether the frame at ``start`` ticks is due; to be asked once per frame."""
        if self.needs.rate_fps is None:
            return True
        slot = start * self._slots_per_tick[0] // self._slots_per_tick[1]
        due = slot > self._slot or (changed and self.needs.on_change)
        self._slot = max(self._slot, slot)
        return due

    def stretch(self, start: int, end: int) -> None:
        """Let the newest frame stand for one more frame that was not chosen."""
        if self._ends and start <= self._ends[-1]:
            self._ends[-1] = max(end, self._ends[-1])

    def take(self, pixels: NDArray[Any], timed: "_Placed") -> None:
        """Add one chosen frame; hand over what is full."""
        odd_shape = bool(self._pixels) and self._pixels[-1].shape != pixels.shape
        if len(self._pixels) >= self.needs.batch_frames or odd_shape:
            self.give()
        self._pixels.append(pixels)
        self._pts.append(timed.start)
        self._ends.append(timed.end)
        self._ordinals.append(timed.ordinal)
        self._changed.append(timed.changed)

    def give(self) -> None:
        """Hand over what was gathered."""
        if not self._pixels:
            return
        pts = np.array(self._pts, dtype=np.int64)
        batch = FrameBatch(
            layout=self.needs.layout,
            pixels=_together(self._pixels),
            pts=pts,
            durations=np.array(self._ends, dtype=np.int64) - pts,
            ordinals=np.array(self._ordinals, dtype=np.int64),
            changed=np.array(self._changed, dtype=np.bool_),
            time_base=self.time_base,
            colour=self.colour,
        )
        batch.pixels.flags.writeable = False
        for sink in self.sinks:
            sink(batch)
        for kept in (self._pixels, self._pts, self._ends, self._ordinals, self._changed):
            kept.clear()


def _together(pictures: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return pictures of one shape as one array; a single one is not copied."""
    if len(pictures) > 1:
        return np.stack(pictures)
    return np.ascontiguousarray(pictures[0])[np.newaxis]


@dataclass(frozen=True, slots=True)
class _Placed:
    start: int
    end: int
    ordinal: int
    changed: bool


class Views:
    """All views of one video stream."""

    def __init__(
        self,
        wishes: Mapping[FrameNeeds, Sequence[Sink]],
        *,
        time_base: Fraction,
        origin: Fraction,
        colour: Colour,
        rotation_degrees: int,
    ) -> None:
        self._fine, self._factor, self._origin = common_time_base(time_base, origin)
        self._colour = colour
        self._turns = (-rotation_degrees // 90) % 4
        self._collectors = [
            _Collector(needs=needs, sinks=list(sinks), time_base=self._fine, colour=colour)
            for needs, sinks in wishes.items()
        ]
        self._needs_grid = any(needs.on_change or needs.layout is Layout.GRID for needs in wishes)
        self._grid: GridSampler | None = None
        self._previous: NDArray[np.float32] | None = None
        self._usual_change = 0.0
        self._reformatter = VideoReformatter()

    def see(self, timed: TimedFrame) -> None:
        """Offer one frame to every need."""
        start = timed.tick * self._factor - self._origin
        end = start + timed.length * self._factor
        made = dict[tuple[Layout, tuple[int, int] | None], NDArray[Any]]()
        planar = planar_yuv(timed.frame, self._reformatter)
        changed = False
        if self._needs_grid:
            grid = self._sample(planar)
            made[Layout.GRID, None] = grid
            changed = self._changed(grid)
        placed = _Placed(start=start, end=end, ordinal=timed.ordinal, changed=changed)
        for collector in self._collectors:
            if not collector.wants(start, changed=changed):
                collector.stretch(start, end)
                continue
            key = (collector.needs.layout, collector.needs.size_px)
            if key not in made:
                made[key] = self._convert(planar, collector.needs)
            collector.take(made[key], placed)

    def end(self) -> None:
        """Hand over everything that is still held."""
        for collector in self._collectors:
            collector.give()

    def _sample(self, planar: VideoFrame) -> NDArray[np.float32]:
        if self._grid is None:
            self._grid = GridSampler(planar.width, planar.height, long_side=GRID_LONG_SIDE)
        grid = self._grid.sample(planar, self._colour)
        return np.rot90(grid, self._turns, axes=(1, 2)) if self._turns else grid

    def _changed(self, grid: NDArray[np.float32]) -> bool:
        before, self._previous = self._previous, grid
        if before is None:
            return True
        change = float(np.abs(grid[0] - before[0]).mean())
        sudden = change > _CHANGE_MIN and change > _CHANGE_RATIO * self._usual_change
        self._usual_change = _CHANGE_DECAY * self._usual_change + (1 - _CHANGE_DECAY) * change
        return sudden

    def _convert(self, planar: VideoFrame, needs: FrameNeeds) -> NDArray[Any]:
        if needs.layout is Layout.LUMA:
            return plane(planar, 0).copy()
        return self._rgb(planar, needs.size_px)

    def _rgb(self, planar: VideoFrame, size_px: tuple[int, int] | None) -> NDArray[np.uint8]:
        width, height = size_px or (planar.width, planar.height)
        if self._turns % 2:
            width, height = height, width
        hdr = self._colour.transfer is not Transfer.SDR
        picture: NDArray[Any] = self._reformatter.reformat(
            planar,
            width=width,
            height=height,
            format="rgb48le" if hdr else "rgb24",
            src_colorspace=_SWSCALE_MATRIX[self._colour.matrix],
            src_color_range=ColorRange.JPEG if self._colour.full_range else ColorRange.MPEG,
            interpolation=_SCALER,
            threads=1,
        ).to_ndarray()
        if hdr:
            unit = np.asarray(picture / np.float32(65535), dtype=np.float32)
            picture = tone_map(unit, self._colour)
        return np.rot90(picture, self._turns) if self._turns else picture
