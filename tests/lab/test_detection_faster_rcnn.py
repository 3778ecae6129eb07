"""Faster R-CNN behind the contract of detectors."""

from typing import Any

import pytest

from reelcheck.errors import SettingError

pytest.importorskip("torch")
pytest.importorskip("torchvision")

import torch

from reelcheck.lab.networks.faster_rcnn import build_faster_rcnn
from reelcheck.lab.networks.yolo.losses import Target


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(1)


@pytest.mark.parametrize(
    ("backbone", "millions"), [("resnet50", 43.7), ("mobilenet", 19.4), ("small", 2.22)]
)
def test_backbones_have_their_known_number_of_parameters(backbone: str, millions: float) -> None:
    with torch.device("meta"):
        network = build_faster_rcnn(outputs=90, backbone=backbone)
    count = sum(value.numel() for value in network.parameters()) / 1e6
    assert count == pytest.approx(millions, rel=0.005)


def test_it_learns_one_picture_by_heart_and_counts_classes_from_zero() -> None:
    network = build_faster_rcnn(outputs=2, backbone="small", min_size_px=64, max_size_px=64)
    images = torch.full((2, 3, 64, 64), -1.0)
    images[0, :, 16:48, 8:40] = 1.0
    images[1, 0, 8:40, 24:56] = 1.0
    targets = [
        Target(boxes=torch.tensor([[8.0, 16.0, 40.0, 48.0]]), labels=torch.tensor([0])),
        Target(boxes=torch.tensor([[24.0, 8.0, 56.0, 40.0]]), labels=torch.tensor([1])),
    ]
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.3  # so that 40 steps are enough for the statistics
    for _ in range(40):
        parts = network.train()(images, targets)
        optimiser.zero_grad()
        torch.autograd.backward(list(parts.values()))
        optimiser.step()
    assert set(parts) == {"objectness", "proposal", "class", "place"}
    for found, target in zip(network.eval()(images), targets, strict=True):
        torch.testing.assert_close(found["boxes"][0], target["boxes"][0], rtol=0, atol=6.0)
        assert found["labels"][0] == target["labels"][0]


def test_pictures_without_objects_can_be_learned_from() -> None:
    network = build_faster_rcnn(outputs=2, backbone="small", min_size_px=64, max_size_px=64)
    nothing = Target(boxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64))
    parts = network.train()(torch.randn(2, 3, 64, 64), [nothing, nothing])
    assert all(torch.isfinite(part) for part in parts.values())


@pytest.mark.parametrize(
    "options",
    [
        {"outputs": 0},
        {"backbone": "vgg"},
        {"min_size_px": 200, "max_size_px": 100},
        {"score_floor": 2.0},
        {"overlap_limit": -1.0},
        {"detections": 0},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        build_faster_rcnn(**{"outputs": 2, "backbone": "small", **options})


def test_training_without_targets_is_refused() -> None:
    network = build_faster_rcnn(outputs=2, backbone="small")
    with pytest.raises(SettingError, match="1 pictures, none given"):
        network.train()(torch.zeros(1, 3, 64, 64))
