"""The whole detector as one module of kind "boxes", and its builder."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torchvision.ops import batched_nms

from reelcheck.errors import SettingError
from reelcheck.lab.networks.yolo.darknet import STRIDES_PX
from reelcheck.lab.networks.yolo.head import DecoupledHead, HeadOutput
from reelcheck.lab.networks.yolo.losses import Target, losses, need_targets
from reelcheck.lab.networks.yolo.pyramid import PathPyramid

_RANGES: Final = {
    "depth": (0.0, 4.0),
    "width": (0.125, 4.0),
    "score_floor": (0.0, 1.0),
    "overlap_limit": (0.0, 1.0),
    "detections": (1, 10_000),
    "l1_weight": (0.0, 100.0),
}


class Yolo(nn.Module):
    """A YOLOX-style detector.

    Pictures may have any size of which both sides are multiples of 32 pixels. Weights of the
    authors' release expect BGR in 0 to 255, not normalised.

    Attributes:
        kind: "boxes", the contract of detectors.
        l1_weight: Weight of the loss on raw offsets; the paper turns it on (1) for the last
            epochs, when mosaic is off. May be changed while training.
    """

    kind = "boxes"

    def __init__(self, *, outputs: int, depth: float, width: float, depthwise: bool) -> None:
        super().__init__()
        self.backbone = PathPyramid(depth=depth, width=width, depthwise=depthwise)
        self.head = DecoupledHead(
            classes=outputs, channels=self.backbone.channels, width=width, depthwise=depthwise
        )
        self.l1_weight = 0.0
        self.score_floor = 0.01
        self.overlap_limit = 0.65
        self.detections = 100

    def forward(
        self, images: Tensor, targets: Sequence[Target] | None = None
    ) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        """Return losses (in training) or the boxes found.

        Args:
            images: float32 [N, 3, H, W].
            targets: One per picture: boxes in pixels, labels from 0.

        Raises:
            SettingError: a side is no multiple of 32, or targets are missing in training.
        """
        if not self.training:
            return self.select(self.predict(images))
        return losses(self.raw(images), need_targets(images, targets), l1_weight=self.l1_weight)

    def raw(self, images: Tensor) -> HeadOutput:
        """Return what each cell says, before decoding."""
        if any(side % STRIDES_PX[-1] for side in images.shape[-2:]):
            height, width = images.shape[-2:]
            message = f"sides must be multiples of {STRIDES_PX[-1]} px, got {width}x{height}"
            raise SettingError(message, hint="letterbox the pictures first")
        output: HeadOutput = self.head(self.backbone(images))
        return output

    def predict(self, images: Tensor) -> Tensor:
        """Return one row per cell, before suppression: what an exported graph should give.

        Returns:
            float32 [N, A, 5 + K]: centre x, centre y, width, height in pixels, objectness and
            class scores from 0 to 1.
        """
        output = self.raw(images)
        centres, sizes = output.centres_and_sizes_px()
        scores = (output.objectness[..., None].sigmoid(), output.classes.sigmoid())
        return torch.cat((centres, sizes, *(score.float() for score in scores)), dim=-1)

    def select(self, rows: Tensor) -> list[dict[str, Tensor]]:
        """Turn the rows of ``predict`` into boxes without duplicates, best first.

        Each cell keeps its best class only. The score is objectness times class; boxes of one
        class that overlap a better one by more than ``overlap_limit`` are dropped.
        """
        return [self._select_one(row) for row in rows]

    def _select_one(self, row: Tensor) -> dict[str, Tensor]:
        class_scores, labels = row[:, 5:].max(dim=1)
        scores = row[:, 4] * class_scores
        kept = scores >= self.score_floor
        centres, sizes = row[kept, :2], row[kept, 2:4]
        boxes = torch.cat((centres - sizes / 2, centres + sizes / 2), dim=1)
        scores, labels = scores[kept], labels[kept]
        best = batched_nms(boxes, scores, labels, self.overlap_limit)[: self.detections]
        return {"boxes": boxes[best], "scores": scores[best], "labels": labels[best]}


def build_yolo(  # noqa: PLR0913 - the options of a recipe, all by keyword
    *,
    outputs: int,
    depth: float = 0.33,
    width: float = 0.5,
    depthwise: bool = False,
    score_floor: float = 0.01,
    overlap_limit: float = 0.65,
    detections: int = 100,
    l1_weight: float = 0.0,
) -> Yolo:
    """Build a detector; the defaults are the size "s" of the paper.

    Other sizes of the paper: nano 0.33, 0.25, depthwise; tiny 0.33, 0.375; m 0.67, 0.75; l 1, 1;
    x 1.33, 1.25.

    Args:
        outputs: Number of classes.
        depth: Factor on the number of bottlenecks.
        width: Factor on the number of channels; 8 times it must be a whole number, so that
            channels can be halved evenly.
        depthwise: Use depthwise 3x3 convolutions.
        score_floor: Boxes of a lesser score are not returned.
        overlap_limit: Largest intersection over union of two returned boxes of one class (0.65
            in the authors' evaluation).
        detections: Most boxes returned per picture.
        l1_weight: Weight of the loss on raw offsets.

    Raises:
        SettingError: an option is out of its range.
    """
    options = {
        "depth": depth,
        "width": width,
        "score_floor": score_floor,
        "overlap_limit": overlap_limit,
        "detections": detections,
        "l1_weight": l1_weight,
    }
    for name, value in options.items():
        low, high = _RANGES[name]
        if not low <= value <= high:
            message = f"{name} of yolo must lie in {low} to {high}, got {value}"
            raise SettingError(message)
    if outputs < 1:
        message = f"yolo needs at least 1 class, got {outputs}"
        raise SettingError(message)
    if (8 * width) % 1:
        message = f"width of yolo must be a multiple of 1/8, got {width}"
        raise SettingError(message)
    network = Yolo(outputs=outputs, depth=depth, width=width, depthwise=depthwise)
    network.score_floor = score_floor
    network.overlap_limit = overlap_limit
    network.detections = detections
    network.l1_weight = l1_weight
    return network
