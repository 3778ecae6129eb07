"""Attacks that see answers only.

Square attack, L-infinity: Andriushchenko et al., arXiv 1912.00049: start from vertical stripes,
then random squares at the ends of the budget are kept when they harm more. The share of the picture
that a square covers begins at ``_FIRST_SHARE`` and halves as in their code, with its steps scaled
to the number of queries. The frames of a clip get the same square in signs of their own.

Noise: each pixel at one end of the budget by chance, the worst of several draws. It is no attack
but a yardstick: what noise does, no attack has earned.
"""

from typing import Final

import torch
from torch import Tensor

from reelcheck.lab.attack.gradient import Budget, Found, in_levels, told_harm, worse
from reelcheck.lab.attack.victims import WHITE, Targets, Victim

_FIRST_SHARE: Final = 0.3
"""Ours: the authors' 0.8 suits 10,000 queries; their smaller starts suit fewer."""
_HALVINGS: Final = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Shares of all queries after which the square's area halves: theirs of 10,000."""
NOISE_DRAWS: Final = 10


def square(
    victim: Victim, targets: Targets, budget: Budget, *, queries: int, seed: int = 0
) -> Found:
    """Return the worst points that ``queries`` answers lead to."""
    chance = torch.Generator().manual_seed(seed)
    most = budget.levels / WHITE
    pixels = targets.pixels
    stripes = _signs((*pixels.shape[:-2], 1, pixels.shape[-1]), chance) * most
    best = in_levels(budget.inside(pixels + stripes, pixels), budget)
    harm = told_harm(victim, best, targets.labels)
    best, harm = worse(pixels, told_harm(victim, pixels, targets.labels), best, harm)
    for query in range(queries):
        tried = _with_squares(best, pixels, most, _share(query / queries), chance)
        tried = in_levels(budget.inside(tried, pixels), budget)
        best, harm = worse(best, harm, tried, told_harm(victim, tried, targets.labels))
    return best, harm


def _share(done: float) -> float:
    return _FIRST_SHARE / float(2 ** sum(done > limit for limit in _HALVINGS))


def _with_squares(
    points: Tensor, pixels: Tensor, most: float, share: float, chance: torch.Generator
) -> Tensor:
    """Return points with a square of each pushed to the ends of the budget."""
    height, width = points.shape[-2:]
    side = max(1, min(height, width, round((share * height * width) ** 0.5)))
    tried = points.clone()
    tops = torch.randint(0, height - side + 1, (len(points),), generator=chance).tolist()
    lefts = torch.randint(0, width - side + 1, (len(points),), generator=chance).tolist()
    signs = _signs((*points.shape[:-2], 1, 1), chance) * most
    for index, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        window = (index, ..., slice(top, top + side), slice(left, left + side))
        tried[window] = pixels[window] + signs[index]
    return tried


def noise(victim: Victim, targets: Targets, budget: Budget, *, seed: int = 0) -> Found:
    """Return the worst of several draws of noise."""
    chance = torch.Generator().manual_seed(seed)
    best, harm = targets.pixels, told_harm(victim, targets.pixels, targets.labels)
    for _ in range(NOISE_DRAWS):
        push = _signs(targets.pixels.shape, chance) * budget.levels / WHITE
        tried = in_levels(budget.inside(targets.pixels + push, targets.pixels), budget)
        best, harm = worse(best, harm, tried, told_harm(victim, tried, targets.labels))
    return best, harm


def _signs(shape: tuple[int, ...], chance: torch.Generator) -> Tensor:
    return 2.0 * torch.randint(0, 2, shape, generator=chance) - 1
