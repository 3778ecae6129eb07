"""Stretches of video time, and what was found or seen on them. Exact: times are fractions."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

CoverageState = Literal["decoded", "sampled", "skipped", "damaged"]


@dataclass(frozen=True, slots=True, order=True)
class TimeSpan:
    """A half-open stretch ``[start, end)`` of presentation time, in seconds from the start."""

    start: Fraction
    end: Fraction

    def __post_init__(self) -> None:
        """Refuse a span that ends before it starts."""
        if self.end < self.start:
            message = f"a span must not end before it starts, got {self}"
            raise ValueError(message)

    @property
    def seconds(self) -> Fraction:
        """Length in seconds."""
        return self.end - self.start

    def overlaps(self, other: "TimeSpan") -> bool:
        """Return whether the two share more than an edge."""
        return self.start < other.end and other.start < self.end

    def __str__(self) -> str:
        """Show both edges in seconds."""
        return f"{float(self.start):.3f} s to {float(self.end):.3f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A place in the upright picture. All four are ratios of its width or height, 0 to 1."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One finding of one analyzer on one time span.

    With a ``label`` it is an event (black from 3 s to 5 s); without one it is a sample of the
    curve ``signal`` (loudness over one tenth of a second).
    """

    analyzer: str
    """Name in ``reelcheck.registry.ANALYZERS``."""
    signal: str
    """What was measured, lower case, such as ``blur_score``. Its meaning stands in the docs."""
    span: TimeSpan
    score: float
    """In ``unit``; finite."""
    unit: str = ""
    """Such as ``LUFS``, ``%``, ``1/s``; empty for a plain number."""
    label: str = ""
    """Kind of event, such as ``black``; empty for a sample of a curve."""
    place: Box | None = None
    note: str = ""
    """One sentence for a person: numbers and rule behind an event."""
    stream: int = 0
    """Index of the stream in its container. The pipeline sets it; analyzers leave it alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageSpan:
    """What happened to one stretch of one video stream."""

    span: TimeSpan
    state: CoverageState
    cause: str = ""
    """Why it was not fully decoded, as ``CODE: words``; empty for ``decoded``."""
    stream: int = 0


def merge(spans: Iterable[TimeSpan], *, bridge: Fraction = Fraction(0)) -> list[TimeSpan]:
    """Return the union of ``spans`` as disjoint spans in order.

    Gaps of at most ``bridge`` seconds are closed. Empty spans vanish unless they touch another.
    """
    merged: list[TimeSpan] = []
    for span in sorted(spans):
        if merged and span.start - merged[-1].end <= bridge:
            merged[-1] = TimeSpan(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return [span for span in merged if span.seconds > 0]


def subtract(whole: TimeSpan, parts: Iterable[TimeSpan]) -> list[TimeSpan]:
    """Return what is left of ``whole`` when every one of ``parts`` is taken away, in order."""
    left: list[TimeSpan] = []
    at = whole.start
    for part in merge(parts):
        if part.start > at:
            left.append(TimeSpan(at, min(part.start, whole.end)))
        at = max(at, part.end)
        if at >= whole.end:
            break
    if at < whole.end:
        left.append(TimeSpan(at, whole.end))
    return [span for span in left if span.seconds > 0]
