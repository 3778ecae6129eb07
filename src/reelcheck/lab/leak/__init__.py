"""What the answers of a network give away: who was in its training data, and how to copy it."""
