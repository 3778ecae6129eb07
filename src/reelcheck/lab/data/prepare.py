"""From the pictures of a clip to what a network takes: varied in training, exact otherwise.

The exact part is the code that inference runs (``reelcheck.models.tensors``), so that training and
use cannot drift apart.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms import v2

from reelcheck.lab.recipe import AugmentationPart, InputPart
from reelcheck.models.card import InputSpec
from reelcheck.models.tensors import to_clip

_JPEG_QUALITY = (30, 95)


def input_spec(part: InputPart, *, clip_seconds: float = 1.0) -> InputSpec:
    """Return the part of a recipe as it will stand in the card."""
    return InputSpec(
        name="clip",
        layout="NTCHW",
        channels="RGB",
        resize_px=part.size_px,
        resize=part.resize,
        frames=part.frames,
        clip_seconds=clip_seconds,
        sampling=part.sampling,
        grayscale=part.grayscale,
        denoise=part.denoise,
        mean=part.mean,
        scale=part.scale,
    )


class Prepare:
    """Turns uint8 RGB pictures, shape [T, H, W, 3], into a tensor of shape [T, 3, h, w]."""

    def __init__(self, part: InputPart, varied: AugmentationPart | None = None) -> None:
        """``varied`` is ``None`` where nothing may be left to chance."""
        self.spec = input_spec(part)
        self._varied = _augmentation(varied, part.size_px) if varied is not None else None

    def __call__(self, frames: NDArray[np.uint8]) -> Tensor:
        """Return float32 values, normalised as the recipe says."""
        if self._varied is not None:
            stack = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))
            frames = self._varied(stack).numpy().transpose(0, 2, 3, 1)
        return torch.from_numpy(to_clip(np.ascontiguousarray(frames), self.spec))


def _augmentation(how: AugmentationPart, size_px: tuple[int, int]) -> v2.Transform | None:
    """Return the transforms of a recipe; all pictures of a clip are treated alike."""
    steps: list[v2.Transform] = []
    if how.crop_scale != (1.0, 1.0):
        size = [size_px[1], size_px[0]]
        steps.append(v2.RandomResizedCrop(size, scale=how.crop_scale, antialias=True))
    if how.flip:
        steps.append(v2.RandomHorizontalFlip(how.flip))
    if how.colour:
        strength = how.colour
        steps.append(v2.ColorJitter(strength, strength, strength))
    if how.recompress:
        steps.append(v2.RandomApply([v2.JPEG(_JPEG_QUALITY)], how.recompress))
    return v2.Compose(steps) if steps else None
