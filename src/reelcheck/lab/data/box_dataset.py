"""A dataset of pictures with boxes for the training of detectors."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from reelcheck.errors import SettingError
from reelcheck.lab.data.boxes import BoxTable
from reelcheck.lab.errors import DataError

Sample = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]
"""Pixels uint8 RGB [H, W, 3]; boxes left, top, right, bottom in pixels [M, 4]; labels [M]."""
Change = Callable[[Sample, np.random.Generator], Sample]
"""An augmentation: gets a sample and chance, returns another sample."""

PAD_LEVEL: Final = 114
"""Grey of the area beside a letterboxed picture, as in the release of YOLOX."""
IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)
"""Of RGB in 0 to 1; the constants of torchvision's classification references."""


class BoxTarget(TypedDict):
    """What a detector is to find in one picture."""

    boxes: Tensor
    """Left, top, right, bottom in pixels of the letterboxed picture, float32 [M, 4]."""
    labels: Tensor
    """int64 [M]."""


class BoxDataset(Dataset[tuple[Tensor, BoxTarget]]):
    """Pictures letterboxed to a square and normalised, with their boxes; crowds are left out.

    Args:
        table: The pictures.
        size_px: Side of the square.
        change: Augmentation, applied before letterboxing; chance depends on ``seed``, the epoch
            and the place of the picture only, so that no number of workers changes a result.
        seed: Start of chance.
        mean: Subtracted from RGB in 0 to 1.
        std: Divides the difference.
    """

    def __init__(
        self,
        table: BoxTable,
        *,
        size_px: int,
        change: Change | None = None,
        seed: int = 0,
        mean: tuple[float, float, float] = IMAGENET_MEAN,
        std: tuple[float, float, float] = IMAGENET_STD,
    ) -> None:
        if size_px < 1:
            message = f"size_px must be at least 1, got {size_px}"
            raise SettingError(message)
        self.epoch = 0
        """Set before each epoch to draw chance anew."""
        self._table = table
        self._size_px = size_px
        self._change = change
        self._seed = seed
        self._mean = torch.tensor(mean)[:, None, None]
        self._std = torch.tensor(std)[:, None, None]

    def __len__(self) -> int:
        return len(self._table.pictures)

    def sample(self, index: int) -> Sample:
        """Return the picture as it is in the file, without its crowds.

        Raises:
            DataError: the file is no picture, or not of the size that the table gives.
        """
        picture = self._table.pictures[index]
        pixels = _read_picture(picture.path)
        if pixels.shape[:2] != (picture.height_px, picture.width_px):
            message = (
                f"{picture.path} is {pixels.shape[1]}x{pixels.shape[0]} px, "
                f"its record says {picture.width_px}x{picture.height_px}"
            )
            raise DataError(message)
        kept = [box for box in picture.boxes if not box.crowd]
        corners = [(box.left_px, box.top_px, box.right_px, box.bottom_px) for box in kept]
        boxes = np.array(corners, dtype=np.float32).reshape(-1, 4)
        return pixels, boxes, np.array([box.label for box in kept], dtype=np.int64)

    def __getitem__(self, index: int) -> tuple[Tensor, BoxTarget]:
        sample = self.sample(index)
        if self._change is not None:
            sample = self._change(sample, np.random.default_rng((self._seed, self.epoch, index)))
        pixels, boxes, labels = letterbox(sample, size_px=self._size_px)
        image = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
        target = BoxTarget(boxes=torch.from_numpy(boxes), labels=torch.from_numpy(labels))
        return (image - self._mean) / self._std, target


def collate(rows: Sequence[tuple[Tensor, BoxTarget]]) -> tuple[Tensor, list[BoxTarget]]:
    """Join rows of a ``BoxDataset``: pictures [N, 3, S, S] and their targets."""
    return torch.stack([image for image, _ in rows]), [target for _, target in rows]


def letterbox_scale(width_px: int, height_px: int, *, size_px: int) -> tuple[float, float]:
    """Return the factors on x and y by which ``letterbox`` moves boxes; divide to undo it."""
    ratio = size_px / max(width_px, height_px)
    return max(1, round(width_px * ratio)) / width_px, max(1, round(height_px * ratio)) / height_px


def letterbox(sample: Sample, *, size_px: int) -> Sample:
    """Scale the longer side to ``size_px`` and fill the rest, right or below, with grey."""
    pixels, boxes, labels = sample
    height, width = pixels.shape[:2]
    across, down = letterbox_scale(width, height, size_px=size_px)
    size = (round(width * across), round(height * down))
    scaled = pixels
    if size != (width, height):
        scaled = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
    canvas = np.full((size_px, size_px, 3), PAD_LEVEL, dtype=np.uint8)
    canvas[: size[1], : size[0]] = scaled
    factors = np.array([across, down, across, down], dtype=np.float32)
    return canvas, boxes * factors, labels


def flip(sample: Sample, rng: np.random.Generator) -> Sample:
    """Mirror left and right in half of all cases."""
    pixels, boxes, labels = sample
    if rng.random() < 0.5:  # noqa: PLR2004 - a half
        return sample
    mirrored = boxes.copy()
    mirrored[:, [0, 2]] = pixels.shape[1] - boxes[:, [2, 0]]
    return np.ascontiguousarray(pixels[:, ::-1]), mirrored, labels


def _read_picture(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    except OSError as error:
        message = f"{path} is not a picture that can be read"
        raise DataError(message) from error
