"""A small residual network for small pictures, which a CPU trains in seconds."""

from typing import Final

from torch import Tensor, nn

from reelcheck.lab.networks.images import ImageNetwork, finish
from reelcheck.lab.networks.layers import check_choice, check_count

STRIDES: Final = (4, 8, 16)
"""Input pixels per cell of the last map; 4 is published."""


class _Block(nn.Module):
    """Two convolutions beside a short cut."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.short: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.short = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        seen = self.relu(self.bn1(self.conv1(x)))
        told: Tensor = self.relu(self.bn2(self.conv2(seen)) + self.short(x))
        return told


def build_resnet8(
    *, outputs: int, width: int = 32, stride: int = 8, norm: str = "batch", weights_file: str = ""
) -> ImageNetwork:
    """Build the smallest residual network for small pictures (0.3 M parameters, 14 MMAC at 32 px).

    Source: He et al., Deep Residual Learning, CVPR 2016, section 4.2, with n = 1: a first
    convolution, then three pairs of convolutions of 1, 2 and 4 times the width. Ours are width 32
    in place of 16, convolutions in place of padding on the short cuts, and a first convolution with
    a stride of ``stride / 4``.

    Raises:
        SettingError: an option is out of range.
        ModelError: the weights file cannot be read or does not fit.
    """
    check_choice("stride", str(stride), tuple(map(str, STRIDES)))
    check_count("width", width, low=4, high=512)
    body = nn.Sequential()
    body.add_module("conv", nn.Conv2d(3, width, 3, stride=stride // 4, padding=1, bias=False))
    body.add_module("bn", nn.BatchNorm2d(width))
    body.add_module("relu", nn.ReLU())
    body.add_module("block1", _Block(width, width, stride=1))
    body.add_module("block2", _Block(width, 2 * width, stride=2))
    body.add_module("block3", _Block(2 * width, 4 * width, stride=2))
    body.add_module("pool", nn.AdaptiveAvgPool2d(1))
    body.add_module("flat", nn.Flatten())
    body.add_module("fc", nn.Linear(4 * width, check_count("outputs", outputs)))
    ready = finish(body, norm=norm, weights_file=weights_file, heads=("fc.",))
    return ImageNetwork(ready, smallest_px=stride)
