"""Flashing patterns for the tests of ``flashes``, and what the analyzer says of them."""

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from reelcheck.analyzers.flashes import FlashesAnalyzer
from reelcheck.frames import Colour, FrameBatch, Layout, Matrix, Transfer, VideoInfo
from reelcheck.media import colour
from reelcheck.spans import Observation

Floats = NDArray[np.float32]
Levels = Sequence[float]

SDR = Colour()
PQ = Colour(matrix=Matrix.BT2020, transfer=Transfer.PQ, bit_depth=10)
HLG = Colour(matrix=Matrix.BT2020, transfer=Transfer.HLG, bit_depth=10)
HEIGHT, WIDTH = 90, 160
WHOLE = np.ones((HEIGHT, WIDTH), dtype=np.bool_)
FAILURES = {"general_flash", "red_flash", "extended_flash", "small_field_flash"}
RATES = [Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30), Fraction(50)]
RATES += [Fraction(60), Fraction(120)]


def luma(relative: float) -> float:
    """Y' of an SDR grey of this relative luminance."""
    return float(colour.relative_to_srgb(np.array([relative]))[0])


def grey(levels: Levels, where: NDArray[np.bool_] = WHOLE, rest: float = 0.0) -> Floats:
    """One frame for each level of relative luminance, shown ``where``, on a ground of ``rest``."""
    grid = np.zeros((len(levels), 3, *where.shape), dtype=np.float32)
    grid[:, 0] = luma(rest)
    for frame, level in zip(grid, levels, strict=True):
        frame[0][where] = luma(level)
    return grid


def coloured(colours: Sequence[tuple[float, float, float]]) -> Floats:
    """One plain frame for each linear R, G, B, each 0 to 1, by the definition of BT.709."""
    red, green, blue = colour.relative_to_srgb(np.array(colours)).T
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    ycc = np.stack([y, (blue - y) / 1.8556, (red - y) / 1.5748], axis=1)
    return np.tile(ycc[:, :, None, None], (1, 1, HEIGHT, WIDTH)).astype(np.float32)


def area(ratio: float, *, left: int = 0) -> NDArray[np.bool_]:
    """A full-height upright bar of about this share of the screen, to a whole cell column row."""
    cells = round(ratio * HEIGHT * WIDTH)
    columns, rows = divmod(cells, HEIGHT)
    where = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    where[:, left : left + columns] = True
    if rows:
        where[:rows, left + columns] = True
    return where


def square_wave(times: Iterable[Fraction], *, changes_at: Sequence[Fraction]) -> list[int]:
    """0 or 1 for each frame time: it starts at 0 and flips at every one of ``changes_at``."""
    return [sum(change <= time for change in changes_at) % 2 for time in times]


def flashes(count: int, rate_fps: Fraction, *, within: Fraction = Fraction(1)) -> list[int]:
    """0 and 1 frame by frame: half a second of 0, ``count`` flashes spread over ``within``, 0."""
    changes = [Fraction(1, 2) + within * k / (2 * count) for k in range(2 * count)]
    times = [n / rate_fps for n in range(int(rate_fps * (within + 2)))]
    return square_wave(times, changes_at=changes)


def pick(states: Iterable[int], dark: float, bright: float) -> list[float]:
    return [(dark, bright)[state] for state in states]


def info(of: Colour, *, key_frames_only: bool = False) -> VideoInfo:
    return VideoInfo(
        stream=0,
        codec="ffv1",
        width_px=320,
        height_px=180,
        sample_aspect_ratio=Fraction(1),
        rotation_degrees=0,
        pixel_format="gbrp",
        colour=of,
        rate_fps_from_header=None,
        duration_seconds_from_header=None,
        frames_from_header=None,
        key_frames_only=key_frames_only,
    )


def batches(
    grid: Floats, times: Sequence[Fraction], of: Colour = SDR, *, size: int = 16
) -> Iterable[FrameBatch]:
    """Frames at exact ``times``; the last one stands as long as the one before it."""
    time_base = Fraction(1, int(np.lcm.reduce([time.denominator for time in times])))
    pts = np.array([int(time / time_base) for time in times], dtype=np.int64)
    durations = np.append(np.diff(pts), pts[-1] - pts[-2])
    for start in range(0, len(grid), size):
        part = slice(start, start + size)
        count = len(pts[part])
        yield FrameBatch(
            layout=Layout.GRID,
            pixels=grid[part],
            pts=pts[part],
            durations=durations[part],
            ordinals=np.arange(start, start + count),
            changed=np.zeros(count, dtype=np.bool_),
            time_base=time_base,
            colour=of,
        )


def watch(
    grid: Floats, rate_fps: Fraction | Sequence[Fraction], of: Colour = SDR, *, size: int = 16
) -> list[Observation]:
    times = [n / rate_fps for n in range(len(grid))] if isinstance(rate_fps, Fraction) else rate_fps
    running = FlashesAnalyzer().watch(info(of))
    found = [seen for batch in batches(grid, times, of, size=size) for seen in running.see(batch)]
    return found + list(running.end())


def events(found: Iterable[Observation]) -> list[Observation]:
    return [seen for seen in found if seen.label]


def labels(found: Iterable[Observation]) -> set[str]:
    return {seen.label for seen in events(found)}


def failed(found: Iterable[Observation]) -> set[str]:
    return labels(found) & FAILURES
