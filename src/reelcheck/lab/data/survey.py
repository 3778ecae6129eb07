"""What a manifest holds, found by looking at every clip once; and what must be refused."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from reelcheck.errors import ReelcheckError
from reelcheck.lab.data.cache import PictureCache, identity
from reelcheck.lab.data.manifest import SPLITS, Row, class_names, read_manifest
from reelcheck.lab.data.reading import read_pictures
from reelcheck.lab.data.splits import (
    difference_hash,
    near_duplicates,
    refuse_missing_classes,
    refuse_near_duplicates,
    refuse_shared_groups,
    with_splits,
)
from reelcheck.lab.errors import DataError

Target = Literal["label", "score"]

_HASHED: Final = 3
"""Pictures of a clip that are compared."""
_LOOK_FPS: Final = 8
_LOOK_PX: Final = (72, 64)
"""Eight times the cells of a difference hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """All that is known of a manifest."""

    path: Path
    target: Target
    rows: tuple[Row, ...]
    """Those that can be read, each with its split."""
    lengths_seconds: tuple[float, ...]
    """Of the clips of ``rows``, to an eighth of a second."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Clip -> why; these rows are left out."""
    alike: tuple[tuple[int, int], ...] = ()
    """Pairs of ``rows`` of different groups that show the same."""

    @property
    def folder(self) -> Path:
        """To which the files of the rows are relative."""
        return self.path.parent

    @property
    def classes(self) -> tuple[str, ...]:
        """Labels, sorted; where scores are learned the causes that explain them, often none."""
        labelled = self.target == "label" or all(row.label for row in self.rows)
        return class_names(self.rows) if labelled else ()


def survey(
    path: Path,
    *,
    seed: int,
    target: Target | None = None,
    score_range: tuple[float, float] | None = None,
    cache: PictureCache | None = None,
) -> Survey:
    """Read a manifest and look at all of its clips.

    Args:
        path: CSV or JSON Lines.
        seed: Of the splits that are chosen here.
        target: What is learned; ``None`` for scores where every row has one and none a label.
        score_range: Least and largest score that may occur.
        cache: Remembers what clips looked like.

    Raises:
        DataError: the manifest is wrong, or a row lacks the target or has a score out of range.
    """
    rows = read_manifest(path)
    chosen = target or _target(rows)
    _check_targets(rows, path, target=chosen, score_range=score_range)
    good: list[Row] = []
    lengths: list[float] = []
    hashes: dict[int, list[int]] = {}
    unreadable: dict[str, str] = {}
    for row in with_splits(rows, seed=seed):
        try:
            length, found = _look(path.parent / row.file, row, cache)
        except (ReelcheckError, OSError) as error:
            unreadable[row.clip] = str(error)
            continue
        hashes[len(good)] = found
        lengths.append(length)
        good.append(row)
    return Survey(
        path=path,
        target=chosen,
        rows=tuple(good),
        lengths_seconds=tuple(lengths),
        unreadable=unreadable,
        alike=tuple(near_duplicates(good, hashes)),
    )


def refuse_leaks(found: Survey) -> None:
    """Refuse what would falsify the figures.

    Raises:
        DataError: a group or a picture stands on both sides of the split, a class cannot be
            trained, or nothing is left of a part.
    """
    refuse_shared_groups(found.rows)
    if found.target == "label":
        refuse_missing_classes(found.rows)
    for part in SPLITS:
        if not any(row.split == part for row in found.rows):
            raise DataError(f"{found.path}: no readable clip is left for the part {part!r}")
    refuse_near_duplicates(found.rows, found.alike)


def _target(rows: Sequence[Row]) -> Target:
    only_scores = all(row.score is not None and not row.label for row in rows)
    return "score" if only_scores else "label"


def _check_targets(
    rows: Sequence[Row],
    path: Path,
    *,
    target: Target,
    score_range: tuple[float, float] | None,
) -> None:
    low, high = score_range or (-math.inf, math.inf)
    for row in rows:
        where = f"{path}, row {row.line}"
        if target == "label" and not row.label:
            raise DataError(f"{where}: there is no label, but other rows have one")
        if target == "label":
            continue
        if row.score is None:
            raise DataError(f"{where}: there is no score")
        if not low <= row.score <= high:
            raise DataError(
                f"{where}: the score {row.score:g} lies outside of {low:g} to {high:g}",
                hint="mend the row, or data.score_range of the recipe",
            )


def _look(path: Path, row: Row, cache: PictureCache | None) -> tuple[float, list[int]]:
    """Return the length of a clip in seconds and the hashes of its first, middle, last picture."""
    key = f"look {identity(path)} {row.start_seconds} {row.end_seconds}"
    kept: NDArray[np.uint64] | None = cache.get(key) if cache else None  # type: ignore[assignment]
    if kept is None:
        pictures = read_pictures(
            path,
            rate_fps=Fraction(_LOOK_FPS),
            start_seconds=row.start_seconds or 0.0,
            end_seconds=row.end_seconds,
            size_px=_LOOK_PX,
        )
        chosen = np.linspace(0, len(pictures) - 1, _HASHED).round().astype(int)
        hashes = [difference_hash(pictures[one]) for one in chosen]
        kept = np.array([len(pictures), *hashes], dtype=np.uint64)
        if cache:
            cache.put(key, kept)
    count, *hashes = kept.tolist()
    return count / _LOOK_FPS, hashes
