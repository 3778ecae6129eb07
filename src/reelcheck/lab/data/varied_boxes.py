"""Samples with boxes, varied as a recipe asks: for generated tasks and for tables of pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from reelcheck.errors import SettingError
from reelcheck.lab.data.box_dataset import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    PAD_LEVEL,
    BoxDataset,
    BoxTarget,
    Sample,
    flip,
    letterbox,
)
from reelcheck.lab.data.boxes import BoxTable, Picture, read_coco
from reelcheck.lab.data.manifest import SPLITS, Row
from reelcheck.lab.data.splits import (
    difference_hash,
    near_duplicates,
    refuse_missing_classes,
    refuse_near_duplicates,
    refuse_shared_groups,
    with_splits,
)
from reelcheck.lab.errors import DataError
from reelcheck.lab.networks.yolo.mosaic import mosaic
from reelcheck.lab.recipe import Recipe


class VariedBoxes(Dataset[tuple[Tensor, BoxTarget, int]]):
    """Pictures with boxes, letterboxed and normalised; mirrored and joined in training only."""

    def __init__(
        self,
        recipe: Recipe,
        read: Callable[[int], Sample],
        *,
        rows: Sequence[Row],
        seed: int,
        part: str,
    ) -> None:
        """Prepare one part of the data.

        Args:
            recipe: Names sizes and augmentation.
            read: Returns the sample of a number.
            rows: File and group of every sample.
            seed: Of chance.
            part: Only ``train`` is varied.

        Raises:
            SettingError: the input of the recipe is no square.
        """
        width, height = recipe.input.size_px
        if width != height:
            raise SettingError(
                f"detectors look at squares, input.size_px is {width}x{height}",
                hint="give twice the same; pictures are letterboxed",
            )
        self.epoch = 0
        self.rows = list(rows)
        self.labels = [0] * len(self.rows)
        self.groups = [row.source for row in self.rows]
        self._recipe = recipe
        self._read = read
        self._seed = seed
        self._training = part == "train"
        self._size_px = width
        self._broken = torch.zeros(len(self.rows), dtype=torch.uint8)
        self._broken.share_memory_()  # type: ignore[no-untyped-call]  # seen from loader processes
        self._mean, self._std = (
            torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD)
        )

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, BoxTarget, int]:
        """Return picture, boxes and number. Chance depends on seed, epoch and number alone."""
        sample = self._whole(index)
        if self._training:
            sample = self._varied(sample, np.random.default_rng((self._seed, self.epoch, index)))
        pixels, boxes, labels = sample
        image = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).float() / 255
        target = BoxTarget(boxes=torch.from_numpy(boxes), labels=torch.from_numpy(labels))
        return (image - self._mean) / self._std, target, index

    @property
    def failed(self) -> dict[str, str]:
        """Pictures that could not be read, and why; each is tried once more to tell."""
        found: dict[str, str] = {}
        for index in torch.nonzero(self._broken).ravel().tolist():
            try:
                self._read(index)
            except DataError as error:
                found[self.rows[index].file] = str(error)
            else:
                found[self.rows[index].file] = "it could not be read at first, now it can"
        return found

    def _whole(self, index: int) -> Sample:
        """Return a sample in its square; one that cannot be read is grey and empty."""
        try:
            return letterbox(self._read(index), size_px=self._size_px)
        except DataError:
            self._broken[index] = 1
            grey = np.full((self._size_px, self._size_px, 3), PAD_LEVEL, dtype=np.uint8)
            return grey, np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.int64)

    def _varied(self, sample: Sample, rng: np.random.Generator) -> Sample:
        how, epochs = self._recipe.augmentation, self._recipe.training.epochs
        if self.epoch < epochs - how.mosaic_off_epochs and rng.random() < how.mosaic:
            others = [self._whole(int(one)) for one in rng.integers(0, len(self), 3)]
            sample = mosaic([sample, *others], size_px=self._size_px, rng=rng)
        return flip(sample, rng) if how.flip else sample

    @staticmethod
    def collate(rows: Sequence[tuple[Tensor, BoxTarget, int]]) -> tuple[Any, Any, Any]:
        """Join pictures; boxes stay a list, for their number differs."""
        images, targets, numbers = zip(*rows, strict=True)
        return torch.stack(images), list(targets), torch.tensor(numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxSurvey:
    """All that is known of a COCO file."""

    path: Path
    classes: tuple[str, ...]
    pictures: tuple[Picture, ...]
    rows: tuple[Row, ...]
    """One per picture: file, group and split; its first object as label."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Picture -> why; these are left out."""
    alike: tuple[tuple[int, int], ...] = ()
    """Pairs of ``rows`` of different groups that show the same."""

    def objects(self) -> list[Row]:
        """Return one row per picture and class in it."""
        return [
            replace(row, label=self.classes[label])
            for row, picture in zip(self.rows, self.pictures, strict=True)
            for label in sorted({box.label for box in picture.boxes})
        ]


def survey_boxes(path: Path, *, seed: int) -> BoxSurvey:
    """Read a COCO file and look at all of its pictures.

    Raises:
        DataError: the file is wrong.
    """
    table = read_coco(path)
    rows = with_splits(
        [_row(picture, table.classes, path) for picture in table.pictures], seed=seed
    )
    reader = BoxDataset(table, size_px=1)
    good: list[int] = []
    hashes: dict[int, list[int]] = {}
    unreadable: dict[str, str] = {}
    for number, row in enumerate(rows):
        try:
            pixels, _, _ = reader.sample(number)
        except DataError as error:
            unreadable[row.file] = str(error)
            continue
        hashes[len(good)] = [difference_hash(pixels)]
        good.append(number)
    kept = tuple(rows[number] for number in good)
    return BoxSurvey(
        path=path,
        classes=table.classes,
        pictures=tuple(table.pictures[number] for number in good),
        rows=kept,
        unreadable=unreadable,
        alike=tuple(near_duplicates(kept, hashes)),
    )


def check_boxes(path: Path, *, seed: int) -> BoxSurvey:
    """Survey a COCO file, refuse what would falsify the figures.

    Raises:
        DataError: the file is wrong, a group or a picture stands on both sides of the split, a
            class cannot be trained, or nothing is left of a part.
    """
    found = survey_boxes(path, seed=seed)
    refuse_shared_groups(found.rows)
    refuse_missing_classes(found.objects())
    for part in SPLITS:
        if not any(row.split == part for row in found.rows):
            raise DataError(f"{path}: no readable picture is left for the part {part!r}")
    refuse_near_duplicates(found.rows, found.alike)
    return found


def table_boxes(found: BoxSurvey, recipe: Recipe, *, part: str) -> VariedBoxes:
    """Return one part of a surveyed COCO file as samples."""
    mine = [number for number, row in enumerate(found.rows) if row.split == part]
    table = BoxTable(
        classes=found.classes, pictures=tuple(found.pictures[number] for number in mine)
    )
    return VariedBoxes(
        recipe,
        BoxDataset(table, size_px=recipe.input.size_px[0]).sample,
        rows=[found.rows[number] for number in mine],
        seed=recipe.seed,
        part=part,
    )


def _row(picture: Picture, classes: Sequence[str], path: Path) -> Row:
    inside = picture.path.is_relative_to(path.parent)
    return Row(
        file=picture.path.relative_to(path.parent).as_posix() if inside else str(picture.path),
        label=classes[picture.boxes[0].label] if picture.boxes else "",
        group=picture.group,
        split=picture.split,
    )
