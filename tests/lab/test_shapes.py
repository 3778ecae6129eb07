"""The generated detection task: boxes are those of what is drawn."""

from itertools import islice, pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from reelcheck.errors import OutputError, SettingError

pytest.importorskip("torch")

from reelcheck.lab.data.boxes import read_coco
from reelcheck.lab.tasks.shapes import CLASSES, shapes, write_shapes


def test_the_same_seed_gives_the_same_pictures() -> None:
    first, again = list(shapes(3, seed=4)), list(shapes(3, seed=4))
    for one, two in zip(first, again, strict=True):
        for part, other in zip(one, two, strict=True):
            np.testing.assert_array_equal(part, other)
    other_seed = next(shapes(1, seed=5))
    assert not np.array_equal(first[0][0], other_seed[0])


def test_a_longer_task_begins_with_the_shorter_one() -> None:
    short, long = list(shapes(2, seed=1)), list(islice(shapes(50, seed=1), 2))
    for one, two in zip(short, long, strict=True):
        np.testing.assert_array_equal(one[0], two[0])


@pytest.mark.parametrize("difficulty", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("size_px", [32, 100])
def test_boxes_lie_in_the_picture_and_have_labels(difficulty: float, size_px: int) -> None:
    seen = set()
    for pixels, boxes, labels in shapes(40, seed=2, size_px=size_px, difficulty=difficulty):
        assert pixels.shape == (size_px, size_px, 3)
        assert [part.dtype.name for part in (pixels, boxes, labels)] == [
            "uint8",
            "float32",
            "int64",
        ]
        assert len(boxes) == len(labels) >= 1
        assert (boxes[:, :2] >= -1e-4).all()
        assert (boxes[:, 2:] <= size_px + 1e-4).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        seen |= set(labels.tolist())
    assert seen == set(range(len(CLASSES)))


def test_a_lone_shape_fills_its_box_and_nothing_else() -> None:
    lone = [s for s in shapes(60, seed=3, size_px=96, difficulty=0) if len(s[1]) == 1]
    assert len(lone) > 10
    for pixels, boxes, _ in lone:
        # The background is smooth: only the outline of the shape makes a step between pixels.
        steps_x = np.abs(np.diff(pixels.astype(int), axis=1)).max(axis=2) > 24
        steps_y = np.abs(np.diff(pixels.astype(int), axis=0)).max(axis=2) > 24
        columns = np.flatnonzero(steps_x.any(axis=0)) + 1
        rows = np.flatnonzero(steps_y.any(axis=1)) + 1
        measured = [columns[0], rows[0], columns[-1], rows[-1]]
        np.testing.assert_allclose(measured, boxes[0], atol=2.0)


def test_the_labels_tell_the_shapes_apart_by_the_share_of_their_box() -> None:
    share: dict[int, list[float]] = {label: [] for label in range(len(CLASSES))}
    for pixels, boxes, labels in shapes(80, seed=6, size_px=128, difficulty=0):
        if len(boxes) > 1:
            continue
        left, top, right, bottom = boxes[0].round().astype(int)
        inside = pixels[top:bottom, left:right].astype(int)
        colour = pixels[tuple(boxes[0].reshape(2, 2).mean(axis=0)[::-1].astype(int))].astype(int)
        share[int(labels[0])].append((np.abs(inside - colour).max(axis=2) < 20).mean())
    means = {CLASSES[label]: np.median(values) for label, values in share.items()}
    wanted = {"circle": np.pi / 4, "square": 1.0, "triangle": 0.5, "cross": 5 / 9}
    assert means == pytest.approx(wanted, abs=0.07)


def test_more_difficulty_means_more_and_smaller_shapes() -> None:
    counts, sizes = [], []
    for difficulty in (0.0, 0.5, 1.0):
        found = [boxes for _, boxes, _ in shapes(60, seed=7, difficulty=difficulty)]
        counts.append(np.mean([len(boxes) for boxes in found]))
        widths = np.concatenate(found)
        sizes.append(np.quantile(widths[:, 2] - widths[:, 0], 0.1))
    assert all(fewer < more for fewer, more in pairwise(counts))
    assert all(larger > smaller for larger, smaller in pairwise(sizes))


@pytest.mark.parametrize(
    ("count", "size_px", "difficulty"), [(-1, 64, 0.5), (1, 31, 0.5), (1, 64, 1.01), (1, 64, -0.1)]
)
def test_settings_out_of_range_are_refused(count: int, size_px: int, difficulty: float) -> None:
    with pytest.raises(SettingError, match="shapes needs"):
        shapes(count, seed=0, size_px=size_px, difficulty=difficulty)


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_written_shapes_read_back(tmp_path: Path, kind: Literal["png", "jpg"]) -> None:
    path = write_shapes(tmp_path / "set", count=3, seed=9, size_px=64, kind=kind)
    table = read_coco(path)
    assert table.classes == CLASSES
    assert [picture.path.suffix for picture in table.pictures] == [f".{kind}"] * 3
    for picture, (_, boxes, labels) in zip(
        table.pictures, shapes(3, seed=9, size_px=64), strict=True
    ):
        assert [box.label for box in picture.boxes] == labels.tolist()
        edges = [(b.left_px, b.top_px, b.right_px, b.bottom_px) for b in picture.boxes]
        np.testing.assert_allclose(edges, boxes, atol=1e-4)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write shapes into"):
        write_shapes(tmp_path / "file" / "set", count=1, seed=0)
