"""From a trained network to files that the rest of reelcheck can run."""
