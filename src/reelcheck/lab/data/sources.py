"""Samples of a recipe: generated, or from a manifest."""

from dataclasses import dataclass
from typing import Any, Final, Protocol

from reelcheck.errors import SettingError
from reelcheck.lab.data.clips import Checked, ManifestClips, check_manifest
from reelcheck.lab.data.generated import GeneratedMotion, GeneratedShapes, GeneratedStreams
from reelcheck.lab.recipe import Recipe
from reelcheck.lab.tasks import motion, shapes, streams

Sample = tuple[Any, Any, int]
"""What a network is shown, what it should say, and the number of the sample."""
TASKS: Final[dict[str, tuple[Any, tuple[str, ...]]]] = {
    "motion-classes": (GeneratedMotion, motion.CLASSES),
    "streams": (GeneratedStreams, streams.CLASSES),
    "shapes-boxes": (GeneratedShapes, tuple(shapes.CLASSES)),
}
"""Generated tasks: what makes their samples, and their classes."""
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
    if recipe.data.task in TASKS:
        kind, classes = TASKS[recipe.data.task]
        parts = {
            part: kind(recipe, offset=offset, count=count, part=part)
            for part, offset, count in (
                ("train", 0, recipe.data.train_count),
                ("validation", _VALIDATION_SEED, recipe.data.test_count),
                ("test", _TEST_SEED, recipe.data.test_count),
            )
        }
        return Data(**parts, classes=classes)
    if recipe.data.manifest is not None:
        checked = check_manifest(recipe.data.manifest, seed=recipe.seed)
        part_of = {
            part: ManifestClips(checked, recipe, part=part)
            for part in ("train", "validation", "test")
        }
        return Data(**part_of, classes=checked.classes, checked=checked)
    raise SettingError(
        f"unknown task {recipe.data.task!r}", hint=f"known tasks: {', '.join(TASKS)}"
    )
