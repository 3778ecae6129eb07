"""``python -m reelcheck``."""

from reelcheck.cli import main

main()
