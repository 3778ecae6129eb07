"""Samples of a recipe: generated, or from a manifest."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import torch.distributed

from reelcheck.errors import SettingError
from reelcheck.lab.data.clips import ManifestClips, cache_of, check_manifest
from reelcheck.lab.data.generated import (
    GeneratedDistortions,
    GeneratedMotion,
    GeneratedStreams,
    generated_shapes,
)
from reelcheck.lab.data.generated_pictures import GeneratedPictures
from reelcheck.lab.data.manifest import SPLITS
from reelcheck.lab.data.survey import Survey
from reelcheck.lab.data.varied_boxes import BoxSurvey, check_boxes, table_boxes
from reelcheck.lab.recipe import Recipe
from reelcheck.lab.tasks import motion, shapes, streams

Sample = tuple[Any, Any, int]
"""What a network is shown, what it should say, and the number of the sample."""
_CLIPS: Final = frozenset({"clip"})
"""Other kinds may look at clips too: ``networks.views``."""
_STREAMS: Final = frozenset({"streams"})
_BOXES: Final = frozenset({"boxes"})
_QUALITY: Final = frozenset({"quality"})
TASKS: Final[dict[str, tuple[Any, tuple[str, ...], frozenset[str]]]] = {
    "motion-classes": (GeneratedMotion, motion.CLASSES, _CLIPS),
    "shapes-classes": (GeneratedPictures, tuple(shapes.CLASSES), _CLIPS),
    "streams": (GeneratedStreams, streams.CLASSES, _STREAMS),
    "shapes-boxes": (generated_shapes, tuple(shapes.CLASSES), _BOXES),
    "distortions": (GeneratedDistortions, (), _QUALITY),
}
"""Generated tasks: what makes their samples, their classes, and the networks that take them."""
_TEST_SEED: Final = 1_000_003
"""Added to the seed of a generated task for its test part, so that no sample is in both."""
_VALIDATION_SEED: Final = 2_000_003


class Samples(Protocol):
    """A part of the data of a recipe."""

    labels: list[int] | list[float]
    """Class of every sample; its score for quality networks; 0 for detectors."""
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
    """Where scores are learned, their causes, if the manifest has labels."""
    fits: frozenset[str]
    """Kinds of networks that take these samples."""
    checked: Survey | BoxSurvey | None = None
    """Of a manifest: what it holds, and which files could not be read."""


def open_data(recipe: Recipe) -> Data:
    """Return the samples that a recipe speaks of.

    Raises:
        SettingError: the task is unknown.
        DataError: the manifest or a file of it is wrong.
    """
    if recipe.data.manifest is not None:
        return _of_manifest(recipe, recipe.data.manifest)
    if recipe.data.task not in TASKS:
        raise SettingError(
            f"unknown task {recipe.data.task!r}", hint=f"known tasks: {', '.join(TASKS)}"
        )
    kind, classes, fits = TASKS[recipe.data.task]
    parts = {
        part: kind(recipe, offset=offset, count=count, part=part)
        for part, offset, count in (
            ("train", 0, recipe.data.train_count),
            ("validation", _VALIDATION_SEED, recipe.data.test_count),
            ("test", _TEST_SEED, recipe.data.test_count),
        )
    }
    return Data(**parts, classes=classes, fits=fits)


def _of_manifest(recipe: Recipe, path: Path) -> Data:
    parts: dict[str, Any]
    if path.suffix == ".json":
        boxes = check_boxes(path, seed=recipe.seed)
        parts = {part: table_boxes(boxes, recipe, part=part) for part in SPLITS}
        return Data(**parts, classes=boxes.classes, fits=_BOXES, checked=boxes)
    found = check_manifest(
        path,
        seed=recipe.seed,
        target=recipe.data.target,
        score_range=recipe.data.score_range,
        cache=cache_of(recipe),
    )
    parts = {part: ManifestClips(found, recipe, part=part) for part in SPLITS}
    fits = _QUALITY if found.target == "score" else _CLIPS
    return Data(**parts, classes=found.classes, fits=fits, checked=found)


def failed_clips(data: Data) -> dict[str, str]:
    """Return the files of all parts that broke while they were read, and why.

    Worker processes of loaders are counted in; under ``torchrun`` every process must call this,
    and each is told of all.
    """
    found: dict[str, str] = {}
    for samples in (data.train, data.validation, data.test):
        found |= getattr(samples, "failed", {})
    if torch.distributed.is_initialized():
        everywhere: list[dict[str, str]] = [{}] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(everywhere, found)
        for one in everywhere:
            found |= one
    return found
