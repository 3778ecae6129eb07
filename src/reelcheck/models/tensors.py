"""From an RGB picture to a model's input tensor, exactly as its card says."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reelcheck.models.card import Card, InputSpec

_JPEG_QUALITY = 75
"""Pillow's default, which the reference preprocessing of open_nsfw uses."""


def to_tensor(picture: NDArray[np.uint8], card: Card) -> NDArray[np.float32]:
    """Return the input tensor for one picture, batch dimension included.

    Args:
        picture: uint8 RGB, shape [H, W, 3]; resized here unless it has the card's size already.
        card: Of a model that takes single pictures.
    """
    spec = card.input
    ready = _resized(picture, spec)
    if spec.jpeg_round_trip:
        ready = _through_jpeg(ready)
    values = ready[..., ::-1] if spec.channels == "BGR" else ready
    mean, scale = (np.asarray(part, dtype=np.float32) for part in (spec.mean, spec.scale))
    tensor = (values.astype(np.float32) - mean) / scale
    if spec.layout == "NCHW":
        tensor = tensor.transpose(2, 0, 1)
    return np.ascontiguousarray(tensor[np.newaxis])


def _resized(picture: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    width, height = spec.resize_px
    if picture.shape[:2] != (height, width):
        image = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)
        picture = np.asarray(image)
    if spec.crop_px is None:
        return picture
    left, top = (width - spec.crop_px[0]) // 2, (height - spec.crop_px[1]) // 2
    return picture[top : top + spec.crop_px[1], left : left + spec.crop_px[0]]


def _through_jpeg(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    with io.BytesIO() as file:
        Image.fromarray(np.ascontiguousarray(picture)).save(file, "JPEG", quality=_JPEG_QUALITY)
        file.seek(0)
        with Image.open(file) as image:
            return np.asarray(image)
