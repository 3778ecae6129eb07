"""Samples of the generated tasks, made when they are asked for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from reelcheck.lab.data.box_dataset import IMAGENET_MEAN, IMAGENET_STD, BoxTarget, flip
from reelcheck.lab.data.box_dataset import Sample as BoxSample
from reelcheck.lab.data.prepare import Prepare
from reelcheck.lab.networks.yolo.mosaic import mosaic
from reelcheck.lab.recipe import Recipe
from reelcheck.lab.tasks import motion, streams
from reelcheck.lab.tasks.shapes import shapes


class GeneratedMotion(Dataset[tuple[torch.Tensor, int, int]]):
    """Clips of ``motion-classes``."""

    def __init__(self, recipe: Recipe, *, offset: int, count: int, part: str) -> None:
        """``offset`` tells the parts of the data apart."""
        self.epoch = 0
        self._recipe = recipe
        self._seed = recipe.seed + offset
        self._prepare = Prepare(recipe.input, recipe.augmentation if part == "train" else None)
        self.labels = [index % len(motion.CLASSES) for index in range(count)]
        self.groups = [f"{self._seed}-{index}" for index in range(count)]

    def __len__(self) -> int:
        """Return how many clips there are."""
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int, int]:
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


class GeneratedShapes(Dataset[tuple[torch.Tensor, BoxTarget, int]]):
    """Pictures of ``shapes-boxes``, all drawn once; mirrored and joined in training only."""

    def __init__(self, recipe: Recipe, *, offset: int, count: int, part: str) -> None:
        """``offset`` tells the parts of the data apart."""
        self.epoch = 0
        self._recipe = recipe
        self._seed = recipe.seed + offset
        self._training = part == "train"
        self._size_px = recipe.input.size_px[0]
        drawn = shapes(
            count, seed=self._seed, size_px=self._size_px, difficulty=recipe.data.difficulty
        )
        self._samples: list[BoxSample] = list(drawn)
        self.labels = [0] * count
        self.groups = [f"{self._seed}-{index}" for index in range(count)]
        self._mean, self._std = (
            torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD)
        )

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self._samples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, BoxTarget, int]:
        """Return picture, boxes and number. Chance depends on seed, epoch and number alone."""
        sample = self._samples[index]
        if self._training:
            sample = self._varied(index, np.random.default_rng((self._seed, self.epoch, index)))
        pixels, boxes, labels = sample
        image = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).float() / 255
        target = BoxTarget(boxes=torch.from_numpy(boxes), labels=torch.from_numpy(labels))
        return (image - self._mean) / self._std, target, index

    def _varied(self, index: int, rng: np.random.Generator) -> BoxSample:
        how, epochs = self._recipe.augmentation, self._recipe.training.epochs
        sample = self._samples[index]
        if self.epoch < epochs - how.mosaic_off_epochs and rng.random() < how.mosaic:
            others = [self._samples[one] for one in rng.integers(0, len(self._samples), 3)]
            sample = mosaic([sample, *others], size_px=self._size_px, rng=rng)
        return flip(sample, rng) if how.flip else sample

    @staticmethod
    def collate(rows: Sequence[tuple[torch.Tensor, BoxTarget, int]]) -> tuple[Any, Any, Any]:
        """Join pictures; boxes stay a list, for their number differs."""
        images, targets, numbers = zip(*rows, strict=True)
        return torch.stack(images), list(targets), torch.tensor(numbers)


class GeneratedStreams(Dataset[tuple[dict[str, torch.Tensor], int, int]]):
    """Samples of ``streams``, with the streams that the recipe leaves in."""

    def __init__(self, recipe: Recipe, *, offset: int, count: int, part: str) -> None:
        """``offset`` tells the parts of the data apart; all are treated alike."""
        del part
        self.epoch = 0
        self._recipe = recipe
        self._seed = recipe.seed + offset
        self.labels = [index % len(streams.CLASSES) for index in range(count)]
        self.groups = [f"{self._seed}-{index}" for index in range(count)]
        self._present = torch.tensor(
            [float(name in recipe.data.streams) for name in streams.STREAMS]
        )

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[dict[str, torch.Tensor], int, int]:
        """Return streams, class and number."""
        sample = streams.stream_sample(
            index, seed=self._seed, difficulty=self._recipe.data.difficulty
        )
        inputs = {name: torch.from_numpy(getattr(sample, name)) for name in streams.STREAMS}
        return {**inputs, "present": self._present}, sample.label, index
