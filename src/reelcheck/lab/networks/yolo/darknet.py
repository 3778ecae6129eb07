"""The backbone: Darknet-53 with cross-stage-partial blocks, as in YOLOX (section 2.1)."""

from torch import Tensor, nn

from reelcheck.lab.networks.yolo.blocks import (
    CrossStage,
    Focus,
    PyramidPooling,
    wide_conv,
)

_COLOURS = 3
_STEM_CHANNELS = 64
_BLOCKS = 3
STRIDES_PX = (8, 16, 32)
"""Distance in pixels of the input between neighbouring cells of each map."""


class CspDarknet(nn.Module):
    """Three maps of features at strides 8, 16 and 32.

    Args:
        depth: Factor on the number of bottlenecks; 1 is the size "l" of the paper.
        width: Factor on the number of channels; 1 is the size "l" of the paper.
        depthwise: Use depthwise 3x3 convolutions, as the size "nano" does.
    """

    def __init__(self, *, depth: float, width: float, depthwise: bool) -> None:
        super().__init__()
        base = int(width * _STEM_CHANNELS)
        count = max(round(depth * _BLOCKS), 1)
        self.stem = Focus(_COLOURS, base)
        self.dark2 = _stage(base, count=count, depthwise=depthwise)
        self.dark3 = _stage(base * 2, count=count * 3, depthwise=depthwise)
        self.dark4 = _stage(base * 4, count=count * 3, depthwise=depthwise)
        self.dark5 = nn.Sequential(
            wide_conv(base * 8, base * 16, stride=2, depthwise=depthwise),
            PyramidPooling(base * 16, base * 16),
            CrossStage(base * 16, base * 16, count=count, shortcut=False, depthwise=depthwise),
        )
        self.channels = (base * 4, base * 8, base * 16)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map ``[N, 3, H, W]`` to maps of 1/8, 1/16 and 1/32 of the height and width."""
        fine = self.dark3(self.dark2(self.stem(x)))
        middle = self.dark4(fine)
        return fine, middle, self.dark5(middle)


def _stage(inputs: int, *, count: int, depthwise: bool) -> nn.Sequential:
    return nn.Sequential(
        wide_conv(inputs, inputs * 2, stride=2, depthwise=depthwise),
        CrossStage(inputs * 2, inputs * 2, count=count, depthwise=depthwise),
    )
