"""What became of a file, as plain data."""

from dataclasses import dataclass
from fractions import Fraction

from reelcheck.spans import CoverageSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Coverage of all video streams of one file."""

    duration: Fraction
    decoded_ratio: float
    spans: tuple[CoverageSpan, ...]
    frames_decoded: int
    frames_declared: int | None
    warnings: tuple[str, ...]
