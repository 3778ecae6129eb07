"""Labelled boxes: files in, clear errors out, letterboxed tensors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from reelcheck.errors import OutputError, SettingError

pytest.importorskip("torch")

import torch

from reelcheck.lab.data.box_dataset import (
    PAD_LEVEL,
    BoxDataset,
    collate,
    flip,
    letterbox,
    letterbox_scale,
)
from reelcheck.lab.data.boxes import (
    Box,
    BoxTable,
    Picture,
    read_coco,
    read_yolo,
    write_coco,
)
from reelcheck.lab.errors import DataError

WIDTH, HEIGHT = 60, 40


def coco(folder: Path, **changes: Any) -> Path:  # noqa: ANN401 - parts of a JSON file
    """Write one picture and a COCO file about it; ``changes`` replace its parts."""
    Image.new("RGB", (WIDTH, HEIGHT), (200, 10, 10)).save(folder / "a.png")
    content = {
        "images": [{"id": 7, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
        "annotations": [annotation()],
        "categories": [{"id": 9, "name": "dog"}, {"id": 3, "name": "cat"}],
        "info": {"year": 2026},
        **changes,
    }
    path = folder / "boxes.json"
    path.write_text(json.dumps(content))
    return path


def annotation(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - parts of a JSON row
    row = {"id": 1, "image_id": 7, "category_id": 9, "bbox": [10, 5, 20, 30], "iscrowd": 0}
    return row | changes


def test_a_coco_file_is_read_with_classes_in_order_of_their_ids(tmp_path: Path) -> None:
    table = read_coco(coco(tmp_path))
    assert table.classes == ("cat", "dog")
    (picture,) = table.pictures
    assert (picture.id, picture.path) == (7, tmp_path / "a.png")
    assert picture.boxes == (Box(left_px=10, top_px=5, right_px=30, bottom_px=35, label=1),)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotations": [annotation(category_id=4)]}, r"annotation 0 \(id 1\).*no category.*4"),
        ({"annotations": [annotation(image_id=8)]}, r"annotation 0 \(id 1\).*no image.*8"),
        ({"annotations": [annotation(), annotation()]}, r"annotation 1: id 1 is used before"),
        ({"annotations": [annotation(bbox=[10, 5, 0, 9])]}, "annotation 0.*has no area"),
        ({"annotations": [annotation(bbox=[10, 5, -4, 9])]}, "annotation 0.*has no area"),
        ({"annotations": [annotation(bbox=[10, 5, 51.1, 9])]}, "annotation 0.*outside of the 60x"),
        ({"annotations": [annotation(bbox=[-1.1, 5, 9, 9])]}, "annotation 0.*outside of the 60x"),
        ({"annotations": [annotation(bbox=[1, 2, 3])]}, r"annotations\.0\.bbox"),
        ({"annotations": [annotation(bbox=[float("nan"), 5, 9, 9])]}, "annotation"),
        ({"categories": [{"id": 9, "name": "a"}, {"id": 9, "name": "b"}]}, "category 1: id 9"),
        ({"images": "none"}, "no COCO file: images"),
        ({"images": [{"id": 7, "file_name": "a.png", "width": 0, "height": 9}]}, "0.width"),
    ],
)
def test_a_row_that_cannot_be_right_is_named(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = coco(tmp_path, **changes)
    with pytest.raises(DataError, match=message) as caught:
        read_coco(path)
    assert str(path) in str(caught.value)


def test_repeated_pictures_and_missing_ones_are_named(tmp_path: Path) -> None:
    image = {"id": 7, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}
    with pytest.raises(DataError, match="image 1: id 7 is used before"):
        read_coco(coco(tmp_path, images=[image, image]))
    lost = {**image, "id": 8, "file_name": "lost.png"}
    with pytest.raises(DataError, match=r"image 1 \(id 8\): there is no file .*lost\.png"):
        read_coco(coco(tmp_path, images=[image, lost]))
    with pytest.raises(DataError, match=r"cannot read .*nothing\.json"):
        read_coco(tmp_path / "nothing.json")


def test_a_pixel_of_rounding_is_clipped(tmp_path: Path) -> None:
    table = read_coco(coco(tmp_path, annotations=[annotation(bbox=[-1, 5, 62, 9])]))
    (box,) = table.pictures[0].boxes
    assert (box.left_px, box.right_px) == (0, WIDTH)


edges = st.tuples(
    st.floats(0, 50), st.floats(0, 30), st.floats(0.5, 10), st.floats(0.5, 10), st.integers(0, 2)
)


@given(rows=st.lists(edges, max_size=5), crowd=st.booleans())
def test_what_is_written_reads_back(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[Any],
    crowd: Any,  # noqa: ANN401 - drawn
) -> None:
    folder = tmp_path_factory.mktemp("coco")
    Image.new("L", (WIDTH, HEIGHT)).save(folder / "p.png")
    boxes = tuple(
        Box(left_px=x, top_px=y, right_px=x + w, bottom_px=y + h, label=label, crowd=crowd)
        for x, y, w, h, label in rows
    )
    picture = Picture(id=5, path=folder / "p.png", width_px=WIDTH, height_px=HEIGHT, boxes=boxes)
    write_coco(BoxTable(classes=("a", "b", "c"), pictures=(picture,)), folder / "t.json")
    (again,) = read_coco(folder / "t.json").pictures
    assert [b.label for b in again.boxes] == [b.label for b in boxes]
    for got, wanted in zip(again.boxes, boxes, strict=True):
        assert got.crowd == crowd
        assert (got.left_px, got.top_px) == (wanted.left_px, wanted.top_px)
        assert (got.right_px, got.bottom_px) == pytest.approx((wanted.right_px, wanted.bottom_px))


def test_a_table_refuses_labels_without_a_class() -> None:
    box = Box(left_px=0, top_px=0, right_px=9, bottom_px=9, label=2)
    picture = Picture(id=1, path=Path("p.png"), width_px=10, height_px=10, boxes=(box,))
    with pytest.raises(DataError, match=r"p\.png, box 0: label 2 is not one of the 2 classes"):
        BoxTable(classes=("a", "b"), pictures=(picture,))


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        write_coco(BoxTable(classes=("a",), pictures=()), tmp_path / "no" / "t.json")


def yolo(folder: Path, text: str) -> tuple[Path, Path]:
    pictures, labels = folder / "images", folder / "labels"
    pictures.mkdir()
    labels.mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (WIDTH, HEIGHT)).save(pictures / f"{name}.jpg")
    (labels / "b.txt").write_text(text)
    return pictures, labels


def test_the_yolo_layout_is_read(tmp_path: Path) -> None:
    pictures, labels = yolo(tmp_path, "1 0.5 0.5 0.5 0.25\n\n")
    table = read_yolo(pictures, labels, classes=["cat", "dog"])
    assert [len(p.boxes) for p in table.pictures] == [0, 1]
    (box,) = table.pictures[1].boxes
    assert box == Box(left_px=15, top_px=15, right_px=45, bottom_px=25, label=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0.5 0.5 0.5", "line 1: want 'class cx cy width height'"),
        ("0 0.1 0.1 0.5 0.1 0.5 0.5", "line 1: want 'class cx cy width height'"),
        ("0 0.5 0.5 0.5 0.5\nx 0 0 1 1", "line 2: want 'class"),
        ("2 0.5 0.5 0.5 0.5", "line 1: label 2 is not one of the 2"),
        ("0 0.9 0.5 0.5 0.5", "line 1.*outside of"),
        ("0 0.5 0.5 0 0.5", "line 1.*has no area"),
    ],
)
def test_a_wrong_line_of_the_yolo_layout_is_named(tmp_path: Path, text: str, message: str) -> None:
    pictures, labels = yolo(tmp_path, text)
    with pytest.raises(DataError, match=rf"b\.txt, {message}"):
        read_yolo(pictures, labels, classes=["cat", "dog"])


def test_labels_that_are_no_text_or_have_no_picture_are_an_error(tmp_path: Path) -> None:
    pictures, labels = yolo(tmp_path, "")
    (labels / "b.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"cannot read .*b\.txt as text"):
        read_yolo(pictures, labels, classes=["cat"])
    (labels / "c.txt").write_text("")
    with pytest.raises(DataError, match=r"c\.txt has no picture"):
        read_yolo(pictures, labels, classes=["cat"])
    with pytest.raises(DataError, match="there is no folder"):
        read_yolo(tmp_path / "none", labels, classes=["cat"])


def test_a_row_of_the_dataset_is_letterboxed_with_its_boxes(tmp_path: Path) -> None:
    crowd = annotation(id=2, iscrowd=1)
    table = read_coco(coco(tmp_path, annotations=[annotation(), crowd]))
    zero, one = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    dataset = BoxDataset(table, size_px=30, mean=zero, std=one)
    images, targets = collate([dataset[0], dataset[0]])
    assert images.shape == (2, 3, 30, 30)
    assert targets[0]["boxes"].tolist() == [[5, 2.5, 15, 17.5]]  # the crowd is left out
    assert targets[0]["labels"].tolist() == [1]
    torch.testing.assert_close(images[0, :, 5, 5] * 255, torch.tensor([200.0, 10.0, 10.0]))
    torch.testing.assert_close(images[0, :, 25, 5] * 255, torch.full((3,), float(PAD_LEVEL)))


def test_a_picture_of_another_size_than_its_record_is_an_error(tmp_path: Path) -> None:
    table = read_coco(coco(tmp_path))
    Image.new("RGB", (WIDTH + 1, HEIGHT)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png is 61x40 px, its record says 60x40"):
        BoxDataset(table, size_px=32)[0]
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="not a picture that can be read"):
        BoxDataset(table, size_px=32)[0]
    with pytest.raises(SettingError, match="size_px"):
        BoxDataset(table, size_px=0)


def test_chance_depends_on_seed_epoch_and_place_only(tmp_path: Path) -> None:
    Image.fromarray(np.arange(HEIGHT * WIDTH * 3, dtype=np.uint8).reshape(HEIGHT, WIDTH, 3)).save(
        tmp_path / "b.png"
    )
    image = {"id": 1, "file_name": "b.png", "width": WIDTH, "height": HEIGHT}
    dataset = BoxDataset(
        read_coco(coco(tmp_path, images=[image], annotations=[])), size_px=64, change=flip
    )
    seen = []
    for epoch in range(12):
        dataset.epoch = epoch
        torch.testing.assert_close(dataset[0][0], dataset[0][0])
        seen.append(dataset[0][0][0, 0, 0].item())
    assert len(set(seen)) == 2  # mirrored in some epochs, as it is in others


@given(width=st.integers(1, 200), height=st.integers(1, 200), size_px=st.integers(8, 128))
def test_letterboxing_keeps_boxes_inside_and_can_be_undone(
    width: int, height: int, size_px: int
) -> None:
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    boxes = np.array([[0, 0, width, height]], dtype=np.float32)
    canvas, moved, _ = letterbox((pixels, boxes, np.zeros(1, dtype=np.int64)), size_px=size_px)
    assert canvas.shape == (size_px, size_px, 3)
    right, bottom = (round(float(edge)) for edge in moved[0, 2:])
    assert max(right, bottom) == size_px
    assert (canvas[:bottom, :right] == 0).all()
    assert (canvas[bottom:] == PAD_LEVEL).all()
    assert (canvas[:, right:] == PAD_LEVEL).all()
    across, down = letterbox_scale(width, height, size_px=size_px)
    np.testing.assert_allclose(moved / [across, down, across, down], boxes, rtol=1e-5)
