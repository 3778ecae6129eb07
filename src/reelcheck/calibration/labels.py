"""The table of what is really in the videos.

CSV with the columns ``file,start_seconds,end_seconds,label`` and, if wanted, ``group``: one row per
event. A row with a file and no label says that nothing is wrong in this video; it counts as hours
without events. Files are relative to the folder of the table. Videos of one group (one camera, one
uploader, one film) are not independent and stay together; without a group, each file is its own.

Whatever is wrong with one row takes its whole video out: with an event missing, a true alarm would
be counted as false.
"""

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reelcheck.errors import InputError
from reelcheck.verdict.rounding import microseconds

Stretch = tuple[int, int]
"""Start and end in whole microseconds."""
_COLUMNS: Final = ("file", "start_seconds", "end_seconds", "label")
_GROUP: Final = "group"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a row or a video was left out."""

    where: str
    """File and row, or a video."""
    message: str

    def __str__(self) -> str:
        """Show it on one line."""
        return f"{self.where}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """One video of the table."""

    file: str
    """As written."""
    path: Path
    group: str
    row: int
    """First row that names it, as a line of the table."""
    events: dict[str, tuple[Stretch, ...]]
    """Label as written -> stretches."""
    rows: dict[str, int]
    """Label as written -> first row that has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The table, and what could not be used of it."""

    table: Path
    videos: tuple[Labelled, ...]
    faults: tuple[Fault, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All labels, sorted."""
        return tuple(sorted({label for video in self.videos for label in video.events}))

    def where(self, row: int) -> str:
        """Return what names a row in messages."""
        return f"{self.table}, row {row}"


@dataclass(slots=True)
class _Draft:
    group: str
    row: int
    events: dict[str, list[Stretch]]
    rows: dict[str, int]


def read_labels(table: Path) -> Labels:
    """Read the table.

    Raises:
        InputError: it cannot be read, its columns are not these, or it has no row.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = tuple(reader.fieldnames or ())
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{table}: {reason}", code="E_DATA") from error
    if columns not in {_COLUMNS, (*_COLUMNS, _GROUP)}:
        raise InputError(
            f"{table}, row 1: the columns must be {','.join(_COLUMNS)} and, if wanted, {_GROUP}",
            code="E_DATA",
        )
    if not rows:
        raise InputError(f"{table}: there is no row below the names of the columns", code="E_DATA")
    drafts: dict[str, _Draft] = {}
    faults: list[Fault] = []
    broken: set[str] = set()
    for number, row in rows:
        message = _take(row, number, columns, drafts)
        if message:
            broken.add(row.get("file") or "")
            faults.append(Fault(where=f"{table}, row {number}", message=message))
    return Labels(
        table=table,
        videos=tuple(
            _labelled(file, draft, table) for file, draft in drafts.items() if file not in broken
        ),
        faults=tuple(faults),
    )


def _labelled(file: str, draft: _Draft, table: Path) -> Labelled:
    events = {label: tuple(sorted(spans)) for label, spans in draft.events.items()}
    return Labelled(
        file=file,
        path=table.parent / file,
        group=draft.group,
        row=draft.row,
        events=events,
        rows=draft.rows,
    )


def _take(
    row: dict[str, str], number: int, columns: tuple[str, ...], drafts: dict[str, _Draft]
) -> str:
    """Take in one row; return what is wrong with it, or nothing."""
    if None in row or None in row.values():
        return f"it must have {len(columns)} entries"
    file = row["file"].strip()
    if not file or "\0" in file:
        return "it names no file"
    group = row.get(_GROUP, "").strip() or file
    draft = drafts.setdefault(file, _Draft(group=group, row=number, events={}, rows={}))
    if draft.group != group:
        return f"{file!r} is in the group {draft.group!r} by row {draft.row}, and in {group!r} here"
    return _take_event(row, number, draft)


def _take_event(row: dict[str, str], number: int, draft: _Draft) -> str:
    """Take in the event of a row, if there is one; return what is wrong with it, or nothing."""
    label = row["label"].strip()
    times = row["start_seconds"].strip(), row["end_seconds"].strip()
    if not label:
        return "there are times, but no label" if any(times) else ""
    try:
        start, end = (float(one) for one in times)
    except ValueError:
        return f"start or end is no number, got {times[0]!r} and {times[1]!r}"
    if not (math.isfinite(start) and math.isfinite(end) and 0 <= start < end):
        return f"an event must start at 0 or later and end after it starts, got {start} to {end}"
    draft.rows.setdefault(label, number)
    draft.events.setdefault(label, []).append((microseconds(start), microseconds(end)))
    return ""
