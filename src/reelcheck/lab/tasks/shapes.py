"""The generated detection task ``shapes-boxes``: coloured shapes whose boxes are exact.

Ours; it exists to prove that a detector learns at all, in minutes and without any download. Its
figures say nothing about photographs. Boxes are computed from the geometry of each shape, and
cover the whole shape, hidden parts included.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reelcheck.errors import OutputError, SettingError
from reelcheck.lab.data.boxes import Box, BoxTable, Picture, write_coco

Pixels = NDArray[np.uint8]
Numbers = NDArray[np.float64]
Sample = tuple[Pixels, NDArray[np.float32], NDArray[np.int64]]

CLASSES: Final = ("circle", "square", "triangle", "cross")
"""Label 0 is a circle, and so on."""
_CIRCLE, _CROSS = 0, 3
_CORNERS = {1: 4, 2: 3}
_MIN_SIZE_PX = 32
_TRIES = 40
_FAR_COLOUR = 70.0
"""Least distance in RGB of a shape from the mean of the background at difficulty 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hardness:
    """What one number from 0 to 1 stands for."""

    most_shapes: int
    least_radius_ratio: float
    most_radius_ratio: float
    most_hidden_ratio: float
    noise_levels: float
    clutter_lines: int
    turn_radians: float
    colour_distance: float


def _hardness(difficulty: float) -> _Hardness:
    return _Hardness(
        most_shapes=2 + round(6 * difficulty),
        least_radius_ratio=0.12 - 0.07 * difficulty,
        most_radius_ratio=0.22,
        most_hidden_ratio=0.4 * difficulty,
        noise_levels=2 + 14 * difficulty,
        clutter_lines=round(12 * difficulty),
        turn_radians=difficulty * math.pi / 4,
        colour_distance=_FAR_COLOUR * (1 - 0.6 * difficulty),
    )


def shapes(
    count: int, *, seed: int, size_px: int = 128, difficulty: float = 0.5
) -> Iterator[Sample]:
    """Draw ``count`` pictures; the same arguments give the same pictures.

    Args:
        count: Number of pictures.
        seed: Picture i depends on ``seed`` and i only, so that a longer task begins the same.
        size_px: Side of the square pictures, at least 32.
        difficulty: 0 (few, large, plain shapes apart) to 1 (up to eight shapes from a twentieth
            of the side in radius, turned, up to 0.4 of a box hidden, noise, lines as clutter).

    Yields:
        Pixels uint8 RGB [size_px, size_px, 3]; boxes float32 [M, 4]: left, top, right, bottom in
        pixels, inside of the picture; labels int64 [M] into ``CLASSES``. M is at least 1.

    Raises:
        SettingError: an argument is out of its range.
    """
    if count < 0 or size_px < _MIN_SIZE_PX or not 0 <= difficulty <= 1:
        message = (
            f"shapes needs count >= 0, size_px >= {_MIN_SIZE_PX} and difficulty in 0 to 1, got "
            f"count {count}, size_px {size_px}, difficulty {difficulty}"
        )
        raise SettingError(message)
    return (
        _draw(np.random.default_rng((seed, index)), size_px=size_px, hard=_hardness(difficulty))
        for index in range(count)
    )


def write_shapes(
    folder: Path,
    *,
    count: int,
    seed: int,
    size_px: int = 128,
    difficulty: float = 0.5,
    kind: Literal["png", "jpg"] = "png",
) -> Path:
    """Write pictures and ``annotations.json`` (COCO); return the path of the latter.

    Raises:
        OutputError: the folder cannot be written.
        SettingError: as for ``shapes``, or ``kind`` is neither "png" nor "jpg".
    """
    if kind not in {"png", "jpg"}:
        message = f"pictures of shapes are written as 'png' or 'jpg', not as {kind!r}"
        raise SettingError(message)
    samples = shapes(count, seed=seed, size_px=size_px, difficulty=difficulty)
    pictures = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for index, (pixels, boxes, labels) in enumerate(samples):
            path = folder / f"{index:06d}.{kind}"
            Image.fromarray(pixels).save(path, quality=95)
            pictures.append(_picture(path, id_=index + 1, boxes=boxes, labels=labels))
    except OSError as error:
        message = f"cannot write shapes into {folder}: {error.strerror}"
        raise OutputError(message, code="E_STORAGE_READONLY") from error
    path = folder / "annotations.json"
    write_coco(BoxTable(classes=CLASSES, pictures=tuple(pictures)), path)
    return path


def _picture(
    path: Path, *, id_: int, boxes: NDArray[np.float32], labels: NDArray[np.int64]
) -> Picture:
    with Image.open(path) as image:
        width, height = image.size
    return Picture(
        id=id_,
        path=path,
        width_px=width,
        height_px=height,
        boxes=tuple(
            Box(left_px=a, top_px=b, right_px=c, bottom_px=d, label=label)
            for (a, b, c, d), label in zip(boxes.tolist(), labels.tolist(), strict=True)
        ),
    )


def _draw(rng: np.random.Generator, *, size_px: int, hard: _Hardness) -> Sample:
    canvas = _background(rng, size_px=size_px, hard=hard)
    mean = canvas.mean(axis=(0, 1))
    wanted = int(rng.integers(1, hard.most_shapes + 1))
    boxes: list[Numbers] = []
    labels: list[int] = []
    for _ in range(_TRIES):
        label = int(rng.integers(len(CLASSES)))
        box, cover = _place(rng, label, size_px=size_px, hard=hard)
        if any(_hidden_ratio(box, other) > hard.most_hidden_ratio for other in boxes):
            continue
        colour = _colour(rng, away_from=mean, distance=hard.colour_distance)
        canvas += cover[..., None] * (colour - canvas)
        boxes.append(box)
        labels.append(label)
        if len(boxes) == wanted:
            break
    canvas += rng.normal(0, hard.noise_levels, canvas.shape)
    pixels = canvas.round().clip(0, 255).astype(np.uint8)
    return pixels, np.array(boxes, dtype=np.float32), np.array(labels, dtype=np.int64)


def _background(rng: np.random.Generator, *, size_px: int, hard: _Hardness) -> Numbers:
    """A gradient between two colours, crossed by thin lines, float [S, S, 3]."""
    y, x = _grid(size_px)
    slope = (x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1)) / size_px
    first = rng.uniform(30, 225, 3)
    canvas: Numbers = first + slope[..., None] * rng.uniform(-60, 60, 3)
    for _ in range(hard.clutter_lines):
        angle, offset = rng.uniform(0, math.pi), rng.uniform(-0.5, 0.5) * size_px
        along = (x - size_px / 2) * math.cos(angle) + (y - size_px / 2) * math.sin(angle)
        cover = np.clip(1.2 - np.abs(along - offset), 0, 1)[..., None]
        canvas += cover * (rng.uniform(0, 255, 3) - canvas)
    return canvas


def _place(
    rng: np.random.Generator, label: int, *, size_px: int, hard: _Hardness
) -> tuple[Numbers, Numbers]:
    """Choose place, size and turn of one shape; return its box [4] and its cover [S, S]."""
    radius = size_px * math.exp(
        rng.uniform(math.log(hard.least_radius_ratio), math.log(hard.most_radius_ratio))
    )
    turn = rng.uniform(-1, 1) * hard.turn_radians
    centre = rng.uniform(radius, size_px - radius, 2)
    y, x = _grid(size_px)
    dx, dy = x - centre[0], y - centre[1]
    if label == _CIRCLE:
        reach = np.array([radius, radius])
        return np.concatenate((centre - reach, centre + reach)), _cover(np.hypot(dx, dy) - radius)
    outlines = _outlines(label, radius=radius, turn=turn)
    corners = centre + np.concatenate(outlines)
    distance = np.minimum.reduce([_distance(outline, dx, dy) for outline in outlines])
    return np.concatenate((corners.min(axis=0), corners.max(axis=0))), _cover(distance)


def _outlines(label: int, *, radius: float, turn: float) -> list[Numbers]:
    """Corners [C, 2] of the convex parts of a shape around 0; none is farther than ``radius``."""
    if label == _CROSS:
        half_angles = (math.atan2(1, 3), math.pi / 2 - math.atan2(1, 3))
        return [
            _around(
                radius, [turn + sign * half + flip for flip in (0, math.pi) for sign in (1, -1)]
            )
            for half in half_angles
        ]
    corners = _CORNERS[label]
    first = turn - math.pi / 2 + (math.pi / 4 if corners == _CORNERS[1] else 0)
    return [_around(radius, [first + 2 * math.pi * i / corners for i in range(corners)])]


def _around(radius: float, angles: list[float]) -> Numbers:
    ordered = sorted(angle % (2 * math.pi) for angle in angles)
    return radius * np.array([(math.cos(angle), math.sin(angle)) for angle in ordered])


def _distance(outline: Numbers, dx: Numbers, dy: Numbers) -> Numbers:
    """Signed distance to a convex outline, negative inside; too small beyond a corner."""
    ends = np.roll(outline, -1, axis=0)
    distances = []
    for (ax, ay), (bx, by) in zip(outline, ends, strict=True):
        length = math.hypot(bx - ax, by - ay)
        normal = ((by - ay) / length, (ax - bx) / length)
        distances.append((dx - ax) * normal[0] + (dy - ay) * normal[1])
    largest: Numbers = np.maximum.reduce(distances)
    return largest


def _cover(distance: Numbers) -> Numbers:
    """Share of each pixel that lies inside, 0 to 1, from its signed distance."""
    return np.clip(0.5 - distance, 0, 1)


def _colour(rng: np.random.Generator, *, away_from: Numbers, distance: float) -> Numbers:
    """Choose a colour that can be told from the background; half the cube is always far enough."""
    while True:
        colour = rng.uniform(0, 255, 3)
        if np.linalg.norm(colour - away_from) >= distance:
            return colour


def _hidden_ratio(box: Numbers, other: Numbers) -> float:
    """Shared area of two boxes over the area of the smaller one."""
    shared = np.prod((np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])).clip(0))
    return float(shared / min(np.prod(box[2:] - box[:2]), np.prod(other[2:] - other[:2])))


def _grid(size_px: int) -> tuple[Numbers, Numbers]:
    """Centres of the pixels: y and x, each [S, S]."""
    centres = np.arange(size_px) + 0.5
    y, x = np.meshgrid(centres, centres, indexing="ij")
    return y, x
