"""Grey pictures with the statistics of natural ones, and known ways to spoil them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from reelcheck.media.synth import Recipe, write_video
from reelcheck.spans import Observation

Levels = NDArray[np.uint8]
LOSSLESS_YUV = Recipe(pixel_format="yuv420p")
CODED = Recipe(
    codec="libx264", pixel_format="yuv420p", container="mp4", options={"preset": "veryfast"}
)


def scene(seed: int, *, width: int = 384, height: int = 256, shift: int = 0) -> Levels:
    """Return leaves of all sizes, each with a texture, that hide each other.

    Lee, Mumford and Huang, "Occlusion models for natural images", IJCV 2001.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x = x + shift
    picture = np.full((height, width), 120.0, dtype=np.float32)
    for _ in range(140):
        radius = 8.0 / (0.03 + rng.random()) ** 0.8
        middle_y, middle_x = rng.uniform(0, height), rng.uniform(0, width + 60)
        inside = (y - middle_y) ** 2 + (x - middle_x) ** 2 < radius**2
        angle, period = rng.uniform(0, 3.1), rng.uniform(2.5, 14)
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * (6.28 / period))
        picture[inside] = (rng.uniform(40, 215) + rng.uniform(0, 25) * wave)[inside]
    picture += 2 * rng.standard_normal(picture.shape)
    smooth = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    return np.asarray(smooth.filter(ImageFilter.GaussianBlur(0.6)))


def blurred(picture: Levels, strength: float) -> Levels:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(strength)))


def noisy(picture: Levels, strength: float) -> Levels:
    noise = np.random.default_rng(5).standard_normal(picture.shape) * strength
    return np.asarray(np.clip(picture + noise, 0, 255), dtype=np.uint8)


def enlarged(picture: Levels, strength: float) -> Levels:
    height, width = picture.shape
    small = Image.fromarray(picture).resize(
        (round(width / strength), round(height / strength)), Image.Resampling.BOX
    )
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def clip(
    path: Path,
    picture: Callable[[Fraction], Levels],
    recipe: Recipe = LOSSLESS_YUV,
    *,
    rate: int = 5,
    seconds: int = 2,
) -> Path:
    """Write what ``picture`` shows at each time, grey or RGB."""
    timed = replace(recipe, time_base=Fraction(1, rate), rate_fps=Fraction(rate))
    frames = ((_rgb(picture(Fraction(index, rate))), index) for index in range(rate * seconds))
    return write_video(path, frames, timed)


def _rgb(picture: Levels) -> Levels:
    return picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)


def samples(found: Sequence[Observation], signal: str) -> list[Observation]:
    return [one for one in found if one.signal == signal and not one.label]
