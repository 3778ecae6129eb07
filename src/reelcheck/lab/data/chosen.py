"""Samples held in memory, or chosen from others, perhaps with other answers."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from reelcheck.lab.data.sources import Sample, Samples


class Chosen(Dataset[Sample]):
    """Some samples of a part, numbered anew."""

    def __init__(
        self, samples: Samples, numbers: Sequence[int], *, answers: Tensor | None = None
    ) -> None:
        """Choose samples by their numbers; ``answers``, one each, take the place of targets."""
        self._samples = samples
        self._numbers = [int(one) for one in numbers]
        self._answers = answers
        self.labels: Any = [samples.labels[one] for one in self._numbers]
        self.groups = [samples.groups[one] for one in self._numbers]
        if hasattr(samples, "collate"):
            self.collate = samples.collate

    @property
    def epoch(self) -> int:
        """Which epoch it is: of the samples that are chosen from."""
        return self._samples.epoch

    @epoch.setter
    def epoch(self, value: int) -> None:
        self._samples.epoch = value

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(self._numbers)

    def __getitem__(self, index: int) -> Sample:
        """Return one sample."""
        inputs, target, _ = self._samples[self._numbers[index]]
        return inputs, target if self._answers is None else self._answers[index], index


class Kept(Dataset[Sample]):
    """Samples read once and kept; for parts that nothing varies."""

    def __init__(self, samples: Samples) -> None:
        """Read all samples."""
        self.epoch = 0
        self.labels, self.groups = samples.labels, samples.groups
        self._rows = [samples[number] for number in range(len(samples))]
        if hasattr(samples, "collate"):
            self.collate = samples.collate

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:
        """Return one sample."""
        return self._rows[index]


def batch_of(samples: Samples, numbers: Sequence[int]) -> Tensor:
    """Return the inputs of some samples that are single tensors, as one batch."""
    return torch.stack([samples[int(one)][0] for one in numbers])
