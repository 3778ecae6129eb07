"""Labelled data: reading, checking, splitting."""
