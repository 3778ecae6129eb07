"""Fights: people who hit, kick or wrestle each other."""

from reelcheck.analyzers.fights.analyzer import FightsAnalyzer

__all__ = ["FightsAnalyzer"]
