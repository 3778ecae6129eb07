"""Compares forms of the fights head on the same rows, folds and training: an ablation.

    python tools/fights_forms.py rows.npz

The second line of each form is of training on ice hockey alone, told of SCF. ``pooled`` ships.
``early`` and ``late`` are DeepSense (Yao et al., WWW 2017) over two sensors, the look and the
motion: convolutions across the sensors and one GRU, or a GRU for each and their last layers joined.
``look`` and ``motion`` are the pooled head with one sensor.
"""

import argparse
import json
from pathlib import Path
from typing import Final

import numpy as np
import torch
from fights_train import (
    LOOK,
    NOISE,
    NUMBERS,
    Head,
    Held,
    MakeHead,
    Rows,
    by_fold,
    figures,
    hold_out,
    moments_of,
    platt,
    read_clips,
    train,
)
from torch import Tensor, nn

from reelcheck.lab.networks.deepsense_parts import POSITIONS, MergeNet, StackedGru
from reelcheck.lab.networks.layers import group_norm

_WIDTH: Final = 8
_HIDDEN: Final = 24
_DROPOUT: Final = 0.3


class _Followed(nn.Module):
    """DeepSense over moments; ``early`` or late."""

    def __init__(self, rows: Rows, *, fusion: str) -> None:
        super().__init__()
        self.mean = nn.Buffer(torch.from_numpy(rows.mean(axis=0)))
        self.scale = nn.Buffer(torch.from_numpy(rows.std(axis=0) + 1e-3))
        numbers = _WIDTH * POSITIONS
        self.look = nn.Sequential(nn.Dropout(0.6), nn.Linear(LOOK, numbers), nn.ReLU())
        self.move = nn.Sequential(nn.Linear(NUMBERS - LOOK, numbers), nn.ReLU(), nn.Dropout(0.3))
        early = fusion == "early"
        self.merge = MergeNet(2, width=_WIDTH, norm=group_norm, dropout=_DROPOUT) if early else None
        sizes = [2 * numbers] if early else [numbers, numbers]
        self.follow = nn.ModuleList(
            StackedGru(size, hidden=_HIDDEN, dropout=_DROPOUT) for size in sizes
        )
        self.last = nn.Linear(_HIDDEN * len(sizes), 1)

    def forward(self, rows: Tensor) -> Tensor:
        """Judge windows [N, T, 1542]: one logit each, [N]."""
        x = (rows - self.mean) / self.scale
        if self.training:
            x = x + NOISE * torch.randn_like(x)
        found = [self.look(x[..., :LOOK]), self.move(x[..., LOOK:])]
        if self.merge is not None:
            parts = [one.reshape(-1, _WIDTH, POSITIONS) for one in found]
            found = [self.merge(torch.stack(parts, dim=2)).reshape(*x.shape[:2], -1)]
        told = [gru(one, None)[0].mean(dim=1) for gru, one in zip(self.follow, found, strict=True)]
        logits: Tensor = self.last(torch.cat(told, dim=-1))
        return logits[:, 0]


class _OneSensor(Head):
    """The pooled head that is told nothing by the other sensor."""

    def __init__(self, rows: Rows, *, sensor: str) -> None:
        super().__init__(rows)
        known = np.zeros(NUMBERS, dtype=np.float32)
        known[slice(None, LOOK) if sensor == "look" else slice(LOOK, None)] = 1
        self.known = nn.Buffer(torch.from_numpy(known))

    def forward(self, rows: Tensor) -> Tensor:
        """Judge windows."""
        return super().forward(self.mean + (rows - self.mean) * self.known)


_FORMS: Final[dict[str, MakeHead]] = {
    "pooled": Head,
    "early": lambda rows: _Followed(rows, fusion="early"),
    "late": lambda rows: _Followed(rows, fusion="late"),
    "look": lambda rows: _OneSensor(rows, sensor="look"),
    "motion": lambda rows: _OneSensor(rows, sensor="motion"),
}


def main() -> None:
    """Measure every form."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    clips = read_clips(given.rows)
    for name, make in _FORMS.items():
        held = hold_out(clips, make=make)
        slope, shift = platt(held)
        scf = [one for one in held if one.clip.set == "scf"]
        print(name, json.dumps(by_fold(scf, slope, shift)), json.dumps(figures(scf, slope, shift)))
        judges = train([clip for clip in clips if clip.set == "hockey"], make=make)
        told = [Held(clip=one.clip, moments=moments_of(judges, one.clip.takes()[0])) for one in scf]
        print(name, "hockey alone", json.dumps(figures(told, 1.0, 0.0)), flush=True)


if __name__ == "__main__":
    main()
