"""A network that says how good a video looks, without knowing the original.

The idea of fragments is FAST-VQA's (Wu et al., ECCV 2022, see ``quality_fragments``); the network
is ours:

- a MobileNetV2 reads the fragments of each frame; its description is taken at four depths (mean
  and spread over the map), because noise and blur show early and content late;
- time is pooled twice: by the mean, and by a mean that leans to the frames that look worst, because
  people remember the worst moment (Seshadrinathan and Bovik, hysteresis pooling, ICASSP 2011);
- a narrow MobileNetV2 glances at one small picture of the whole frame;
- three numbers come out: a score and an interval around it, ordered by construction.

The scale of the score is that of the opinions it is trained on. Its interval means only what the
loss makes of it. Limits: no sound, no motion between frames (stutter is another analyzer's task).
"""

from pathlib import Path
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812 - what everybody calls it
from torch import Tensor, nn

from reelcheck.lab.networks.images import mobilenet_v2
from reelcheck.lab.networks.images_weights import load_weights
from reelcheck.lab.networks.layers import NORMS, check_choice, to_group_norm

_DEPTHS: Final = (3, 6, 13, 17)  # the last map with stride 4, 8, 16 and 32
_GLANCE_WIDTH: Final = 0.35  # the narrowest MobileNetV2 of its paper, table 4
_DESCRIPTION: Final = 128
_VARIANCE_FLOOR: Final = 1e-5


class PictureStatistics(nn.Module):
    """Describes pictures [M, 3, H, W] by means and spreads of MobileNetV2's maps at four depths."""

    def __init__(self, *, width_mult: float) -> None:
        super().__init__()
        self.features = mobilenet_v2(outputs=1, width_mult=width_mult).features[: _DEPTHS[-1] + 1]
        channels = [_channels(self.features[depth]) for depth in _DEPTHS]
        self.project = nn.Sequential(
            nn.Linear(2 * sum(channels), _DESCRIPTION), nn.LayerNorm(_DESCRIPTION), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return descriptions [M, 128]."""
        found = []
        for depth, layer in enumerate(self.features):
            x = layer(x)
            if depth in _DEPTHS:
                mean = x.mean(dim=(2, 3))
                variance = (x - mean[..., None, None]).square().mean(dim=(2, 3))
                found += [mean, (variance + _VARIANCE_FLOOR).sqrt()]
        described: Tensor = self.project(torch.cat(found, dim=1))
        return described


def _channels(layer: nn.Module) -> int:
    convs = [item for item in layer.modules() if isinstance(item, nn.Conv2d)]
    return convs[-1].out_channels


class QualityNetwork(nn.Module):
    """Judges fragments and a glance, of kind "quality".

    Takes fragments float32 [N, T, 3, H, W] and a glance float32 [N, 3, h, w], both normalised,
    sides of 32 px or more. Returns [N, 3]: score, lower, upper with lower <= score <= upper.
    """

    kind = "quality"

    def __init__(self, *, width_mult: float) -> None:
        super().__init__()
        self.trunk = PictureStatistics(width_mult=width_mult)
        self.glance = PictureStatistics(width_mult=min(width_mult, _GLANCE_WIDTH))
        self.worth = nn.Linear(_DESCRIPTION, 1)
        self.head = nn.Sequential(
            nn.Linear(3 * _DESCRIPTION, _DESCRIPTION), nn.ReLU(), nn.Linear(_DESCRIPTION, 3)
        )

    @torch.no_grad()
    def start_from(self, score: float) -> None:
        """Let a fresh network begin at the mean score of the training part, not at 0."""
        last = self.head[-1]
        last.get_parameter("bias")[0] = score

    def forward(self, fragments: Tensor, glance: Tensor) -> Tensor:
        """Judge each video."""
        described = self.trunk(fragments.flatten(0, 1))
        frames = described.reshape(-1, fragments.shape[1], _DESCRIPTION)
        leaning = (-self.worth(frames)).softmax(dim=1)  # [N, T, 1]
        worst = (frames * leaning).sum(dim=1)
        together = torch.cat((frames.mean(dim=1), worst, self.glance(glance)), dim=1)
        score, below, above = self.head(together).unbind(dim=1)
        return torch.stack((score, score - F.softplus(below), score + F.softplus(above)), dim=1)


def build_quality(
    *, outputs: int = 3, width_mult: float = 1.0, norm: str = "batch", weights_file: str = ""
) -> QualityNetwork:
    """Build the quality network (2.2 M parameters, 2.3 GMAC for 8 frames).

    Args:
        outputs: has no effect; there are always score, lower and upper.
        width_mult: share of the channels of MobileNetV2 that reads the fragments, 0.1 to 4.
        norm: "batch" or "group".
        weights_file: ImageNet weights of torchvision's MobileNetV2 of that width, for the trunk.

    Raises:
        SettingError: an option is out of range.
        ModelError: the weights file cannot be read or does not fit.
    """
    del outputs  # every builder takes it
    check_choice("norm", norm, NORMS)
    network = QualityNetwork(width_mult=width_mult)
    if weights_file:
        part = nn.Module()
        part.register_module("features", network.trunk.features)
        load_weights(part, Path(weights_file), heads=(), spare=("features.18.", "classifier."))
    if norm == "group":
        to_group_norm(network)
    return network
