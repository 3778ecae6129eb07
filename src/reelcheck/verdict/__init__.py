"""From observations to a decision. Pure: no video, no model."""
