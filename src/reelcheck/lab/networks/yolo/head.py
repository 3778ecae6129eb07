"""The decoupled anchor-free head (YOLOX, section 2.1) and the decoding of its outputs."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reelcheck.lab.networks.yolo.blocks import PlainConv, wide_conv
from reelcheck.lab.networks.yolo.darknet import STRIDES_PX

_HEAD_CHANNELS = 256
_PRIOR = 0.01
"""Score of each class and of objectness at the start (RetinaNet, arXiv 1708.02002, section 4.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadOutput:
    """What the head says of each of the A cells of a picture, all strides one after another."""

    places: Tensor
    """Offset of the centre from the cell corner, log of width and height, in strides: [N, A, 4]."""
    objectness: Tensor
    """Logits, [N, A]."""
    classes: Tensor
    """Logits, [N, A, K]."""
    corners_px: Tensor
    """Top left corner of each cell in the picture: x, y, [A, 2]."""
    strides_px: Tensor
    """Side of each cell, [A]."""

    def boxes_px(self) -> Tensor:
        """Return the boxes as left, top, right, bottom, [N, A, 4], in float32."""
        centres, sizes = self.centres_and_sizes_px()
        return torch.cat((centres - sizes / 2, centres + sizes / 2), dim=-1)

    def centres_and_sizes_px(self) -> tuple[Tensor, Tensor]:
        """Return the centres and the sizes of the boxes, each [N, A, 2], in float32."""
        places = self.places.float()  # the exponential overflows in half precision
        strides = self.strides_px[:, None]
        return places[..., :2] * strides + self.corners_px, places[..., 2:].exp() * strides


class DecoupledHead(nn.Module):
    """Two branches per stride: one for the class, one for the place and the objectness.

    Args:
        classes: Number of classes K.
        channels: Channels of the three maps.
        width: Factor on the 256 channels of the head.
        depthwise: Use depthwise 3x3 convolutions.
    """

    def __init__(
        self, *, classes: int, channels: tuple[int, int, int], width: float, depthwise: bool
    ) -> None:
        super().__init__()
        hidden = int(_HEAD_CHANNELS * width)

        def branches() -> nn.ModuleList:
            return nn.ModuleList(
                nn.Sequential(
                    *(wide_conv(hidden, hidden, depthwise=depthwise) for _ in range(2)),
                )
                for _ in STRIDES_PX
            )

        self.stems = nn.ModuleList(PlainConv(inputs, hidden) for inputs in channels)
        self.cls_convs = branches()
        self.reg_convs = branches()
        self.cls_preds = nn.ModuleList(nn.Conv2d(hidden, classes, 1) for _ in STRIDES_PX)
        self.reg_preds = nn.ModuleList(nn.Conv2d(hidden, 4, 1) for _ in STRIDES_PX)
        self.obj_preds = nn.ModuleList(nn.Conv2d(hidden, 1, 1) for _ in STRIDES_PX)
        for layer in (*self.cls_preds, *self.obj_preds):
            nn.init.constant_(layer.bias, -math.log((1 - _PRIOR) / _PRIOR))

    def forward(self, maps: tuple[Tensor, Tensor, Tensor]) -> HeadOutput:
        """Say place, objectness and class of each cell of the three maps."""
        places, objectness, classes, corners, strides = [], [], [], [], []
        for level, (stride, features) in enumerate(zip(STRIDES_PX, maps, strict=True)):
            x = self.stems[level](features)
            about_place = self.reg_convs[level](x)
            about_class = self.cls_convs[level](x)
            places.append(_rows(self.reg_preds[level](about_place)))
            objectness.append(_rows(self.obj_preds[level](about_place)).squeeze(-1))
            classes.append(_rows(self.cls_preds[level](about_class)))
            corner = _corners_px(features, stride_px=stride)
            corners.append(corner)
            strides.append(torch.full_like(corner[:, 0], stride))
        return HeadOutput(
            places=torch.cat(places, dim=1),
            objectness=torch.cat(objectness, dim=1),
            classes=torch.cat(classes, dim=1),
            corners_px=torch.cat(corners),
            strides_px=torch.cat(strides),
        )


def _rows(x: Tensor) -> Tensor:
    """Turn a map [N, C, H, W] into rows [N, H * W, C]."""
    return x.flatten(2).transpose(1, 2)


def _corners_px(features: Tensor, *, stride_px: int) -> Tensor:
    height, width = features.shape[-2:]
    y = torch.arange(height, device=features.device, dtype=torch.float32)
    x = torch.arange(width, device=features.device, dtype=torch.float32)
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack((columns, rows), dim=-1).reshape(-1, 2) * stride_px
