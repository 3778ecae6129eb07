"""Mosaic: four pictures around one point become one (YOLOv4, arXiv 2004.10934, section 3.3)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reelcheck.errors import SettingError

Sample = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]
"""Pixels uint8 RGB [H, W, 3]; boxes left, top, right, bottom in pixels [M, 4]; labels [M]."""

_PICTURES = 4
_PAD_LEVEL = 114
_CENTRE_RATIO = (0.25, 0.75)
"""Range of the meeting point along each side; that of the release on a canvas of twice the size."""
_LEAST_SIDE_PX = 2.0
_LEAST_SEEN_RATIO = 0.2
"""Boxes of which less is left are dropped. Ours, so that no sliver is taught as an object."""


def mosaic(samples: Sequence[Sample], *, size_px: int, rng: np.random.Generator) -> Sample:
    """Join four pictures at a point chosen by chance; none is scaled.

    Each picture touches the point with its inner corner and is cut at the border of the square;
    area that none covers is grey (114). Boxes are moved and cut along, and dropped if less than
    a fifth of their area is left.

    Args:
        samples: Four samples: top left, top right, bottom left, bottom right.
        size_px: Side of the square, as a rule that of the samples.
        rng: Chance.

    Raises:
        SettingError: there are not four samples.
    """
    if len(samples) != _PICTURES:
        message = f"mosaic joins {_PICTURES} pictures, got {len(samples)}"
        raise SettingError(message)
    across, down = (round(size_px * ratio) for ratio in rng.uniform(*_CENTRE_RATIO, 2))
    canvas = np.full((size_px, size_px, 3), _PAD_LEVEL, dtype=np.uint8)
    placed = []
    for place, (pixels, boxes, labels) in enumerate(samples):
        height, width = pixels.shape[:2]
        left = across if place % 2 else across - width
        top = down if place >= _PICTURES // 2 else down - height
        window = (
            max(left, 0),
            max(top, 0),
            min(left + width, size_px),
            min(top + height, size_px),
        )
        x0, y0, x1, y1 = window
        canvas[y0:y1, x0:x1] = pixels[y0 - top : y1 - top, x0 - left : x1 - left]
        placed.append(
            _cut(boxes + np.array([left, top, left, top], dtype=np.float32), labels, window=window)
        )
    return (
        canvas,
        np.concatenate([boxes for boxes, _ in placed]),
        np.concatenate([labels for _, labels in placed]),
    )


def _cut(
    boxes: NDArray[np.float32], labels: NDArray[np.int64], *, window: tuple[int, int, int, int]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Cut boxes at the window in which their picture is seen; drop what is hardly seen."""
    x0, y0, x1, y1 = window
    cut = boxes.copy()
    cut[:, [0, 2]] = cut[:, [0, 2]].clip(x0, x1)
    cut[:, [1, 3]] = cut[:, [1, 3]].clip(y0, y1)
    sides = cut[:, 2:] - cut[:, :2]
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    seen = sides.prod(axis=1) >= _LEAST_SEEN_RATIO * areas
    kept = seen & (sides >= _LEAST_SIDE_PX).all(axis=1)
    return cut[kept], labels[kept]
