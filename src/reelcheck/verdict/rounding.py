"""The one place that decides how exact the numbers of a report are."""

from fractions import Fraction
from typing import Final

DECIMALS: Final = 6
"""Microseconds, far below the length of a frame; ours."""

_EXACT_BELOW_SECONDS: Final = 2.0**33
"""Up to here (272 years) a double keeps microseconds; beyond, only absurd headers lie."""


def rounded(value: float) -> float:
    """Return ``value`` as every report shows it: six decimals, and no negative zero."""
    return round(value, DECIMALS) + 0.0


def seconds_of(exact: Fraction) -> float:
    """Return an exact time as a report shows it.

    Halves of a microsecond go up, wherever they lie: a stretch that lasts a whole number of
    microseconds lasts exactly as long in the report.
    """
    return seconds((2_000_000 * exact.numerator + exact.denominator) // (2 * exact.denominator))


def microseconds(time_seconds: float) -> int:
    """Return a time of a report as a whole number, so that sums and comparisons are exact."""
    if abs(time_seconds) < _EXACT_BELOW_SECONDS:
        return round(time_seconds * 1_000_000)
    return int(time_seconds) * 1_000_000


def seconds(whole_us: int) -> float:
    """Return a whole number of microseconds as a time of a report."""
    return whole_us / 1_000_000
