"""Layers that let a picture network look along time: TSM's shift and the gates of ACTION-Net.

Sources: Lin et al., TSM, ICCV 2019, section 3; Wang, She and Smolic, ACTION-Net, CVPR 2021,
sections 3.1 to 3.4. Written anew. Where we differ from ACTION-Net's published code, on purpose:

- the three excited maps are divided by 4.5 and the gates start at exactly one half, so that
  inserting the gates leaves a pretrained network as it was (published: 4.5 times too large);
- time is padded by repetition, so that a clip that stands still looks the same in every frame
  (published: zeros, 34 % off in the first and last frame, counted by us);
- a gate works on C / 16 channels, but on 8 at least: with the one to four of narrow maps, the
  rectifier in CE is often shut for every input, and then that gate can never learn;
- the number of frames is that of the clip at hand, not a constant of the network.

Everything here works on maps [N * T, C, H, W] of N clips with T frames each.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from reelcheck.lab.networks.layers import repeat_edges

_TAPS: Final = 3
_FEWEST_REDUCED: Final = 8
_PATHS: Final = 3
_HALF_OPEN_SUM: Final = 4.5  # three paths of x * 0.5 + x


@dataclass(slots=True, kw_only=True)
class ClipLength:
    """The number of frames of the clips that a network is looking at; all its gates share one."""

    frames: int = 1


def shift_in_time(x: Tensor, *, fold: int, edge: str) -> Tensor:
    """Let ``fold`` channels show the next frame and ``fold`` the previous one.

    Args:
        x: maps [N, T, C, H, W].
        fold: number of channels moved each way; C / 8 in the paper.
        edge: what stands in for the frames before the first and after the last: "replicate"
            repeats them (ours), "zero" is the paper's.
    """
    if edge == "replicate":
        padded = repeat_edges(x, dim=1)
    else:
        blank = torch.zeros_like(x[:, :1])
        padded = torch.cat((blank, x, blank), dim=1)
    ahead, behind = padded[:, 2:, :fold], padded[:, :-2, fold : 2 * fold]
    return torch.cat((ahead, behind, x[:, :, 2 * fold :]), dim=2)


class ShiftedConv(nn.Module):
    """TSM: a convolution of a residual branch that first shifts an eighth of the channels each way.

    Costs no parameter and no multiplication.
    """

    def __init__(self, conv: nn.Conv2d, *, length: ClipLength, edge: str) -> None:
        super().__init__()
        self.conv = conv
        self._length = length
        self._edge = edge
        self._fold = max(1, conv.in_channels // 8)

    def forward(self, x: Tensor) -> Tensor:
        """Shift and convolve maps [N * T, C, H, W]."""
        clips = x.reshape(-1, self._length.frames, *x.shape[1:])
        shifted = shift_in_time(clips, fold=self._fold, edge=self._edge)
        out: Tensor = self.conv(shifted.reshape(x.shape))
        return out


class LearnedShift(nn.Module):
    """A weighting of the previous, the present and the next frame for each channel (3 C weights).

    ``start`` "tsm" moves an eighth of the channels each way, as published; "identity" moves none,
    which is what leaves a pretrained network unchanged on moving clips as well.
    """

    def __init__(self, channels: int, *, start: str) -> None:
        super().__init__()
        taps = torch.zeros(_TAPS, channels)
        fold = max(1, channels // 8) if start == "tsm" else 0
        taps[2, :fold] = 1
        taps[0, fold : 2 * fold] = 1
        taps[1, 2 * fold :] = 1
        self.taps = nn.Parameter(taps)

    def forward(self, x: Tensor) -> Tensor:
        """Mix maps [N, T, C, H, W] along time; the shape stays."""
        before, present, after = self.taps[:, :, None, None].unbind(0)
        padded = repeat_edges(x, dim=1)
        return padded[:, :-2] * before + x * present + padded[:, 2:] * after

    def own_macs(self, output: Tensor) -> int:
        """Return the multiplications of one pass."""
        return output.numel() * _TAPS


class SpatialTemporalGate(nn.Module):
    """STE: where and when to look, from the mean over channels (27 weights)."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv3d(1, 1, _TAPS, padding=(0, 1, 1), bias=False)
        nn.init.zeros_(self.mix.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return openings [N, T, 1, H, W] in (0, 1) for maps [N, T, C, H, W]."""
        overview = repeat_edges(x.mean(dim=2, keepdim=True), dim=1)
        opening: Tensor = self.mix(overview.transpose(1, 2)).transpose(1, 2).sigmoid()
        return opening


class ChannelGate(nn.Module):
    """CE: which channels matter, from their course in time (2 C C/r + 3 (C/r)^2 weights)."""

    def __init__(self, channels: int, *, reduced: int) -> None:
        super().__init__()
        self.narrow = nn.Conv1d(channels, reduced, 1, bias=False)
        self.mix = nn.Conv1d(reduced, reduced, _TAPS, bias=False)
        self.widen = nn.Conv1d(reduced, channels, 1, bias=False)
        nn.init.zeros_(self.widen.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return openings [N, T, C, 1, 1] in (0, 1) for maps [N, T, C, H, W]."""
        courses = self.narrow(x.mean(dim=(3, 4)).transpose(1, 2))  # [N, C/r, T]
        mixed = self.mix(repeat_edges(courses, dim=2)).relu()
        opening: Tensor = self.widen(mixed).transpose(1, 2)[..., None, None].sigmoid()
        return opening


class MotionGate(nn.Module):
    """ME: which channels move, from differences of frames (2 C C/r + 11 C/r weights).

    The last frame has no next one; it is compared with itself, so a clip that stands still has the
    same opening in every frame.
    """

    def __init__(self, channels: int, *, reduced: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels, reduced, 1, bias=False)
        self.norm = nn.BatchNorm2d(reduced)
        self.follow = nn.Conv2d(reduced, reduced, 3, padding=1, groups=reduced, bias=False)
        self.widen = nn.Conv2d(reduced, channels, 1, bias=False)
        nn.init.zeros_(self.widen.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return openings [N, T, C, 1, 1] in (0, 1) for maps [N, T, C, H, W]."""
        frames = x.shape[1]
        narrow = self.norm(self.narrow(x.flatten(0, 1)))
        present = narrow.reshape(-1, frames, *narrow.shape[1:])
        followed = self.follow(narrow).reshape(present.shape)
        following = torch.cat((followed[:, 1:], followed[:, -1:]), dim=1)
        moved = (following - present).mean(dim=(3, 4), keepdim=True)  # [N, T, C/r, 1, 1]
        opening: Tensor = self.widen(moved.flatten(0, 1)).sigmoid()
        return opening.reshape(-1, frames, *opening.shape[1:])


class ActionConv(nn.Module):
    """ACTION: a convolution of a residual branch behind a learned shift and three gates.

    With openings g of a shifted map s, it convolves the sum of s * g + s over the three gates,
    divided by 4.5. All gates start at 0.5, where that is exactly s.
    """

    def __init__(
        self, conv: nn.Conv2d, *, length: ClipLength, shift: str, reduction: int = 16
    ) -> None:
        super().__init__()
        channels = conv.in_channels
        reduced = max(_FEWEST_REDUCED, channels // reduction)
        self.conv = conv
        self.shift = LearnedShift(channels, start=shift)
        self.where = SpatialTemporalGate()
        self.which = ChannelGate(channels, reduced=reduced)
        self.moving = MotionGate(channels, reduced=reduced)
        self._length = length

    def forward(self, x: Tensor) -> Tensor:
        """Shift, gate and convolve maps [N * T, C, H, W]."""
        clips = x.reshape(-1, self._length.frames, *x.shape[1:])
        shifted = self.shift(clips)
        openings = self.where(shifted) + self.which(shifted) + self.moving(shifted)
        excited = shifted * ((openings + _PATHS) / _HALF_OPEN_SUM)
        out: Tensor = self.conv(excited.reshape(x.shape))
        return out
