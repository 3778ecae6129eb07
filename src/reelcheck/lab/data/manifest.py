"""Manifests: one row per labelled clip, as CSV or JSON Lines.

    file,start_seconds,end_seconds,label,group,split
    a/one.mp4,0,4.5,fight,tape-1,train

``file`` is relative to the manifest. ``start_seconds`` and ``end_seconds`` may be empty: the whole
video. ``score`` takes the place of ``label`` for quality networks; ``half_width`` may say half of
the 95 % interval of that score. ``group`` names the source; clips of one group never stand on both
sides of a split. ``split`` is ``train``, ``validation`` or ``test``; where it is empty, it is
chosen by group. Columns whose name begins with ``slice_`` are the user's: figures can be told apart
by them.
"""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from reelcheck.errors import OutputError
from reelcheck.lab.errors import DataError

SPLITS: Final = ("train", "validation", "test")
VIDEO_SUFFIXES: Final = frozenset(
    {".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".mpg", ".ts", ".flv", ".gif"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One labelled clip."""

    file: str
    start_seconds: float | None = None
    end_seconds: float | None = None
    label: str = ""
    score: float | None = None
    half_width: float | None = None
    """Half of the 95 % interval of the score, where it is known."""
    group: str = ""
    """The file itself when empty."""
    split: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    """The columns ``slice_...``, by what follows."""
    line: int = field(default=0, compare=False)
    """Where the row stands in its manifest, from 1; 0 when it comes from nowhere."""

    @property
    def source(self) -> str:
        """What the clip shares with others of its group."""
        return self.group or self.file

    @property
    def clip(self) -> str:
        """The file, and which stretch of it."""
        if self.start_seconds is None and self.end_seconds is None:
            return self.file
        end = "its end" if self.end_seconds is None else f"{self.end_seconds:g} s"
        return f"{self.file} from {self.start_seconds or 0:g} s to {end}"


_NAMES: Final = tuple(field.name for field in fields(Row) if field.name not in {"extra", "line"})
_OWN: Final = "slice_"
_NUMBERS: Final = ("start_seconds", "end_seconds", "score", "half_width")


def read_manifest(path: Path) -> list[Row]:
    """Return the rows of a manifest, CSV or JSONL by its suffix.

    Raises:
        DataError: the file is missing or not of its form, a column or split is unknown, a number
            is none, a clip ends before it begins, a row has no label and no score, or a video is
            missing. The message names file and row.
    """
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    raw = _json_rows(text, path) if path.suffix == ".jsonl" else _csv_rows(text, path)
    rows = [_row(values, number, path) for number, values in raw]
    if not rows:
        raise DataError(f"{path}: there is no row")
    for row in rows:
        if not _is_file(path.parent / row.file):
            raise DataError(f"{path}, row {row.line}: there is no file {row.file!r}")
    return rows


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long
        return False


def _csv_rows(text: str, path: Path) -> list[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        unknown = _unknown(reader.fieldnames or ())
        if unknown or "file" not in (reader.fieldnames or ()):
            complaint = f"unknown column {unknown[0]!r}" if unknown else "there is no column 'file'"
            raise DataError(f"{path}: {complaint}", hint=f"known columns: {', '.join(_NAMES)}")
        rows = [(reader.line_num, dict(values)) for values in reader]
    except csv.Error as error:
        raise DataError(f"{path}, row {reader.line_num}: {error}") from error
    for number, values in rows:
        if None in values:  # where csv puts what has no column
            raise DataError(f"{path}, row {number}: there are more values than columns")
    return rows


def _json_rows(text: str, path: Path) -> list[tuple[int, dict[str, Any]]]:
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, row {number}: {error.msg}") from error
        except (ValueError, RecursionError) as error:  # a number of too many digits, or a tower
            raise DataError(f"{path}, row {number}: {error}") from error
        if not isinstance(values, dict):
            raise DataError(f"{path}, row {number}: that is no object")
        unknown = _unknown(values)
        if unknown:
            raise DataError(f"{path}, row {number}: unknown key {unknown[0]!r}")
        rows.append((number, values))
    return rows


def _unknown(names: Iterable[str]) -> list[str]:
    return sorted(name for name in {*names} - {*_NAMES} if not name.startswith(_OWN))


def _row(values: dict[str, Any], number: int, path: Path) -> Row:
    where = f"{path}, row {number}"
    clean = {
        name: _number(value, name, where) if name in _NUMBERS else _word(value, name, where)
        for name, value in values.items()
        if value is not None and value != ""
    }
    if not clean.get("file"):
        raise DataError(f"{where}: the file is not named")
    own = [name for name in values if name.startswith(_OWN)]
    extra = {name.removeprefix(_OWN): str(clean.pop(name, "")) for name in own}
    row = Row(**clean, extra=extra, line=number)  # type: ignore[arg-type]  # by the names of its fields
    if row.split not in {*SPLITS, ""}:
        raise DataError(f"{where}: unknown split {row.split!r}", hint=f"one of {', '.join(SPLITS)}")
    if not row.label and row.score is None:
        raise DataError(f"{where}: there is neither a label nor a score")
    start, end = row.start_seconds or 0.0, row.end_seconds
    if start < 0:
        raise DataError(f"{where}: the clip begins at {start:g} s, before its video")
    if end is not None and end <= start:
        raise DataError(f"{where}: the clip ends at {end:g} s, before it begins")
    if row.half_width is not None and row.half_width < 0:
        raise DataError(f"{where}: half_width is below 0: {row.half_width:g}")
    return row


def _number(value: Any, name: str, where: str) -> float:  # noqa: ANN401 - of JSON
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: {name} is no number: {value!r}") from error
    if not math.isfinite(number) or isinstance(value, bool):
        raise DataError(f"{where}: {name} is no number: {value!r}")
    return number


def _word(value: Any, name: str, where: str) -> str:  # noqa: ANN401 - of JSON
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise DataError(f"{where}: {name} is no text: {value!r}")
    return str(value).strip()


def write_manifest(rows: Iterable[Row], path: Path) -> None:
    """Write rows as CSV; reading them back gives the same rows.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            kept = list(rows)
            own = dict.fromkeys(name for row in kept for name in row.extra)
            writer = csv.DictWriter(file, [*_NAMES, *(_OWN + name for name in own)])
            writer.writeheader()
            for row in kept:
                values = {name: getattr(row, name) for name in _NAMES}
                values |= {_OWN + name: value for name, value in row.extra.items()}
                writer.writerow(
                    {name: value for name, value in values.items() if value is not None}
                )
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}"
        raise OutputError(message, code="E_STORAGE_READONLY") from error


def class_names(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the labels of all rows, sorted."""
    return tuple(sorted({row.label for row in rows}))
