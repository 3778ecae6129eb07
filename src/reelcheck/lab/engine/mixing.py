"""Mixup and CutMix of a batch."""

import torch
from torch import Tensor
from torch.nn import functional

from reelcheck.lab.recipe import AugmentationPart


def mixed(
    inputs: Tensor | dict[str, Tensor], targets: Tensor, how: AugmentationPart, classes: int
) -> tuple[Tensor | dict[str, Tensor], Tensor]:
    """Return the batch, mixed as the recipe asks, and soft targets of shape [N, classes].

    Mixup: Zhang et al., arXiv 1710.09412. CutMix: Yun et al., arXiv 1905.04899; the same box is
    cut from every frame of a clip. Streams are not mixed.
    """
    one_hot = functional.one_hot(targets, classes).float()
    if isinstance(inputs, dict) or not (how.mixup or how.cutmix):
        return inputs, one_hot
    order = torch.randperm(len(targets), device=targets.device)
    if how.mixup and (not how.cutmix or torch.rand(()) < 0.5):  # noqa: PLR2004 - a fair coin
        share = float(torch.distributions.Beta(how.mixup, how.mixup).sample())
        inputs = share * inputs + (1 - share) * inputs[order]
    else:
        share = float(torch.distributions.Beta(how.cutmix, how.cutmix).sample())
        inputs, share = _cut(inputs, inputs[order], share)
    return inputs, share * one_hot + (1 - share) * one_hot[order]


def _cut(inputs: Tensor, others: Tensor, share: float) -> tuple[Tensor, float]:
    height, width = inputs.shape[-2:]
    side = (1 - share) ** 0.5
    rows, columns = int(height * side), int(width * side)
    top = int(torch.randint(0, height - rows + 1, ()))
    left = int(torch.randint(0, width - columns + 1, ()))
    pasted = inputs.clone()
    box = (..., slice(top, top + rows), slice(left, left + columns))
    pasted[box] = others[box]
    return pasted, 1 - rows * columns / (height * width)
