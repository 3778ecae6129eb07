"""The events of a report as a table for spreadsheets (RFC 4180)."""

import csv
import io
from dataclasses import dataclass
from typing import Final

from reelcheck.exporters.base import plain_text
from reelcheck.verdict.report import Event, Report
from reelcheck.verdict.rounding import rounded

COLUMNS: Final = (
    "video",
    "analyzer",
    "label",
    "severity",
    "start_seconds",
    "end_seconds",
    "duration_seconds",
    "score",
    "unit",
    "stream",
    "origin",
    "waived",
    "note",
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""A spreadsheet calculates what begins with one of these (OWASP, CSV Injection)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvExporter:
    """One row for each event, in UTF-8, with a line of headings.

    Text that a spreadsheet would calculate gets an apostrophe in front. Numbers stay numbers.
    """

    name: str = "csv"
    suffix: str = ".csv"
    media_type: str = "text/csv; charset=utf-8"

    def render(self, report: Report) -> bytes:
        """Return the table."""
        table = io.StringIO(newline="")
        writer = csv.writer(table, lineterminator="\r\n")
        writer.writerow(COLUMNS)
        writer.writerows(_row(report.video.name, event) for event in report.events)
        return table.getvalue().encode("utf-8")


def _row(video: str, event: Event) -> tuple[str | float, ...]:
    return (
        _cell(video),
        _cell(event.analyzer),
        _cell(event.label),
        event.severity,
        event.start_seconds,
        event.end_seconds,
        rounded(event.end_seconds - event.start_seconds),
        event.score,
        _cell(event.unit),
        event.stream,
        event.origin,
        _cell(event.waived or ""),
        _cell(event.note),
    )


def _cell(text: str) -> str:
    shown = plain_text(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown
