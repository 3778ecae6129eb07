"""What each output of the detector is taught (YOLOX, section 2.1; values of its release)."""

from collections.abc import Sequence
from typing import TypedDict

import torch
from torch import Tensor
from torch.nn import functional

from reelcheck.errors import SettingError
from reelcheck.lab.networks.yolo.assignment import Assignment, CellPrediction, assign
from reelcheck.lab.networks.yolo.head import HeadOutput

_OVERLAP_WEIGHT = 5.0
_TINY = 1e-8


class Target(TypedDict):
    """The objects of one picture."""

    boxes: Tensor
    """Left, top, right, bottom in pixels, float, [M, 4]."""
    labels: Tensor
    """Classes from 0, int64, [M]."""


def need_targets(images: Tensor, targets: Sequence[Target] | None) -> Sequence[Target]:
    """Return ``targets`` if there is one per picture.

    Raises:
        SettingError: they are missing, or are of another number.
    """
    if targets is None or len(targets) != len(images):
        got = "none" if targets is None else str(len(targets))
        message = f"training needs one target per picture: {len(images)} pictures, {got} given"
        raise SettingError(message)
    return targets


def assign_all(output: HeadOutput, targets: Sequence[Target]) -> list[Assignment]:
    """Match the cells of each picture to its objects."""
    boxes = output.boxes_px().detach()
    centres = output.corners_px + output.strides_px[:, None] / 2
    return [
        assign(
            CellPrediction(
                boxes_px=boxes[i],
                objectness=output.objectness[i],
                classes=output.classes[i],
                centres_px=centres,
                strides_px=output.strides_px,
            ),
            boxes_px=target["boxes"].float(),
            labels=target["labels"],
        )
        for i, target in enumerate(targets)
    ]


def losses(
    output: HeadOutput, targets: Sequence[Target], *, l1_weight: float = 0.0
) -> dict[str, Tensor]:
    """Return the parts of the loss, weighted, so that their sum is to be minimised.

    All are sums over the cells divided by the number of cells that learn an object:
    ``overlap`` (5 times one minus the squared overlap) and ``offset`` (absolute difference of
    the raw outputs, if ``l1_weight`` is above 0) over these cells; ``class`` over these cells,
    whose target is the overlap at the class of the object and 0 elsewhere; ``objectness`` over
    all cells.
    """
    assignments = assign_all(output, targets)
    pictures = torch.cat([torch.full_like(a.cells, i) for i, a in enumerate(assignments)])
    cells = torch.cat([a.cells for a in assignments])
    boxes = torch.cat(
        [t["boxes"][a.objects].float() for t, a in zip(targets, assignments, strict=True)]
    )
    labels = torch.cat([t["labels"][a.objects] for t, a in zip(targets, assignments, strict=True)])
    overlaps = torch.cat([a.overlaps for a in assignments])
    count = max(1, len(cells))

    is_object = torch.zeros_like(output.objectness, dtype=torch.float32)
    is_object[pictures, cells] = 1.0
    class_logits = output.classes[pictures, cells].float()
    class_target = functional.one_hot(labels, class_logits.shape[-1]) * overlaps[:, None]
    parts = {
        "overlap": _OVERLAP_WEIGHT * _overlap_loss(output.boxes_px()[pictures, cells], boxes).sum(),
        "objectness": _cross_entropy(output.objectness.float(), is_object),
        "class": _cross_entropy(class_logits, class_target),
    }
    if l1_weight > 0:
        raw = output.places[pictures, cells].float()
        wanted = _raw_places(
            boxes, corners_px=output.corners_px[cells], strides_px=output.strides_px[cells]
        )
        parts["offset"] = l1_weight * (raw - wanted).abs().sum()
    return {name: part / count for name, part in parts.items()}


def _cross_entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, wanted, reduction="sum")


def _overlap_loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Return one minus the squared intersection over union of box i with box i, [P]."""
    corner = torch.maximum(predicted[:, :2], wanted[:, :2])
    far = torch.minimum(predicted[:, 2:], wanted[:, 2:])
    shared = (far - corner).clamp(min=0).prod(dim=1)
    union = _areas(predicted) + _areas(wanted) - shared
    return 1 - (shared / (union + 1e-16)) ** 2


def _areas(boxes: Tensor) -> Tensor:
    return (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)


def _raw_places(boxes: Tensor, *, corners_px: Tensor, strides_px: Tensor) -> Tensor:
    """Invert the decoding: what the head should have said for these boxes, [P, 4]."""
    strides = strides_px[:, None]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    sizes = boxes[:, 2:] - boxes[:, :2]
    return torch.cat(((centres - corners_px) / strides, (sizes / strides + _TINY).log()), dim=1)
