"""The neck: a path-aggregation feature pyramid (PANet, arXiv 1803.01534), backbone included."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from reelcheck.lab.networks.yolo.blocks import CrossStage, PlainConv, wide_conv
from reelcheck.lab.networks.yolo.darknet import CspDarknet

_BLOCKS = 3


class PathPyramid(nn.Module):
    """Mixes the three maps of the backbone from coarse to fine, then from fine to coarse.

    Args: as for ``CspDarknet``. ``channels`` of the three maps is that of the backbone.
    """

    def __init__(self, *, depth: float, width: float, depthwise: bool) -> None:
        super().__init__()
        self.backbone = CspDarknet(depth=depth, width=width, depthwise=depthwise)
        self.channels = self.backbone.channels
        fine, middle, coarse = self.channels
        count = round(_BLOCKS * depth)

        def mix(inputs: int, outputs: int) -> CrossStage:
            return CrossStage(inputs, outputs, count=count, shortcut=False, depthwise=depthwise)

        self.lateral_conv0 = PlainConv(coarse, middle)
        self.C3_p4 = mix(2 * middle, middle)
        self.reduce_conv1 = PlainConv(middle, fine)
        self.C3_p3 = mix(2 * fine, fine)
        self.bu_conv2 = wide_conv(fine, fine, stride=2, depthwise=depthwise)
        self.C3_n3 = mix(2 * fine, middle)
        self.bu_conv1 = wide_conv(middle, middle, stride=2, depthwise=depthwise)
        self.C3_n4 = mix(2 * middle, coarse)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map ``[N, 3, H, W]`` to maps of 1/8, 1/16 and 1/32 of the height and width."""
        fine, middle, coarse = self.backbone(x)
        coarse = self.lateral_conv0(coarse)
        middle = self.C3_p4(torch.cat((_double(coarse), middle), dim=1))
        middle = self.reduce_conv1(middle)
        fine = self.C3_p3(torch.cat((_double(middle), fine), dim=1))
        out_middle = self.C3_n3(torch.cat((self.bu_conv2(fine), middle), dim=1))
        out_coarse = self.C3_n4(torch.cat((self.bu_conv1(out_middle), coarse), dim=1))
        return fine, out_middle, out_coarse


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
