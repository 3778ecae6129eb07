"""Watermarks: signs of whose a network is, in its weights and in its answers.

Everything secret comes from one key of 32 bytes, so that whoever wants to forge a mark can only
guess keys. What is proved, what survives and what does not stands in ``docs/ownership.md``.
"""
