"""Samples of ``shapes-classes``."""

import torch
from torch.utils.data import Dataset

from reelcheck.lab.data.prepare import Prepare
from reelcheck.lab.recipe import Recipe
from reelcheck.lab.tasks.pictures import shape_pictures


class GeneratedPictures(Dataset[tuple[torch.Tensor, int, int]]):
    """Clips of one picture, all drawn once; varied in training only."""

    def __init__(self, recipe: Recipe, *, offset: int, count: int, part: str) -> None:
        """``offset`` tells the parts of the data apart."""
        self.epoch = 0
        self._seed = recipe.seed + offset
        self._prepare = Prepare(recipe.input, recipe.augmentation if part == "train" else None)
        drawn = shape_pictures(
            count,
            seed=self._seed,
            size_px=recipe.input.size_px[0],
            difficulty=recipe.data.difficulty,
        )
        self._pictures, labels = zip(*drawn, strict=True)
        self.labels = list(labels)
        self.groups = [f"{self._seed}-{index}" for index in range(count)]

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int, int]:
        """Return clip [1, 3, h, w], class and number."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(hash((self._seed, self.epoch, index)) % 2**63)
            pictures = self._prepare.fit(self._pictures[index][None])
            return self._prepare(pictures), self.labels[index], index
