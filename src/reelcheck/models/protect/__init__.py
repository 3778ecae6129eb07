"""Guarding models: signatures, trust, versions that only go up, encryption at rest, probes.

What each part protects against, and what nothing here protects against, stands in
``docs/protection.md``.
"""
