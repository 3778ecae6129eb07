"""What a person should know of a manifest before training: counts, spreads, and what is wrong."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np

from reelcheck.lab.data.manifest import SPLITS, Row
from reelcheck.lab.data.splits import shared_groups, untrained
from reelcheck.lab.data.survey import Survey, survey
from reelcheck.lab.data.varied_boxes import BoxSurvey, survey_boxes

_BINS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassCounts:
    """One line of the table of classes; empty labels stand for all rows."""

    label: str
    parts: tuple[int, ...]
    """How many there are in ``train``, ``validation`` and ``test``."""
    groups: int

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How values spread; bins are equally wide."""

    title: str
    unit: str
    counts: tuple[int, ...]
    edges: tuple[float, ...]
    """One more than there are counts."""
    median: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two rows of different groups that show the same."""

    one: Row
    other: Row
    is_leak: bool
    """They stand in different parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All of it."""

    path: Path
    unit: Literal["clips", "pictures"]
    rows: tuple[Row, ...]
    counts: tuple[ClassCounts, ...]
    histograms: tuple[Histogram, ...]
    refusals: tuple[str, ...]
    """Each of these stops a training."""
    pairs: tuple[Pair, ...]
    unreadable: dict[str, str]
    boxes: BoxSurvey | None = field(default=None, repr=False)

    @property
    def total(self) -> ClassCounts:
        """All rows together."""
        return _count("", self.rows)


def inspect_manifest(path: Path, *, seed: int) -> Findings:
    """Look at everything that a manifest (CSV, JSON Lines or COCO JSON) names.

    Raises:
        DataError: the manifest itself is wrong.
    """
    if path.suffix == ".json":
        return _of_boxes(survey_boxes(path, seed=seed))
    return _of_clips(survey(path, seed=seed))


def _of_clips(found: Survey) -> Findings:
    histograms = [_histogram(found.lengths_seconds, "Length of a clip", "s")]
    if found.target == "score":
        scores = [row.score for row in found.rows if row.score is not None]
        histograms.append(_histogram(scores, "Score", ""))
    missing = untrained(found.rows) if found.target == "label" else []
    return Findings(
        path=found.path,
        unit="clips",
        rows=found.rows,
        counts=_counts(found.rows),
        histograms=tuple(one for one in histograms if one.counts),
        refusals=tuple(_refusals(found, missing)),
        pairs=_pairs(found),
        unreadable=found.unreadable,
    )


def _of_boxes(found: BoxSurvey) -> Findings:
    objects = found.objects()
    boxes = [box for picture in found.pictures for box in picture.boxes]
    sides = [((b.right_px - b.left_px) * (b.bottom_px - b.top_px)) ** 0.5 for b in boxes]
    numbers = [len(picture.boxes) for picture in found.pictures]
    histograms = [
        _histogram(numbers, "Objects of a picture", ""),
        _histogram(sides, "Root of the area of an object", "px"),
    ]
    return Findings(
        path=found.path,
        unit="pictures",
        rows=found.rows,
        counts=_counts(objects),
        histograms=tuple(one for one in histograms if one.counts),
        refusals=tuple(_refusals(found, untrained(objects))),
        pairs=_pairs(found),
        unreadable=found.unreadable,
        boxes=found,
    )


def _counts(rows: Sequence[Row]) -> tuple[ClassCounts, ...]:
    labels = sorted({row.label for row in rows if row.label})
    return tuple(_count(label, [row for row in rows if row.label == label]) for label in labels)


def _count(label: str, rows: Sequence[Row]) -> ClassCounts:
    parts = Counter(row.split for row in rows)
    groups = len({row.source for row in rows})
    return ClassCounts(label=label, parts=tuple(parts[part] for part in SPLITS), groups=groups)


def _pairs(found: Survey | BoxSurvey) -> tuple[Pair, ...]:
    rows = found.rows
    pairs = [
        Pair(one=rows[a], other=rows[b], is_leak=rows[a].split != rows[b].split)
        for a, b in found.alike
    ]
    return tuple(sorted(pairs, key=lambda pair: not pair.is_leak))


def _refusals(found: Survey | BoxSurvey, missing: Iterable[Row]) -> list[str]:
    lines = [
        f"group {group!r} stands in {' and '.join(parts)}"
        for group, parts in shared_groups(found.rows).items()
    ]
    labels = dict.fromkeys(row.label for row in missing)
    lines += [f"class {label!r} has nothing to train on" for label in labels]
    empty = [part for part in SPLITS if not any(row.split == part for row in found.rows)]
    lines += [f"the part {part!r} is empty" for part in empty]
    leaks = sum(
        {found.rows[a].split, found.rows[b].split} == {"train", "test"} for a, b in found.alike
    )
    if leaks:
        lines.append(f"{leaks} pairs across training and test show the same")
    return lines


def _histogram(values: Sequence[float], title: str, unit: str) -> Histogram:
    if not values:
        return Histogram(title=title, unit=unit, counts=(), edges=(), median=0.0)
    counts, edges = np.histogram(values, bins=min(_BINS, max(1, len(set(values)))))
    return Histogram(
        title=title,
        unit=unit,
        counts=tuple(counts.tolist()),
        edges=tuple(edges.tolist()),
        median=float(np.median(values)),
    )
