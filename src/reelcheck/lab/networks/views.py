"""How a network that was not made for clips looks at one.

A recipe for clips may name any network of kind "image", "clip" or "streams"; what comes out of
``fitted`` always takes [N, T, 3, H, W], so that training, export and use need no second path.
"""

from collections.abc import Collection
from typing import Any, Final

import torch
import torch.nn.functional as F  # noqa: N812 - what everybody calls it
from torch import Tensor, nn

from reelcheck.errors import SettingError

PICTURE_PX: Final = 32
"""Side of the pictures of the stream ``rgb`` and of those that motion is measured on."""
DISPLACEMENTS_PX: Final = (1, 2, 4, 8)
"""Octaves: a thirty-second to a quarter of the picture between two intervals."""
DIRECTIONS: Final = {"right": (0, 1), "left": (0, -1), "up": (-1, 0), "down": (1, 0)}
"""(rows, columns)."""
MOTION_BINS: Final = len(DISPLACEMENTS_PX) * len(DIRECTIONS)
_FLAT: Final = 1e-6
"""Variance of a normalised picture below which there is nothing that could be seen to move."""


class EachPicture(nn.Module):
    """A network of kind "image", shown a clip: the mean of what it says of every picture."""

    kind = "clip"

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Any:  # noqa: ANN401 - Inception has a second head in training
        """Name each clip [N, T, 3, H, W]: logits [N, outputs]."""
        output = self.network(x.flatten(0, 1))
        if isinstance(output, tuple):
            return tuple(self._mean(part, x.shape[1]) for part in output)
        return self._mean(output, x.shape[1])

    @staticmethod
    def _mean(logits: Tensor, frames: int) -> Tensor:
        return logits.reshape(-1, frames, logits.shape[-1]).mean(dim=1)


class PictureStreams(nn.Module):
    """A network of kind "streams", shown a clip: small pictures, their motion, and no sound.

    One picture is one interval. The clip has to come from the streams' own interval, 0.25 s for
    DeepSense, for the network's sense of time to be that of its paper.
    """

    kind = "clip"

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Name each clip [N, T, 3, H, W]: logits [N, outputs]."""
        small = _small(x)
        logits: Tensor = self.network({"rgb": small, "motion": motion(small)})
        return logits


def _small(x: Tensor) -> Tensor:
    if x.shape[-2:] == (PICTURE_PX, PICTURE_PX):
        return x
    size = (PICTURE_PX, PICTURE_PX)
    pictures = F.interpolate(x.flatten(0, 1), size, mode="bilinear", antialias=True)
    return pictures.reshape(*x.shape[:3], *size)


def motion(pictures: Tensor) -> Tensor:
    """Return how well each picture fits the one before, moved by so much: [N, T, 16] in [-1, 1].

    The correlation of one picture with the next at a displacement is the model of motion detection
    in the eye: Hassenstein and Reichardt 1956; for its relation to motion energy, Adelson and
    Bergen 1985. One number per displacement and direction, over the part that both share; zero for
    the first picture and for flat ones. Limits: it tells motion of the whole picture or of what
    dominates it, not where in it something moves.

    Args:
        pictures: Normalised, shape [N, T, 3, 32, 32].
    """
    luma = pictures.mean(dim=2)
    before, after = luma[:, :-1], luma[:, 1:]
    found = [
        _correlation(before, after, rows * length, columns * length)
        for length in DISPLACEMENTS_PX
        for rows, columns in DIRECTIONS.values()
    ]
    return F.pad(torch.stack(found, dim=-1), (0, 0, 1, 0))


def _correlation(before: Tensor, after: Tensor, rows: int, columns: int) -> Tensor:
    """Pearson's correlation of ``after`` with ``before`` moved down and to the right by so much."""
    first = before[..., _kept(-rows), _kept(-columns)].flatten(-2)
    second = after[..., _kept(rows), _kept(columns)].flatten(-2)
    first = first - first.mean(dim=-1, keepdim=True)
    second = second - second.mean(dim=-1, keepdim=True)
    scale = first.square().mean(dim=-1).sqrt() * second.square().mean(dim=-1).sqrt()
    return (first * second).mean(dim=-1) / (scale + _FLAT)


def _kept(shift: int) -> slice:
    return slice(shift, None) if shift >= 0 else slice(None, shift)


def fitted(network: nn.Module, fits: Collection[str]) -> nn.Module:
    """Return the network so that it takes samples of the kinds ``fits``.

    Raises:
        SettingError: it cannot learn from such samples.
    """
    kind = str(network.kind)
    if "clip" in fits and kind in {"image", "streams"}:
        return EachPicture(network) if kind == "image" else PictureStreams(network)
    if kind in fits:
        return network
    raise SettingError(
        f"a network of kind {kind!r} cannot learn from this data",
        hint=f"the data is for networks of kind {', '.join(sorted(fits))}",
    )
