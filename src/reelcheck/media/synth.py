"""Small videos of known content, made without loss: for tests, the demo and the self-test."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

Colour = tuple[int, int, int]
Timed = tuple[NDArray[np.uint8], int]
"""A uint8 RGB picture, shape [H, W, 3], and its presentation time in ticks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a generated video is coded."""

    codec: str = "ffv1"
    pixel_format: str = "bgr0"
    container: str = "matroska"
    time_base: Fraction = Fraction(1, 25)
    """Seconds per tick of the given times."""
    rate_fps: Fraction = Fraction(25)
    """What the header claims."""
    options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    rotation_degrees: int = 0
    """Counterclockwise turn written as display matrix, after FFmpeg's convention."""
    tone: NDArray[np.float32] | None = None
    """Sound at 48 kHz, shape [channels, N], coded as AAC (FLAC in Matroska)."""


LOSSLESS: Final = Recipe()
_TONE_RATE_HZ: Final = 48000
_TONE_BLOCK: Final = 1024


def write_video(path: Path, frames: Iterable[Timed], recipe: Recipe = LOSSLESS) -> Path:
    """Write timed pictures, all of one size, in presentation order."""
    with av.open(
        path, "w", format=recipe.container, options=dict(recipe.container_options)
    ) as container:
        stream: VideoStream | None = None
        sound = _Sound(container, recipe)
        for picture, tick in frames:
            if stream is None:
                stream = _add_stream(container, recipe, picture.shape[1], picture.shape[0])
            frame = VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = tick, recipe.time_base
            container.mux(stream.encode(frame))
            sound.write_until(tick * recipe.time_base)
        if stream is not None:
            container.mux(stream.encode(None))
        sound.finish()
    return path


def _add_stream(container: OutputContainer, recipe: Recipe, width: int, height: int) -> VideoStream:
    stream: Any = container.add_stream(
        recipe.codec, rate=recipe.rate_fps, options=dict(recipe.options)
    )
    stream.width, stream.height, stream.pix_fmt = width, height, recipe.pixel_format
    stream.codec_context.time_base = recipe.time_base
    stream.codec_context.thread_count = 1
    if recipe.rotation_degrees:
        stream.set_display_rotation(recipe.rotation_degrees)
    video: VideoStream = stream
    return video


class _Sound:
    """The sound of a recipe, written in step with the picture."""

    def __init__(self, container: OutputContainer, recipe: Recipe) -> None:
        self._container = container
        self._tone = np.zeros((1, 0), np.float32) if recipe.tone is None else recipe.tone
        self._at = 0
        self._stream: Any = None
        if recipe.tone is not None:
            codec = "flac" if recipe.container == "matroska" else "aac"
            self._layout = "mono" if self._tone.shape[0] == 1 else "stereo"
            self._stream = container.add_stream(codec, rate=_TONE_RATE_HZ, layout=self._layout)

    def write_until(self, seconds: Fraction) -> None:
        """Write the sound up to a time of the picture."""
        while self._stream and self._at < min(self._tone.shape[1], seconds * _TONE_RATE_HZ):
            frame = self._frame(np.ascontiguousarray(self._tone[:, self._at :][:, :_TONE_BLOCK]))
            frame.sample_rate = _TONE_RATE_HZ
            frame.pts, frame.time_base = self._at, Fraction(1, _TONE_RATE_HZ)
            self._at += _TONE_BLOCK
            self._container.mux(self._stream.encode(frame))

    def _frame(self, block: NDArray[np.float32]) -> AudioFrame:
        if self._stream.codec_context.name == "flac":
            packed = np.ascontiguousarray((block.T * 32767).astype(np.int16).reshape(1, -1))
            return AudioFrame.from_ndarray(packed, format="s16", layout=self._layout)
        return AudioFrame.from_ndarray(block, format="fltp", layout=self._layout)

    def finish(self) -> None:
        """Write the rest."""
        if self._stream:
            self.write_until(Fraction(self._tone.shape[1] + 1, _TONE_RATE_HZ))
            self._container.mux(self._stream.encode(None))


def plain(colour: Colour, *, width_px: int = 64, height_px: int = 48) -> NDArray[np.uint8]:
    """Return a picture of one colour, uint8 RGB, shape [H, W, 3]."""
    return np.full((height_px, width_px, 3), colour, dtype=np.uint8)


def textured(
    index: int, *, width_px: int = 160, height_px: int = 96, seed: int = 0
) -> NDArray[np.uint8]:
    """Return picture ``index`` of a colourful texture that pans without end.

    It has broad shapes and sharp edges everywhere, no flat stretch and no two equal frames.
    """
    rows, columns = np.mgrid[0:height_px, 0:width_px].astype(np.float32)
    shift = 2.0 * index + 31.0 * seed
    waves = [
        np.sin((columns + shift) / (5 + 2 * part + seed % 3) + part * seed)
        * np.cos((rows - 0.5 * shift) / (7 + 3 * part))
        for part in range(3)
    ]
    # Slanted curves: straight edges along rows and columns would be coding blocks to a detector.
    bends = 3 * np.sin((rows + shift) / 19) + 4 * np.sin((columns - shift) / 23)
    edges = 30.0 * np.sign(np.sin((columns + 0.6 * rows + shift) / 4.3 + bends + seed))
    picture = 128 + 60 * np.stack(waves, axis=-1) + edges[..., np.newaxis]
    return np.asarray(np.clip(picture, 0, 255), dtype=np.uint8)


def write_scenes(
    path: Path,
    scenes: Sequence[tuple[Colour, float]],
    *,
    rate_fps: int = 25,
    width_px: int = 64,
    height_px: int = 48,
) -> Path:
    """Write plain-colour scenes, one after the other; each is an RGB colour and a length in s."""
    pictures = [
        plain(colour, width_px=width_px, height_px=height_px)
        for colour, length_seconds in scenes
        for _ in range(round(length_seconds * rate_fps))
    ]
    recipe = Recipe(time_base=Fraction(1, rate_fps), rate_fps=Fraction(rate_fps))
    return write_video(path, ((picture, tick) for tick, picture in enumerate(pictures)), recipe)


_DEMO_RATE: Final = 25
_DEMO_SIZE: Final = {"width_px": 640, "height_px": 360}


def write_demo(path: Path) -> Path:
    """Write 24 seconds with planted defects, H.264 and AAC in MP4.

    Black from 6 s to 8.5 s, a freeze from 12 s to 15 s, four flashes a second from 18 s to 20 s,
    and silence from 6 s to 17 s; the scene changes (a cut) at 10 s.
    """
    recipe = Recipe(
        codec="libx264",
        pixel_format="yuv420p",
        container="mp4",
        time_base=Fraction(1, _DEMO_RATE),
        options={"crf": "20", "preset": "veryfast"},
        container_options={"movflags": "faststart"},
        tone=_demo_sound(),
    )
    return write_video(path, ((_demo_picture(i), i) for i in range(24 * _DEMO_RATE)), recipe)


def _demo_picture(index: int) -> NDArray[np.uint8]:
    seconds = index / _DEMO_RATE
    if 6 <= seconds < 8.5:  # noqa: PLR2004 - the plan in write_demo
        return plain((0, 0, 0), **_DEMO_SIZE)
    if 12 <= seconds < 15:  # noqa: PLR2004 - the plan in write_demo
        index = 12 * _DEMO_RATE
    picture = textured(index, seed=1 if seconds >= 10 else 0, **_DEMO_SIZE)  # noqa: PLR2004 - the plan
    if seconds >= 10:  # noqa: PLR2004 - the plan in write_demo
        picture = np.asarray(picture // 2 + 40, dtype=np.uint8)
    if 18 <= seconds < 20 and (index % 6) < 3:  # noqa: PLR2004 - the plan in write_demo
        return np.asarray(255 - (255 - picture) // 4, dtype=np.uint8)
    return picture


def _demo_sound() -> NDArray[np.float32]:
    time = np.arange(24 * _TONE_RATE_HZ) / _TONE_RATE_HZ
    tone = 0.2 * np.sin(2 * np.pi * 330 * time) * (1 + 0.3 * np.sin(2 * np.pi * 0.7 * time))
    tone[(time >= 6) & (time < 17)] = 0  # noqa: PLR2004 - the plan in write_demo
    return np.stack([tone, tone]).astype(np.float32)
