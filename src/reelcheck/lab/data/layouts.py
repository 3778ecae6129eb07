"""Public layouts of labelled videos, read into the rows of a manifest.

    folders   LABEL/any/where.mp4
    konvid    KoNViD-1k (Hosu et al., QoMEX 2017): KoNViD_1k_attributes.csv or KoNViD_1k_mos.csv
              with ``flickr_id`` and ``MOS``, videos ID.mp4 or ID_original_..._8s.mp4
    kinetics  Kinetics (Kay et al., arXiv 1705.06950): CSV files ``label,youtube_id,time_start,
              time_end,split``, videos ID_000123_000133.mp4, or ID.mp4 whole
    ucf101    UCF101 (Soomro et al., arXiv 1212.0402): v_Class_g01_c01.avi, trainlist01.txt and
              testlist01.txt; videos of one group share person and background

The layout of the YOLO family is in ``layout_yolo``. Nothing is downloaded. What does not fit
together (a row without a file, a file without a row) is left out and told.
"""

import csv
import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from reelcheck.lab.data.manifest import VIDEO_SUFFIXES, Row
from reelcheck.lab.errors import DataError

_HELD_OUT: Final = 6
"""One of so many groups of a published training part becomes the validation part."""
_SPLITS: Final = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validate": "validation",
    "validation": "validation",
    "test": "test",
}
_UCF_NAME: Final = re.compile(r"v_(?P<label>\w+)_g(?P<group>\d+)_c\d+")
_SCORES: Final = (1.0, 5.0)
"""Scale of KoNViD-1k: absolute category rating."""

Table = Iterator[tuple[str, dict[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was found in a folder."""

    rows: list[Row]
    missing: list[str]
    """Lines for the user: what had no counterpart, and what was decided."""


def import_folders(folder: Path) -> Imported:
    """Return one row per video of a folder of classes: ``folder/LABEL/any/where.mp4``.

    Raises:
        DataError: there are fewer than two classes, or a class has no video.
    """
    inside = folder.iterdir() if folder.is_dir() else ()
    classes = sorted(path for path in inside if path.is_dir() and not path.name.startswith("."))
    if len(classes) < 2:  # noqa: PLR2004 - a choice needs two
        raise DataError(f"{folder} must hold one folder per class, at least two")
    rows: list[Row] = []
    missing: list[str] = []
    for one in classes:
        videos = _videos(one)
        if not videos:
            raise DataError(f"class {one.name!r} has no video", hint=f"looked in {one}")
        rows += [Row(file=_name(path, folder), label=one.name) for path in videos]
    loose = [path for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES]
    missing += [f"{path.name} lies beside the folders of classes" for path in sorted(loose)]
    return Imported(rows=rows, missing=missing)


def import_konvid(folder: Path) -> Imported:
    """Return one row per rated video.

    Deviations of the opinions are not read: without their number they give no interval.

    Raises:
        DataError: there is no table of opinions, or an opinion is none from 1 to 5.
    """
    table = _konvid_table(folder)
    by_id: dict[str, Path] = {}
    for path in _videos(folder):
        by_id.setdefault(path.stem.partition("_")[0], path)
    rows: list[Row] = []
    missing: list[str] = []
    for where, values in _table(table):
        name = Path(values.get("flickr_id") or values.get("file_name") or "").name
        key = name.partition("_")[0].partition(".")[0]
        score = _opinion(values["mos"], where)
        if key in by_id:
            rows.append(Row(file=_name(by_id.pop(key), folder), score=score, group=key))
        else:
            missing.append(f"{where}: there is no video of {key!r}")
    missing += [f"{_name(path, folder)} has no opinion in {table.name}" for path in by_id.values()]
    return Imported(rows=_some(rows, folder), missing=missing)


def _konvid_table(folder: Path) -> Path:
    tables = [path for path in sorted(folder.rglob("*.csv")) if _is_konvid(_columns(path))]
    if not tables:
        raise DataError(
            f"{folder} holds no table of opinions",
            hint="KoNViD_1k_attributes.csv or KoNViD_1k_mos.csv, with flickr_id and MOS",
        )
    return next((one for one in tables if "attributes" in one.name), tables[0])


def _is_konvid(columns: set[str]) -> bool:
    return "mos" in columns and bool(columns & {"flickr_id", "file_name"})


def _opinion(text: str, where: str) -> float:
    try:
        score = float(text)
    except ValueError as error:
        raise DataError(f"{where}: MOS is no number: {text!r}") from error
    if not _SCORES[0] <= score <= _SCORES[1]:
        raise DataError(f"{where}: MOS lies outside of 1 to 5: {text}")
    return score


def import_kinetics(folder: Path) -> Imported:
    """Return one row per labelled stretch whose video is there.

    Raises:
        DataError: there is no annotation file, or a time in one is no number.
    """
    tables = [path for path in sorted(folder.rglob("*.csv")) if _is_kinetics(_columns(path))]
    if not tables:
        raise DataError(
            f"{folder} holds no annotations of Kinetics",
            hint="CSV files with label,youtube_id,time_start,time_end,split",
        )
    files = {path.stem: path for path in _videos(folder)}
    used: set[Path] = set()
    rows: list[Row] = []
    missing: list[str] = []
    for table in tables:
        for where, values in _table(table):
            found = _kinetics_row(values, where, folder, files)
            if isinstance(found, str):
                missing.append(found)
            else:
                used.add(folder / found.file)
                rows.append(found)
    extra = sorted(set(files.values()) - used)
    missing += [f"{_name(path, folder)} is in no annotation" for path in extra]
    return Imported(rows=_some(held_out(rows, missing), folder), missing=missing)


def _is_kinetics(columns: set[str]) -> bool:
    return {"youtube_id", "time_start", "time_end"} <= columns


def _kinetics_row(
    values: dict[str, str], where: str, folder: Path, files: dict[str, Path]
) -> Row | str:
    """Return the row, or what is missing."""
    video, label = values["youtube_id"], values.get("label", "")
    try:
        start, end = (round(float(values[name])) for name in ("time_start", "time_end"))
    except ValueError as error:
        raise DataError(f"{where}: time_start or time_end is no number") from error
    if not label:
        return f"{where}: {video!r} has no label"
    cut, whole = files.get(f"{video}_{start:06d}_{end:06d}"), files.get(video)
    path = cut or whole
    if path is None:
        return f"{where}: there is no video of {video!r} from {start} s to {end} s"
    return Row(
        file=_name(path, folder),
        start_seconds=None if cut else float(start),
        end_seconds=None if cut else float(end),
        label=label,
        group=video,
        split=_SPLITS.get(values.get("split", ""), ""),
    )


def import_ucf101(folder: Path, *, fold: int = 1) -> Imported:
    """Return one row per video of the lists of a fold, or of all if there are no lists.

    Raises:
        DataError: there is no video of UCF101, or a class is not in ``classInd.txt``.
    """
    videos = {path.stem: path for path in _videos(folder) if _UCF_NAME.fullmatch(path.stem)}
    if not videos:
        raise DataError(f"{folder} holds no video of UCF101", hint="v_Class_g01_c01.avi")
    wanted, missing = _ucf_lists(folder, fold)
    known = _ucf_classes(folder)
    rows: list[Row] = []
    for stem, path in videos.items():
        if wanted and stem not in wanted:
            missing.append(f"{_name(path, folder)} is in no list of fold {fold}")
            continue
        named = _UCF_NAME.fullmatch(stem)
        label, group = (named["label"], named["group"]) if named else ("", "")
        if known and label.lower() not in known:
            raise DataError(f"{_name(path, folder)}: class {label!r} is not in classInd.txt")
        label = known.get(label.lower(), label)
        split = wanted.get(stem, "")
        rows.append(
            Row(file=_name(path, folder), label=label, group=f"{label}_g{group}", split=split)
        )
    lacking = sorted(wanted.keys() - videos.keys())
    missing += [f"{stem} is in a list, but there is no such video" for stem in lacking]
    return Imported(rows=_some(held_out(rows, missing), folder), missing=missing)


def _ucf_lists(folder: Path, fold: int) -> tuple[dict[str, str], list[str]]:
    """Return video -> part, and a note if there are no lists."""
    found: dict[str, str] = {}
    for part in ("train", "test"):
        for path in sorted(folder.rglob(f"{part}list{fold:02d}.txt")):
            found |= {Path(line.split()[0]).stem: part for line in _lines(path)}
    note = f"no lists of fold {fold} were found; parts will be chosen by group"
    return found, [] if found else [note]


def _ucf_classes(folder: Path) -> dict[str, str]:
    """Return the classes by their names in small letters: HandstandPushups is spelt in two ways."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("classInd.txt")):
        names = [line.split()[-1] for line in _lines(path)]
        found |= {name.lower(): name for name in names}
    return found


def held_out(rows: Sequence[Row], notes: list[str]) -> list[Row]:
    """Return rows that have all three parts where a published split has two.

    A published validation part without a test part becomes the test part, as papers use it. One of
    six groups of each label of the training part then becomes the validation part. Both are noted.
    """
    parts = {row.split for row in rows}
    if "" in parts or not {"train"} < parts:
        return list(rows)
    if "test" not in parts:
        notes.append("the published validation part is the test part here: there is no other")
        rows = [replace(row, split="test") if row.split == "validation" else row for row in rows]
        parts = {"train", "test"}
    if "validation" in parts:
        return list(rows)
    notes.append("one of six groups of the training part became the validation part")
    groups: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.split == "train":
            groups[row.label].add(row.source)
    chosen = {
        name
        for names in groups.values()
        for place, name in enumerate(sorted(names, key=_shuffled))
        if place % _HELD_OUT == 1
    }
    return [
        replace(row, split="validation") if row.split == "train" and row.source in chosen else row
        for row in rows
    ]


def _shuffled(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _some(rows: list[Row], folder: Path) -> list[Row]:
    if not rows:
        raise DataError(f"{folder}: not one row has its video", hint="is it the right folder?")
    return rows


def _videos(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _columns(path: Path) -> set[str]:
    """Return the names of the columns of a CSV file, in small letters; none if it is no text."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            first = next(csv.reader([file.readline()]), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return set()
    return {name.strip().lower() for name in first}


def _table(path: Path) -> Table:
    """Yield the place and the values of each row of a CSV file, names in small letters."""
    reader = csv.DictReader(io.StringIO(_text(path), newline=""))
    for values in reader:
        where = f"{path}, row {reader.line_num}"
        if None in values or None in values.values():
            raise DataError(f"{where}: there are not as many values as columns")
        yield where, {name.strip().lower(): value.strip() for name, value in values.items()}


def _lines(path: Path) -> list[str]:
    return [line for line in _text(path).splitlines() if line.strip()]


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path} as text") from error


def layout_of(folder: Path) -> str:
    """Return which layout a folder has, by what lies in it.

    Raises:
        DataError: there is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}")
    if any((folder / one).is_dir() for one in ("labels", "train/labels", "valid/labels")):
        return "yolo"
    columns = [_columns(path) for path in sorted(folder.rglob("*.csv"))]
    if any(_is_konvid(one) for one in columns):
        return "konvid"
    if any(_is_kinetics(one) for one in columns):
        return "kinetics"
    if any(_UCF_NAME.fullmatch(path.stem) for path in folder.rglob("v_*")):
        return "ucf101"
    return "folders"
