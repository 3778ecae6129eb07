"""From an RGB picture to a model's input tensor, exactly as its card says."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

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
    # Colour by colour: with the colours innermost, numpy takes three times as long.
    tensor = np.ascontiguousarray(values.transpose(2, 0, 1), dtype=np.float32)
    tensor -= mean[:, None, None]
    tensor /= scale[:, None, None]
    if spec.layout != "NCHW":
        tensor = np.ascontiguousarray(tensor.transpose(1, 2, 0))
    return tensor[np.newaxis]


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


_PAD_LEVEL = 114
"""Grey of letterbox bars, after YOLOX."""


def to_clip(frames: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """Return the input of a model that takes clips, without the batch dimension.

    Args:
        frames: uint8 RGB, shape [T, H, W, 3], the pictures that ``spec.sampling`` chose.
        spec: Of a card with layout ``NTCHW``.

    Returns:
        float32, shape [T, 3, h, w].
    """
    ready = np.stack([_of_clip(picture, spec) for picture in frames])
    mean, scale = (np.asarray(part, dtype=np.float32) for part in (spec.mean, spec.scale))
    values = np.ascontiguousarray(ready.transpose(0, 3, 1, 2), dtype=np.float32)
    values -= mean[:, None, None]
    values /= scale[:, None, None]
    return values


def _of_clip(picture: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    plain = spec.denoise == "none" and not spec.grayscale
    if plain and picture.shape[:2] == (spec.resize_px[1], spec.resize_px[0]):
        return picture
    image = Image.fromarray(picture)
    if spec.denoise == "median":
        image = image.filter(ImageFilter.MedianFilter(3))
    image = _fitted(image, spec)
    if spec.grayscale:
        image = image.convert("L").convert("RGB")
    return np.asarray(image)


def _fitted(image: Image.Image, spec: InputSpec) -> Image.Image:
    if spec.resize == "crop":
        return ImageOps.fit(image, spec.resize_px, Image.Resampling.BILINEAR)
    if spec.resize == "letterbox":
        grey = (_PAD_LEVEL,) * 3
        return ImageOps.pad(image, spec.resize_px, Image.Resampling.BILINEAR, color=grey)
    return image.resize(spec.resize_px, Image.Resampling.BILINEAR)


def places(count: int, spec: InputSpec) -> NDArray[np.intp]:
    """Return which of ``count`` pictures of a clip the model sees, in order, shape [T].

    A clip with fewer pictures than ``spec.frames`` is spread evenly, not padded.
    """
    if spec.sampling == "middle":
        return np.full(spec.frames, count // 2, dtype=np.intp)
    if spec.sampling == "dense":
        first = max(0, (count - spec.frames) // 2)
        return np.minimum(first + np.arange(spec.frames), count - 1)
    middles = (np.arange(spec.frames) + 0.5) * count / spec.frames
    return np.minimum(middles.astype(np.intp), count - 1)
