"""Figures of found stretches of time against true ones, over several files."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Span = tuple[float, float]
"""Start and end in seconds."""
LOWER_IS_BETTER: Final = frozenset({"false_per_hour", "delay_seconds"})
_MOSTLY: Final = 0.5
"""Share of a true event that must have been seen for its absence to be a miss; ours."""
_HOUR_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """When a finding is a hit."""

    min_overlap: float = 0.5
    """Shared time per joined time, as in temporal action detection (ActivityNet: 0.5 to 0.95)."""
    within_seconds: float | None = None
    """If given, starts that lie so close make a hit instead: for moments, such as cuts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What came of one file."""

    hits: int
    found: int
    truth: int
    """True events that were seen, or found."""
    unseen: int
    """True events that nobody could find: most of their time was not seen. Not in ``truth``."""
    overlap: float
    """Sum over hits of shared time per joined time."""
    delay_seconds: float
    """Sum over hits of how much later than the truth a finding begins."""
    seen_seconds: float


def count(
    found: Sequence[Span],
    truth: Sequence[Span],
    *,
    seconds: float,
    unseen: Sequence[Span] = (),
    matching: Matching = Matching(),
) -> Counts:
    """Match findings with truth, best first, one to one.

    Args:
        found: What was reported.
        truth: What there is.
        seconds: Length of the file.
        unseen: Stretches that were not looked at; silence there is no success and no miss.
        matching: When a finding is a hit.
    """
    pairs = sorted(
        (
            (_likeness(one, other, matching), i, j)
            for i, one in enumerate(found)
            for j, other in enumerate(truth)
        ),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    hits: dict[int, int] = {}
    for likeness, i, j in pairs:
        if likeness > 0 and i not in hits and j not in hits.values():
            hits[i] = j
    blind = joined(unseen)
    missed = [one for j, one in enumerate(truth) if j not in hits.values()]
    hidden = sum(_covered(one, blind) > 1 - _MOSTLY for one in missed)
    return Counts(
        hits=len(hits),
        found=len(found),
        truth=len(truth) - hidden,
        unseen=hidden,
        overlap=sum(_overlap(found[i], truth[j]) for i, j in hits.items()),
        delay_seconds=sum(found[i][0] - truth[j][0] for i, j in hits.items()),
        seen_seconds=max(0.0, seconds - sum(end - start for start, end in blind)),
    )


class Events:
    """Computes the figures of a detector of events from weights of files.

    ``precision``, ``recall`` and ``f1``, 0 to 1; ``overlap`` (mean over hits of shared time per
    joined time) and ``delay_seconds`` (mean over hits; negative is earlier); ``false_per_hour`` of
    seen time. ``nan`` where the files do not give it: precision needs a finding, recall an event.
    """

    FIGURES: Final = (
        "precision",
        "recall",
        "f1",
        "overlap",
        "delay_seconds",
        "false_per_hour",
    )

    def __init__(self, files: Sequence[Counts]) -> None:
        """One entry per file."""
        self._table: NDArray[np.float64] = np.array(
            [(f.hits, f.found, f.truth, f.overlap, f.delay_seconds, f.seen_seconds) for f in files],
            dtype=np.float64,
        ).reshape(-1, 6)

    def __call__(self, weights: NDArray[np.float64]) -> dict[str, float]:
        """Return all figures."""
        hits, found, truth, overlap, delay, seconds = (weights @ self._table).tolist()
        return {
            "precision": _ratio(hits, found),
            "recall": _ratio(hits, truth),
            "f1": _ratio(2 * hits, found + truth),
            "overlap": _ratio(overlap, hits),
            "delay_seconds": _ratio(delay, hits),
            "false_per_hour": _ratio(found - hits, seconds / _HOUR_SECONDS),
        }


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")


def joined(spans: Sequence[Span]) -> list[Span]:
    """Return stretches without overlaps, in order."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif end > start:
            found.append((start, end))
    return found


def _likeness(one: Span, other: Span, matching: Matching) -> float:
    """Return how well two stretches fit, 0 for no hit."""
    if matching.within_seconds is not None:
        distance = abs(one[0] - other[0])
        return 1 / (1 + distance) if distance <= matching.within_seconds else 0.0
    shared = _overlap(one, other)
    return shared if shared >= matching.min_overlap else 0.0


def _overlap(one: Span, other: Span) -> float:
    if one == other:
        return 1.0  # also of moments, which have no length
    shared = min(one[1], other[1]) - max(one[0], other[0])
    either = max(one[1], other[1]) - min(one[0], other[0])
    return max(0.0, shared) / either if either > 0 else 0.0


def _covered(one: Span, blind: Sequence[Span]) -> float:
    """Return the share of a stretch within others that do not overlap, 0 to 1."""
    start, end = one
    if end <= start:
        return float(any(first <= start < last for first, last in blind))
    shared = sum(max(0.0, min(end, last) - max(start, first)) for first, last in blind)
    return shared / (end - start)
