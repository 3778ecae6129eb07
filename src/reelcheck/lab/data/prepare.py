"""From the pictures of a clip to what a network takes: varied in training, exact otherwise.

The exact part is the code that inference runs (``reelcheck.models.tensors``), so that training and
use cannot drift apart.
"""

from math import ceil
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from reelcheck.errors import SettingError
from reelcheck.lab.data.recompress import CRF, recompressed
from reelcheck.lab.networks.quality_fragments import sample_fragments
from reelcheck.lab.recipe import AugmentationPart, InputPart
from reelcheck.models.card import InputSpec
from reelcheck.models.tensors import to_clip

Pictures = NDArray[np.uint8]

_MOST_ZOOM: Final = 2.0
"""Pictures are fitted so much larger than the network's input, at most, that random crops keep
their sharpness; larger ones would fill memory and cache."""


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
    """Turns uint8 RGB pictures, shape [T, H, W, 3], into a tensor of shape [T, 3, h, w].

    First ``fit``, then the call: together, without augmentation, they are ``to_clip``.
    """

    def __init__(self, part: InputPart, varied: AugmentationPart | None = None) -> None:
        """``varied`` is ``None`` where nothing may be left to chance."""
        self.spec = input_spec(part)
        self._varied = _augmentation(varied, part.size_px) if varied is not None else None
        zoom = 1.0 if varied is None else min(_MOST_ZOOM, varied.crop_scale[0] ** -0.5)
        room = (ceil(part.size_px[0] * zoom), ceil(part.size_px[1] * zoom))
        self._spec_to_fit = self.spec.model_copy(
            update={"resize_px": room, "mean": (0.0,) * 3, "scale": (1.0,) * 3}
        )
        self._normalising = self.spec.model_copy(update={"denoise": "none", "grayscale": False})

    @property
    def fitting(self) -> str:
        """All that ``fit`` depends on."""
        return self._spec_to_fit.model_dump_json()

    def fit(self, frames: Pictures) -> Pictures:
        """Return pictures denoised, in grey and of the size that augmentation needs, as asked."""
        fitted = to_clip(frames, self._spec_to_fit).transpose(0, 2, 3, 1)
        return np.ascontiguousarray(fitted.astype(np.uint8))

    def __call__(self, fitted: Pictures) -> Tensor:
        """Return float32 values, normalised as the recipe says."""
        if self._varied is not None:
            fitted = _changed(fitted, self._varied)
        return torch.from_numpy(to_clip(np.ascontiguousarray(fitted), self._normalising))


class PrepareQuality:
    """Turns pictures into what a quality network takes: fragments, and a glance at the middle one.

    The only augmentation is mirroring and where the fragments lie: all others change the quality.
    """

    def __init__(self, part: InputPart, varied: AugmentationPart | None = None) -> None:
        """``varied`` is ``None`` where nothing may be left to chance.

        Raises:
            SettingError: the recipe asks for an augmentation that changes quality.
        """
        if varied is not None and (
            varied.colour or varied.recompress or varied.crop_scale != (1.0, 1.0)
        ):
            raise SettingError(
                "augmentation.colour, recompress and crop_scale change the quality that is judged",
                hint="leave them out for a quality network; flip may stay",
            )
        self.spec = input_spec(part)
        self._glance = self.spec.model_copy(update={"frames": 1})
        self._part = part
        self._flip = varied.flip if varied is not None else 0.0
        self._chance = varied is not None

    @property
    def fitting(self) -> str:
        """All that ``fit`` depends on."""
        return f"at least {self._part.fragments_px}"

    def fit(self, frames: Pictures) -> Pictures:
        """Return pictures of their own size, except that those below one fragment are enlarged."""
        short = min(frames.shape[1:3])
        if short >= self._part.fragments_px:
            return frames
        zoom = self._part.fragments_px / short
        size = (ceil(frames.shape[2] * zoom), ceil(frames.shape[1] * zoom))
        images = (Image.fromarray(one).resize(size, Image.Resampling.BILINEAR) for one in frames)
        return np.stack([np.asarray(one) for one in images])

    def __call__(self, fitted: Pictures) -> tuple[Tensor, Tensor]:
        """Return fragments [T, 3, S, S] and a glance [3, h, w], float32, normalised."""
        rng = np.random.default_rng(int(torch.randint(2**62, ()))) if self._chance else None
        if rng is not None and rng.random() < self._flip:
            fitted = fitted[:, :, ::-1]
        fragments = sample_fragments(
            fitted, grid=self._part.fragments_grid, patch_px=self._part.fragments_px, chance=rng
        )
        side = fragments.shape[1]
        plain = self.spec.model_copy(
            update={"resize_px": (side, side), "denoise": "none", "grayscale": False}
        )
        middle = np.ascontiguousarray(fitted[len(fitted) // 2][None])
        return (
            torch.from_numpy(to_clip(fragments, plain)),
            torch.from_numpy(to_clip(middle, self._glance)[0]),
        )


def _changed(frames: Pictures, change: v2.Transform) -> Pictures:
    stack = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))
    changed: Pictures = change(stack).numpy().transpose(0, 2, 3, 1)
    return changed


def _recompressed(stack: Tensor) -> Tensor:
    crf = int(torch.randint(CRF[0], CRF[1] + 1, ()))
    frames = np.ascontiguousarray(stack.numpy().transpose(0, 2, 3, 1))
    return torch.from_numpy(recompressed(frames, crf=crf).transpose(0, 3, 1, 2))


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
        steps.append(v2.RandomApply([v2.Lambda(_recompressed)], how.recompress))
    return v2.Compose(steps) if steps else None
