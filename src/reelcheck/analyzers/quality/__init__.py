"""Quality without a reference: how good the picture looks, second by second."""

from reelcheck.analyzers.quality.analyzer import QualityAnalyzer
from reelcheck.analyzers.quality.cutting import (
    as_levels,
    corners,
    fragments,
    halvings,
    in_bytes,
    trimmed,
)
from reelcheck.analyzers.quality.judge import GRID, Judge, Judged

__all__ = [
    "GRID",
    "Judge",
    "Judged",
    "QualityAnalyzer",
    "as_levels",
    "corners",
    "fragments",
    "halvings",
    "in_bytes",
    "trimmed",
]
