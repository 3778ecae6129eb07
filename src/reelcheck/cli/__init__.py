"""The command line. Machine output goes to stdout, talk to stderr."""

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    from reelcheck.cli.app import app  # noqa: PLC0415 - so that importing the package stays cheap

    sys.exit(app(standalone_mode=True))
