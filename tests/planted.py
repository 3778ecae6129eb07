"""Videos with a planted full-frame event, for tests of time and coverage."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from reelcheck.media.synth import LOSSLESS, Recipe, Timed, plain, textured, write_video

EVENT_COLOUR = (200, 30, 60)
H264 = Recipe(
    codec="libx264",
    pixel_format="yuv420p",
    container="mp4",
    options={"crf": "18", "preset": "ultrafast", "g": "25"},
    container_options={"movflags": "faststart"},
)


def event_frames(
    ticks: Sequence[int], time_base: Fraction, *, start: Fraction, end: Fraction, shift: int = 0
) -> Iterator[Timed]:
    """Yield textured pictures at ``ticks``, plain ones from ``start`` to ``end`` seconds.

    ``shift`` is the tick at which second 0 lies.
    """
    for index, tick in enumerate(ticks):
        seconds = (tick - shift) * time_base
        hit = start <= seconds < end
        picture = plain(EVENT_COLOUR, width_px=160, height_px=96) if hit else textured(index)
        yield picture, tick


def steady(count: int, *, first: int = 0, step: int = 1) -> list[int]:
    return [first + step * index for index in range(count)]


def variable_ticks() -> list[int]:
    """Return ticks of 1/40 s: 10 fps up to 10 s, 40 fps from there to 20 s."""
    return [4 * index for index in range(100)] + list(range(400, 800))


def write_event(
    path: Path,
    recipe: Recipe = LOSSLESS,
    *,
    ticks: Sequence[int] | None = None,
    start: Fraction = Fraction(15),
    end: Fraction = Fraction(17),
    shift: int = 0,
) -> Path:
    chosen = ticks if ticks is not None else steady(500, first=shift)
    frames = event_frames(chosen, recipe.time_base, start=start, end=end, shift=shift)
    return write_video(path, frames, recipe)


def write_two_streams(path: Path, *, event_in_second: bool) -> Path:
    """Write two video streams of 20 s at 5 fps in Matroska; the second may hold the event."""
    with av.open(path, "w", format="matroska") as container:
        streams = []
        for _ in range(2):
            stream = container.add_stream("ffv1", rate=Fraction(5))
            stream.width, stream.height, stream.pix_fmt = 160, 96, "bgr0"
            streams.append(stream)
        for tick in range(100):
            for number, stream in enumerate(streams):
                hit = number and event_in_second and 75 <= tick < 85
                picture = (
                    plain(EVENT_COLOUR, width_px=160, height_px=96)
                    if hit
                    else textured(tick, seed=number)
                )
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = tick, Fraction(1, 5)
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    return path


def zero_middle(data: bytes, *, ratio: float = 0.3) -> bytes:
    """Return ``data`` with a share of its bytes zeroed around the middle."""
    first = int(len(data) * (0.5 - ratio / 2))
    count = int(len(data) * ratio)
    return data[:first] + bytes(count) + data[first + count :]


def tone(seconds: float, *, channels: int = 1, hz: float = 440.0) -> np.ndarray:
    """Return a sine of a fifth of full scale at 48 kHz, float32, shape [channels, N]."""
    time = np.arange(round(seconds * 48000)) / 48000
    return np.tile((0.2 * np.sin(2 * np.pi * hz * time)).astype(np.float32), (channels, 1))


def with_options(recipe: Recipe, **options: str) -> Recipe:
    return replace(recipe, options={**recipe.options, **options})
