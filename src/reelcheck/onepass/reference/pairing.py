"""Which frame of the reference belongs to which frame of the distorted file.

A frame of the distorted file belongs to the frame of the reference that stands half a frame after
it appears, half of the shorter usual frame of the two. For equal rates that is the nearest in
time, whatever the container rounds; a repeated frame belongs to the frame that it repeats, and a
frame of variable rate to the one that is still standing.
"""

from dataclasses import dataclass
from fractions import Fraction
from statistics import median_low
from typing import Final

import numpy as np
from numpy.typing import NDArray

NO_PARTNER: Final = -1

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """Frames of one file in time."""

    starts: tuple[Fraction, ...]
    """Exact seconds at which each frame appears, increasing."""
    ends: tuple[Fraction, ...]
    """Exact seconds at which each stops standing."""
    usual: Fraction
    """Median time from one frame to the next, seconds; the length of the only frame if one."""
    starts_seconds: NDArray[np.float64]
    ends_seconds: NDArray[np.float64]

    @classmethod
    def of(cls, starts: tuple[Fraction, ...], ends: tuple[Fraction, ...]) -> "Line":
        """Return the line of the frames with these times."""
        steps = [after - before for before, after in zip(starts, starts[1:], strict=False)]
        return cls(
            starts=starts,
            ends=ends,
            usual=median_low(steps) if steps else ends[0] - starts[0],
            starts_seconds=np.array([float(at) for at in starts]),
            ends_seconds=np.array([float(at) for at in ends]),
        )

    @property
    def step(self) -> Fraction:
        """Mean time from one frame to the next, seconds: exact where a container rounds each."""
        count = len(self.starts) - 1
        return (self.starts[-1] - self.starts[0]) / count if count else self.usual


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How time of the distorted file becomes time of the reference: ``offset + speed * time``."""

    offset: Fraction
    speed: Fraction = Fraction(1)


def partners(reference: Line, distorted: Line, shift: Shift) -> Indices:
    """Return for each frame of the distorted file its frame of the reference, or ``NO_PARTNER``."""
    speed = float(shift.speed)
    half = min(float(reference.usual), speed * float(distorted.usual)) / 2
    at = float(shift.offset) + speed * distorted.starts_seconds + half
    found = np.searchsorted(reference.starts_seconds, at, side="right") - 1
    shown = (found >= 0) & (at < reference.ends_seconds[np.maximum(found, 0)])
    return np.where(shown, found, NO_PARTNER)


def settled(reference: Line, distorted: Line, shift: Shift) -> Shift:
    """Return the exact shift that pairs the same frames: the median over frames that first show one.

    For equal rates this is the difference of two timestamps, free of any rounding of ours.
    """
    found = partners(reference, distorted, shift)
    firsts = np.flatnonzero((found != NO_PARTNER) & (found != np.roll(found, 1)))
    if not len(firsts):
        return shift
    exact = Shift(
        offset=median_low(
            reference.starts[int(found[j])] - shift.speed * distorted.starts[int(j)] for j in firsts
        ),
        speed=shift.speed,
    )
    same = np.array_equal(partners(reference, distorted, exact), found)
    return exact if same else shift
