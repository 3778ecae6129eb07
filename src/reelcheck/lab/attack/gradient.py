"""Attacks that see the weights: one ascent with different settings, and one push for all samples.

- FGSM: Goodfellow et al., arXiv 1412.6572: one step of the whole budget along the sign of the
  slope.
- I-FGSM: Kurakin et al., arXiv 1607.02533: small steps, no random start.
- PGD: Madry et al., arXiv 1706.06083: random starts, steps of 2.5 budgets over their number. Every
  second restart climbs the margin instead of the cross entropy, whose slope vanishes where the
  network is sure (Carlini et al., arXiv 1902.06705, on how such attacks go blind).
- MI-FGSM: Dong et al., arXiv 1710.06081: the slope, scaled to mean 1, with momentum 1.
- L2: the same ascent along the slope itself, projected on the ball; as in Madry et al.
- Universal: Moosavi-Dezfooli et al., arXiv 1610.08401, found by ascent of the mean loss as by
  Shafahi et al. (arXiv 1811.11304). Each half of the samples is judged under what the other half
  taught.

The best point on the way is kept, by harm. Under L-infinity it is rounded to whole levels before it
is judged, for files hold nothing else; with whole budgets it stays within them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor

from reelcheck.lab.attack.victims import WHITE, Targets, Victim

_STEP: Final = 2.5
_TINY: Final = 1e-12
_UNIVERSAL_EPOCHS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How far pixels may be moved."""

    levels: float
    """Of 0-255: the most of any pixel, or (L2) the root of the mean square over all."""
    norm: Literal["linf", "l2"] = "linf"

    def inside(self, points: Tensor, pixels: Tensor) -> Tensor:
        """Return points moved back into the budget around pixels, and into 0 to 1."""
        push = points - pixels
        if self.norm == "linf":
            most = self.levels / WHITE
            return (pixels + push.clamp(-most, most)).clamp(0, 1)
        share = self.levels / WHITE / _root_mean_square(push).clamp_min(_TINY)
        return (pixels + push * share.clamp_max(1)).clamp(0, 1)

    def direction(self, slope: Tensor) -> Tensor:
        """Return the step of length 1 (in the budget's own norm) that raises the loss most."""
        if self.norm == "linf":
            return slope.sign()
        return slope / _root_mean_square(slope).clamp_min(_TINY)


def _root_mean_square(x: Tensor) -> Tensor:
    return x.flatten(1).square().mean(dim=1).sqrt().reshape(-1, *[1] * (x.ndim - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ascent:
    """How to climb."""

    steps: int
    restarts: int = 1
    random_start: bool = False
    momentum: float = 0.0
    step_of_budget: float | None = None
    """Length of a step as a share of the budget; ``None`` for 2.5 over the number of steps."""


FGSM: Final = Ascent(steps=1, step_of_budget=1.0)
Found = tuple[Tensor, Tensor]
"""Points, and the harm at them [N]."""


def climb(victim: Victim, targets: Targets, budget: Budget, how: Ascent, *, seed: int = 0) -> Found:
    """Return the worst points that an ascent finds, as they would be in a file."""
    chance = torch.Generator().manual_seed(seed)
    best, harm = targets.pixels, told_harm(victim, targets.pixels, targets.labels)
    for restart in range(how.restarts):
        left = _standing(victim, harm)
        if not len(left):
            break
        part = targets.take(left)
        follow = victim.harm if restart % 2 else victim.loss
        point = part.pixels
        if how.random_start:
            point = budget.inside(point + _thrown(point, budget, chance), point)
        found = _one_climb(victim, part, budget, how, start=point, follow=follow)
        found = in_levels(found, budget)
        now = told_harm(victim, found, part.labels)
        best, harm = best.clone(), harm.clone()
        best[left], harm[left] = worse(best[left], harm[left], found, now)
    return best, harm


def _standing(victim: Victim, harm: Tensor) -> Tensor:
    """Return the places that another start may still harm: what is wrong already cannot be more."""
    if victim.kind == "score":
        return torch.arange(len(harm))
    return (harm <= 0).nonzero()[:, 0]


def _one_climb(
    victim: Victim,
    targets: Targets,
    budget: Budget,
    how: Ascent,
    *,
    start: Tensor,
    follow: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    step = budget.levels / WHITE * (how.step_of_budget or _STEP / how.steps)
    point, best = start, start
    harm = torch.full((len(targets),), -torch.inf)
    speed = torch.zeros_like(start)
    for _ in range(how.steps):
        point = point.detach().requires_grad_()
        answers = victim.tell(point)
        loss = follow(answers, targets.labels).sum()
        (slope,) = torch.autograd.grad(loss, point)
        now = victim.harm(answers.detach(), targets.labels)
        best, harm = worse(best, harm, point.detach(), now)
        if how.momentum:
            mean = slope.abs().flatten(1).mean(dim=1).clamp_min(_TINY)
            speed = how.momentum * speed + slope / mean.reshape(-1, *[1] * (slope.ndim - 1))
            slope = speed
        point = budget.inside(point.detach() + step * budget.direction(slope), targets.pixels)
    last = told_harm(victim, point, targets.labels)
    return worse(best, harm, point, last)[0]


def universal(
    victim: Victim, targets: Targets, budget: Budget, *, batch: int, seed: int = 0
) -> Found:
    """Return every sample under the one push that the other half of the samples taught."""
    half = torch.arange(len(targets)) % 2
    moved = targets.pixels.clone()
    for side in (0, 1):
        push = _push(victim, targets, (half != side).nonzero()[:, 0], budget, batch, seed=seed)
        moved[half == side] = budget.inside(
            targets.pixels[half == side] + push, moved[half == side]
        )
    moved = in_levels(moved, budget)
    parts = zip(torch.split(moved, batch), torch.split(targets.labels, batch), strict=True)
    return moved, torch.cat([told_harm(victim, *part) for part in parts])


def _push(
    victim: Victim, targets: Targets, chosen: Tensor, budget: Budget, batch: int, *, seed: int
) -> Tensor:
    chance = torch.Generator().manual_seed(seed)
    most = budget.levels / WHITE
    push = torch.zeros_like(targets.pixels[:1])
    for epoch in range(_UNIVERSAL_EPOCHS):
        order = chosen[torch.randperm(len(chosen), generator=chance)]
        for part in torch.split(order, batch):
            push = push.detach().requires_grad_()
            point = (targets.pixels[part] + push).clamp(0, 1)
            loss = victim.loss(victim.tell(point), targets.labels[part]).mean()
            (slope,) = torch.autograd.grad(loss, push)
            step = most * _STEP / (2 + epoch)
            push = (push.detach() + step * slope.sign()).clamp(-most, most)
    return push.detach()


def _thrown(like: Tensor, budget: Budget, chance: torch.Generator) -> Tensor:
    """Return a random push that fills the budget."""
    flat = 2 * torch.rand(like.shape, generator=chance) - 1
    most = budget.levels / WHITE
    return flat * most if budget.norm == "linf" else flat / _root_mean_square(flat) * most


def in_levels(points: Tensor, budget: Budget) -> Tensor:
    """Return points in whole levels of 0-255; under L2 as they are."""
    return (points * WHITE).round() / WHITE if budget.norm == "linf" else points


@torch.no_grad()
def told_harm(victim: Victim, points: Tensor, labels: Tensor) -> Tensor:
    """Return the harm at points, shape [N]."""
    return victim.harm(victim.tell(points), labels)


def worse(first: Tensor, harm: Tensor, second: Tensor, other: Tensor) -> Found:
    """Return whichever point harms more, for each sample."""
    taken = (other > harm).reshape(-1, *[1] * (first.ndim - 1))
    return torch.where(taken, second, first), torch.maximum(harm, other)
