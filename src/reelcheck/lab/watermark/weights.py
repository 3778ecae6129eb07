"""The mark in the weights: 256 signs of a secret projection of one layer's mean filter.

After Uchida et al. 2017, "Embedding Watermarks into Deep Neural Networks", whose regulariser makes
a projection of the mean of a layer's filters tell the bits. Ours: every filter is brought to length
1 before the mean is taken. Folding batch norm into a convolution, scaling a filter and undoing that
later, and one scale per filter of 8-bit integers then change nothing; changing the order of the
filters changes nothing either. The mark is pulled towards a margin, not only over zero, so that
further training has to move it far.

Limits: filters with a negative factor in batch norm count with the wrong sign after folding.
Reordering the filters of the layer *before* reorders the inputs of this one and erases the mark; so
does training that aims at it. Layers with fewer than 512 weights per filter have no room for it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from reelcheck.errors import SettingError
from reelcheck.lab.watermark.secret import BITS, Secret

MARGIN: Final = 4.0
"""What each projected value is pulled to. Of filters that know nothing of the projection it has a
standard deviation of about 1. Ours: 3 loses bits under pruning, 6 costs accuracy."""
_LEAST_SIZE: Final = 2 * BITS
_LEAST_FILTERS: Final = 16
_CONVOLUTION: Final = 3
"""Least dimensions of the weights of a convolution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """The layer that carries the mark."""

    name: str
    """Of its weights in the network."""
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Weights per filter."""
        return math.prod(self.shape[1:])


def carrier_of(network: nn.Module, secret: Secret) -> Carrier:
    """Return the layer that a key chooses.

    Raises:
        SettingError: no layer has room for the mark.
    """
    rooms = [
        Carrier(name=name, shape=tuple(weights.shape))
        for name, weights in sorted(network.named_parameters())
        if weights.ndim >= _CONVOLUTION and weights.requires_grad
    ]
    rooms = [one for one in rooms if one.size >= _LEAST_SIZE and one.shape[0] >= _LEAST_FILTERS]
    if not rooms:
        raise SettingError(
            f"no layer has room for {BITS} bits: {_LEAST_SIZE} weights per filter are needed",
            hint="take a wider network",
        )
    return rooms[secret.choice("layer", len(rooms))]


def mean_filter(weights: Tensor) -> Tensor:
    """Return the mean of filters of length 1, times the root of their number: shape [size]."""
    flat = functional.normalize(weights.flatten(1), dim=1)
    return flat.mean(dim=0) * math.sqrt(len(flat))


class MarkLoss:
    """What pulls the projection of a layer to the bits."""

    def __init__(self, carrier: Carrier, secret: Secret) -> None:
        signs = secret.projection(carrier.size) * secret.message[:, None]
        self._name = carrier.name
        self._signed = torch.from_numpy(signs).float()

    def __call__(self, network: nn.Module) -> Tensor:
        """Return the mean of squared distances below the margin."""
        projected = self._signed @ mean_filter(network.get_parameter(self._name)).float()
        return functional.relu(MARGIN - projected).square().mean()


def bit_errors(weights: NDArray[np.float32], secret: Secret) -> int:
    """Return how many of the 256 bits a layer tells otherwise."""
    mean = mean_filter(torch.from_numpy(np.array(weights, dtype=np.float64))).numpy()
    projected = secret.projection(len(mean)).astype(np.float64) @ mean
    return int(np.sum(np.sign(projected) != secret.message))


def fitting(
    tables: Mapping[str, NDArray[np.float32]], shape: tuple[int, ...]
) -> dict[str, NDArray[np.float32]]:
    """Return the tables that may be the weights of the layer: those of its shape."""
    return {name: one for name, one in tables.items() if one.shape == shape}
