"""``shapes-classes``: pictures of one shape among others; the class is the shape in the middle.

For networks that name single pictures. Drawn from ``shapes``: the largest shape of a picture, with
a margin in which parts of others and clutter show.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reelcheck.lab.tasks.shapes import CLASSES, shapes

__all__ = ["CLASSES", "shape_pictures"]

_MARGIN_RATIO: Final = (0.1, 0.4)
"""Of the longer side of the box, on each side; drawn anew per picture."""
_LARGER: Final = 3
"""The scene is drawn so many times as large as the picture that is cut from it."""


def shape_pictures(
    count: int, *, seed: int, size_px: int = 32, difficulty: float = 0.5
) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """Draw ``count`` pictures, uint8 RGB [size_px, size_px, 3], each with its class.

    Raises:
        SettingError: as for ``shapes``.
    """
    rng = np.random.default_rng(seed)
    scenes = shapes(count, seed=seed, size_px=size_px * _LARGER, difficulty=difficulty)
    for pixels, boxes, labels in scenes:
        sides = boxes[:, 2:] - boxes[:, :2]
        largest = int(sides.prod(axis=1).argmax())
        half = float(sides[largest].max()) * (0.5 + rng.uniform(*_MARGIN_RATIO))
        middle = (boxes[largest, :2] + boxes[largest, 2:]) / 2
        place = (*(middle - half).round().astype(int), *(middle + half).round().astype(int))
        cut = Image.fromarray(pixels).crop(place)
        small = cut.resize((size_px, size_px), Image.Resampling.BILINEAR)
        yield np.asarray(small), int(labels[largest])
