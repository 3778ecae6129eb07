"""Detectors on a user's own boxes: from the YOLO layout or COCO JSON to a trained network."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reelcheck.errors import SettingError
from reelcheck.lab.data.boxes import BoxTable, read_coco, write_coco
from reelcheck.lab.data.layout_yolo import import_yolo
from reelcheck.lab.data.layouts import layout_of
from reelcheck.lab.data.sources import failed_clips, open_data
from reelcheck.lab.data.varied_boxes import check_boxes
from reelcheck.lab.engine.run import train
from reelcheck.lab.errors import DataError
from reelcheck.lab.recipe import Recipe
from reelcheck.lab.tasks.shapes import write_shapes


def recipe(manifest: Path, **input_part: object) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "own-boxes",
            "data": {"manifest": str(manifest)},
            "input": {"frames": 1, "size_px": [64, 64], **input_part},
            "augmentation": {"flip": 0.5, "mosaic": 0.5, "mosaic_off_epochs": 1},
            "network": {"name": "yolo", "options": {"depth": 0.33, "width": 0.125}},
            "training": {"epochs": 2, "batch": 4},
        }
    )


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    return write_shapes(tmp_path, count=16, seed=1, size_px=96)


def test_a_detector_trains_on_coco_json(annotations: Path, tmp_path: Path) -> None:
    table = read_coco(annotations)
    empty = replace(table.pictures[0], boxes=(), split="train")
    write_coco(replace(table, pictures=(empty, *table.pictures[1:])), annotations)
    (tmp_path / "000003.png").write_bytes(b"no picture")

    trained = train(recipe(annotations), out=tmp_path / "run")

    data = trained.data
    assert data.classes == ("circle", "square", "triangle", "cross")
    assert data.fits == {"boxes"}
    assert len(data.train) + len(data.validation) + len(data.test) == 15
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert list(record["unreadable"]) == ["000003.png"]


def test_boxes_are_moved_with_their_picture(annotations: Path) -> None:
    data = open_data(recipe(annotations, size_px=[48, 48]))
    _, target, _ = data.test[0]
    name = data.test.rows[0].file  # type: ignore[attr-defined]  # rows of a table
    (picture,) = (one for one in read_coco(annotations).pictures if one.path.name == name)
    expected = [(b.left_px, b.top_px, b.right_px, b.bottom_px) for b in picture.boxes]

    assert target["boxes"].numpy() == pytest.approx(np.array(expected) / 2)


def test_a_picture_that_breaks_is_grey_and_listed(annotations: Path, tmp_path: Path) -> None:
    data = open_data(recipe(annotations))
    name = data.test.rows[0].file  # type: ignore[attr-defined]  # rows of a table
    (tmp_path / name).write_bytes(b"gone bad")
    image, target, _ = data.test[0]

    assert float(image.std(dim=(1, 2)).max()) == 0
    assert target["boxes"].shape == (0, 4)
    assert list(failed_clips(data)) == [name]


def same_group(table: BoxTable) -> BoxTable:
    parts = ["train", "test", *["validation"] * 14]
    return replace(
        table,
        pictures=tuple(
            replace(one, split=part, group="tape" if number < 2 else "")
            for number, (one, part) in enumerate(zip(table.pictures, parts, strict=True))
        ),
    )


def same_picture(table: BoxTable) -> BoxTable:
    first = table.pictures[0]
    return BoxTable(
        classes=table.classes,
        pictures=(
            replace(first, split="test"),
            *(replace(one, split="train") for one in table.pictures[1:-1]),
            replace(first, id=99, path=first.path.with_name("copy.png"), split="train"),
            replace(table.pictures[-1], split="validation"),
        ),
    )


@pytest.mark.parametrize(
    ("leak", "complaint"), [(same_group, "stands in test and train"), (same_picture, "the same as")]
)
def test_a_leak_between_pictures_is_refused(
    leak: Callable[[BoxTable], BoxTable], complaint: str, annotations: Path, tmp_path: Path
) -> None:
    (tmp_path / "copy.png").write_bytes((tmp_path / "000000.png").read_bytes())
    write_coco(leak(read_coco(annotations)), annotations)

    with pytest.raises(DataError, match=complaint):
        check_boxes(annotations, seed=0)


def test_detectors_want_squares(annotations: Path) -> None:
    with pytest.raises(SettingError, match="64x32"):
        open_data(recipe(annotations, size_px=[64, 32]))


def picture(path: Path, *lines: str) -> None:
    text = path.parents[2] / "labels" / path.parent.name / f"{path.stem}.txt"
    if path.parent.name == "images":
        text = path.parents[1] / "labels" / f"{path.stem}.txt"
    for one in (path, text):
        one.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((20, 40, 3), dtype=np.uint8)).save(path)
    text.write_text("\n".join(lines))


CLASSES = [
    ("data.yaml", "train: images/train\nnc: 2\nnames: ['cat', \"big dog\"]  # two\n"),
    ("data.yaml", "names:\n  - cat\n  - big dog\nnc: 2\n"),
    ("data.yaml", "path: x\nnames:\n  0: cat\n  1: big dog\ntrain: y\n"),
    ("classes.txt", "cat\nbig dog\n"),
    ("labels/classes.txt", "cat\nbig dog\n"),
]


@pytest.mark.parametrize(("name", "text"), CLASSES)
def test_the_yolo_layout_becomes_a_table_that_can_be_written(
    name: str, text: str, tmp_path: Path
) -> None:
    picture(tmp_path / "images" / "a.png", "1 0.5 0.5 0.5 0.5")
    picture(tmp_path / "images" / "b.rf.0af1.png")
    (tmp_path / "images" / "broken.jpg").write_bytes(b"no picture")
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "bare.png")
    (tmp_path / "labels" / "lonely.txt").write_text("0 0.5 0.5 1 1")
    (tmp_path / name).write_text(text)
    assert layout_of(tmp_path) == "yolo"

    table, missing = import_yolo(tmp_path)
    write_coco(table, tmp_path / "annotations.json")
    again = read_coco(tmp_path / "annotations.json")

    assert again == table
    assert table.classes == ("cat", "big dog")
    assert [one.group for one in table.pictures] == ["", "b", ""]
    (box,) = table.pictures[0].boxes
    assert (box.left_px, box.top_px, box.right_px, box.bottom_px, box.label) == (10, 5, 30, 15, 1)
    told = "\n".join(missing)
    assert "lonely.txt has no picture" in told
    assert "broken.jpg is not a picture" in told
    assert "bare.png has no text file" in told


@pytest.mark.parametrize("form", ["images/{}/{}.png", "{}/images/{}.png"])
def test_parts_of_the_yolo_layout_are_kept(form: str, tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / form.format("val" if number < 2 else "train", number))
    (tmp_path / "classes.txt").write_text("cat\n")

    table, missing = import_yolo(tmp_path)

    parts = [one.split for one in table.pictures]
    assert len({one.id for one in table.pictures}) == 12
    assert (parts.count("test"), parts.count("validation"), parts.count("train")) == (2, 2, 8)
    assert len(missing) == 2


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nc: 2\n", "no key names"),
        ("names:\nnc: 2\n", "names is empty"),
        ("names:\n  1: cat\n", "expected class 0"),
        (None, "does not say what the classes are"),
    ],
)
def test_classes_that_cannot_be_known_are_refused(
    text: str | None, complaint: str, tmp_path: Path
) -> None:
    picture(tmp_path / "images" / "a.png")
    if text is not None:
        (tmp_path / "data.yaml").write_text(text)

    with pytest.raises(DataError, match=complaint):
        import_yolo(tmp_path)
