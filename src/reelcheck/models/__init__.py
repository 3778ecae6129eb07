"""Model cards, where their weights lie, and how they are run."""
