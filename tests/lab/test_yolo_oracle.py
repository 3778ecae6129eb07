"""Our detector against an independent implementation: same weights, same answers.

The other one is the Apache-2.0 package ``pixeltable-yolox`` (0.4.3), development only.
"""

from importlib import import_module
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("yolox.models", reason="needs pixeltable-yolox, the reference")

import torch
from torch import Tensor

from reelcheck.lab.networks.yolo.losses import Target, assign_all, losses
from reelcheck.lab.networks.yolo.network import Yolo, build_yolo

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # theirs: torch.cuda.amp

CLASSES = 5
SIZES: list[dict[str, Any]] = [
    {"depth": 0.33, "width": 0.25, "depthwise": True},
    {"depth": 0.33, "width": 0.375, "depthwise": False},
    {"depth": 0.67, "width": 0.25, "depthwise": False},
]
TOLERANCE = 1e-4


def pair(*, depth: float, width: float, depthwise: bool) -> tuple[Yolo, Any]:
    """Return our network and theirs with the same random weights and statistics."""
    torch.set_num_threads(1)
    torch.manual_seed(11)
    yolox: Any = import_module("yolox.models")  # not installed where types are checked
    theirs = yolox.YoloxModule(
        yolox.YoloPafpn(depth=depth, width=width, depthwise=depthwise),
        yolox.YoloxHead(CLASSES, width=width, depthwise=depthwise),
    )
    for name, module in theirs.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps, module.momentum = 1e-3, 0.03
            torch.nn.init.uniform_(module.weight, 0.8, 1.6)
            torch.nn.init.normal_(module.get_buffer("running_mean"), std=0.1)
            torch.nn.init.uniform_(module.get_buffer("running_var"), 0.5, 1.5)
        if "_preds." in name:
            torch.nn.init.normal_(module.weight, std=0.1)
            torch.nn.init.normal_(module.bias, std=0.5)
        if "reg_preds." in name:
            torch.nn.init.constant_(module.bias[2:], 1.0)  # large enough to overlap the objects
    ours = build_yolo(outputs=CLASSES, depth=depth, width=width, depthwise=depthwise)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


def keep(seen: list[Any], result: object) -> object:
    seen.append(result)
    return result


def some_targets() -> list[Target]:
    """Return objects of all sizes, near ones, one at the border, and a picture without any."""
    generator = torch.Generator().manual_seed(5)
    corners = torch.rand(12, 2, generator=generator) * 90
    sizes = torch.rand(12, 2, generator=generator) ** 2 * 70 + 4
    boxes = torch.cat((corners, (corners + sizes).clamp(max=128)), dim=1)
    boxes[1] = boxes[0] + 3
    labels = torch.randint(0, CLASSES, (12,), generator=generator)
    return [
        Target(boxes=boxes[:7], labels=labels[:7]),
        Target(boxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64)),
        Target(boxes=boxes[7:], labels=labels[7:]),
    ]


def in_their_form(targets: list[Target]) -> Tensor:
    """Return rows of class, centre and size, filled up with zeros."""
    rows: Tensor = torch.zeros(len(targets), max(len(t["labels"]) for t in targets), 5)
    for row, target in zip(rows, targets, strict=True):
        boxes, count = target["boxes"], len(target["labels"])
        row[:count, 0] = target["labels"]
        row[:count, 1:3] = (boxes[:, :2] + boxes[:, 2:]) / 2
        row[:count, 3:] = boxes[:, 2:] - boxes[:, :2]
    return rows


@pytest.mark.parametrize("size", SIZES)
def test_same_weights_give_the_same_boxes(size: dict[str, Any]) -> None:
    ours, theirs = pair(**size)
    images = torch.rand(2, 3, 96, 128) * 255
    ours.eval()
    theirs.eval()
    with torch.no_grad():
        got, wanted = ours.predict(images), theirs(images)
    assert got.shape == wanted.shape
    assert wanted[..., 4:].std() > 0.01  # the comparison is of something
    torch.testing.assert_close(got, wanted, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("size", SIZES)
def test_same_weights_give_the_same_matches(
    size: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pair(**size)
    seen: list[Any] = []
    original = theirs.head.get_assignments
    monkeypatch.setattr(theirs.head, "get_assignments", lambda *row: keep(seen, original(*row)))
    images, targets = torch.rand(3, 3, 128, 128), some_targets()
    theirs.train()(images, in_their_form(targets))
    with torch.no_grad():
        assignments = assign_all(ours.train().raw(images), targets)
    assert [len(a.cells) for a in assignments][1] == 0
    filled = [assignments[0], assignments[2]]
    assert max(int(a.objects.bincount().max()) for a in filled) > 1  # an object with many cells
    for mine, (_, mask, overlaps, objects, _) in zip(filled, seen, strict=True):
        assert mine.cells.tolist() == mask.nonzero().squeeze(1).tolist()
        assert mine.objects.tolist() == objects.tolist()
        torch.testing.assert_close(mine.overlaps, overlaps, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("l1", [0.0, 1.0])
def test_same_weights_give_the_same_losses_and_gradients(l1: float) -> None:
    ours, theirs = pair(**SIZES[1])
    theirs.head.use_l1 = bool(l1)
    images, targets = torch.rand(3, 3, 128, 128), some_targets()
    wanted = theirs.train()(images, in_their_form(targets))
    got = losses(ours.train().raw(images), targets, l1_weight=l1)
    names = {"overlap": "iou_loss", "objectness": "conf_loss", "class": "cls_loss"}
    for part, other in (names | ({"offset": "l1_loss"} if l1 else {})).items():
        torch.testing.assert_close(got[part], wanted[other], rtol=TOLERANCE, atol=TOLERANCE)
    torch.autograd.backward(list(got.values()))
    wanted["total_loss"].backward()
    gradients = {key: value.grad for key, value in theirs.named_parameters()}
    for key, mine in ours.named_parameters():
        torch.testing.assert_close(mine.grad, gradients[key], rtol=1e-3, atol=TOLERANCE)
