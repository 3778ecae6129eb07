"""Frames and sound as analyzers see them: values with units, shapes and exact times."""

from __future__ import annotations  # the parent reads these values without loading numpy

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

from reelcheck.spans import TimeSpan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Layout(StrEnum):
    """How the pixels of a view are laid out."""

    GRID = "grid"
    """Small area-sampled picture: float32 Y'CbCr, shape [N, 3, h, w], long side <= 160.

    Y' is 0 at nominal black and 1 at nominal white (it may leave that range), Cb and Cr are -0.5
    to 0.5. Upright. Independent of bit depth and of full or limited range; *not* linear light:
    see ``reelcheck.media.colour`` for that.
    """
    LUMA = "luma"
    """Native luma code values: uint8 or uint16, shape [N, H, W], as coded (not rotated)."""
    RGB = "rgb"
    """uint8 sRGB, shape [N, h, w, 3], upright, tone-mapped when the video is HDR."""


class Transfer(StrEnum):
    """How code values become light."""

    SDR = "sdr"
    """BT.1886 / sRGB family: treated as the sRGB curve after WCAG, peak 200 cd/m2."""
    PQ = "pq"
    """SMPTE ST 2084, absolute, peak 10,000 cd/m2."""
    HLG = "hlg"
    """ARIB STD-B67, scene-referred, system gamma 1.2, nominal peak 1,000 cd/m2."""


class Matrix(StrEnum):
    """Coefficients between Y'CbCr and R'G'B'."""

    BT601 = "bt601"
    BT709 = "bt709"
    BT2020 = "bt2020"


@dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """How the code values of a stream are to be read."""

    matrix: Matrix = Matrix.BT709
    transfer: Transfer = Transfer.SDR
    full_range: bool = False
    bit_depth: int = 8
    assumed: bool = False
    """True when the file says nothing and the matrix was chosen by picture height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameNeeds:
    """What an analyzer asks to see of a video stream. Equal needs share one conversion."""

    layout: Layout
    rate_fps: Fraction | None = None
    """Frames a second; ``None`` for every frame."""
    on_change: bool = False
    """Also the first frame after every sudden change of the picture, whatever the rate."""
    size_px: tuple[int, int] | None = None
    """(width, height) of an RGB view, stretched to it; ``None`` for native size."""
    batch_frames: int = 1
    """Frames handed over at once; results must not depend on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioNeeds:
    """What an analyzer asks to hear: every sample of every audio stream, as decoded."""

    block_seconds: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInfo:
    """What the container claims about one stream, and what the gate found out."""

    stream: int
    """Index of the stream in its container."""
    codec: str
    width_px: int
    """As displayed: after rotation, before the sample aspect ratio."""
    height_px: int
    sample_aspect_ratio: Fraction
    rotation_degrees: int
    """Clockwise turn that was applied to show the picture upright: 0, 90, 180 or 270."""
    pixel_format: str
    colour: Colour
    rate_fps_from_header: Fraction | None
    duration_seconds_from_header: Fraction | None
    frames_from_header: int | None
    interlaced_from_header: bool = False
    key_frames_only: bool = False
    """True in the fast profile: frames between key frames are never decoded, so checks that
    compare neighbours (freeze, flashes, cuts) cannot be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioInfo:
    """What the container claims about one audio stream."""

    stream: int
    codec: str
    rate_hz: int
    channels: int
    layout: str
    duration_seconds_from_header: Fraction | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaInfo:
    """All streams of one file that analyzers may watch."""

    video: tuple[VideoInfo, ...]
    audio: tuple[AudioInfo, ...]


def _times_must_fit(count: int, pts: NDArray[np.int64], durations: NDArray[np.int64]) -> None:
    if not len(pts) == len(durations) == count:
        message = (
            f"need one time and one duration per frame, got {len(pts)} times "
            f"and {len(durations)} durations for {count} frames"
        )
        raise ValueError(message)
    if len(pts) > 1 and (pts[1:] <= pts[:-1]).any():
        message = f"pts must increase strictly, got {pts.tolist()}"
        raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameBatch:
    """Consecutive frames of one view of one video stream."""

    layout: Layout
    pixels: NDArray[Any]
    """See ``Layout`` for dtype, shape and range; the first axis counts frames."""
    pts: NDArray[np.int64]
    """Presentation time in ticks of ``time_base`` from the start of the video, shape [N]."""
    durations: NDArray[np.int64]
    """How long each frame stands for, in ticks, shape [N]: until the next frame of this view, the
    end of the stream or the edge of a gap, whichever comes first. Never 0 but for a last frame
    whose length nobody knows."""
    ordinals: NDArray[np.int64]
    """Position of each frame in its stream, counted from 0 in presentation order, shape [N]."""
    changed: NDArray[np.bool_]
    """Whether the picture changed suddenly just before this frame, shape [N]."""
    time_base: Fraction
    """Seconds per tick."""
    colour: Colour

    def __post_init__(self) -> None:
        """Check that there is one strictly increasing time per frame."""
        _times_must_fit(len(self.pixels), self.pts, self.durations)

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.pixels)

    @property
    def pts_seconds(self) -> NDArray[np.float64]:
        """Presentation times in seconds from the start, float64, shape [N]."""
        scale = self.time_base.numerator / self.time_base.denominator
        return cast("NDArray[np.float64]", self.pts * scale)

    def start(self, index: int) -> Fraction:
        """Return the exact time in seconds at which frame ``index`` appears."""
        return int(self.pts[index]) * self.time_base

    def end(self, index: int) -> Fraction:
        """Return the exact time in seconds at which frame ``index`` stops standing."""
        return int(self.pts[index] + self.durations[index]) * self.time_base

    def spans(self) -> Iterator[TimeSpan]:
        """Yield the exact stretch that each frame stands for."""
        for index in range(len(self)):
            yield TimeSpan(self.start(index), self.end(index))

    def __repr__(self) -> str:
        """Show the shape and the times, never the pixels."""
        if not len(self):
            return f"FrameBatch({self.layout}, empty)"
        first, last = float(self.start(0)), float(self.end(len(self) - 1))
        shape = list(self.pixels.shape)
        return f"FrameBatch({self.layout}, {shape}, {first:.3f} s to {last:.3f} s)"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AudioBatch:
    """Consecutive samples of one audio stream."""

    samples: NDArray[np.float32]
    """Shape [channels, N], full scale is -1 to 1 (it may be left by float codecs)."""
    start: Fraction
    """Time of the first sample, in seconds from the start of the video."""
    rate_hz: int
    layout: str
    """FFmpeg's name of the channel layout, such as ``stereo`` or ``5.1``."""

    @property
    def end(self) -> Fraction:
        """Time just after the last sample, in seconds from the start of the video."""
        return self.start + Fraction(self.samples.shape[1], self.rate_hz)

    def __repr__(self) -> str:
        """Show the shape and the times, never the samples."""
        return f"AudioBatch({list(self.samples.shape)}, {float(self.start):.3f} s)"
