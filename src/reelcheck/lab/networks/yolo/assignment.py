"""SimOTA: choosing which grid cells of a picture learn which object (YOLOX, section 2.1)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_iou

CENTRE_RADIUS_STRIDES = 1.5
"""A cell may learn an object whose centre is nearer than this, along x and along y.

The authors' release since version 0.3 (the paper of 2021 used 2.5 and also allowed cells inside
of the box).
"""
_PLACE_WEIGHT = 3.0
"""Weight of the place in the cost; YOLOX, equation 1, value of the authors' release."""
_OUTSIDE_COST = 1e6
"""Added for a cell too far from the object; any number larger than all other costs."""
_MOST_CELLS = 10
"""At most so many cells per object: the sum of the 10 best overlaps is its number of cells."""
_LOG_FLOOR = -100.0
"""As in ``torch.nn.BCELoss``: the logarithm of 0 counts as this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Which cells learn which object, for one picture; P pairs."""

    cells: Tensor
    """Index of the cell, int64, [P], increasing and without repetition."""
    objects: Tensor
    """Index of the object that the cell learns, int64, [P]."""
    overlaps: Tensor
    """Intersection over union of the predicted box and that of the object, [P]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPrediction:
    """What each of the A cells of one picture says at present."""

    boxes_px: Tensor
    """Left, top, right, bottom, [A, 4]."""
    objectness: Tensor
    """Logits, [A]."""
    classes: Tensor
    """Logits, [A, K]."""
    centres_px: Tensor
    """Centre of each cell, [A, 2]."""
    strides_px: Tensor
    """Side of each cell, [A]."""


@torch.no_grad()
def assign(prediction: CellPrediction, *, boxes_px: Tensor, labels: Tensor) -> Assignment:
    """Match cells to the M objects of one picture at the least cost.

    Each object takes as many of its cheapest cells as the sum of its ten best overlaps, at least
    one; a cell that two objects want goes to the one it costs less. An object whose centre has
    no cell nearby (outside of the picture) may get none.

    Args:
        prediction: What the cells say.
        boxes_px: Left, top, right, bottom of the objects, [M, 4].
        labels: Their classes, int64, [M].
    """
    near = _near(prediction, boxes_px)
    cells = near.any(dim=0).nonzero().squeeze(1)  # [C]
    if not cells.numel():
        return Assignment(cells=cells, objects=cells, overlaps=boxes_px.new_zeros(0))
    overlaps = box_iou(boxes_px, prediction.boxes_px[cells])  # [M, C]
    cost = (
        _class_cost(prediction, cells=cells, labels=labels)
        - _PLACE_WEIGHT * (overlaps + 1e-8).log()
        + _OUTSIDE_COST * ~near[:, cells]
    )
    matched = _cheapest(cost, _cell_counts(overlaps))
    contested = matched.sum(dim=0) > 1
    winner = cost.argmin(dim=0)
    matched[:, contested] = False
    matched[winner[contested], contested] = True
    objects, columns = matched.nonzero(as_tuple=True)
    columns, order = columns.sort()
    objects = objects[order]
    return Assignment(cells=cells[columns], objects=objects, overlaps=overlaps[objects, columns])


def _near(prediction: CellPrediction, boxes_px: Tensor) -> Tensor:
    """Say which cells lie near the centre of which object, bool [M, A]."""
    centres = (boxes_px[:, :2] + boxes_px[:, 2:]) / 2
    distance = (centres[:, None] - prediction.centres_px[None]).abs().amax(dim=-1)
    return distance < CENTRE_RADIUS_STRIDES * prediction.strides_px


def _class_cost(prediction: CellPrediction, *, cells: Tensor, labels: Tensor) -> Tensor:
    """Return the cross entropy of class and objectness for each object and cell, [M, C]."""
    objectness = prediction.objectness[cells].float().sigmoid()
    score = (prediction.classes[cells].float().sigmoid() * objectness[:, None]).sqrt()
    absent = -(1 - score).log().clamp(min=_LOG_FLOOR)
    present = -score.log().clamp(min=_LOG_FLOOR)
    return absent.sum(dim=1) + (present - absent)[:, labels].T


def _cell_counts(overlaps: Tensor) -> Tensor:
    """Return how many cells each object takes, int64 [M] (the "dynamic k" of the paper)."""
    best = overlaps.topk(min(_MOST_CELLS, overlaps.shape[1]), dim=1).values
    return best.sum(dim=1).int().clamp(min=1)


def _cheapest(cost: Tensor, counts: Tensor) -> Tensor:
    """Mark the ``counts[m]`` least entries of row m, bool [M, C]."""
    rank = cost.argsort(dim=1, stable=True).argsort(dim=1)
    return rank < counts[:, None]
