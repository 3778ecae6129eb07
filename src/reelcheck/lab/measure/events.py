"""Figures of found stretches of time against true ones."""

from collections.abc import Sequence
from dataclasses import dataclass

Span = tuple[float, float]
"""Start and end in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Figures of a detector of events."""

    precision: float
    recall: float
    f1: float
    overlap: float
    """Mean over hits of shared time per joined time, 0 to 1."""
    delay_seconds: float
    """Mean over hits of how much later than the truth a finding begins; negative is earlier."""
    false_per_hour: float


def found_events(
    found: Sequence[Span], truth: Sequence[Span], *, hours: float, min_overlap: float = 0.5
) -> Found:
    """Match findings with truth, best overlap first, one to one.

    Args:
        found: What was reported.
        truth: What there is.
        hours: Length of everything that was watched.
        min_overlap: Shared time per joined time from which a finding is a hit, as in temporal
            action detection (ActivityNet uses 0.5 to 0.95).
    """
    pairs = sorted(
        (
            (_overlap(one, other), i, j)
            for i, one in enumerate(found)
            for j, other in enumerate(truth)
        ),
        reverse=True,
    )
    hits: dict[int, tuple[int, float]] = {}
    taken = set[int]()
    for share, i, j in pairs:
        if share >= min_overlap and i not in hits and j not in taken:
            hits[i] = (j, share)
            taken.add(j)
    count = len(hits)
    precision = count / len(found) if found else float(not truth)
    recall = count / len(truth) if truth else 1.0
    both = precision + recall
    return Found(
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / both if both else 0.0,
        overlap=sum(share for _, share in hits.values()) / count if count else 0.0,
        delay_seconds=sum(found[i][0] - truth[j][0] for i, (j, _) in hits.items()) / max(1, count),
        false_per_hour=(len(found) - count) / hours,
    )


def _overlap(one: Span, other: Span) -> float:
    shared = min(one[1], other[1]) - max(one[0], other[0])
    joined = max(one[1], other[1]) - min(one[0], other[0])
    return max(0.0, shared) / joined if joined > 0 else 0.0
