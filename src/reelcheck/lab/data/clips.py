"""Samples of a manifest: labelled clips of videos."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from reelcheck.errors import ReelcheckError
from reelcheck.lab.data.manifest import Row, class_names, read_manifest
from reelcheck.lab.data.prepare import Prepare
from reelcheck.lab.data.reading import problem_of, read_pictures
from reelcheck.lab.data.splits import (
    difference_hash,
    refuse_missing_classes,
    refuse_near_duplicates,
    refuse_shared_groups,
    with_splits,
)
from reelcheck.lab.errors import DataError
from reelcheck.lab.recipe import Recipe
from reelcheck.models.card import InputSpec
from reelcheck.models.tensors import places

_HASHED: Final = 3
"""Pictures of a clip that are compared across the split."""
_WHOLE_CLIP_FPS: Final = Fraction(8)
"""Pictures a second that are read of a clip without a stated length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A manifest that may be trained on."""

    folder: Path
    rows: tuple[Row, ...]
    classes: tuple[str, ...]
    unreadable: dict[str, str] = field(default_factory=dict)
    """File -> why; these rows are left out."""


def check_manifest(path: Path, *, seed: int) -> Checked:
    """Read a manifest, leave unreadable clips out, refuse what would falsify the figures.

    Raises:
        DataError: the manifest is wrong, a group or a picture stands on both sides of the split,
            a class cannot be trained, or nothing is left of a part.
    """
    rows = with_splits(read_manifest(path), seed=seed)
    refuse_shared_groups(rows)
    unreadable: dict[str, str] = {}
    for name in dict.fromkeys(row.file for row in rows):
        problem = problem_of(path.parent / name)
        if problem:
            unreadable[name] = problem
    good = [row for row in rows if row.file not in unreadable]
    refuse_missing_classes(good)
    for part in ("train", "validation", "test"):
        if not any(row.split == part for row in good):
            raise DataError(f"{path}: no readable clip is left for the part {part!r}")
    hashes = {
        number: _hashes(path.parent, row)
        for number, row in enumerate(good)
        if row.split in {"train", "test"}
    }
    refuse_near_duplicates(good, hashes)
    return Checked(
        folder=path.parent, rows=tuple(good), classes=class_names(good), unreadable=unreadable
    )


def _hashes(folder: Path, row: Row) -> list[int]:
    pictures = _stretch(folder, row, _WHOLE_CLIP_FPS, None)
    chosen = np.linspace(0, len(pictures) - 1, _HASHED).round().astype(int)
    return [difference_hash(pictures[one]) for one in chosen]


def _stretch(
    folder: Path, row: Row, rate_fps: Fraction, length_seconds: float | None
) -> NDArray[np.uint8]:
    start = row.start_seconds or 0.0
    end = row.end_seconds
    if length_seconds is not None:
        end = start + length_seconds if end is None else min(end, start + length_seconds)
    return read_pictures(folder / row.file, rate_fps=rate_fps, start_seconds=start, end_seconds=end)


class ManifestClips(Dataset[tuple[torch.Tensor, int, int]]):
    """One part of a checked manifest."""

    def __init__(self, checked: Checked, recipe: Recipe, *, part: str) -> None:
        """``part`` is ``train``, ``validation`` or ``test``."""
        self.epoch = 0
        self.failed: dict[str, str] = {}
        self.rows = [row for row in checked.rows if row.split == part]
        self.labels = [checked.classes.index(row.label) for row in self.rows]
        self.groups = [row.source for row in self.rows]
        self._folder = checked.folder
        self._recipe = recipe
        self._training = part == "train"
        self._prepare = Prepare(recipe.input, recipe.augmentation if self._training else None)

    def __len__(self) -> int:
        """Return how many clips there are."""
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int, int]:
        """Return clip, class and number; a clip that breaks midway is black, and is listed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(hash((self._recipe.seed, self.epoch, index)) % 2**63)
            try:
                pictures = self._pictures(self.rows[index])
            except (ReelcheckError, OSError) as error:
                self.failed[self.rows[index].file] = str(error)
                width, height = self._recipe.input.size_px
                pictures = np.zeros((self._recipe.input.frames, height, width, 3), np.uint8)
            return self._prepare(pictures), self.labels[index], index

    def _pictures(self, row: Row) -> NDArray[np.uint8]:
        part, length = self._recipe.input, self._recipe.data.clip_seconds
        rate = _WHOLE_CLIP_FPS
        if length is not None:
            rate = Fraction(part.frames) / Fraction(length).limit_denominator()
        pictures = _stretch(self._folder, row, rate, length)
        jitter = self._training and self._recipe.augmentation.temporal_jitter
        return pictures[
            _places(len(pictures), self._prepare.spec, jitter="on" if jitter else "off")
        ]


def _places(count: int, spec: InputSpec, *, jitter: str) -> NDArray[np.intp]:
    """Return which pictures are shown; with jitter, a random one of each segment (TSN)."""
    if jitter == "off" or spec.sampling != "segments" or count <= spec.frames:
        return places(count, spec)
    edges = np.arange(spec.frames + 1) * count / spec.frames
    offsets = torch.rand(spec.frames).numpy()
    return np.asarray(edges[:-1] + offsets * np.diff(edges), dtype=np.intp)


def write_data_report(checked: Checked, path: Path) -> None:
    """Write how many clips of which class each part has, and which files cannot be read."""
    parts = ("train", "validation", "test")
    counts = {
        label: {part: _count(checked.rows, label, part) for part in parts}
        for label in checked.classes
    }
    groups = {part: len({r.source for r in checked.rows if r.split == part}) for part in parts}
    data = {"classes": counts, "groups": groups, "unreadable": checked.unreadable}
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _count(rows: Sequence[Row], label: str, part: str) -> int:
    return sum(row.label == label and row.split == part for row in rows)
