"""What leaks, as a table for people and JSON for programs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Final

from reelcheck.errors import OutputError
from reelcheck.lab.leak.extraction import Extraction
from reelcheck.lab.leak.membership import Membership
from reelcheck.lab.leak.telling import RATES

_FIGURES: Final = ("auc", *(f"tpr_at_{rate:g}" for rate in RATES), "balanced_accuracy")


def membership_text(found: Membership) -> str:
    """Return the table of membership inference."""
    trained = f"each of {found.shadow_members} samples (the network: {found.trained_on})"
    lines = [
        f"{found.members} members and {found.others} others; {found.shadows} shadows, {trained}",
        f"{'ATTACK':12} {'SHOWN':14}" + "".join(f"{name:>24}" for name in _FIGURES),
    ]
    for leak in found.leaks:
        told = (str(leak.figures.get(name, "too few others")) for name in _FIGURES)
        lines.append(f"{leak.attack:12} {leak.shown:14}" + "".join(f"{one:>24}" for one in told))
    return "\n".join(lines)


def extraction_text(found: Extraction) -> str:
    """Return the table of extraction."""
    lines = [
        f"queries: {found.source}; accuracy of the original {found.accuracy}",
        f"{'QUERIES':>8} {'SHOWN':14} {'AGREEMENT':>24} {'ACCURACY':>24}",
    ]
    lines += [
        f"{copy.queries:8} {copy.shown:14} {copy.agreement!s:>24} {copy.accuracy!s:>24}"
        for copy in found.copies
    ]
    return "\n".join(lines)


def write_leak(found: Membership | Extraction, path: Path) -> None:
    """Write what was measured.

    Raises:
        OutputError: the file cannot be written.
    """
    text = json.dumps(asdict(found), indent=2, allow_nan=False)
    try:
        path.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
