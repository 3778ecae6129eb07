"""Bringing optional weights to this machine, when the user asks for them and never otherwise."""
