"""Samples as a frozen trunk describes them, computed once: only the head of a network learns.

A trunk that does not learn says the same of a sample in every epoch, but for augmentation. So every
training sample is described a few times, each time varied anew, and the head sees these in turn.
That makes an epoch a matter of a second; the price is that only so many variations are seen.
"""

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from reelcheck.errors import SettingError
from reelcheck.lab.data.sources import Sample, Samples
from reelcheck.lab.recipe import Recipe


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
        self._targets: list[object] = []
        self._draws = []
        for draw in range(draws):
            samples.epoch = draw
            self._draws.append(self._described(samples, network, recipe, first=draw == 0))

    def _described(
        self, samples: Samples, network: nn.Module, recipe: Recipe, *, first: bool
    ) -> tuple[Tensor, ...]:
        loader: DataLoader[Sample] = DataLoader(
            samples,  # type: ignore[arg-type]  # a map-style data set by its methods
            batch_size=recipe.training.batch,
            num_workers=recipe.training.workers,
        )
        parts = []
        with torch.inference_mode():
            for inputs, targets, _ in loader:
                parts.append([one.half() for one in network.describe(*inputs)])  # type: ignore[operator]
                if first:
                    self._targets.extend(targets)
        return tuple(torch.cat(column) for column in zip(*parts, strict=True))

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(self.labels)

    def __getitem__(self, index: int) -> Sample:
        """Return descriptions, target and number."""
        chosen = self._draws[(self.epoch + index) % len(self._draws)]
        return tuple(part[index].float() for part in chosen), self._targets[index], index


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
