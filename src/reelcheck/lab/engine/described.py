"""Samples as a frozen trunk describes them, computed once: only the head of a network learns.

A trunk that does not learn says the same of a sample in every epoch, but for augmentation. So every
training sample is described a few times, each time varied anew, and the head sees these in turn.
That makes an epoch a matter of a second; the price is that only so many variations are seen.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from reelcheck.errors import SettingError
from reelcheck.lab.data.sources import Sample, Samples
from reelcheck.lab.recipe import Recipe
from reelcheck.terminal import steps

_AT_ONCE: Final = 4
"""Samples that a trunk describes at a time: what is between its layers then stays in the caches of
a processor, which takes a third of the time of a batch of 64."""


class Described(Dataset[Sample]):
    """What a frozen trunk says of the samples of a part."""

    def __init__(self, samples: Samples, network: nn.Module, recipe: Recipe, *, draws: int) -> None:
        """Describe every sample ``draws`` times, each time as another epoch would vary it.

        Raises:
            SettingError: the network has no trunk that can be run alone, or its trunk learns.
        """
        _refuse_learning_trunk(network, recipe)
        self.epoch = 0
        self.labels, self.groups = samples.labels, samples.groups
        loader: DataLoader[tuple[Sample, ...]] = DataLoader(
            _Draws(samples, draws),
            batch_size=_AT_ONCE,
            num_workers=recipe.training.workers,
        )
        self._targets: list[object] = []
        parts: list[list[tuple[Tensor, ...]]] = [[] for _ in range(draws)]
        with torch.inference_mode(), steps("describing", len(loader)) as done:
            for batch in loader:
                self._targets.extend(batch[0][1])
                for (inputs, _, _), part in zip(batch, parts, strict=True):
                    told = network.describe(*inputs)  # type: ignore[operator]
                    part.append(tuple(one.half() for one in told))
                done()
        self._draws = [
            tuple(torch.cat(column) for column in zip(*part, strict=True)) for part in parts
        ]

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(self.labels)

    def __getitem__(self, index: int) -> Sample:
        """Return descriptions, target and number."""
        chosen = self._draws[(self.epoch + index) % len(self._draws)]
        return tuple(part[index].float() for part in chosen), self._targets[index], index


class _Draws(Dataset[tuple[Sample, ...]]):
    """Every sample as several epochs would vary it, one after the other: it is decoded once."""

    def __init__(self, samples: Samples, draws: int) -> None:
        self._samples, self._draws = samples, draws

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> tuple[Sample, ...]:
        found = []
        for draw in range(self._draws):
            self._samples.epoch = draw
            found.append(self._samples[index])
        return tuple(found)


def _refuse_learning_trunk(network: nn.Module, recipe: Recipe) -> None:
    if not hasattr(network, "describe") or not hasattr(network, "head"):
        raise SettingError(
            f"network {recipe.network.name!r} has no trunk that describes samples",
            hint="leave training.described_draws out",
        )
    head = {id(one) for one in network.head.parameters()}  # type: ignore[union-attr]
    if any(one.requires_grad and id(one) not in head for one in network.parameters()):
        raise SettingError(
            "training.described_draws needs a trunk that does not learn",
            hint="set trained_blocks = 0, or leave described_draws out",
        )
