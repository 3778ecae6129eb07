"""Stored reports of analyzers against a table of what there is in the files.

The table is CSV with the columns ``file,start_seconds,end_seconds,label``, one row per true event;
a row with a file alone says that nothing is there. ``label`` is that of a finding
(``analyzer.label``, or the part after the point where only one analyzer has it).

What a report did not see (skipped or damaged stretches, and everything after an analyzer broke) is
left out of the hours, and a true event there is counted apart: it is neither found nor missed.
"""

import csv
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reelcheck.errors import ReelcheckError, ReportError
from reelcheck.lab.errors import DataError
from reelcheck.lab.measure.bootstrap import FEW_GROUPS, Interval, resample
from reelcheck.lab.measure.events import Counts, Events, Matching, Span, count
from reelcheck.verdict.report import Report, parse_report

_COLUMNS: Final = ("file", "start_seconds", "end_seconds", "label")
_UNSEEN: Final = frozenset({"skipped", "damaged"})
Truth = dict[str, dict[str, list[Span]]]
"""File -> label as written -> stretches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Figures of one label over all files."""

    label: str
    figures: dict[str, Interval]
    truth: int
    found: int
    hits: int
    unseen: int
    """True events that the reports did not look at."""
    seen_seconds: float


def read_truth(path: Path) -> Truth:
    """Return the table of true events.

    Raises:
        DataError: it cannot be read, or a row is wrong; the message names file and row.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if tuple(reader.fieldnames or ()) != _COLUMNS:
                raise DataError(f"{path}: the columns must be {','.join(_COLUMNS)}")
            rows = [(f"{path}, row {reader.line_num}", row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: {error}") from error
    if not rows:
        raise DataError(f"{path}: there is no row")
    truth: Truth = defaultdict(lambda: defaultdict(list))
    for where, row in rows:
        if None in row or None in row.values() or not row["file"]:
            raise DataError(f"{where}: it must have {len(_COLUMNS)} entries and name a file")
        mine = truth[Path(row["file"]).name]
        if any(row[name] for name in _COLUMNS[1:]):
            mine[row["label"]].append(_span(row, where))
    return {file: dict(labels) for file, labels in truth.items()}


def _span(row: dict[str, str], where: str) -> Span:
    if not row["label"]:
        raise DataError(f"{where}: there is no label")
    try:
        start, end = float(row["start_seconds"]), float(row["end_seconds"])
    except ValueError as error:
        raise DataError(f"{where}: start or end is no number") from error
    if not (math.isfinite(start) and math.isfinite(end) and 0 <= start <= end):
        raise DataError(f"{where}: an event must not end before it starts, nor start before 0")
    return start, end


def read_reports(paths: Sequence[Path], truth: Truth) -> dict[str, Report]:
    """Return the report of every file of the table.

    Raises:
        ReportError: a file is no report.
        DataError: two reports are of one file, a report is of a file that the table does not name,
            or a file has no report.
    """
    found: dict[str, Report] = {}
    for path in paths:
        try:
            report = parse_report(path.read_bytes())
        except OSError as error:
            raise ReportError(f"{path}: {error.strerror or error}") from error
        except ReelcheckError as error:
            raise ReportError(f"{path}: {error}", hint=error.hint) from error
        name = report.video.name
        if name in found:
            raise DataError(f"{path}: there are two reports of {name!r}")
        if name not in truth:
            hint = "a row with the file alone says that nothing is there"
            raise DataError(f"{path}: the table does not name {name!r}", hint=hint)
        found[name] = report
    missing = sorted(set(truth) - set(found))
    if missing:
        raise DataError(f"there is no report of {missing[0]!r}")
    return found


def measure_events(
    truth: Truth, reports: dict[str, Report], *, matching: Matching
) -> tuple[Measured, ...]:
    """Return the figures of each label of the table, with 95 % intervals over files.

    Raises:
        DataError: no analyzer of the reports has such a label, or several have; or a report was
            made without that analyzer.
    """
    known = sorted({code for report in reports.values() for code in _codes(report)})
    written = sorted({label for labels in truth.values() for label in labels})
    if not written:
        raise DataError("the table has no event: nothing can be found in it")
    return tuple(
        _measured(label, _code(label, known), truth, reports, matching) for label in written
    )


def _codes(report: Report) -> set[str]:
    """Return what the analyzers of a report can find, as analyzer.label."""
    judged = {check.code for check in report.verdict.checks}
    return judged | {event.code for event in report.events} | set(report.signals)


def _code(label: str, known: Sequence[str]) -> str:
    fitting = [code for code in known if label in {code, code.partition(".")[2]}]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = " or ".join(fitting)
        raise DataError(f"the label {label!r} is of several analyzers", hint=f"write {names}")
    raise DataError(f"unknown label {label!r}", hint=f"the reports know: {', '.join(known)}")


def _measured(
    label: str, code: str, truth: Truth, reports: dict[str, Report], matching: Matching
) -> Measured:
    files = sorted(reports)
    counts = [_count(code, reports[name], truth[name].get(label, []), matching) for name in files]
    figures = resample(Events(counts), files).intervals()
    return Measured(
        label=code,
        figures=figures,
        truth=sum(one.truth for one in counts),
        found=sum(one.found for one in counts),
        hits=sum(one.hits for one in counts),
        unseen=sum(one.unseen for one in counts),
        seen_seconds=round(sum(one.seen_seconds for one in counts), 6),
    )


def _count(code: str, report: Report, truth: Sequence[Span], matching: Matching) -> Counts:
    analyzer = code.partition(".")[0]
    if analyzer not in report.video.analyzers:
        raise DataError(f"the report of {report.video.name!r} was made without {analyzer!r}")
    found = [
        (event.start_seconds, event.end_seconds) for event in report.events if event.code == code
    ]
    length = report.coverage.duration_seconds
    return count(found, truth, seconds=length, unseen=_unseen(report, analyzer), matching=matching)


def _unseen(report: Report, analyzer: str) -> list[Span]:
    """Return what an analyzer did not look at: any stream's gaps, and all after it broke."""
    length = report.coverage.duration_seconds
    gaps = [
        (max(0.0, span.start_seconds), min(length, span.end_seconds))
        for span in report.coverage.spans
        if span.state in _UNSEEN
    ]
    broke = [
        failure.at_seconds or 0.0
        for failure in report.failures
        if failure.analyzer in {analyzer, ""}
    ]
    return [*gaps, *((start, length) for start in broke)]


def events_text(measured: Sequence[Measured], *, files: int) -> str:
    """Return the figures for a terminal."""
    lines = [f"{files} files"]
    for one in measured:
        lines.append(
            f"{one.label}: {one.hits} of {one.truth} found, {one.found - one.hits} false, "
            f"{one.unseen} in parts that were not seen, {one.seen_seconds / 3600:.4g} h seen"
        )
        lines += [f"  {name:16} {value}" for name, value in one.figures.items()]
        gone = [name for name in Events.FIGURES if name not in one.figures]
        lines += [f"  {name:16} left out: nothing to compute it from" for name in gone]
    if files < FEW_GROUPS:
        lines.append(f"Only {files} files: intervals are too narrow.")
    return "\n".join(lines)
