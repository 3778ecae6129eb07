"""Technical faults of the picture: one file per family of checks."""

from reelcheck.analyzers.defects.analyzer import DefectsAnalyzer

__all__ = ["DefectsAnalyzer"]
