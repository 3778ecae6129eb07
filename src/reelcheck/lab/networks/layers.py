"""Parts that several networks share: option checks, norm swap, padding in time, cost counting.

Shapes are written [N, T, C, H, W]: clips, frames, channels, rows, columns.
"""

import math
from collections.abc import Mapping
from typing import Final, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from reelcheck.errors import SettingError

NORMS: Final = ("batch", "group")
"""What ``norm`` of every network may be."""

_MOST_GROUPS: Final = 8
_FEWEST_CHANNELS_IN_GROUP: Final = 4

Inputs = Tensor | tuple[Tensor, ...] | Mapping[str, Tensor]
"""What ``forward`` of a network may take."""


def check_choice(option: str, value: str, choices: tuple[str, ...]) -> str:
    """Return ``value`` if it is one of ``choices``.

    Raises:
        SettingError: it is not.
    """
    if value not in choices:
        raise SettingError(f"{option} must be one of {', '.join(choices)}; got {value!r}")
    return value


def check_range(option: str, value: float, *, low: float, high: float) -> float:
    """Return ``value`` if it is a number in [low, high].

    Raises:
        SettingError: it is not a number, or lies outside.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:
        raise SettingError(f"{option} must be a number from {low:g} to {high:g}; got {value!r}")
    return value


def check_count(option: str, value: int, *, low: int = 1, high: int = 1_000_000) -> int:
    """Return ``value`` if it is a whole number in [low, high].

    Raises:
        SettingError: it is not whole, or lies outside.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise SettingError(f"{option} must be a whole number from {low} to {high}; got {value!r}")
    return value


def group_norm(channels: int) -> nn.GroupNorm:
    """Make the group norm of this package: at most 8 groups, of at least 4 channels if possible.

    Source: Wu and He, Group Normalization, ECCV 2018, which uses 32 groups on wide layers. Fewer
    and larger groups are ours, so that a narrow layer on a 1 x 1 map is not normalised to zero.
    """
    groups = max(
        count
        for count in range(1, _MOST_GROUPS + 1)
        if channels % count == 0 and (count == 1 or channels // count >= _FEWEST_CHANNELS_IN_GROUP)
    )
    return nn.GroupNorm(groups, channels)


def to_group_norm(module: nn.Module) -> nn.Module:
    """Put a group norm in the place of every ``BatchNorm2d`` below ``module``, and return it.

    Scale and offset are kept, running statistics are dropped: a pretrained network still needs
    training afterwards. Group norm gives the same result for any batch size and needs no exchange
    between processes, at the price of a slower start.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            swapped = group_norm(child.num_features)
            if child.affine:
                swapped.weight, swapped.bias = child.weight, child.bias
            setattr(module, name, swapped)
        else:
            to_group_norm(child)
    return module


def repeat_edges(x: Tensor, *, dim: int) -> Tensor:
    """Lengthen ``dim`` by one at both ends, repeating the first and the last entry.

    Padding with zeros would make the ends of a clip that stands still look like motion (34 % off
    in the published ACTION-Net code, counted by us).
    """
    first, last = x.narrow(dim, 0, 1), x.narrow(dim, x.shape[dim] - 1, 1)
    return torch.cat((first, x, last), dim=dim)


def count_parameters(module: nn.Module) -> int:
    """Count the trainable numbers of ``module``."""
    return sum(item.numel() for item in module.parameters() if item.requires_grad)


@runtime_checkable
class CountsMacs(Protocol):
    """A module that multiplies outside of torch's own layers and knows how much."""

    def own_macs(self, output: Tensor) -> int:
        """Return the multiplications that gave ``output``, without those of its children."""
        ...


def _conv_macs(layer: nn.Conv1d | nn.Conv2d | nn.Conv3d, output: Tensor) -> int:
    return output.numel() * layer.in_channels // layer.groups * math.prod(layer.kernel_size)


def _gru_macs(layer: nn.GRU, output: Tensor) -> int:
    directions = 2 if layer.bidirectional else 1
    steps = output.numel() // (layer.hidden_size * directions)
    widths = [layer.input_size] + [layer.hidden_size * directions] * (layer.num_layers - 1)
    per_step = sum(3 * layer.hidden_size * (width + layer.hidden_size) for width in widths)
    return steps * directions * per_step


def _layer_macs(layer: nn.Module, output: Tensor) -> int:
    if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return _conv_macs(layer, output)
    if isinstance(layer, nn.Linear):
        return output.numel() * layer.in_features
    if isinstance(layer, nn.GRU):
        return _gru_macs(layer, output)
    return layer.own_macs(output) if isinstance(layer, CountsMacs) else 0


def count_macs(module: nn.Module, inputs: Inputs) -> int:
    """Count multiply-accumulates of one forward pass in eval mode.

    Args:
        module: any network of the lab; on the ``meta`` device the count costs no arithmetic.
        inputs: what its forward takes; a tuple is spread over the arguments.

    Returns:
        Multiplications of convolutions, linear layers, GRUs and of modules with ``own_macs``.
        Norms, activations, pooling and element-wise products are not counted, as in the papers.
    """
    total = 0

    def see(layer: nn.Module, _: object, output: object) -> None:
        nonlocal total
        first = output[0] if isinstance(output, tuple) else output
        if isinstance(first, Tensor):
            total += _layer_macs(layer, first)

    hooks = [layer.register_forward_hook(see) for layer in module.modules()]
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            module(*inputs) if isinstance(inputs, tuple) else module(inputs)
    finally:
        module.train(was_training)
        for hook in hooks:
            hook.remove()
    return total
