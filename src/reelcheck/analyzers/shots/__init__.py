"""Where one shot ends and the next begins."""

from reelcheck.analyzers.shots.analyzer import ShotsAnalyzer

__all__ = ["ShotsAnalyzer"]
