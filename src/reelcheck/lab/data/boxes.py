"""Pictures with labelled boxes: records, COCO files and the YOLO text layout.

COCO detection format: https://cocodataset.org/#format-data (object detection; segmentation is
read over; ``group`` and ``split`` of an image are ours, and may be missing). YOLO layout: one text
file per picture, one line ``class cx cy width height`` per object, all but the class as ratios of
the picture, as Darknet introduced it.

Coordinates are continuous: 0 is the left edge of the first pixel, the width of the picture the
right edge of the last one. Nothing is repaired silently: a row that cannot be right is an error
that names the file and the row. Boxes that pass an edge by at most 1 px (rounding of annotation
tools) are clipped.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from reelcheck.errors import OutputError
from reelcheck.lab.errors import DataError

_ROUNDING_PX = 1.0
_PICTURE_ENDINGS = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".webp"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One object of a picture."""

    left_px: float
    top_px: float
    right_px: float
    bottom_px: float
    label: int
    """Place in the classes of the table."""
    crowd: bool = False
    """Stands for a group of objects: no detector is taught or judged by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture file and its objects."""

    id: int
    path: Path
    width_px: int
    height_px: int
    boxes: tuple[Box, ...]
    group: str = ""
    """What it shares with others, such as the video it is taken from; its file when empty."""
    split: str = ""
    """``train``, ``validation`` or ``test``; chosen by group when empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxTable:
    """Labelled pictures.

    Raises:
        DataError: two pictures have one id, a label has no class, a box lies outside of its
            picture or has no area.
    """

    classes: tuple[str, ...]
    pictures: tuple[Picture, ...]

    def __post_init__(self) -> None:
        _refuse_repeats((picture.id for picture in self.pictures), "picture", where="table")
        for picture in self.pictures:
            for row, box in enumerate(picture.boxes):
                where = f"{picture.path}, box {row}"
                _check_label(box.label, len(self.classes), where=where)
                _fit(box, picture.width_px, picture.height_px, where=where)


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)  # licences, dates, segmentation


class _CocoImage(_Lenient):
    id: int
    file_name: str
    width: PositiveInt
    height: PositiveInt
    group: str = ""
    split: Literal["", "train", "validation", "test"] = ""


class _CocoAnnotation(_Lenient):
    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    iscrowd: int = 0


class _CocoCategory(_Lenient):
    id: int
    name: str


class _CocoFile(_Lenient):
    images: list[_CocoImage]
    annotations: list[_CocoAnnotation]
    categories: list[_CocoCategory]


def read_coco(path: Path, *, pictures: Path | None = None) -> BoxTable:
    """Read a COCO file; classes are ordered by category id.

    Args:
        path: The JSON file.
        pictures: Folder of the pictures; that of the file if not given.

    Raises:
        DataError: the file or one of its pictures is missing, or a row cannot be right.
    """
    content = _read_coco_file(path)
    folder = path.parent if pictures is None else pictures
    categories = sorted(content.categories, key=lambda category: category.id)
    _refuse_repeats((row.id for row in content.images), "image", where=str(path))
    _refuse_repeats((row.id for row in content.annotations), "annotation", where=str(path))
    _refuse_repeats((row.id for row in categories), "category", where=str(path))
    labels = {category.id: label for label, category in enumerate(categories)}
    images = {image.id: image for image in content.images}
    boxes: dict[int, list[Box]] = {id_: [] for id_ in images}
    for row, annotation in enumerate(content.annotations):
        where = f"{path}, annotation {row} (id {annotation.id})"
        image = _known(images, annotation.image_id, "image", where=where)
        label = _known(labels, annotation.category_id, "category", where=where)
        left, top, width, height = annotation.bbox
        box = Box(
            left_px=left,
            top_px=top,
            right_px=left + width,
            bottom_px=top + height,
            label=label,
            crowd=annotation.iscrowd == 1,
        )
        boxes[image.id].append(_fit(box, image.width, image.height, where=where))
    for row, image in enumerate(content.images):
        _need_file(folder / image.file_name, where=f"{path}, image {row} (id {image.id})")
    return BoxTable(
        classes=tuple(category.name for category in categories),
        pictures=tuple(
            Picture(
                id=image.id,
                path=folder / image.file_name,
                width_px=image.width,
                height_px=image.height,
                boxes=tuple(boxes[image.id]),
                group=image.group,
                split=image.split,
            )
            for image in content.images
        ),
    )


def write_coco(table: BoxTable, path: Path) -> None:
    """Write ``table`` as a COCO file; names of pictures are relative to its folder if below it.

    Raises:
        OutputError: the file cannot be written.
    """
    annotations = [
        {
            "image_id": picture.id,
            "category_id": box.label + 1,
            "bbox": [box.left_px, box.top_px, *_size(box)],
            "area": _size(box)[0] * _size(box)[1],
            "iscrowd": int(box.crowd),
        }
        for picture in table.pictures
        for box in picture.boxes
    ]
    content = {
        "images": [
            {
                "id": picture.id,
                "file_name": _name_from(path.parent, picture.path),
                "width": picture.width_px,
                "height": picture.height_px,
                **({"group": picture.group} if picture.group else {}),
                **({"split": picture.split} if picture.split else {}),
            }
            for picture in table.pictures
        ],
        "annotations": [{"id": row + 1, **entry} for row, entry in enumerate(annotations)],
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(table.classes)],
    }
    try:
        path.write_text(json.dumps(content), encoding="utf-8")
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}"
        raise OutputError(message, code="E_STORAGE_READONLY") from error


def read_yolo(
    pictures: Path,
    labels: Path,
    *,
    classes: Sequence[str],
    left_out: list[str] | None = None,
) -> BoxTable:
    """Read the YOLO text layout: ``labels/x.txt`` belongs to ``pictures/x.jpg``.

    A picture without a text file has no objects. Pictures are numbered from 1 by name.

    Args:
        pictures: Folder of the pictures.
        labels: Folder of the text files.
        classes: Names of the labels.
        left_out: Takes a line about each text without picture and each picture that cannot be
            read; without it, they are refused.

    Raises:
        DataError: a folder is missing, a text file has no picture, or a line cannot be right.
    """
    for folder in (pictures, labels):
        if not folder.is_dir():
            message = f"there is no folder {folder}"
            raise DataError(message)
    paths = sorted(p for p in pictures.iterdir() if p.suffix.lower() in _PICTURE_ENDINGS)
    stems = {path.stem for path in paths} | {"classes"}
    for text in sorted(labels.glob("*.txt")):
        if text.stem not in stems:
            message = f"{text} has no picture of the same name in {pictures}"
            _refuse_or_list(DataError(message), left_out)
    table = []
    for id_, path in enumerate(paths, start=1):
        try:
            width, height = _picture_size(path)
        except DataError as error:
            _refuse_or_list(error, left_out)
            continue
        boxes = _yolo_boxes(labels / f"{path.stem}.txt", size_px=(width, height), classes=classes)
        table.append(Picture(id=id_, path=path, width_px=width, height_px=height, boxes=boxes))
    return BoxTable(classes=tuple(classes), pictures=tuple(table))


def _refuse_or_list(error: DataError, left_out: list[str] | None) -> None:
    if left_out is None:
        raise error
    left_out.append(str(error))


def _read_coco_file(path: Path) -> _CocoFile:
    try:
        return _CocoFile.model_validate_json(path.read_bytes())
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise DataError(message) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        message = f"{path} is no COCO file: {place or 'whole file'}: {first['msg']}"
        raise DataError(message) from error


def _yolo_boxes(path: Path, *, size_px: tuple[int, int], classes: Sequence[str]) -> tuple[Box, ...]:
    if not path.exists():
        return ()
    width, height = size_px
    boxes = []
    for number, line in enumerate(_lines(path), start=1):
        where = f"{path}, line {number}"
        if not line.strip():
            continue
        try:
            first, *places = line.split()
            label = int(first)
            cx, cy, w, h = (float(place) for place in places)
        except ValueError as error:  # outlines of objects have more columns
            message = f"{where}: want 'class cx cy width height', got {line!r}"
            raise DataError(message) from error
        _check_label(label, len(classes), where=where)
        box = Box(
            left_px=(cx - w / 2) * width,
            top_px=(cy - h / 2) * height,
            right_px=(cx + w / 2) * width,
            bottom_px=(cy + h / 2) * height,
            label=label,
        )
        boxes.append(_fit(box, width, height, where=where))
    return tuple(boxes)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot read {path} as text"
        raise DataError(message) from error


def _fit(box: Box, width_px: int, height_px: int, *, where: str) -> Box:
    """Return the box clipped by at most a pixel of rounding."""
    edges = (box.left_px, box.top_px, box.right_px, box.bottom_px)
    shown = ", ".join(f"{edge:g}" for edge in edges)
    if not (box.left_px < box.right_px and box.top_px < box.bottom_px):
        message = f"{where}: the box ({shown}) has no area"
        raise DataError(message)
    over = max(-box.left_px, -box.top_px, box.right_px - width_px, box.bottom_px - height_px)
    if over > _ROUNDING_PX:
        message = f"{where}: the box ({shown}) lies outside of the {width_px}x{height_px} picture"
        raise DataError(message)
    if over <= 0:
        return box
    clipped = Box(
        left_px=max(0.0, box.left_px),
        top_px=max(0.0, box.top_px),
        right_px=min(float(width_px), box.right_px),
        bottom_px=min(float(height_px), box.bottom_px),
        label=box.label,
        crowd=box.crowd,
    )
    return _fit(clipped, width_px, height_px, where=where)


def _check_label(label: int, classes: int, *, where: str) -> None:
    if not 0 <= label < classes:
        message = f"{where}: label {label} is not one of the {classes} classes (0 to {classes - 1})"
        raise DataError(message)


def _known(table: Mapping[int, Any], key: int, kind: str, *, where: str) -> Any:  # noqa: ANN401 - a lookup
    if key not in table:
        message = f"{where}: there is no {kind} with id {key}"
        raise DataError(message)
    return table[key]


def _refuse_repeats(ids: Iterable[int], kind: str, *, where: str) -> None:
    seen: set[int] = set()
    for row, id_ in enumerate(ids):
        if id_ in seen:
            message = f"{where}, {kind} {row}: id {id_} is used before"
            raise DataError(message)
        seen.add(id_)


def _need_file(path: Path, *, where: str) -> None:
    if not path.is_file():
        message = f"{where}: there is no file {path}"
        raise DataError(message)


def _picture_size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as image:
            return image.size
    except OSError as error:
        message = f"{path} is not a picture that can be read"
        raise DataError(message) from error


def _size(box: Box) -> tuple[float, float]:
    return box.right_px - box.left_px, box.bottom_px - box.top_px


def _name_from(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
