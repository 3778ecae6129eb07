"""One file of a comparison, decoded once: when its frames stand, and a coarse look of each.

Nothing is compared here. What comes out is small: a thousand bytes a frame.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Protocol

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from reelcheck.errors import VideoError
from reelcheck.frames import Colour, VideoInfo
from reelcheck.media.account import Account
from reelcheck.media.coverage import Pass, settle
from reelcheck.media.decode import StreamDecoder, TimedFrame, packets
from reelcheck.media.describe import describe_video, origin_of, picture_warnings
from reelcheck.media.fitting import Crop
from reelcheck.media.planes import GridSampler, planar_yuv, plane
from reelcheck.media.source import Source
from reelcheck.settings import Limits

LOOK_ROWS: Final = 18
LOOK_COLUMNS: Final = 32
"""Cells of the coarse look of a frame, whatever its shape; ours."""
_GRID_LONG_SIDE: Final = 160
_BAR_LEVEL: Final = 24 / 255
"""FFmpeg's ``cropdetect``: rows and columns whose mean never passes this are bars. As a ratio
from nominal black to nominal white here, so that it holds for any range and bit depth."""
_BAR_STEP_FRAMES: Final = 12
"""Every how manieth frame is searched for bars; ours."""
_THREADS: Final = 2

Floats = NDArray[np.float32]


class Listener(Protocol):
    """Whoever wants to know how far a decoding has come."""

    def opened(self, role: str, claimed_seconds: float) -> None:
        """Take note that a file was opened, and how long it says it is."""
        ...

    def reached(self, role: str, seconds: float) -> None:
        """Take note of the seconds of video that were decoded so far."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One of the two files, open."""

    role: str
    """``reference`` or ``distorted``, for messages."""
    fd: int
    extension: str
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """What one decoding of a file showed."""

    info: VideoInfo
    colour_stated: bool
    """Whether the file states its transfer function."""
    starts: tuple[Fraction, ...]
    """Exact time at which each frame appears, in seconds from the start of its file."""
    ends: tuple[Fraction, ...]
    """Exact time at which each frame stops standing: the next one, the end or the edge of a gap."""
    ticks: tuple[int, ...]
    """The same times in ticks of the container, by which frames are found again."""
    looks: NDArray[np.float16]
    """Luma means, shape [N, 18, 32]: 0 nominal black, 1 nominal white; upright."""
    damaged: NDArray[np.bool_]
    """Frames that lie in damaged stretches, shape [N]."""
    account: Account
    picture: Crop
    """Part of the upright picture that is never black; all of it when there are no bars."""
    size_px: tuple[int, int]
    """Width and height of the upright picture, before the sample aspect ratio."""
    threads: int
    """Threads with which the same frames come out again."""

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.starts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A file behind the gate, its first video stream being decoded."""

    source: Source
    decoder: StreamDecoder
    origin: Fraction

    def frames(self) -> Iterator[TimedFrame]:
        """Yield every frame of the stream."""
        structure = self.source.claims.structure
        damaged = bool(structure.cut or structure.broken)
        for packet in packets(self.source.container, [self.decoder.stream], damaged=damaged):
            yield from self.decoder.feed(packet)
        yield from self.decoder.flush()

    def start_of(self, timed: TimedFrame) -> Fraction:
        """Return the exact time of a frame in seconds from the start of the file."""
        return timed.tick * self.decoder.clock.time_base - self.origin


def open_file(file: File, *, threads: int = _THREADS) -> Opened:
    """Open a file behind the gate.

    Raises:
        VideoError: the gate refuses it.
    """
    source = Source(file.fd, extension=file.extension, limits=file.limits)
    structure = source.claims.structure
    broken = bool(structure.cut or structure.broken)
    decoder = StreamDecoder(
        source.video[0],
        limits=file.limits,
        # At an error PyAV drops the frames that other threads have ready.
        threads=1 if broken else threads,
        key_frames_only=False,
    )
    return Opened(source=source, decoder=decoder, origin=origin_of(source))


def track(file: File, *, crop: Crop | None, listener: Listener) -> Track:
    """Decode a file once and return what it showed.

    Args:
        file: The open file.
        crop: Part of the upright picture that the looks are taken of; ``None`` for all.
        listener: Is told of every frame.

    Raises:
        VideoError: the gate refuses the file, or it has no frame.
    """
    opened = open_file(file)
    with opened.source:
        listener.opened(file.role, float(opened.source.claims.duration or 0))
        made = _Maker(opened, crop)
        stopped = ""
        try:
            for timed in opened.frames():
                made.see(timed)
                listener.reached(file.role, made.reached)
                _check_length(made.reached, file.limits)
        except VideoError as error:
            stopped = f"{error.code}: {error}"
        made.must_have_frames(stopped)
        account = settle(
            Pass(
                source=opened.source,
                decoders=[opened.decoder],
                sounds=(),
                origin=opened.origin,
                stopped=stopped,
                limits=file.limits,
            )
        )
        return made.track(account)


def _check_length(seconds: float, limits: Limits) -> None:
    if seconds > limits.duration_seconds:
        raise VideoError(f"longer than {limits.duration_seconds:g} s", code="E_DURATION_LIMIT")


class _Maker:
    """Gathers a track frame by frame."""

    def __init__(self, opened: Opened, crop: Crop | None) -> None:
        self._opened = opened
        self._crop = crop
        self._reformatter = VideoReformatter()
        self._info: VideoInfo | None = None
        self._stated = False
        self._starts = list[Fraction]()
        self._ticks = list[int]()
        self._looks = list[NDArray[np.float16]]()
        self._samplers = dict[tuple[int, int], GridSampler]()
        self._brightest = (np.zeros(0, np.float32), np.zeros(0, np.float32))
        self._ends = list[Fraction]()

    @property
    def reached(self) -> float:
        """Seconds decoded so far."""
        return float(self._ends[-1])

    def see(self, timed: TimedFrame) -> None:
        """Take one frame."""
        planar = planar_yuv(timed.frame, self._reformatter)
        if self._info is None:
            self._begin(timed.frame)
        grid = self._grid(planar)
        if len(self._starts) % _BAR_STEP_FRAMES == 0:
            self._note_bars(planar)
        self._starts.append(self._opened.start_of(timed))
        self._ticks.append(timed.tick)
        self._looks.append(_look(self._cut(grid)).astype(np.float16))
        length = timed.length * self._opened.decoder.clock.time_base
        self._ends.append(self._starts[-1] + length)

    def must_have_frames(self, stopped: str) -> None:
        """Refuse a file of which nothing was seen."""
        if not self._starts:
            code = stopped.partition(":")[0] or "E_NO_FRAMES"
            raise VideoError(stopped or "not one frame could be decoded", code=code)

    def _begin(self, frame: VideoFrame) -> None:
        opened = self._opened
        self._info = describe_video(opened.decoder, frame, opened.source.claims.duration)
        self._stated = int(frame.color_trc) not in _UNSTATED
        self._brightest = (
            np.zeros(self._info.height_px, np.float32),
            np.zeros(self._info.width_px, np.float32),
        )
        opened.decoder.notes = picture_warnings(opened.decoder, frame)

    def _grid(self, planar: VideoFrame) -> Floats:
        info = self._known()
        size = (planar.width, planar.height)
        if size not in self._samplers:
            self._samplers[size] = GridSampler(*size, long_side=_GRID_LONG_SIDE)
        luma = self._samplers[size].sample(planar, info.colour)[0]
        return np.rot90(luma, -info.rotation_degrees // 90 % 4)

    def _known(self) -> VideoInfo:
        if self._info is None:
            raise VideoError("not one frame could be decoded", code="E_NO_FRAMES")
        return self._info

    def _cut(self, grid: Floats) -> Floats:
        if self._crop is None:
            return grid
        info, crop = self._known(), self._crop
        height, width = grid.shape
        top = round(crop.y * height / info.height_px)
        left = round(crop.x * width / info.width_px)
        rows = max(1, round(crop.height * height / info.height_px))
        columns = max(1, round(crop.width * width / info.width_px))
        return grid[top : top + rows, left : left + columns]

    def _note_bars(self, planar: VideoFrame) -> None:
        info = self._known()
        luma = np.rot90(plane(planar, 0), -info.rotation_degrees // 90 % 4)
        if luma.shape != (info.height_px, info.width_px):
            return
        black, white = _nominal(info.colour)
        lines = (luma.mean(axis=1, dtype=np.float32), luma.mean(axis=0, dtype=np.float32))
        for kept, new in zip(self._brightest, lines, strict=True):
            np.maximum(kept, (new - black) / (white - black), out=kept)

    def _picture(self, info: VideoInfo) -> Crop:
        y, height = _inside(self._brightest[0], info.height_px)
        x, width = _inside(self._brightest[1], info.width_px)
        return Crop(x=x, y=y, width=width, height=height)

    def track(self, account: Account) -> Track:
        """Return what was gathered.

        Raises:
            VideoError: there was not one frame.
        """
        info = self._known()
        decoder = self._opened.decoder
        return Track(
            info=info,
            colour_stated=self._stated,
            starts=tuple(self._starts),
            ends=tuple(self._ends),
            ticks=tuple(self._ticks),
            looks=np.stack(self._looks),
            damaged=_damaged(self._starts, account, info.stream),
            account=account,
            picture=self._picture(info),
            size_px=(info.width_px, info.height_px),
            threads=1 if decoder.ledger.errors else _THREADS,
        )


_UNSTATED: Final = frozenset({0, 2})
"""ISO 23091-2, table 3: reserved and unspecified."""


def _look(grid: Floats) -> Floats:
    """Return the area means of a picture, shape [18, 32]."""
    rows = _area_weights(grid.shape[0], LOOK_ROWS)
    columns = _area_weights(grid.shape[1], LOOK_COLUMNS)
    look: Floats = rows @ np.ascontiguousarray(grid) @ columns.T
    return look


_WEIGHTS = dict[tuple[int, int], Floats]()


def _area_weights(side: int, cells: int) -> Floats:
    """Return weights that average ``side`` values into ``cells`` equal parts, shape [cells, side].

    Values on an edge count for both parts by their share.
    """
    if (side, cells) not in _WEIGHTS:
        edges = np.arange(cells + 1) * side / cells
        values = np.arange(side)
        share = np.minimum(edges[1:, None], values + 1) - np.maximum(edges[:-1, None], values)
        weights = np.clip(share, 0, None) * cells / side
        _WEIGHTS[side, cells] = weights.astype(np.float32)
    return _WEIGHTS[side, cells]


def _inside(brightest: Floats, side_px: int) -> tuple[int, int]:
    """Return (first pixel, pixels) of the stretch between dark bars, even; all if all is dark."""
    lit = np.flatnonzero(brightest > _BAR_LEVEL)
    if not len(lit):
        return 0, side_px
    first = int(lit[0]) // 2 * 2
    last = min(side_px, (int(lit[-1]) + 2) // 2 * 2)
    return first, last - first


def _nominal(colour: Colour) -> tuple[float, float]:
    """Return the code values of nominal black and nominal white."""
    top = float(1 << (colour.bit_depth - 8))
    return (0.0, 256 * top - 1) if colour.full_range else (16 * top, 235 * top)


def _damaged(starts: Sequence[Fraction], account: Account, stream: int) -> NDArray[np.bool_]:
    """Return which frames appear inside damaged spans; spans and frames are both in order."""
    bad = iter(s.span for s in account.spans if s.stream == stream and s.state == "damaged")
    span = next(bad, None)
    hit = list[bool]()
    for start in starts:
        while span is not None and span.end <= start:
            span = next(bad, None)
        hit.append(span is not None and span.start <= start)
    return np.array(hit, dtype=np.bool_)
