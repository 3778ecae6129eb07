"""Recipes that watch frames or sound and say what they saw. Peers know only ``base``."""
