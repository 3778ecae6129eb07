"""When the transitions of one kind break a rule, and the findings that follow."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from reelcheck.spans import Box, Observation, TimeSpan

from .cells import Floats, Transitions
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

    def within(self, span: TimeSpan) -> bool:
        """Return whether it reaches no more than a second beyond ``span``."""
        return span.start - WINDOW_SECONDS <= self.start and self.end <= span.end + WINDOW_SECONDS

    def meets(self, span: TimeSpan) -> bool:
        """Return whether it shares a moment with ``span``."""
        return self.start <= span.end and span.start <= self.end


class _Finding:
    """Joins failing moments whose transitions overlap into stretches."""

    def __init__(self, label: str, kind: Kind) -> None:
        self._label = label
        self._kind = kind
        self._stretches: deque[_Stretch] = deque()

    @property
    def is_open(self) -> bool:
        """Whether there are stretches that were not taken yet."""
        return bool(self._stretches)

    def spans(self) -> Iterator[TimeSpan]:
        """Yield the stretches that were not taken yet; the last one may still grow."""
        return (TimeSpan(stretch.start, stretch.end) for stretch in self._stretches)

    def feed(self, level: int, second: Second, first: Fraction) -> None:
        """Take a moment that breaks the rule, with the first transition of its window."""
        if not self._stretches or first > self._stretches[-1].end:
            new = _Stretch(start=first, end=second.last, level=level, worst=second)
            self._stretches.append(new)
        last = self._stretches[-1]
        last.start, last.end = min(last.start, first), max(last.end, second.last)
        if (level, second.area_ratio) > (last.level, last.worst.area_ratio):
            last.level, last.worst = level, second

    def take(self, before: Fraction | None) -> Iterator[_Stretch]:
        """Yield and forget the stretches that ended before that time; all for ``None``."""
        while self._stretches and (before is None or self._stretches[0].end <= before):
            yield self._stretches.popleft()

    def observation(self, stretch: _Stretch) -> Observation:
        """Return the stretch as a finding."""
        worst, place = stretch.worst, stretch.worst.place
        return Observation(
            analyzer="flashes",
            signal=self._label,
            span=TimeSpan(stretch.start, stretch.end),
            score=stretch.level / 2,
            unit="1/s",
            label=self._label,
            place=place if place != Box(x=0, y=0, width=1, height=1) else None,
            note=(
                f"{_RULES[self._label]}: {stretch.level} {self._kind.changes} over "
                f"{100 * worst.area_ratio:.1f} % of the screen in the worst second, which starts "
                f"at {float(worst.first):.3f} s; this is no broadcast certificate"
            ),
        )


class _Steady:
    """How much of the last five seconds held four to six transitions a second."""

    def __init__(self) -> None:
        self._parts: deque[tuple[TimeSpan, Fraction]] = deque()

    def add(self, span: TimeSpan, first: Fraction) -> Fraction | None:
        """Take a stretch with such a second at every moment, and its first transition.

        Returns:
            The first transition of the extended flashing that ``span`` ends with, if it does.
        """
        self._parts.append((span, first))
        start = span.end - EXTENDED_WINDOW_SECONDS
        while self._parts[0][0].end <= start:
            self._parts.popleft()
        held = sum(part.end - max(part.start, start) for part, _ in self._parts)
        return self._parts[0][1] if held >= EXTENDED_SECONDS else None


class Track:
    """The rules for one kind of transition on one stream.

    A warning that meets a failure is part of it and not reported; so is a small field that
    flashes no more than a second longer than the whole screen.
    """

    def __init__(self, kind: Kind, shape: tuple[int, int], start: Fraction) -> None:
        self._second = LastSecond(shape)
        self._at = start
        self._steady = _Steady()
        self._failure = _Finding(kind.label, kind)
        self._extended = _Finding("extended_flash", kind)
        self._field = _Finding("small_field_flash", kind)
        self._warning = _Finding("flash_warning", kind)
        self._failed: deque[TimeSpan] = deque()

    @property
    def level(self) -> int:
        """Transitions of the picture within the last second."""
        return self._second.level

    @property
    def next_expiry(self) -> Fraction | None:
        """When ``level`` may fall next."""
        return self._second.next_expiry

    def expire(self, at: Fraction) -> None:
        """Let the oldest transitions leave the last second, at the time of ``next_expiry``."""
        self.advance(at)
        self._second.expire(at)
        self._judge()

    def add(self, at: Fraction, transitions: Transitions, change: Floats) -> None:
        """Take the transitions of the frame that appears at ``at``.

        ``change`` tells how much the code values of each cell changed, shape [h, w].
        """
        self.advance(at)
        self._second.add(at, transitions, change)
        self._judge()

    def advance(self, to: Fraction) -> None:
        """Let time pass without a change."""
        if WARN_TRANSITIONS <= self.level < FAIL_TRANSITIONS and to > self._at:
            second = self._second.of_screen(WARN_TRANSITIONS)
            first = self._steady.add(TimeSpan(self._at, to), second.first)
            if first is not None:
                self._extended.feed(self.level, second, first)
        self._at = to

    def _judge(self) -> None:
        if self.level >= FAIL_TRANSITIONS:
            second = self._second.of_screen(FAIL_TRANSITIONS)
            self._failure.feed(self.level, second, second.first)
        elif self.level >= WARN_TRANSITIONS:
            second = self._second.of_screen(WARN_TRANSITIONS)
            self._warning.feed(self.level, second, second.first)
        field = self._second.field_level(FAIL_TRANSITIONS)
        if field:
            second = self._second.of_field(FAIL_TRANSITIONS)
            self._field.feed(field, second, second.first)

    def findings(self, *, ended: bool = False) -> Iterator[Observation]:
        """Yield what cannot grow any more; everything when the stream has ended."""
        open_findings = (self._warning, self._field, self._failure, self._extended)
        if not any(finding.is_open for finding in open_findings):
            return
        # a window of five seconds may still reach back to what ended less than that ago
        before = None if ended else self._at - EXTENDED_WINDOW_SECONDS
        # lesser findings first: what failed is then still known
        for stretch in self._warning.take(before):
            if not any(stretch.meets(span) for span in self._failures()):
                yield self._warning.observation(stretch)
        for stretch in self._field.take(before):
            if not any(stretch.within(span) for span in self._failures()):
                yield self._field.observation(stretch)
        for finding in (self._failure, self._extended):
            for stretch in finding.take(before):
                self._failed.append(TimeSpan(stretch.start, stretch.end))
                yield finding.observation(stretch)
        self._forget()

    def _failures(self) -> Iterator[TimeSpan]:
        yield from self._failed
        yield from self._failure.spans()
        yield from self._extended.spans()

    def _forget(self) -> None:
        """Keep only failures that an open lesser finding, or one yet to come, may meet."""
        starts = [self._at - 2 * EXTENDED_WINDOW_SECONDS]
        starts += [span.start for span in (*self._warning.spans(), *self._field.spans())]
        oldest = min(starts) - WINDOW_SECONDS
        self._failed = deque(span for span in self._failed if span.end >= oldest)
