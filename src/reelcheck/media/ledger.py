"""What became of every coded picture of one stream: shown, damaged or lost.

FFmpeg hides damage: lost pictures leave no trace in its output and concealed ones often carry no
mark. So we keep account ourselves: each packet that promises a picture at some time must bring
one; what never came is lost, whatever the decoder says.
"""

import heapq
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from reelcheck.spans import CoverageSpan, TimeSpan, merge, subtract

_REORDER_PACKETS: Final = 64
"""H.264 and H.265 reorder at most 16 pictures; frame threads add one each. Beyond this many
newer pictures, one that has not come will not come."""
_MAX_SPANS: Final = 2000
"""Damage is kept apart in at most this many places; later ones are joined to the last."""


@dataclass(slots=True)
class Ledger:
    """Accounts of one video stream, in ticks of the stream's container time base."""

    time_base: Fraction
    shown: int = 0
    lost: int = 0
    errors: int = 0
    corrupt: int = 0
    _promised: list[tuple[int, int]] = field(default_factory=list)
    _shown_ticks: Counter[int] = field(default_factory=Counter)
    _damage: list[tuple[int, int, str]] = field(default_factory=list)

    def promise(self, pts: int, length: int) -> None:
        """Note a packet that must bring a picture at ``pts``, ``length`` ticks long."""
        heapq.heappush(self._promised, (pts, length))

    def show(self, pts: int | None) -> None:
        """Note that a picture came."""
        self.shown += 1
        if pts is None:
            return
        self._shown_ticks[pts] += 1
        while len(self._promised) > _REORDER_PACKETS:
            self._settle()

    def _settle(self) -> None:
        pts, length = heapq.heappop(self._promised)
        if self._shown_ticks[pts] > 0:
            self._shown_ticks[pts] -= 1
        else:
            self.lost += 1
            self.damage(pts, length, "W_DECODE_ERRORS: frames were lost")
        if len(self._shown_ticks) > 4 * _REORDER_PACKETS:
            self._shown_ticks = Counter({t: n for t, n in self._shown_ticks.items() if t > pts})

    def damage(self, pts: int, length: int, cause: str) -> None:
        """Note that the picture at ``pts`` is damaged or missing."""
        end = pts + max(1, length)
        if self._damage and self._damage[-1][2] == cause:
            start, last, _ = self._damage[-1]
            near = start <= end and pts <= last + length // 2  # ticks are rounded
            if near or len(self._damage) >= _MAX_SPANS:
                self._damage[-1] = (min(start, pts), max(last, end), cause)
                return
        self._damage.append((pts, end, cause))

    def close(self) -> None:
        """Settle what is still promised: nothing more will come."""
        while self._promised:
            self._settle()

    def spans(self, origin: Fraction, whole: TimeSpan, stream: int) -> list[CoverageSpan]:
        """Return spans that tile ``whole``: damaged ones with their cause, the rest decoded."""
        damaged = list[CoverageSpan]()
        taken = list[TimeSpan]()
        for start, end, cause in sorted(self._damage):
            span = TimeSpan(start * self.time_base - origin, end * self.time_base - origin)
            if not span.overlaps(whole):
                continue
            inside = TimeSpan(max(span.start, whole.start), min(span.end, whole.end))
            for part in subtract(inside, taken):
                damaged.append(CoverageSpan(span=part, state="damaged", cause=cause, stream=stream))
            taken.append(inside)
        decoded = [
            CoverageSpan(span=part, state="decoded", stream=stream)
            for part in subtract(whole, merge(taken))
        ]
        return sorted(damaged + decoded, key=lambda item: item.span)
