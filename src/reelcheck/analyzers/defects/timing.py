"""Frames that are missing in time."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from reelcheck.analyzers.defects.found import Measure, event
from reelcheck.analyzers.defects.limits import DefectLimits
from reelcheck.spans import Observation, TimeSpan

DROPPED = Measure(signal="dropped_frames", label="dropped_frames", unit="frames")

_TOLERANCE_RATIO = 0.10
_TOLERANCE_SECONDS = 0.0015
"""Intervals this near to the median count as steady: containers with a clock of milliseconds
round by up to one on each side."""


@dataclass(slots=True)
class _Gaps:
    span: TimeSpan
    frames: int


class DroppedFrames:
    """Report gaps in the presentation times of a stream of steady rate.

    Method: ours. The nominal interval is the median of the distances between frame starts over
    the ``gap_window_frames`` around each. A distance beyond ``gap_ratio`` nominal intervals is a
    gap; its span is the time in which the missing frames should have stood. Gaps near each other
    become one event that counts all frames they lack.

    Limits: time only. Frames that were lost before the file was made, and whose neighbours were
    moved together, leave no gap and are not found. Nothing is reported where more than a tenth of
    the intervals around differ from the median (variable rate), nor in streams of fewer than
    ``gap_learn_frames`` intervals. Where the rate falls in the last three frames of a stream,
    nothing after them tells that apart from a gap.
    """

    def __init__(self, limits: DefectLimits) -> None:
        self._limits = limits
        self._last: Fraction | None = None
        self._intervals: deque[TimeSpan] = deque(maxlen=limits.gap_window_frames)
        self._seconds: deque[float] = deque(maxlen=limits.gap_window_frames)
        self._unjudged = 0
        self._gaps: _Gaps | None = None

    def see(self, span: TimeSpan) -> Iterator[Observation]:
        """Take the time of the next frame; yield what is certain by now."""
        last, self._last = self._last, span.start
        if last is None:
            return
        interval = TimeSpan(last, span.start)
        self._intervals.append(interval)
        self._seconds.append(float(interval.seconds))
        self._unjudged += 1
        if len(self._intervals) == self._limits.gap_window_frames:
            yield from self._judge_all_but(self._limits.gap_window_frames // 2)

    def end(self) -> Iterator[Observation]:
        """Yield the gaps that are still held back."""
        if len(self._intervals) >= self._limits.gap_learn_frames:
            yield from self._judge_all_but(0)
        yield from self._close()

    def _judge_all_but(self, newest: int) -> Iterator[Observation]:
        """Judge what waits, but for the ``newest`` intervals: their future is not known yet."""
        while self._unjudged > newest:
            yield from self._judge(self._intervals[-self._unjudged])
            self._unjudged -= 1

    def _close(self) -> Iterator[Observation]:
        gaps, self._gaps = self._gaps, None
        if gaps is not None:
            note = f"{gaps.frames} frames are missing in a stream of steady rate"
            yield event(DROPPED, gaps.span, gaps.frames, note)

    def _judge(self, interval: TimeSpan) -> Iterator[Observation]:
        bridge = self._limits.gap_bridge_seconds
        if self._gaps and interval.start - self._gaps.span.end > bridge:
            yield from self._close()
        seconds, ratio = float(interval.seconds), self._limits.gap_ratio
        if seconds <= ratio * min(self._seconds):
            return
        nominal = self._nominal_seconds()
        if nominal is None or seconds <= ratio * nominal:
            return
        missing = max(1, round(seconds / nominal) - 1)
        start = min(interval.start + Fraction(nominal).limit_denominator(100_000), interval.end)
        if self._gaps is None:
            self._gaps = _Gaps(TimeSpan(start, interval.end), missing)
        else:
            self._gaps.span = TimeSpan(self._gaps.span.start, interval.end)
            self._gaps.frames += missing

    def _nominal_seconds(self) -> float | None:
        """Return the median interval, or ``None`` where the rate varies."""
        ordered = sorted(self._seconds)
        median = ordered[len(ordered) // 2]
        tolerance = max(_TOLERANCE_RATIO * median, _TOLERANCE_SECONDS)
        steady = sum(abs(seconds - median) <= tolerance for seconds in ordered)
        return median if steady >= self._limits.gap_steady_ratio * len(ordered) else None
