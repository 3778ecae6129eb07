"""Samples as the network saw them, as small pictures for a page."""

import base64
import io
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from reelcheck.lab.data.box_dataset import IMAGENET_MEAN, IMAGENET_STD
from reelcheck.lab.recipe import InputPart

_MOST_FRAMES: Final = 8
_HEIGHT_PX: Final = 96
_GAP_PX: Final = 3
_JPEG_QUALITY: Final = 88
_CLIP_DIMENSIONS: Final = 4


def strip(inputs: Any, part: InputPart) -> str:  # noqa: ANN401 - by kind
    """Return a sample as one picture, a data URL; empty when it is no picture.

    Args:
        inputs: What a network is shown of one sample: a clip [T, 3, H, W], of which eight pictures
            are shown; fragments and glance, of which the glance comes first; streams are numbers.
        part: How they were normalised.
    """
    mean, scale = np.array(part.mean), np.array(part.scale)
    if isinstance(inputs, torch.Tensor) and inputs.ndim == _CLIP_DIMENSIONS:
        return _url(_side_by_side(_frames(inputs, mean, scale)))
    if isinstance(inputs, tuple | list):
        fragments, glance = inputs
        shown = [*_frames(glance[None], mean, scale), *_frames(fragments, mean, scale)[:4]]
        return _url(_side_by_side(shown))
    return ""


def picture(inputs: torch.Tensor) -> tuple[str, int, int]:
    """Return what a detector saw, as data URL, width and height; normalised as ImageNet's."""
    mean, scale = (255 * np.array(one) for one in (IMAGENET_MEAN, IMAGENET_STD))
    (image,) = _frames(inputs[None], mean, scale)
    return _url(Image.fromarray(image)), image.shape[1], image.shape[0]


def _frames(
    clip: torch.Tensor, mean: NDArray[np.float64], scale: NDArray[np.float64]
) -> list[NDArray[np.uint8]]:
    """Return at most eight pictures of a clip [T, 3, H, W] as RGB."""
    count = min(len(clip), _MOST_FRAMES)
    chosen = np.linspace(0, len(clip) - 1, count).round().astype(int).tolist()
    values = clip[chosen].double().numpy().transpose(0, 2, 3, 1) * scale + mean
    return list(np.clip(values.round(), 0, 255).astype(np.uint8))


def _side_by_side(pictures: list[NDArray[np.uint8]]) -> Image.Image:
    scaled = [_scaled(one) for one in pictures]
    width = sum(one.width + _GAP_PX for one in scaled) - _GAP_PX
    joined = Image.new("RGB", (width, _HEIGHT_PX), (127, 127, 127))
    left = 0
    for one in scaled:
        joined.paste(one, (left, 0))
        left += one.width + _GAP_PX
    return joined


def _scaled(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return a picture at the height of the strip; small ones keep their pixels."""
    height, width = pixels.shape[:2]
    how = Image.Resampling.NEAREST if height < _HEIGHT_PX else Image.Resampling.BILINEAR
    return Image.fromarray(pixels).resize((max(1, width * _HEIGHT_PX // height), _HEIGHT_PX), how)


def _url(image: Image.Image) -> str:
    with io.BytesIO() as file:
        image.save(file, "JPEG", quality=_JPEG_QUALITY)
        return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
