"""Forms of the head that judges fights from rows of ``fights_rows.py``.

``Pooled`` takes mean and highest over time; with one sensor it is told nothing by the other.
``Followed`` is DeepSense (Yao et al., WWW 2017) over two sensors, the look and the motion:
convolutions across the sensors and one GRU (early), or a GRU for each and their last layers joined
(late).
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reelcheck.lab.networks.deepsense_parts import POSITIONS, MergeNet, StackedGru
from reelcheck.lab.networks.layers import group_norm

Rows = NDArray[np.float32]
MakeHead = Callable[[Rows], nn.Module]
"""From all rows of the training, which set mean and scale."""
LOOK: Final = 1504
"""Numbers of a row that tell of the picture; those of the motion follow."""
NUMBERS: Final = 1542
_HIDDEN: Final = 24
_WIDTH: Final = 8
_STATE: Final = 24
_DROPOUT: Final = 0.3
_NOISE: Final = 0.1


class _Scaled(nn.Module):
    """Rows less their mean, over their scale, with noise in training."""

    def __init__(self, rows: Rows) -> None:
        super().__init__()
        self.mean = nn.Buffer(torch.from_numpy(rows.mean(axis=0)))
        self.scale = nn.Buffer(torch.from_numpy(rows.std(axis=0) + 1e-3))

    def forward(self, rows: Tensor) -> Tensor:
        x = (rows - self.mean) / self.scale
        return x + _NOISE * torch.randn_like(x) if self.training else x


class Pooled(nn.Module):
    """Judges windows [N, T, 1542]: one logit each, [N]."""

    def __init__(self, rows: Rows, *, sensors: tuple[str, ...] = ("look", "motion")) -> None:
        super().__init__()
        self._first, self._last = (
            0 if "look" in sensors else LOOK,
            NUMBERS if "motion" in sensors else LOOK,
        )
        self.scaled = _Scaled(rows[:, self._first : self._last])
        self.parts = nn.ModuleDict()
        if "look" in sensors:
            self.parts["look"] = nn.Sequential(nn.Dropout(0.6), nn.Linear(LOOK, _HIDDEN), nn.ReLU())
        if "motion" in sensors:
            self.parts["motion"] = nn.Sequential(
                nn.Linear(NUMBERS - LOOK, _HIDDEN), nn.ReLU(), nn.Dropout(0.3)
            )
        width = 2 * _HIDDEN * len(sensors)
        self.last = nn.Sequential(nn.Dropout(0.3), nn.Linear(width, 1))

    def forward(self, rows: Tensor) -> Tensor:
        """Judge each window."""
        x = self.scaled(rows[..., self._first : self._last])
        places = {"look": slice(None, LOOK), "motion": slice(-(NUMBERS - LOOK), None)}
        each = torch.cat([part(x[..., places[name]]) for name, part in self.parts.items()], dim=-1)
        told: Tensor = self.last(torch.cat((each.mean(dim=1), each.amax(dim=1)), dim=-1))
        return told[:, 0]


class Followed(nn.Module):
    """DeepSense over moments; ``fusion`` is ``early`` or ``late``."""

    def __init__(self, rows: Rows, *, fusion: str) -> None:
        super().__init__()
        self.scaled = _Scaled(rows)
        numbers = _WIDTH * POSITIONS
        self.look = nn.Sequential(nn.Dropout(0.6), nn.Linear(LOOK, numbers), nn.ReLU())
        self.move = nn.Sequential(nn.Linear(NUMBERS - LOOK, numbers), nn.ReLU(), nn.Dropout(0.3))
        early = fusion == "early"
        self.merge = MergeNet(2, width=_WIDTH, norm=group_norm, dropout=_DROPOUT) if early else None
        sizes = [2 * numbers] if early else [numbers, numbers]
        self.follow = nn.ModuleList(
            StackedGru(size, hidden=_STATE, dropout=_DROPOUT) for size in sizes
        )
        self.last = nn.Linear(_STATE * len(sizes), 1)

    def forward(self, rows: Tensor) -> Tensor:
        """Judge windows [N, T, 1542]: one logit each, [N]."""
        x = self.scaled(rows)
        found = [self.look(x[..., :LOOK]), self.move(x[..., LOOK:])]
        if self.merge is not None:
            parts = [one.reshape(-1, _WIDTH, POSITIONS) for one in found]
            found = [self.merge(torch.stack(parts, dim=2)).reshape(*x.shape[:2], -1)]
        told = [gru(one, None)[0].mean(dim=1) for gru, one in zip(self.follow, found, strict=True)]
        logits: Tensor = self.last(torch.cat(told, dim=-1))
        return logits[:, 0]


FORMS: Final[dict[str, MakeHead]] = {
    "pooled": Pooled,
    "early": lambda rows: Followed(rows, fusion="early"),
    "late": lambda rows: Followed(rows, fusion="late"),
    "look": lambda rows: Pooled(rows, sensors=("look",)),
    "motion": lambda rows: Pooled(rows, sensors=("motion",)),
}
