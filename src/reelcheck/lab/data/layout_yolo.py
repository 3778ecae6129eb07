"""The layout that tools of the YOLO family read, turned into a table of pictures.

Pictures and text files lie in ``images/`` and ``labels/``, in ``images/train/`` and
``labels/train/`` (and so on), or in ``train/images/`` and ``train/labels/``. Classes stand in
``data.yaml`` (``names``), ``classes.txt`` or ``obj.names``. Copies that Roboflow makes of one
picture (``NAME.rf.HASH.jpg``) become one group.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from reelcheck.lab.data.boxes import BoxTable, Picture, read_yolo
from reelcheck.lab.data.layouts import held_out
from reelcheck.lab.data.manifest import Row
from reelcheck.lab.errors import DataError

_PARTS: Final = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
_NAMES: Final = re.compile(
    r"^names:[ \t]*(?P<inline>[^\n]*)\n?(?P<block>(?:[ \t-][^\n]*\n?)*)", re.MULTILINE
)
_ENTRY: Final = re.compile(r"^\s*(?:-\s*|(?P<place>\d+)\s*:\s*)(?P<name>.+?)\s*$")


def import_yolo(folder: Path) -> tuple[BoxTable, list[str]]:
    """Return the pictures of all parts, and lines about what had no counterpart.

    Raises:
        DataError: folders or classes are missing, or a line of a text file cannot be right.
    """
    classes = _classes(folder)
    pictures: list[Picture] = []
    missing: list[str] = []
    for images, labels, split in _pairs(folder):
        found = read_yolo(images, labels, classes=classes, left_out=missing)
        missing += [
            f"{one.path} has no text file; taken as a picture without objects"
            for one in found.pictures
            if not (labels / f"{one.path.stem}.txt").exists()
        ]
        pictures += [
            replace(one, id=len(pictures) + place, group=_group(one.path), split=split)
            for place, one in enumerate(found.pictures, start=1)
        ]
    rows = [
        Row(file=str(one.path), label="x", group=one.group, split=one.split) for one in pictures
    ]
    split_rows = held_out(rows, missing)
    table = BoxTable(
        classes=classes,
        pictures=tuple(
            replace(one, split=row.split) for one, row in zip(pictures, split_rows, strict=True)
        ),
    )
    return table, missing


def _pairs(folder: Path) -> list[tuple[Path, Path, str]]:
    """Return the folders of pictures and of text files that belong together, and their part."""
    if not (folder / "images").is_dir():
        inner = [one for one in sorted(folder.iterdir()) if (one / "images").is_dir()]
        pairs = [(one / "images", one / "labels", _PARTS.get(one.name, "")) for one in inner]
    else:
        images, labels = folder / "images", folder / "labels"
        inner = [one for one in sorted(images.iterdir()) if one.is_dir()]
        pairs = [(one, labels / one.name, _PARTS.get(one.name, "")) for one in inner]
        pairs = pairs or [(images, labels, "")]
    if not pairs:
        raise DataError(f"{folder} holds no folder images", hint="images/ and labels/")
    return pairs


def _group(path: Path) -> str:
    name, copied, _ = path.stem.partition(".rf.")
    return name if copied else ""


def _classes(folder: Path) -> tuple[str, ...]:
    for path in (folder / "data.yaml", folder / "dataset.yaml"):
        if path.is_file():
            return _yaml_names(path)
    for path in (folder / "classes.txt", folder / "labels" / "classes.txt", folder / "obj.names"):
        if path.is_file():
            names = tuple(line.strip() for line in path.read_text("utf-8-sig").splitlines())
            return tuple(name for name in names if name)
    raise DataError(
        f"{folder} does not say what the classes are", hint="data.yaml with names, or classes.txt"
    )


def _yaml_names(path: Path) -> tuple[str, ...]:
    """Return ``names`` of a YAML file in the three ways in which it is written.

    ``[a, b]``, one ``- a`` a line, or one ``0: a`` a line. A whole YAML reader would be one more
    dependency for this one key.
    """
    found = _NAMES.search(path.read_text("utf-8-sig"))
    if found is None:
        raise DataError(f"{path}: there is no key names")
    inline = found["inline"].partition("#")[0].strip()
    if inline:
        entries = [part.strip() for part in inline.strip("[]").split(",")]
        names = [entry for entry in entries if entry]
    else:
        lines = [line for line in found["block"].splitlines() if line.strip()]
        names = [_entry(line, place, path) for place, line in enumerate(lines)]
    if not names:
        raise DataError(f"{path}: names is empty")
    return tuple(name.strip("\"'") for name in names)


def _entry(line: str, place: int, path: Path) -> str:
    entry = _ENTRY.match(line.partition(" #")[0])
    if entry is None or (entry["place"] is not None and int(entry["place"]) != place):
        raise DataError(f"{path}: names: expected class {place}, got {line.strip()!r}")
    return entry["name"]
