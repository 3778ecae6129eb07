"""Which frame of the reference belongs to which frame of the distorted file.

A frame of the distorted file belongs to the frame of the reference that stands half a frame after
it appears: half of its own length, or of the short frames of the reference if these are shorter.
For equal rates that is the nearest in time, whatever the container rounds; a repeated frame belongs
to the frame that it repeats, and a frame of variable rate to the one that is still standing.
"""

from dataclasses import dataclass
from fractions import Fraction
from statistics import median_low
from typing import Final

import numpy as np
from numpy.typing import NDArray

NO_PARTNER: Final = -1
_SHORT: Final = 10
_SAMPLED: Final = 2001

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
    short: Fraction
    """Length of short frames: a tenth of the steps are at most this long, seconds."""
    starts_seconds: NDArray[np.float64]
    ends_seconds: NDArray[np.float64]

    @classmethod
    def of(cls, starts: tuple[Fraction, ...], ends: tuple[Fraction, ...]) -> "Line":
        """Return the line of the frames with these times."""
        starts_seconds = np.array([float(at) for at in starts])
        order = np.argsort(np.diff(starts_seconds), kind="stable")

        def step(rank: int) -> Fraction:
            if not len(order):
                return ends[0] - starts[0]
            first = int(order[rank])
            return starts[first + 1] - starts[first]

        return cls(
            starts=starts,
            ends=ends,
            usual=step((len(order) - 1) // 2),
            short=step(len(order) // _SHORT),
            starts_seconds=starts_seconds,
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
    own = distorted.ends_seconds - distorted.starts_seconds
    own = speed * np.where(own > 0, own, float(distorted.usual))
    half = np.minimum(own, float(reference.short)) / 2
    at = float(shift.offset) + speed * distorted.starts_seconds + half
    found = np.searchsorted(reference.starts_seconds, at, side="right") - 1
    shown = (found >= 0) & (at < reference.ends_seconds[np.maximum(found, 0)])
    return np.where(shown, found, NO_PARTNER)


def settled(reference: Line, distorted: Line, shift: Shift) -> Shift:
    """Return the exact shift that pairs the same frames.

    It is the median over those frames that are the first to show their partner.
    For equal rates this is the difference of two timestamps, free of any rounding of ours.
    """
    found = partners(reference, distorted, shift)
    firsts = np.flatnonzero((found != NO_PARTNER) & (found != np.roll(found, 1)))
    if not len(firsts):
        return shift
    places = np.linspace(0, len(firsts) - 1, min(len(firsts), _SAMPLED)).astype(np.intp)
    exact = Shift(
        offset=median_low(
            reference.starts[int(found[j])] - shift.speed * distorted.starts[int(j)]
            for j in firsts[places]
        ),
        speed=shift.speed,
    )
    same = np.array_equal(partners(reference, distorted, exact), found)
    return exact if same else shift
