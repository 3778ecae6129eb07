"""Pictures of known content, and ways to show them to the defects analyzer."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelcheck.analyzers.defects import DefectsAnalyzer
from reelcheck.frames import Colour, FrameBatch, Layout, VideoInfo
from reelcheck.spans import Observation

Floats = NDArray[np.float32]
Codes = NDArray[Any]
Bytes = NDArray[np.uint8]
Times = Fraction | Sequence[Fraction]

HEIGHT, WIDTH = 90, 160
PAL = Fraction(25)
NTSC = Fraction(30000, 1001)
SAMPLES_FPS = Fraction(1)


# --- small view ----------------------------------------------------------------------------


def moving(count: int, *, seed: int = 0) -> Floats:
    """Return GRID frames of waves that wander: luma 0.2 to 0.8, no two alike, no flat part."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    frames = np.zeros((count, 3, HEIGHT, WIDTH), np.float32)
    for index, frame in enumerate(frames):
        across = np.sin((columns + 1.5 * index + 17 * seed) / 5)
        down = np.cos((rows - 0.7 * index) / 4 + seed)
        frame[0] = 0.5 + 0.15 * across + 0.15 * down
        frame[1], frame[2] = 0.1 * down, 0.1 * across
    return frames


def spread(ratio: float) -> NDArray[np.bool_]:
    """Return where cells lie that make up this share of the picture, evenly spread."""
    cells = np.zeros(HEIGHT * WIDTH, np.bool_)
    count = round(ratio * cells.size)
    cells[np.arange(count) * cells.size // max(1, count)] = True
    return cells.reshape(HEIGHT, WIDTH)


def steady(count: int, rate_fps: Fraction) -> list[Fraction]:
    return [index / rate_fps for index in range(count)]


def batch(
    layout: Layout, pixels: Codes, times: Sequence[Fraction], last: Fraction, colour: Colour
) -> FrameBatch:
    """Return frames at exact times; ``last`` is how long the last one stands, in seconds."""
    time_base = Fraction(1, int(np.lcm.reduce([one.denominator for one in (*times, last)])))
    pts = np.array([int(one / time_base) for one in times], np.int64)
    return FrameBatch(
        layout=layout,
        pixels=pixels,
        pts=pts,
        durations=np.append(np.diff(pts), int(last / time_base)),
        ordinals=np.arange(len(pixels)),
        changed=np.zeros(len(pixels), np.bool_),
        time_base=time_base,
        colour=colour,
    )


def video(
    *,
    colour: Colour = Colour(),  # noqa: B008 - immutable
    key_frames_only: bool = False,
    interlaced: bool = False,
    rotation_degrees: int = 0,
) -> VideoInfo:
    return VideoInfo(
        stream=0,
        codec="ffv1",
        width_px=640,
        height_px=360,
        sample_aspect_ratio=Fraction(1),
        rotation_degrees=rotation_degrees,
        pixel_format="yuv420p",
        colour=colour,
        rate_fps_from_header=None,
        duration_seconds_from_header=None,
        frames_from_header=None,
        interlaced_from_header=interlaced,
        key_frames_only=key_frames_only,
    )


def seen(batches: Iterable[FrameBatch], of: VideoInfo) -> list[Observation]:
    watch = DefectsAnalyzer().watch(of)
    found = [one for shown in batches for one in watch.see(shown)]
    return found + watch.end()


def see_small(
    frames: Floats, times: Times = PAL, *, of: VideoInfo | None = None
) -> list[Observation]:
    """Show frames of the small view alone, at a steady rate or at given times."""
    at = steady(len(frames), times) if isinstance(times, Fraction) else times
    last = at[-1] - at[-2]
    chosen = of or video()
    return seen([batch(Layout.GRID, frames, at, last, chosen.colour)], chosen)


# --- native view ---------------------------------------------------------------------------


def native_batches(pictures: Iterable[Codes], colour: Colour) -> Iterator[FrameBatch]:
    for index, picture in enumerate(pictures):
        yield batch(
            Layout.LUMA, picture[np.newaxis], [index / SAMPLES_FPS], Fraction(1, 25), colour
        )


def see_native(pictures: Iterable[Codes], *, of: VideoInfo | None = None) -> list[Observation]:
    """Show native luma alone, one picture a second."""
    chosen = of or video()
    return seen(native_batches(pictures, chosen.colour), chosen)


def see_both(
    frames: Floats, pictures: Iterable[Codes], *, of: VideoInfo | None = None
) -> list[Observation]:
    """Show 25 frames of the small view a second, then two native pictures a second."""
    chosen = of or video()
    small = batch(Layout.GRID, frames, steady(len(frames), PAL), 1 / PAL, chosen.colour)
    return seen([small, *native_batches(pictures, chosen.colour)], chosen)


def luma_codes(rgb: Bytes, *, bits: int = 8) -> Codes:
    """Return limited-range luma codes of the green part of a picture."""
    codes = np.round((16 + rgb[..., 1] * (219 / 255)) * 2 ** (bits - 8))
    return np.asarray(codes, np.uint8 if bits == 8 else np.uint16)


def scene(index: int, *, width_px: int = 640, height_px: int = 360) -> Bytes:
    """Return RGB picture ``index`` of soft light with 150 discs that drift, edges 1 px wide."""
    chance = np.random.default_rng(11)
    rows, columns = np.mgrid[0:height_px, 0:width_px].astype(np.float32)
    light = 0.45 + 0.2 * np.sin(columns / 97 + 1) * np.cos(rows / 71)
    picture = np.stack([light, light * 0.95, light * 0.9], axis=-1)
    for _ in range(150):
        x, y = chance.uniform(0, width_px), chance.uniform(0, height_px)
        speed, radius = chance.uniform(-2, 2, 2), chance.uniform(4, 30)
        tint = chance.uniform(0, 1, 3)
        x, y = (x + speed[0] * index) % width_px, (y + speed[1] * index) % height_px
        window = np.s_[
            max(0, int(y - radius - 2)) : int(y + radius + 3),
            max(0, int(x - radius - 2)) : int(x + radius + 3),
        ]
        distance = np.hypot(rows[window] - y, columns[window] - x)
        cover = np.clip(radius - distance + 0.5, 0, 1)[..., np.newaxis]
        picture[window] = picture[window] * (1 - cover) + tint * cover
    return np.asarray(np.clip(30 + picture * 195, 0, 255), np.uint8)


def grainy(picture: Bytes, sigma: float, *, seed: int) -> Bytes:
    """Return a picture with white noise of ``sigma`` 8-bit steps."""
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.asarray(np.clip(np.round(picture + noise), 0, 255), np.uint8)


def softened(picture: Codes, sigma_px: float) -> Codes:
    """Return a grey picture after Gaussian blur."""
    reach = int(4 * sigma_px) + 1
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_px) ** 2)
    weights /= weights.sum()
    made = np.pad(picture.astype(np.float64), reach, mode="edge")
    for axis in (0, 1):
        made = np.apply_along_axis(np.convolve, axis, made, weights, mode="valid")
    return np.asarray(np.round(made), picture.dtype)


# --- what was found ------------------------------------------------------------------------


def events(found: Iterable[Observation], *labels: str) -> list[Observation]:
    """Return the events, or those with one of ``labels``."""
    return [one for one in found if one.label and (not labels or one.label in labels)]


def labels(found: Iterable[Observation]) -> set[str]:
    return {one.label for one in found if one.label}


def curve(found: Iterable[Observation], signal: str) -> list[float]:
    return [one.score for one in found if one.signal == signal and not one.label]


def edges(one: Observation) -> tuple[Fraction, Fraction]:
    return (one.span.start, one.span.end)
