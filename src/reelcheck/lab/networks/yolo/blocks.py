"""Building blocks of the detector."""

import torch
from torch import Tensor, nn

BATCH_NORM_EPS = 1e-3
"""As in the authors' release; the default of PyTorch is 1e-5."""
BATCH_NORM_MOMENTUM = 0.03
"""As in the authors' release; the default of PyTorch is 0.1."""
_POOL_SIZES_PX = (5, 9, 13)
"""Spatial pyramid pooling of YOLOv3-SPP and YOLOv4 (arXiv 2004.10934, section 3.4)."""


class PlainConv(nn.Module):
    """A convolution without bias, batch normalisation and SiLU; keeps or halves the size.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        size: Side of the kernel in pixels, odd.
        stride: 1 or 2.
        groups: Groups of the convolution; ``inputs`` makes it depthwise.
    """

    def __init__(
        self, inputs: int, outputs: int, *, size: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, size, stride, padding=size // 2, groups=groups, bias=False
        )
        self.bn = nn.BatchNorm2d(outputs, eps=BATCH_NORM_EPS, momentum=BATCH_NORM_MOMENTUM)
        self.act = nn.SiLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inputs, H, W]`` to ``[N, outputs, H / stride, W / stride]``."""
        out: Tensor = self.act(self.bn(self.conv(x)))
        return out


class DepthwiseConv(nn.Module):
    """A depthwise convolution followed by a pointwise one (MobileNet, arXiv 1704.04861)."""

    def __init__(self, inputs: int, outputs: int, *, size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.dconv = PlainConv(inputs, inputs, size=size, stride=stride, groups=inputs)
        self.pconv = PlainConv(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inputs, H, W]`` to ``[N, outputs, H / stride, W / stride]``."""
        out: Tensor = self.pconv(self.dconv(x))
        return out


def wide_conv(inputs: int, outputs: int, *, stride: int = 1, depthwise: bool) -> nn.Module:
    """Return a 3x3 block of the wanted sort."""
    if depthwise:
        return DepthwiseConv(inputs, outputs, stride=stride)
    return PlainConv(inputs, outputs, size=3, stride=stride)


class Bottleneck(nn.Module):
    """A 1x1 and a 3x3 block of equal width, added to their input if ``shortcut``."""

    def __init__(self, channels: int, *, shortcut: bool, depthwise: bool) -> None:
        super().__init__()
        self.conv1 = PlainConv(channels, channels)
        self.conv2 = wide_conv(channels, channels, depthwise=depthwise)
        self._shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, channels, H, W]`` to the same shape."""
        out: Tensor = self.conv2(self.conv1(x))
        return out + x if self._shortcut else out


class CrossStage(nn.Module):
    """A cross-stage-partial block with three convolutions (CSPNet, arXiv 1911.11929).

    One half of the channels passes through ``count`` bottlenecks, the other half bypasses them.
    """

    def __init__(
        self, inputs: int, outputs: int, *, count: int, shortcut: bool = True, depthwise: bool
    ) -> None:
        super().__init__()
        hidden = outputs // 2
        self.conv1 = PlainConv(inputs, hidden)
        self.conv2 = PlainConv(inputs, hidden)
        self.conv3 = PlainConv(2 * hidden, outputs)
        self.m = nn.Sequential(
            *(Bottleneck(hidden, shortcut=shortcut, depthwise=depthwise) for _ in range(count))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inputs, H, W]`` to ``[N, outputs, H, W]``."""
        out: Tensor = self.conv3(torch.cat((self.m(self.conv1(x)), self.conv2(x)), dim=1))
        return out


class PyramidPooling(nn.Module):
    """Joins a map with its maxima over three window sizes, so that each cell sees far."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        hidden = inputs // 2
        self.conv1 = PlainConv(inputs, hidden)
        self.m = nn.ModuleList(
            nn.MaxPool2d(size, stride=1, padding=size // 2) for size in _POOL_SIZES_PX
        )
        self.conv2 = PlainConv(hidden * (len(_POOL_SIZES_PX) + 1), outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inputs, H, W]`` to ``[N, outputs, H, W]``."""
        x = self.conv1(x)
        out: Tensor = self.conv2(torch.cat((x, *(pool(x) for pool in self.m)), dim=1))
        return out


class Focus(nn.Module):
    """Moves each 2x2 square of pixels into channels, then a 3x3 block.

    The four pixels come in the order top left, bottom left, top right, bottom right: the order in
    which released weights were trained.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = PlainConv(4 * inputs, outputs, size=3)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, inputs, H, W]`` to ``[N, outputs, H / 2, W / 2]``."""
        corners = [x[..., row::2, column::2] for column in (0, 1) for row in (0, 1)]
        out: Tensor = self.conv(torch.cat(corners, dim=1))
        return out
