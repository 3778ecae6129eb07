"""The YOLOX-style detector by itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reelcheck.errors import ModelError, SettingError

pytest.importorskip("torch")

import torch

from reelcheck.lab.networks.yolo.assignment import CellPrediction, assign
from reelcheck.lab.networks.yolo.losses import Target, losses
from reelcheck.lab.networks.yolo.mosaic import mosaic
from reelcheck.lab.networks.yolo.network import Yolo, build_yolo
from reelcheck.lab.networks.yolo.weights import load_weights


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(3)


def small(**options: Any) -> Yolo:  # noqa: ANN401 - options of the builder
    return build_yolo(**{"outputs": 3, "depth": 0.33, "width": 0.125, **options})


def objects(*boxes: tuple[float, ...], labels: list[int] | None = None) -> Target:
    return Target(
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor(labels or [0] * len(boxes), dtype=torch.int64),
    )


@pytest.mark.parametrize(
    ("size", "millions"),
    [
        ({"width": 0.25, "depthwise": True}, 0.91),
        ({"width": 0.375}, 5.06),
        ({}, 8.97),
        ({"depth": 0.67, "width": 0.75}, 25.3),
    ],
)
def test_sizes_have_the_parameters_of_the_paper(size: dict[str, Any], millions: float) -> None:
    with torch.device("meta"):
        network = build_yolo(outputs=80, **size)
    count = sum(value.numel() for value in network.parameters()) / 1e6
    assert count == pytest.approx(millions, rel=0.005)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 128)])
def test_there_is_one_row_per_cell_of_three_grids(height: int, width: int) -> None:
    rows = small().eval().predict(torch.zeros(2, 3, height, width))
    cells = sum(height // stride * (width // stride) for stride in (8, 16, 32))
    assert rows.shape == (2, cells, 5 + 3)
    assert ((rows[..., 4:] > 0) & (rows[..., 4:] < 1)).all()
    torch.testing.assert_close(
        rows[..., 4:], torch.full_like(rows[..., 4:], 0.01), rtol=0, atol=0.01
    )


@pytest.mark.parametrize("side", [33, 48])
def test_sides_that_do_not_fit_the_strides_are_refused(side: int) -> None:
    with pytest.raises(SettingError, match=f"multiples of 32 px, got {side}x64"):
        small().eval()(torch.zeros(1, 3, 64, side))


@pytest.mark.parametrize(
    "options",
    [
        {"outputs": 0},
        {"width": 0.3},
        {"width": 0.0},
        {"depth": -1.0},
        {"score_floor": 1.5},
        {"overlap_limit": -0.1},
        {"detections": 0},
        {"l1_weight": -1.0},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        small(**options)


def test_training_without_targets_is_refused() -> None:
    with pytest.raises(SettingError, match="one target per picture: 2 pictures, 1 given"):
        small()(torch.zeros(2, 3, 64, 64), [objects()])
    with pytest.raises(SettingError, match="2 pictures, none given"):
        small()(torch.zeros(2, 3, 64, 64))


def grid() -> dict[str, Any]:
    """Return an 8x8 grid of cells of 8 px."""
    centres = torch.arange(8) * 8.0 + 4
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    return {
        "centres_px": torch.stack((x, y), dim=-1).reshape(-1, 2),
        "strides_px": torch.full((64,), 8.0),
    }


def around(centres: Any, side: float) -> Any:  # noqa: ANN401 - tensors of an optional package
    return torch.cat((centres - side / 2, centres + side / 2), dim=1)


@pytest.mark.parametrize(("side", "cells"), [(8.0, 1), (400.0, 8)])
def test_an_object_takes_as_many_cells_as_its_boxes_overlap(side: float, cells: int) -> None:
    places = grid()
    prediction = CellPrediction(
        boxes_px=around(places["centres_px"], side),
        objectness=torch.zeros(64),
        classes=torch.zeros(64, 2),
        **places,
    )
    middle = torch.tensor([[28.0, 28.0]])
    got = assign(prediction, boxes_px=around(middle, side), labels=torch.tensor([1]))
    assert len(got.cells) == cells  # the sum of nine overlaps just below 1, rounded down
    assert 3 * 8 + 3 in got.cells.tolist()
    near = (places["centres_px"][got.cells] - middle).abs().amax(dim=1)
    assert (near < 12).all()


def test_a_cell_that_two_objects_want_learns_the_cheaper_one() -> None:
    places = grid()
    classes = torch.zeros(64, 2)
    classes[27] = torch.tensor([-6.0, 6.0])  # this cell says class 1
    prediction = CellPrediction(
        boxes_px=around(places["centres_px"], 8.0),
        objectness=torch.zeros(64),
        classes=classes,
        **places,
    )
    both = around(torch.tensor([[28.0, 28.0], [28.0, 28.0]]), 8.0)
    got = assign(prediction, boxes_px=both, labels=torch.tensor([0, 1]))
    assert got.objects[got.cells == 27].tolist() == [1]
    assert len(set(got.cells.tolist())) == len(got.cells)


def test_an_object_without_a_cell_nearby_gets_none() -> None:
    places = grid()
    prediction = CellPrediction(
        boxes_px=around(places["centres_px"], 8.0),
        objectness=torch.zeros(64),
        classes=torch.zeros(64, 1),
        **places,
    )
    far = torch.tensor([[200.0, 200.0, 210.0, 210.0]])
    assert not len(assign(prediction, boxes_px=far, labels=torch.tensor([0])).cells)


def test_pictures_without_objects_teach_objectness_only() -> None:
    network = small().train()
    parts = network(torch.randn(2, 3, 64, 64), [objects(), objects()])
    assert isinstance(parts, dict)
    assert parts["overlap"] == parts["class"] == 0
    assert parts["objectness"] > 0
    torch.autograd.backward(list(parts.values()))
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


def test_the_offset_loss_vanishes_where_the_outputs_are_right() -> None:
    network = small().eval()
    output = network.raw(torch.randn(1, 3, 64, 64))
    box = output.boxes_px()[0, 27].detach()
    parts = losses(output, [Target(boxes=box[None], labels=torch.tensor([0]))], l1_weight=1.0)
    assert parts["offset"].item() == pytest.approx(0, abs=1e-4)
    assert parts["overlap"].item() == pytest.approx(0, abs=1e-4)


def test_a_detector_learns_two_pictures_by_heart() -> None:
    network = small().train()
    images = torch.full((2, 3, 64, 64), -1.0)
    images[0, :2, 16:40, 8:32] = 1.0
    images[1, 1:, 24:56, 16:56] = 1.0
    targets = [objects((8, 16, 32, 40), labels=[0]), objects((16, 24, 56, 56), labels=[2])]
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(80):
        optimiser.zero_grad()
        torch.autograd.backward(list(network(images, targets).values()))
        optimiser.step()
    rows = network.predict(images).detach()  # with the statistics of these two pictures
    for got, wanted in zip(network.select(rows), targets, strict=True):
        torch.testing.assert_close(got["boxes"][0], wanted["boxes"][0], rtol=0, atol=4.0)
        assert got["labels"][0] == wanted["labels"][0]
        assert got["scores"][0] > 0.3


def test_duplicates_of_one_class_go_and_other_classes_stay() -> None:
    network = small(score_floor=0.2, overlap_limit=0.5)
    rows = torch.tensor(
        [
            [
                [20, 20, 10, 10, 1, 0.9, 0, 0],
                [21, 20, 10, 10, 1, 0.8, 0, 0],  # the same object again
                [21, 20, 10, 10, 1, 0, 0.7, 0],  # another class there
                [60, 60, 10, 10, 1, 0.19, 0, 0],  # too unsure
                [60, 20, 10, 10, 0.5, 0.6, 0, 0],
            ]
        ]
    )
    (found,) = network.select(rows)
    assert found["scores"].tolist() == pytest.approx([0.9, 0.7, 0.3])
    assert found["labels"].tolist() == [0, 1, 0]
    assert found["boxes"][0].tolist() == [15, 15, 25, 25]
    network.detections = 1
    assert len(network.select(rows)[0]["scores"]) == 1


@pytest.mark.parametrize("wrapped", [0, 1])
def test_weights_of_the_same_layout_load(tmp_path: Path, wrapped: int) -> None:
    source, target = small(), small()
    state = source.state_dict()
    torch.save({"model": state} if wrapped else state, tmp_path / "w.pth")
    assert load_weights(target, tmp_path / "w.pth") == ()
    for key, value in target.state_dict().items():
        torch.testing.assert_close(value, state[key])


def test_weights_for_other_classes_load_without_the_last_layer(tmp_path: Path) -> None:
    source, target = small(outputs=80), small()
    before = {key: value.clone() for key, value in target.state_dict().items()}
    torch.save(source.state_dict(), tmp_path / "w.pth")
    left_out = load_weights(target, tmp_path / "w.pth")
    assert sorted(left_out) == sorted(
        f"head.cls_preds.{i}.{part}" for i in range(3) for part in ("weight", "bias")
    )
    for key, value in target.state_dict().items():
        wanted = before[key] if key in left_out else source.state_dict()[key]
        torch.testing.assert_close(value, wanted)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    torch.save(small(width=0.25).state_dict(), tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("no weights")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"model": Path("code")}, tmp_path / "code.pth")
    for name, message in {
        "other.pth": "does not fit",
        "text.pth": "no weight file",
        "list.pth": "no state dict",
        "code.pth": "no weight file",
        "none.pth": "cannot read",
    }.items():
        with pytest.raises(ModelError, match=message):
            load_weights(small(), tmp_path / name)


def plain(level: int, *boxes: tuple[float, ...]) -> Any:  # noqa: ANN401 - a sample
    return (
        np.full((64, 64, 3), level, dtype=np.uint8),
        np.array(boxes, dtype=np.float32).reshape(-1, 4),
        np.full(len(boxes), level, dtype=np.int64),
    )


@pytest.mark.parametrize("seed", range(5))
def test_mosaic_moves_boxes_with_what_they_show(seed: int) -> None:
    samples = [plain(level, (8, 8, 56, 56)) for level in (1, 2, 3, 4)]
    for pixels, boxes, labels in samples:
        pixels[8:56, 8:56] = 100 + labels[0]
        assert len(boxes) == 1
    pixels, boxes, labels = mosaic(samples, size_px=64, rng=np.random.default_rng(seed))
    assert pixels.shape == (64, 64, 3)
    assert len(boxes) == len(labels) >= 1
    for (left, top, right, bottom), label in zip(boxes.astype(int).tolist(), labels, strict=True):
        assert (pixels[top:bottom, left:right] == 100 + label).all()
        assert (pixels[:, :, 0] == 100 + label).sum() == (bottom - top) * (right - left)


def test_mosaic_keeps_pictures_without_objects_and_wants_four() -> None:
    pixels, boxes, _ = mosaic([plain(9)] * 4, size_px=64, rng=np.random.default_rng(0))
    assert boxes.shape == (0, 4)
    assert (pixels == 9).all()
    with pytest.raises(SettingError, match="joins 4 pictures, got 3"):
        mosaic([plain(9)] * 3, size_px=64, rng=np.random.default_rng(0))
