"""Faster R-CNN (arXiv 1506.01497) from torchvision, behind the contract of kind "boxes".

Two stages make it several times slower than YOLO: torchvision counts 280 GFLOP for "resnet50"
and 0.7 for "mobilenet" per picture at its own sizes. No weights are downloaded.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

from torch import Tensor, nn
from torchvision.models.detection import (
    FasterRCNN,
    fasterrcnn_mobilenet_v3_large_320_fpn,
    fasterrcnn_resnet50_fpn_v2,
)
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import (
    FastRCNNPredictor,
    TwoMLPHead,
)
from torchvision.ops import (
    FeaturePyramidNetwork,
    MultiScaleRoIAlign,
)

from reelcheck.errors import SettingError
from reelcheck.lab.networks.yolo.darknet import CspDarknet
from reelcheck.lab.networks.yolo.losses import Target, need_targets

_PYRAMID_CHANNELS = 64
_HIDDEN = 256
_POOLED_PX = 7
_ANCHORS_PX = ((16,), (32,), (64,))
"""One size per map of stride 8, 16, 32: twice the stride. Ours, for pictures of 96 to 192 px."""
_ASPECTS = ((0.5, 1.0, 2.0),) * len(_ANCHORS_PX)
_MAPS: Final = ("fine", "middle", "coarse")
_LOSSES: Final = {
    "loss_objectness": "objectness",
    "loss_rpn_box_reg": "proposal",
    "loss_classifier": "class",
    "loss_box_reg": "place",
}


class FasterRcnn(nn.Module):
    """Counts classes from 0 outside, and from 1 (0 is the background) inside.

    Attributes:
        kind: "boxes", the contract of detectors.
        detector: The network of torchvision.
    """

    kind = "boxes"

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector = detector

    def forward(
        self, images: Tensor, targets: Sequence[Target] | None = None
    ) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        """Return losses (in training) or the boxes found, best first.

        Args:
            images: float32 [N, 3, H, W], normalised.
            targets: One per picture: boxes in pixels, labels from 0.

        Raises:
            SettingError: targets are missing in training.
        """
        if not self.training:
            return [{**found, "labels": found["labels"] - 1} for found in self.detector(images)]
        inside = [
            {"boxes": target["boxes"].float(), "labels": target["labels"] + 1}
            for target in need_targets(images, targets)
        ]
        parts = self.detector(images, inside)
        return {_LOSSES[name]: value for name, value in parts.items()}


class _SmallBackbone(nn.Module):
    """The backbone of our YOLO at a quarter of its width, with a feature pyramid on top."""

    def __init__(self) -> None:
        super().__init__()
        self.body = CspDarknet(depth=0.33, width=0.25, depthwise=False)
        self.pyramid = FeaturePyramidNetwork(list(self.body.channels), _PYRAMID_CHANNELS)
        self.out_channels = _PYRAMID_CHANNELS

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Map ``[N, 3, H, W]`` to three maps of 64 channels."""
        maps: dict[str, Tensor] = self.pyramid(OrderedDict(zip(_MAPS, self.body(x), strict=True)))
        return maps


def _small(*, num_classes: int, **options: Any) -> nn.Module:  # noqa: ANN401 - torchvision's own
    detector: nn.Module = FasterRCNN(
        _SmallBackbone(),
        rpn_anchor_generator=AnchorGenerator(_ANCHORS_PX, _ASPECTS),
        box_roi_pool=MultiScaleRoIAlign(list(_MAPS), output_size=_POOLED_PX, sampling_ratio=2),
        box_head=TwoMLPHead(_PYRAMID_CHANNELS * _POOLED_PX**2, _HIDDEN),
        box_predictor=FastRCNNPredictor(_HIDDEN, num_classes),
        rpn_pre_nms_top_n_train=500,
        rpn_pre_nms_top_n_test=250,
        rpn_post_nms_top_n_train=200,
        rpn_post_nms_top_n_test=100,
        rpn_batch_size_per_image=128,
        box_batch_size_per_image=64,
        **options,
    )
    return detector


def _resnet50(**options: Any) -> nn.Module:  # noqa: ANN401 - torchvision's own
    detector: nn.Module = fasterrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None, **options)
    return detector


def _mobilenet(**options: Any) -> nn.Module:  # noqa: ANN401 - torchvision's own
    detector: nn.Module = fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, **options
    )
    return detector


_BACKBONES: Final[dict[str, tuple[Callable[..., nn.Module], int, int]]] = {
    "resnet50": (_resnet50, 800, 1333),
    "mobilenet": (_mobilenet, 320, 640),
    "small": (_small, 128, 128),
}
"""Name -> maker, and the least shorter and largest longer side that pictures are scaled to."""


def build_faster_rcnn(  # noqa: PLR0913 - the options of a recipe, all by keyword
    *,
    outputs: int,
    backbone: str = "resnet50",
    min_size_px: int = 0,
    max_size_px: int = 0,
    score_floor: float = 0.05,
    overlap_limit: float = 0.5,
    detections: int = 100,
) -> FasterRcnn:
    """Build a detector with random weights.

    Args:
        outputs: Number of classes, without the background.
        backbone: "resnet50" (``fasterrcnn_resnet50_fpn_v2``), "mobilenet"
            (``fasterrcnn_mobilenet_v3_large_320_fpn``) or "small" (ours, for pictures of about
            128 px: learns on a CPU in minutes).
        min_size_px: Pictures are scaled so that the shorter side has this length...
        max_size_px: ...unless the longer one passes this one. 0 for that of the backbone.
        score_floor: Boxes of a lesser score are not returned.
        overlap_limit: Largest intersection over union of two returned boxes of one class.
        detections: Most boxes returned per picture.

    Raises:
        SettingError: an option is out of its range.
    """
    if backbone not in _BACKBONES:
        message = f"unknown backbone {backbone!r} of faster_rcnn"
        raise SettingError(message, hint=f"known backbones: {', '.join(_BACKBONES)}")
    maker, least, most = _BACKBONES[backbone]
    least, most = min_size_px or least, max_size_px or most
    if outputs < 1 or detections < 1:
        message = f"outputs and detections must be at least 1, got {outputs} and {detections}"
        raise SettingError(message)
    if not 1 <= least <= most:
        message = f"need 1 <= min_size_px <= max_size_px, got {least} and {most}"
        raise SettingError(message)
    if not (0 <= score_floor <= 1 and 0 <= overlap_limit <= 1):
        message = (
            f"score_floor and overlap_limit must lie in 0 to 1, got {score_floor} and "
            f"{overlap_limit}"
        )
        raise SettingError(message)
    detector = maker(
        num_classes=outputs + 1,
        min_size=least,
        max_size=most,
        image_mean=[0.0, 0.0, 0.0],  # pictures come normalised
        image_std=[1.0, 1.0, 1.0],
        box_score_thresh=score_floor,
        box_nms_thresh=overlap_limit,
        box_detections_per_img=detections,
    )
    return FasterRcnn(detector)
