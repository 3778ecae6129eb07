"""``motion-classes``: clips whose class lies only in motion; no single frame tells anything.

Squares with random looks start at random places and all move alike on a torus, so that every frame
of every class has the same distribution. Classes: four directions, two orders (there and back),
and one direction at double speed. Difficulty adds noise and squares that move at random.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

CLASSES: Final = ("right", "left", "up", "down", "right_left", "left_right", "fast_right")
_SQUARES: Final = 5
_SPEED_RATIO: Final = 1 / 12
"""Step of a square per frame, as a share of the picture side."""
_SIZES_RATIO: Final = (0.12, 0.28)
_MAX_NOISE: Final = 40.0
_MAX_STRANGERS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """One sample."""

    frames: NDArray[np.uint8]
    """RGB, shape [T, H, W, 3]."""
    label: int
    group: str
    """Samples with equal groups share content; here every clip is its own."""


def motion_clip(
    index: int, *, seed: int, difficulty: float = 0.5, frames: int = 8, size_px: int = 32
) -> Clip:
    """Return sample ``index``; the label is ``index`` modulo the number of classes."""
    rng = np.random.default_rng((seed, index))
    label = index % len(CLASSES)
    strangers = round(_MAX_STRANGERS * difficulty)
    count = _SQUARES + strangers
    paths = np.empty((count, frames, 2))
    paths[:] = rng.uniform(0, size_px, (count, 1, 2))
    paths += _steps(CLASSES[label], frames, size_px)
    wander = rng.uniform(-1, 1, (strangers, 1, 2)) * size_px * _SPEED_RATIO
    if strangers:
        paths[_SQUARES:] = rng.uniform(0, size_px, (strangers, 1, 2))
        paths[_SQUARES:] += wander * np.arange(frames)[:, None]
    colours = rng.uniform(60, 255, (count, 3))
    sides = rng.uniform(*_SIZES_RATIO, count) * size_px
    clip = np.full((frames, size_px, size_px, 3), rng.uniform(0, 60), dtype=np.float64)
    for square in rng.permutation(count):
        for at in range(frames):
            _draw(clip[at], paths[square, at], sides[square], colours[square])
    clip += rng.normal(0, 1, clip.shape) * _MAX_NOISE * difficulty
    pixels = np.clip(np.round(clip), 0, 255).astype(np.uint8)
    return Clip(frames=pixels, label=label, group=f"{seed}-{index}")


def _steps(name: str, frames: int, size_px: int) -> NDArray[np.float64]:
    """Return how far the squares have moved by each frame, (x, y) in pixels, shape [T, 2]."""
    step = size_px * _SPEED_RATIO
    ahead = np.arange(frames) * step
    turn = (frames - 1) / 2
    back = (turn - np.abs(np.arange(frames) - turn)) * step
    along = {
        "right": (ahead, 0 * ahead),
        "left": (-ahead, 0 * ahead),
        "up": (0 * ahead, -ahead),
        "down": (0 * ahead, ahead),
        "right_left": (back, 0 * ahead),
        "left_right": (-back, 0 * ahead),
        "fast_right": (2 * ahead, 0 * ahead),
    }[name]
    return np.stack(along, axis=1)


def _draw(
    picture: NDArray[np.float64],
    at: NDArray[np.float64],
    side: float,
    colour: NDArray[np.float64],
) -> None:
    size = picture.shape[0]
    columns = (np.arange(round(side)) + int(at[0])) % size
    rows = (np.arange(round(side)) + int(at[1])) % size
    picture[rows[:, None], columns] = colour
