"""Forms in which a report leaves the house. Peers know only ``base``; all of them take a report."""
