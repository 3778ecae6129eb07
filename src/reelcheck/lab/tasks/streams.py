"""``streams``: samples whose class needs sound and motion together.

Four classes: motion that comes before or after the middle, with a sound that rises or falls. Each
stream alone tells one of the two, so that half of the samples can be told from it; pictures tell
nothing. One sample is five seconds in intervals of 0.25 s, DeepSense's window.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

CLASSES: Final = ("early_falling", "early_rising", "late_falling", "late_rising")
STREAMS: Final = ("rgb", "motion", "audio")
INTERVALS: Final = 20
MOTION_BINS: Final = 16
AUDIO_BANDS: Final = 64
_PICTURE_PX: Final = 16
_BURST: Final = 5
"""Intervals that the motion lasts."""
_WIDTH_BANDS: Final = 4.0
_MAX_NOISE: Final = 1.0

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StreamSample:
    """One sample, all float32 of about unit size."""

    rgb: Floats
    """Shape [20, 3, 16, 16]."""
    motion: Floats
    """Histogram of motion, shape [20, 16]."""
    audio: Floats
    """Bands of sound, shape [20, 64]."""
    label: int


def stream_sample(index: int, *, seed: int, difficulty: float = 0.5) -> StreamSample:
    """Return sample ``index``; the label is ``index`` modulo four."""
    rng = np.random.default_rng((seed, index))
    label = index % len(CLASSES)
    late, rising = divmod(label, 2)
    noise = _MAX_NOISE * difficulty
    half = INTERVALS // 2
    motion = rng.normal(0, noise, (INTERVALS, MOTION_BINS))
    start = int(rng.integers(0, half - _BURST + 1)) + half * late
    first = int(rng.integers(0, MOTION_BINS - 3))
    motion[start : start + _BURST, first : first + 4] += 2.0
    audio = rng.normal(0, noise, (INTERVALS, AUDIO_BANDS))
    low = rng.uniform(5, 20)
    path = np.linspace(low, low + rng.uniform(25, 38), INTERVALS)
    centre = path if rising else path[::-1]
    bands = np.arange(AUDIO_BANDS)
    audio += 2.0 * np.exp(-0.5 * ((bands - centre[:, None]) / _WIDTH_BANDS) ** 2)
    rgb = rng.normal(0, 1, (INTERVALS, 3, _PICTURE_PX, _PICTURE_PX))
    parts = (part.astype(np.float32) for part in (rgb, motion, audio))
    return StreamSample(**dict(zip(STREAMS, parts, strict=True)), label=label)
