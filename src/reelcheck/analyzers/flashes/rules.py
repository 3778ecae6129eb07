"""When the transitions of one kind break a rule, and the findings that follow."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from reelcheck.spans import Box, Observation, TimeSpan

from .cells import Transitions
from .windows import WINDOW_SECONDS, LastSecond, Second

FAIL_TRANSITIONS: Final = 7
"""Transitions in one second that fail: more than three flashes (WCAG 2.3.1, BT.1702-3; IRIS)."""
WARN_TRANSITIONS: Final = 4
"""Transitions in one second that give a warning, and count as extended flashing (EA IRIS)."""
EXTENDED_SECONDS: Final = Fraction(4)
EXTENDED_WINDOW_SECONDS: Final = Fraction(5)
"""Four to six transitions a second for 4 s within 5 s fail (EA IRIS; Ofcom: over 5 s)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of transition, and what its findings are called."""

    label: str
    """Of a failure over a large part of the screen."""
    changes: str
    """Words for its transitions."""


GENERAL: Final = Kind(label="general_flash", changes="changes of luminance")
RED: Final = Kind(label="red_flash", changes="changes to or from saturated red")

_RULES: Final = {
    "general_flash": "more than three flashes in a second (BT.1702-3, WCAG 2.3.1)",
    "red_flash": "more than three red flashes in a second (WCAG 2.2)",
    "small_field_flash": "more than three flashes in a second in a tenth of the view (WCAG 2.3.1)",
    "extended_flash": "four to six changes a second for 4 s within 5 s (EA IRIS)",
    "flash_warning": "two or three flashes in a second (EA IRIS)",
}


@dataclass(slots=True, kw_only=True)
class _Stretch:
    """A finding that may still grow."""

    start: Fraction
    end: Fraction
    level: int
    worst: Second


class _Finding:
    """Joins failing moments whose transitions overlap into stretches."""

    def __init__(self, label: str, kind: Kind, *, hold_seconds: Fraction) -> None:
        self.label = label
        self._kind = kind
        self._hold_seconds = hold_seconds
        self._open: _Stretch | None = None

    @property
    def open_span(self) -> TimeSpan | None:
        """What may still grow."""
        return TimeSpan(self._open.start, self._open.end) if self._open else None

    def is_over(self, at: Fraction) -> bool:
        """Return whether the stretch cannot grow at or after ``at``."""
        return self._open is not None and at - self._open.end >= self._hold_seconds

    def feed(self, level: int, second: Second, first: Fraction) -> Iterator[Observation]:
        """Take a moment that breaks the rule, with the first transition of its window."""
        if self._open is not None and first > self._open.end:
            yield from self.take()
        if self._open is None:
            self._open = _Stretch(start=first, end=second.last, level=level, worst=second)
        self._open.start = min(self._open.start, first)
        self._open.end = max(self._open.end, second.last)
        if (level, second.area_ratio) > (self._open.level, self._open.worst.area_ratio):
            self._open.level, self._open.worst = level, second

    def take(self) -> Iterator[Observation]:
        """Return the open stretch as a finding, and close it."""
        if self._open is not None:
            yield self._observation(self._open)
        self._open = None

    def drop(self) -> None:
        """Forget the open stretch."""
        self._open = None

    def _observation(self, stretch: _Stretch) -> Observation:
        worst, place = stretch.worst, stretch.worst.place
        return Observation(
            analyzer="flashes",
            signal=self.label,
            span=TimeSpan(stretch.start, stretch.end),
            score=stretch.level / 2,
            unit="1/s",
            label=self.label,
            place=place if place != Box(x=0, y=0, width=1, height=1) else None,
            note=(
                f"{_RULES[self.label]}: {stretch.level} {self._kind.changes} over "
                f"{100 * worst.area_ratio:.1f} % of the screen in the worst second, which starts "
                f"at {float(worst.first):.3f} s; no broadcast certificate"
            ),
        )


class Track:
    """The rules for one kind of transition on one stream."""

    def __init__(self, kind: Kind, shape: tuple[int, int], start: Fraction) -> None:
        self._second = LastSecond(shape)
        self._at = start
        self._steady = _Steady()
        self._failure = _Finding(kind.label, kind, hold_seconds=WINDOW_SECONDS)
        self._extended = _Finding("extended_flash", kind, hold_seconds=EXTENDED_WINDOW_SECONDS)
        self._field = _Finding("small_field_flash", kind, hold_seconds=WINDOW_SECONDS)
        self._warning = _Finding("flash_warning", kind, hold_seconds=WINDOW_SECONDS)
        self._failed: deque[TimeSpan] = deque()

    @property
    def level(self) -> int:
        """Transitions of the picture within the last second."""
        return self._second.level

    def next_expiry(self) -> Fraction | None:
        """Return when ``level`` may fall next."""
        return self._second.next_expiry()

    def expire(self) -> Iterator[Observation]:
        """Let the oldest transitions leave the last second, at the time ``next_expiry`` told."""
        yield from self.advance(self._second.next_expiry() or self._at)
        self._second.expire()
        yield from self._judge()

    def add(self, at: Fraction, transitions: Transitions) -> Iterator[Observation]:
        """Take the transitions of the frame that appears at ``at``."""
        yield from self.advance(at)
        self._second.add(at, transitions)
        yield from self._judge()

    def advance(self, to: Fraction) -> Iterator[Observation]:
        """Let time pass without a change."""
        steady = WARN_TRANSITIONS <= self.level < FAIL_TRANSITIONS
        if steady and to > self._at:
            second = self._second.of_screen(WARN_TRANSITIONS)
            first = self._steady.add(TimeSpan(self._at, to), second.first)
            if first is not None:
                yield from self._extended.feed(self.level, second, first)
        self._at = to
        yield from self._close()

    def _judge(self) -> Iterator[Observation]:
        if self.level >= FAIL_TRANSITIONS:
            second = self._second.of_screen(FAIL_TRANSITIONS)
            yield from self._failure.feed(self.level, second, second.first)
        elif self.level >= WARN_TRANSITIONS:
            second = self._second.of_screen(WARN_TRANSITIONS)
            yield from self._warning.feed(self.level, second, second.first)
        field = self._second.field_level(FAIL_TRANSITIONS)
        if field:
            second = self._second.of_field(FAIL_TRANSITIONS)
            yield from self._field.feed(field, second, second.first)

    def _close(self) -> Iterator[Observation]:
        for finding in (self._failure, self._extended):
            if finding.is_over(self._at):
                yield from self._take_failure(finding)
        if self._warning.is_over(self._at):
            yield from self._take_lesser(self._warning)
        if self._field.is_over(self._at):
            yield from self._take_lesser(self._field)

    def _take_failure(self, finding: _Finding) -> Iterator[Observation]:
        if finding.open_span:
            self._failed.append(finding.open_span)
        yield from finding.take()

    def _take_lesser(self, finding: _Finding) -> Iterator[Observation]:
        ...

    def end(self) -> Iterator[Observation]:
        """Close everything."""
        yield from self._take_lesser(self._warning)
        yield from self._take_lesser(self._field)
        yield from self._take_failure(self._failure)
        yield from self._take_failure(self._extended)
