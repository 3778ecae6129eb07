"""Samples of a recipe: generated, or from a manifest."""

from dataclasses import dataclass
from typing import Any, Final, Protocol

import torch
from torch.utils.data import Dataset

from reelcheck.errors import SettingError
from reelcheck.lab.data.clips import Checked, ManifestClips, check_manifest
from reelcheck.lab.data.prepare import Prepare
from reelcheck.lab.recipe import Recipe
from reelcheck.lab.tasks import motion

Sample = tuple[Any, Any, int]
"""What a network is shown, what it should say, and the number of the sample."""
_TEST_SEED: Final = 1_000_003
"""Added to the seed of a generated task for its test part, so that no sample is in both."""
_VALIDATION_SEED: Final = 2_000_003


class Samples(Protocol):
    """A part of the data of a recipe."""

    labels: list[int]
    groups: list[str]
    epoch: int

    def __len__(self) -> int:
        """Return how many samples there are."""
        ...

    def __getitem__(self, index: int) -> Sample:
        """Return one sample."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """All parts of the data of a recipe."""

    train: Samples
    validation: Samples
    test: Samples
    classes: tuple[str, ...]
    checked: Checked | None = None
    """Of a manifest: which files could not be read."""


def open_data(recipe: Recipe) -> Data:
    """Return the samples that a recipe speaks of.

    Raises:
        SettingError: the task is unknown.
        DataError: the manifest or a file of it is wrong.
    """
    if recipe.data.task == "motion-classes":
        parts = {
            name: GeneratedMotion(recipe, offset=offset, count=count, training=name == "train")
            for name, offset, count in (
                ("train", 0, recipe.data.train_count),
                ("validation", _VALIDATION_SEED, recipe.data.test_count),
                ("test", _TEST_SEED, recipe.data.test_count),
            )
        }
        return Data(**parts, classes=motion.CLASSES)
    if recipe.data.manifest is not None:
        checked = check_manifest(recipe.data.manifest, seed=recipe.seed)
        part_of = {
            part: ManifestClips(checked, recipe, part=part)
            for part in ("train", "validation", "test")
        }
        return Data(**part_of, classes=checked.classes, checked=checked)
    raise SettingError(f"unknown task {recipe.data.task!r}", hint="known tasks: motion-classes")


class GeneratedMotion(Dataset[Sample]):
    """Clips of ``motion-classes``, made when they are asked for."""

    def __init__(self, recipe: Recipe, *, offset: int, count: int, training: bool) -> None:
        """``offset`` tells the parts of the data apart."""
        self.epoch = 0
        self._recipe = recipe
        self._seed = recipe.seed + offset
        self._prepare = Prepare(recipe.input, recipe.augmentation if training else None)
        self.labels = [index % len(motion.CLASSES) for index in range(count)]
        self.groups = [f"{self._seed}-{index}" for index in range(count)]

    def __len__(self) -> int:
        """Return how many clips there are."""
        return len(self.labels)

    def __getitem__(self, index: int) -> Sample:
        """Return clip, class and number. Chance depends on seed, epoch and number alone."""
        part = self._recipe.input
        clip = motion.motion_clip(
            index,
            seed=self._seed,
            difficulty=self._recipe.data.difficulty,
            frames=part.frames,
            size_px=part.size_px[0],
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(hash((self._seed, self.epoch, index)) % 2**63)
            return self._prepare(clip.frames), clip.label, index
