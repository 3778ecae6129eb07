"""Presentation times: made strictly increasing, given a length, and counted from a common start."""

from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm
from statistics import median
from typing import Final

_STEADY_RATIO: Final = Fraction(3, 2)
"""Ours: a stream whose longest and shortest frames stay within this factor of the median has a
constant rate.
Millisecond rounding of Matroska at 60 fps varies by 6 %, 3:2 pulldown in VFR form by 25 %."""
_MIN_FRAMES_TO_JUDGE: Final = 8
_GAP_STEADY: Final = 6
_GAP_FLOOR: Final = Fraction(1, 4)
"""Ours: in a stream of constant rate, a frame that stands for more than ``_GAP_STEADY`` median
frames and this many seconds hides a loss; shorter ones are dropped frames, an analyzer's matter."""
_GAP_VARIABLE: Final = Fraction(2)
_GAP_VARIABLE_RATIO: Final = 4
"""Ours: in a stream of variable rate a still picture may stand long. A loss is more than two
seconds and four times the longest frame so far, unless the container itself states the length."""
_KEPT_LENGTHS: Final = 240


@dataclass(slots=True)
class Clock:
    """Times of one video stream, frame by frame, in presentation order."""

    time_base: Fraction
    """Seconds per tick of the container."""
    nominal: Fraction | None
    """Seconds per frame that the header claims; used only where frames carry no time."""
    repaired: int = 0
    missing: int = 0
    _last: int | None = None
    _lengths: list[int] = field(default_factory=list)
    _longest: int = 0
    _shortest: int = 1 << 62

    def next_tick(self, pts: int | None) -> int:
        """Return the tick of the next frame, strictly after the one before."""
        if pts is None:
            self.missing += 1
            pts = 0 if self._last is None else self._last + self._nominal_ticks
        if self._last is not None:
            if pts <= self._last:
                self.repaired += 1
                pts = self._last + self._nominal_ticks
            self._note(pts - self._last)
        self._last = pts
        return pts

    def _note(self, length: int) -> None:
        if len(self._lengths) < _KEPT_LENGTHS:
            self._lengths.append(length)
        self._longest = max(self._longest, length)
        self._shortest = min(self._shortest, length)

    @property
    def usual_ticks(self) -> int:
        """Median length of a frame in ticks; the header's rate while nothing was measured."""
        if self._lengths:
            return max(1, int(median(self._lengths)))
        return self._nominal_ticks

    @property
    def _nominal_ticks(self) -> int:
        return max(1, round((self.nominal or Fraction(1, 25)) / self.time_base))

    @property
    def varies(self) -> bool:
        """Return whether the frame rate varied so far."""
        usual = self.usual_ticks
        spread = max(self._longest / usual, usual / max(1, self._shortest))
        return len(self._lengths) >= _MIN_FRAMES_TO_JUDGE and spread > _STEADY_RATIO

    def hides_loss(self, length: int, stated: int) -> bool:
        """Return whether a step of ``length`` ticks to the next frame hides lost frames.

        Args:
            length: Ticks from one frame to the next. Ask before ``next_tick`` has learnt it.
            stated: Ticks that the container says the first of the two stands for; 0 if unknown.
        """
        if len(self._lengths) < _MIN_FRAMES_TO_JUDGE or (stated and length <= stated * 2):
            return False
        seconds = length * self.time_base
        if self.varies:
            limit = self._longest * self.time_base * _GAP_VARIABLE_RATIO
            return seconds > max(_GAP_VARIABLE, limit)
        return seconds > max(_GAP_FLOOR, self.usual_ticks * self.time_base * _GAP_STEADY)


def common_time_base(time_base: Fraction, origin: Fraction) -> tuple[Fraction, int, int]:
    """Return (fine time base, factor from the container's, ticks of ``origin`` in the fine one).

    The fine base holds both the stream's ticks and the origin exactly.
    """
    factor = lcm(time_base.denominator, origin.denominator) // time_base.denominator
    fine = time_base / factor
    # A numerator above 1 can leave the origin between two fine ticks.
    if (origin / fine).denominator != 1:
        factor *= (origin / fine).denominator
        fine = time_base / factor
    return fine, factor, int(origin / fine)
