"""Figures by class, group, length, resolution or split: where a network is weak."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from reelcheck.errors import ReelcheckError, SettingError
from reelcheck.lab.data.sources import Samples
from reelcheck.lab.evaluation.figures import measurer
from reelcheck.lab.evaluation.parts import listed
from reelcheck.lab.evaluation.rows import ClassRows, Rows
from reelcheck.lab.measure.bootstrap import Interval, resample
from reelcheck.media.source import Source
from reelcheck.settings import Limits

COLUMNS: Final = ("class", "group", "length", "resolution", "split")
_LENGTHS_SECONDS: Final = (1, 2, 5, 10, 30, 60)
_SIDES_PX: Final = (144, 240, 360, 480, 720, 1080, 2160)
UNKNOWN: Final = "unknown"
_MOST_SLICES: Final = 40
"""Of one column, the largest; the rest is told together."""
REST: Final = "the rest"
FEW_TO_SHOW: Final = 12
"""Up to so many groups, the table by group is made unasked."""
_SHOWN: Final = (
    "top1",
    "mean_class_accuracy",
    "log_loss",
    "ap",
    "ap50",
    "ar100",
    "srocc",
    "plcc",
    "rmse",
    "coverage",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Figures of the samples that share a value."""

    column: str
    value: str
    samples: int
    groups: int
    figures: dict[str, Interval]


def slices(
    rows: Rows,
    samples: Samples,
    column: str,
    *,
    classes: tuple[str, ...],
    folder: Path | None,
) -> list[Slice]:
    """Return the figures by the values of one column, the largest slice first.

    Args:
        rows: What was measured.
        samples: What it was measured on.
        column: One of ``COLUMNS``, or a further column of the manifest.
        classes: Their names.
        folder: Of the files of the manifest; ``None`` for generated samples.

    Raises:
        SettingError: these samples have no such column.
    """
    values = _values(rows, samples, column, classes, folder)
    counts = Counter(values).most_common()
    kept = {value for value, _ in counts[:_MOST_SLICES]}
    if len(counts) > _MOST_SLICES:
        values = [value if value in kept else REST for value in values]
    found = []
    for value in dict.fromkeys([*(one for one, _ in counts[:_MOST_SLICES]), *values]):
        chosen = [place for place, one in enumerate(values) if one == value]
        part = rows.take(chosen)
        known = resample(measurer(part, classes), part.groups).intervals()
        found.append(
            Slice(
                column=column,
                value=value,
                samples=len(chosen),
                groups=len(set(part.groups)),
                figures={name: known[name] for name in _SHOWN if name in known},
            )
        )
    return found


def _values(
    rows: Rows, samples: Samples, column: str, classes: tuple[str, ...], folder: Path | None
) -> list[str]:
    """Return the value of each measured sample."""
    table = listed(samples)
    mine = [table[number] for number in rows.numbers] if table else []
    if column == "group":
        return list(rows.groups)
    if column == "class" and isinstance(rows, ClassRows):
        return [classes[label] for label in rows.labels]
    if column == "split" and hasattr(samples, "splits"):
        return [samples.splits[number] for number in rows.numbers]
    if column == "length" and folder and mine:
        return [_length(folder, row) for row in mine]
    if column == "resolution" and folder and mine:
        sides = {row.file: _resolution(folder / row.file) for row in mine}
        return [sides[row.file] for row in mine]
    if mine and all(column in getattr(row, "extra", {}) for row in mine):
        return [str(row.extra[column]) or UNKNOWN for row in mine]
    hint = f"known columns: {', '.join(COLUMNS)}"
    if column == "split":
        hint = "measure with --part all"
    elif column in COLUMNS:
        hint = "these samples do not have it"
    raise SettingError(f"there is no column {column!r} to slice by", hint=hint)


def _length(folder: Path, row: object) -> str:
    start = getattr(row, "start_seconds", None) or 0.0
    end = getattr(row, "end_seconds", None)
    if end is None:
        end = _claims(folder / str(getattr(row, "file", "")))[0]
    return UNKNOWN if end is None else bucket(end - start, _LENGTHS_SECONDS, "s")


def _resolution(path: Path) -> str:
    side = _claims(path)[1]
    return UNKNOWN if side is None else bucket(side, _SIDES_PX, "px")


def _claims(path: Path) -> tuple[float | None, int | None]:
    """Return length in seconds and shorter side in pixels, as the header claims."""
    if not path.is_file():
        return None, None
    fd = os.open(path, os.O_RDONLY)
    try:
        with Source(fd, extension=path.suffix.lower(), limits=Limits()) as source:
            size = source.video[0].codec_context
            length = source.claims.duration
            return None if length is None else float(length), min(size.width, size.height)
    except (ReelcheckError, OSError):
        return None, _picture_side(path)
    finally:
        os.close(fd)


def _picture_side(path: Path) -> int | None:
    try:
        with Image.open(path) as image:
            return min(image.size)
    except OSError:
        return None


def bucket(value: float, edges: Sequence[int], unit: str) -> str:
    """Return the name of the stretch between two edges that holds a value."""
    below = [edge for edge in edges if edge <= value]
    above = [edge for edge in edges if edge > value]
    if not below:
        return f"under {above[0]} {unit}"
    return f"{below[-1]} to {above[0]} {unit}" if above else f"from {below[-1]} {unit}"
