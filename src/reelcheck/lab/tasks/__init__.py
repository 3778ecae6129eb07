"""Generated tasks whose truth is known by construction."""
