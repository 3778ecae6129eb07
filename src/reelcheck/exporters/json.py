"""The report as readable JSON. Its meaning is that of ``reelcheck schema``."""

import json
import re
from dataclasses import dataclass
from typing import Final

from reelcheck.exporters.base import UNSAFE
from reelcheck.verdict.report import Report

_COLUMN: Final = re.compile(r"\[\s+([-+.\deE]+(?:,\s+[-+.\deE]+)*)\s+\]")
"""A list of numbers over several lines. No string can hold one: its line breaks are escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonExporter:
    """Indented JSON with sorted keys, in UTF-8. Lists of numbers stand on one line.

    Characters that could steer a terminal are written as JSON escapes, so that the content stays
    the same.
    """

    name: str = "json"
    suffix: str = ".json"
    media_type: str = "application/json"

    def render(self, report: Report) -> bytes:
        """Return the report."""
        text = json.dumps(
            report.model_dump(mode="python"),
            indent=2,
            sort_keys=True,
            allow_nan=False,
            ensure_ascii=False,
        )
        text = _COLUMN.sub(lambda match: f"[{' '.join(match[1].split())}]", text)
        lines = (UNSAFE.sub(_escaped, line) for line in text.split("\n"))
        return ("\n".join(lines) + "\n").encode("utf-8")


def _escaped(match: re.Match[str]) -> str:
    """Return a JSON escape; a character beyond 16 bits takes two."""
    units = match.group().encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
