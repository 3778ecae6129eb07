"""Manifests: one row per labelled clip, as CSV or JSON Lines.

    file,start_seconds,end_seconds,label,group,split
    a/one.mp4,0,4.5,fight,tape-1,train

``file`` is relative to the manifest. ``start_seconds`` and ``end_seconds`` may be empty: the whole
video. ``group`` names the source; clips of one group never stand on both sides of a split.
``split`` is ``train``, ``validation`` or ``test``; where it is empty, it is chosen by group.
"""

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

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
    group: str = ""
    """The file itself when empty."""
    split: str = ""

    @property
    def source(self) -> str:
        """What the clip shares with others of its group."""
        return self.group or self.file


_NAMES: Final = tuple(field.name for field in fields(Row))
_NUMBERS: Final = ("start_seconds", "end_seconds", "score")


def read_manifest(path: Path) -> list[Row]:
    """Return the rows of a manifest, CSV or JSONL by its suffix.

    Raises:
        DataError: the file is missing or not of its form, a column or split is unknown, a number
            is none, a clip ends before it begins, a row has no label and no score, or a video is
            missing. The message names file and row.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}") from error
    raw = _json_rows(text, path) if path.suffix == ".jsonl" else _csv_rows(text, path)
    rows = [_row(values, f"{path}, row {number}") for number, values in raw]
    if not rows:
        raise DataError(f"{path}: there is no row")
    for (number, _), row in zip(raw, rows, strict=True):
        if not (path.parent / row.file).is_file():
            raise DataError(f"{path}, row {number}: there is no file {row.file!r}")
    return rows


def _csv_rows(text: str, path: Path) -> list[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(text.splitlines())
    unknown = sorted(set(reader.fieldnames or ()) - set(_NAMES))
    if unknown or "file" not in (reader.fieldnames or ()):
        complaint = f"unknown column {unknown[0]!r}" if unknown else "there is no column 'file'"
        raise DataError(f"{path}: {complaint}", hint=f"known columns: {', '.join(_NAMES)}")
    return [(reader.line_num, dict(values)) for values in reader]


def _json_rows(text: str, path: Path) -> list[tuple[int, dict[str, Any]]]:
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, row {number}: {error.msg}") from error
        unknown = sorted(set(values) - set(_NAMES)) if isinstance(values, dict) else ["no object"]
        if unknown:
            raise DataError(f"{path}, row {number}: unknown key {unknown[0]!r}")
        rows.append((number, values))
    return rows


def _row(values: dict[str, Any], where: str) -> Row:
    clean = {name: value for name, value in values.items() if value not in {None, ""}}
    for name in _NUMBERS:
        if name in clean:
            try:
                clean[name] = float(clean[name])
            except (TypeError, ValueError) as error:
                raise DataError(f"{where}: {name} is no number: {clean[name]!r}") from error
    if not clean.get("file"):
        raise DataError(f"{where}: the file is not named")
    row = Row(**clean)
    if row.split not in {*SPLITS, ""}:
        raise DataError(f"{where}: unknown split {row.split!r}", hint=f"one of {', '.join(SPLITS)}")
    if not row.label and row.score is None:
        raise DataError(f"{where}: there is neither a label nor a score")
    if row.end_seconds is not None and row.end_seconds <= (row.start_seconds or 0.0):
        raise DataError(f"{where}: the clip ends at {row.end_seconds:g} s, before it begins")
    return row


def write_manifest(rows: Iterable[Row], path: Path) -> None:
    """Write rows as CSV; reading them back gives the same rows."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _NAMES)
        writer.writeheader()
        for row in rows:
            values = asdict(row)
            writer.writerow({name: "" if values[name] is None else values[name] for name in _NAMES})


def import_folders(folder: Path) -> list[Row]:
    """Return one row per video of a folder of classes: ``folder/LABEL/any/where.mp4``.

    Raises:
        DataError: there are fewer than two classes, or a class has no video.
    """
    classes = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if len(classes) < 2:  # noqa: PLR2004 - a choice needs two
        raise DataError(f"{folder} must hold one folder per class, at least two")
    rows: list[Row] = []
    for one in classes:
        videos = sorted(path for path in one.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)
        if not videos:
            raise DataError(f"class {one.name!r} has no video", hint=f"looked in {one}")
        names = [str(path.relative_to(folder)) for path in videos]
        rows += [Row(file=name, label=one.name) for name in names]
    return rows


def class_names(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the labels of all rows, sorted."""
    return tuple(sorted({row.label for row in rows}))
