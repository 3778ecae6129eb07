"""Samples of the generated tasks, made when they are asked for."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from reelcheck.lab.data.manifest import Row
from reelcheck.lab.data.prepare import Prepare, PrepareQuality
from reelcheck.lab.data.varied_boxes import VariedBoxes
from reelcheck.lab.recipe import Recipe
from reelcheck.lab.tasks import distortions, motion, streams
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
            return self._prepare(self._prepare.fit(clip.frames)), clip.label, index


def generated_shapes(recipe: Recipe, *, offset: int, count: int, part: str) -> VariedBoxes:
    """Return pictures of ``shapes-boxes``, all drawn once; ``offset`` tells the parts apart."""
    seed = recipe.seed + offset
    drawn = list(
        shapes(
            count,
            seed=seed,
            size_px=recipe.input.size_px[0],
            difficulty=recipe.data.difficulty,
        )
    )
    rows = [Row(file=f"{seed}-{index}") for index in range(count)]
    return VariedBoxes(recipe, drawn.__getitem__, rows=rows, seed=seed, part=part)


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


class GeneratedDistortions(Dataset[tuple[tuple[torch.Tensor, torch.Tensor], torch.Tensor, int]]):
    """Ladders of ``distortions``, each drawn once and then kept."""

    def __init__(self, recipe: Recipe, *, offset: int, count: int, part: str) -> None:
        """``offset`` tells the parts of the data apart."""
        self.epoch = 0
        self._recipe = recipe
        self._seed = recipe.seed + offset
        self._prepare = PrepareQuality(
            recipe.input, recipe.augmentation if part == "train" else None
        )
        truths = [distortions.truth(index, seed=self._seed) for index in range(count)]
        self.labels = [truth.score for truth in truths]
        self.groups = [truth.group for truth in truths]
        self._drawn: dict[int, list[NDArray[np.uint8]]] = {}

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(self.labels)

    def __getitem__(
        self, index: int
    ) -> tuple[tuple[torch.Tensor, torch.Tensor], torch.Tensor, int]:
        """Return fragments and glance, score and number."""
        scene, step = divmod(index, distortions.STEPS)
        if scene not in self._drawn:
            part = self._recipe.input
            self._drawn[scene] = distortions.ladder(
                scene,
                seed=self._seed,
                difficulty=self._recipe.data.difficulty,
                frames=part.frames,
                size_px=2 * part.fragments_grid * part.fragments_px,
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(hash((self._seed, self.epoch, index)) % 2**63)
            inputs = self._prepare(self._drawn[scene][step])
        return inputs, torch.tensor(self.labels[index], dtype=torch.float32), index
