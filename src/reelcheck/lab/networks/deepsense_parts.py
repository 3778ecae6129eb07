"""The stages of DeepSense: one convolutional net for each sensor, a merging one, stacked GRUs.

Source: Yao et al., DeepSense, WWW 2017, section 3 and figure 1; the sizes are those of the graph
that its authors released for human activity (HHAR). That repository has no licence, so this is
written from the paper and from a description of the graph.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn

POSITIONS: Final = 4
"""Length of what every sensor's net hands on."""

_FIRST_POSITIONS: Final = 8
_STRIDES_IN_KERNEL: Final = 3
_STRIDES: Final = _FIRST_POSITIONS + _STRIDES_IN_KERNEL - 1
_LATER_KERNEL: Final = 3
_MERGE_KERNELS: Final = (8, 6, 4)
_GRU_LAYERS: Final = 2

MakeNorm = Callable[[int], nn.Module]


class SensorNet(nn.Module):
    """Describes one interval of one sensor: [M, numbers] to [M, width, 4].

    Three convolutions along the numbers. The first spans three strides and leaves 8 positions;
    for 60 numbers that is the released kernel of 18 with stride 6. Fewer or other numbers are
    padded with zeros at the end.
    """

    def __init__(self, numbers: int, *, width: int, norm: MakeNorm, dropout: float) -> None:
        super().__init__()
        stride = -(-numbers // _STRIDES)
        self._pad = nn.ZeroPad1d((0, stride * _STRIDES - numbers))
        first = nn.Conv1d(1, width, _STRIDES_IN_KERNEL * stride, stride=stride)
        self.layers = nn.Sequential(
            first,
            norm(width),
            nn.ReLU(),
            nn.Dropout1d(dropout),
            nn.Conv1d(width, width, _LATER_KERNEL),
            norm(width),
            nn.ReLU(),
            nn.Dropout1d(dropout),
            nn.Conv1d(width, width, _LATER_KERNEL),
            norm(width),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Describe intervals [M, numbers]."""
        out: Tensor = self.layers(self._pad(x[:, None]))
        return out


class PictureNet(nn.Module):
    """Describes one picture per interval: [M, 3, h, w], sides of 16 or more, to [M, width, 4].

    Four convolutions that halve the picture three times, then the means of its four quarters
    (ours: the paper has no pictures). Any size works; 32 to 64 px keep it cheap.
    """

    def __init__(self, *, width: int, norm: MakeNorm, dropout: float) -> None:
        super().__init__()
        widths = (3, width // 2, width, width, width)
        layers: list[nn.Module] = []
        for index, (incoming, outgoing) in enumerate(pairwise(widths)):
            stride = 1 if index == len(widths) - 2 else 2
            layers += [nn.Conv2d(incoming, outgoing, 3, stride=stride, padding=1)]
            layers += [norm(outgoing), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Dropout2d(dropout))

    def forward(self, x: Tensor) -> Tensor:
        """Describe pictures [M, 3, h, w]."""
        maps = self.layers(x)
        rows, columns = maps.shape[-2] // 2, maps.shape[-1] // 2
        quarters = (
            maps[..., :rows, :columns],
            maps[..., :rows, columns:],
            maps[..., rows:, :columns],
            maps[..., rows:, columns:],
        )
        return torch.stack([quarter.mean(dim=(-2, -1)) for quarter in quarters], dim=-1)


class MergeNet(nn.Module):
    """Lets the sensors of one interval meet: [M, width, sensors, 4] to [M, width * sensors * 4].

    Three convolutions over sensors and positions, padded so that the shape stays: kernels
    sensors x 8, x 6 and x 4, as released for two sensors.
    """

    def __init__(self, sensors: int, *, width: int, norm: MakeNorm, dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for kernel in _MERGE_KERNELS:
            left, top = (kernel - 1) // 2, (sensors - 1) // 2
            around = (left, kernel - 1 - left, top, sensors - 1 - top)
            layers += [nn.ZeroPad2d(around), nn.Conv2d(width, width, (sensors, kernel))]
            layers += [norm(width), nn.ReLU(), nn.Dropout2d(dropout)]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Merge intervals [M, width, sensors, 4]."""
        out: Tensor = self.layers(x)
        return out.flatten(1)


class StackedGru(nn.Module):
    """Two GRUs on top of each other that only look back, with dropout on what they hand on."""

    def __init__(self, numbers: int, *, hidden: int, dropout: float) -> None:
        super().__init__()
        self._hidden = hidden
        self.gru = nn.GRU(
            numbers, hidden, num_layers=_GRU_LAYERS, batch_first=True, dropout=dropout
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Read intervals [N, I, numbers]; return outputs [N, I, hidden] and state [2, N, hidden].

        The state before the first interval is None.
        """
        if state is None:
            state = x.new_zeros(_GRU_LAYERS, x.shape[0], self._hidden)
        out, state = self.gru(x, state)
        return self.dropout(out), state
