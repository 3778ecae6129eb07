"""From one flag per frame to spans, and from samples to the time they stand for."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

from reelcheck.spans import TimeSpan

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Consecutive frames that were all flagged."""

    span: TimeSpan
    """From the start of the first frame to the end of the last one."""
    frames: int
    mean_score: float


class Runs:
    """Collect consecutive flagged frames; give each run away as soon as it has ended.

    A frame that is not flagged ends a run, and so does a hole in the frames that is longer than
    the last frame stood: nobody saw what was there.
    """

    def __init__(self) -> None:
        self._start = Fraction(0)
        self._end = Fraction(0)
        self._stood = Fraction(0)
        self._frames = 0
        self._total = 0.0

    def feed(self, score: float | None, span: TimeSpan) -> Run | None:
        """Take the next frame; ``score`` is ``None`` when it is not flagged.

        Returns:
            The run that ended with the frame before, if one did.
        """
        ended = None
        if self._frames and (score is None or self._follows_a_hole(span)):
            ended = self.close()
        if score is not None:
            self._start = self._start if self._frames else span.start
            self._end = span.end
            self._frames += 1
            self._total += score
            self._stood = span.seconds
        return ended

    def close(self) -> Run | None:
        """Return the run that is still open, if any, and forget it."""
        if not self._frames:
            return None
        run = Run(
            span=TimeSpan(self._start, self._end),
            frames=self._frames,
            mean_score=self._total / self._frames,
        )
        self._frames, self._total = 0, 0.0
        return run

    def _follows_a_hole(self, span: TimeSpan) -> bool:
        return span.start - self._end > self._stood


class Tiles(Generic[T]):
    """Stretch each sample to the start of the next one, so that samples tile the time.

    A sampled frame stands for one frame of its stream only, but it speaks for the time until
    the next sample. Over a hole longer than ``longest`` (damage) it does not speak.
    """

    def __init__(self, *, longest: Fraction) -> None:
        self._longest = longest
        self._held: tuple[T, TimeSpan] | None = None

    def feed(self, sample: T, span: TimeSpan) -> Iterator[tuple[T, TimeSpan]]:
        """Take the next sample; yield the one before with the time that it stands for."""
        yield from self.close(until=span.start)
        self._held = (sample, span)

    def close(self, *, until: Fraction | None) -> Iterator[tuple[T, TimeSpan]]:
        """Yield the held sample, stretched to ``until`` where that is near enough."""
        if self._held is None:
            return
        sample, span = self._held
        self._held = None
        if until is not None and span.end < until <= span.start + self._longest:
            span = TimeSpan(span.start, until)
        yield sample, span
