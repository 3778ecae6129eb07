"""How this analyzer words what it found."""

from dataclasses import dataclass

from reelcheck.spans import Box, Observation, TimeSpan

NAME = "defects"
"""Name of the analyzer in ``reelcheck.registry.ANALYZERS``."""

DECIMALS = 4
"""Scores are rounded at the source, so that they read the same on every machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A quantity that is measured: the name of its curve, its unit, the event it leads to."""

    signal: str
    label: str
    unit: str = ""


def sample(measure: Measure, span: TimeSpan, score: float) -> Observation:
    """Return one sample of the curve of ``measure``."""
    return Observation(
        analyzer=NAME,
        signal=measure.signal,
        span=span,
        score=round(score, DECIMALS),
        unit=measure.unit,
    )


def event(
    measure: Measure, span: TimeSpan, score: float, note: str, *, place: Box | None = None
) -> Observation:
    """Return one event of the kind that ``measure`` leads to."""
    return Observation(
        analyzer=NAME,
        signal=measure.signal,
        span=span,
        score=round(score, DECIMALS),
        unit=measure.unit,
        label=measure.label,
        place=place,
        note=note,
    )
