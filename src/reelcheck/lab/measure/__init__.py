"""Measures of trained networks."""
