"""The part of the data that is measured: never varied, whatever the recipe varies in training."""

from collections.abc import Sequence
from typing import Any, Final

from reelcheck.errors import SettingError
from reelcheck.lab.data.sources import Data, Sample, Samples, open_data
from reelcheck.lab.recipe import AugmentationPart, Recipe

PARTS: Final = ("train", "validation", "test", "all")


def still(plan: Recipe) -> Recipe:
    """Return a recipe that leaves nothing to chance."""
    return plan.model_copy(update={"augmentation": AugmentationPart(temporal_jitter=False)})


def samples_of(plan: Recipe, data: Data, part: str) -> Samples:
    """Return the samples of a part; ``all`` joins the three.

    Args:
        plan: The recipe.
        data: Its data, as they were opened for training.
        part: One of ``PARTS``.

    Raises:
        SettingError: there is no such part.
        DataError: the manifest or a file of it is wrong.
    """
    if part not in PARTS:
        raise SettingError(f"unknown part {part!r}", hint=f"known parts: {', '.join(PARTS)}")
    if part in {"train", "all"} and still(plan) != plan:
        data = open_data(still(plan))
    if part == "all":
        return Joined([(name, getattr(data, name)) for name in PARTS[:-1]])
    samples: Samples = getattr(data, part)
    return samples


class Joined:
    """Several parts one after the other."""

    def __init__(self, parts: Sequence[tuple[str, Samples]]) -> None:
        """``parts`` with their names."""
        self.epoch = 0
        self._places = [(one, index) for _, one in parts for index in range(len(one))]
        self.splits = [name for name, one in parts for _ in range(len(one))]
        self.labels: Any = [label for _, one in parts for label in one.labels]
        self.groups = [group for _, one in parts for group in one.groups]
        self._parts = [one for _, one in parts]
        if all(hasattr(one, "rows") for one in self._parts):
            self.rows = [row for one in self._parts for row in getattr(one, "rows", ())]
        if hasattr(self._parts[0], "collate"):
            self.collate = self._parts[0].collate

    @property
    def failed(self) -> dict[str, str]:
        """Files that broke while they were read, and why."""
        found: dict[str, str] = {}
        for one in self._parts:
            found |= getattr(one, "failed", {})
        return found

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(self._places)

    def __getitem__(self, index: int) -> Sample:
        """Return one sample, numbered anew."""
        samples, place = self._places[index]
        inputs, target, _ = samples[place]
        return inputs, target, index


def listed(samples: Samples) -> Sequence[Any]:
    """Return the rows of the manifest, one per sample; empty for generated samples."""
    rows: Sequence[Any] = getattr(samples, "rows", ())
    return rows
