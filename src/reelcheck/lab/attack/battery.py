"""All attacks at several budgets on the same samples, and for every sample the worst of them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reelcheck.lab.attack.blackbox import noise, square
from reelcheck.lab.attack.gradient import FGSM, Ascent, Budget, Found, climb, told_harm, universal
from reelcheck.lab.attack.victims import WHITE, Targets, Victim
from reelcheck.lab.measure.bootstrap import Interval, Weights, resample
from reelcheck.terminal import steps

ENSEMBLE: Final = "ensemble"
AS_SHIPPED: Final = "as shipped"
NOISE: Final = "noise"
SQUARE: Final = "square"
STRONGEST: Final = "pgd-50"
_UNIVERSAL: Final = "universal"
_L2: Final = "pgd-50-l2"
_L2_SHARE: Final = 0.25
"""Root mean square of the L2 budget as a share of the L-infinity budget: 8 levels become 2, which
for 32 x 32 pixels in colour is a norm of 0.43, near the customary 0.5 (Croce et al., RobustBench,
arXiv 2010.09670)."""
OUTSIDE: Final = frozenset({NOISE, _L2, AS_SHIPPED})
"""Not part of the ensemble: no attack, another kind of budget, or the ensemble judged again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How hard to try."""

    budgets: tuple[float, ...] = (2.0, 4.0, 8.0)
    """In levels of 0-255."""
    restarts: int = 2
    """Of PGD-50."""
    queries: int = 300
    """Of the square attack, for each sample and budget."""
    batch: int = 50
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What attacks did to every sample. Keys of the inner tables are budgets in levels."""

    victim: Victim
    targets: Targets
    effort: Effort
    clean: NDArray[np.float64]
    """Harm without attack, shape [N]; of scores, the score."""
    harm: dict[str, dict[float, NDArray[np.float64]]]
    """Attack -> budget -> harm [N]."""
    worst: dict[float, Tensor] = field(default_factory=dict)
    """Budget -> worst points of the ensemble."""
    seconds: float = 0.0

    def figure(self, attack: str, budget: float) -> Interval:
        """Return accuracy under an attack, or mean inflation, with its interval over groups."""
        return mean_of(self.effect(self.harm[attack][budget]), self.targets.groups)

    def clean_figure(self) -> Interval:
        """Return the accuracy without attack, or the mean score."""
        shown = self.clean if self.victim.kind == "score" else (self.clean <= 0).astype(np.float64)
        return mean_of(shown, self.targets.groups)

    def effect(self, harm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return for each sample what is averaged: 1 where it still holds, or the inflation."""
        return harm - self.clean if self.victim.kind == "score" else (harm <= 0).astype(np.float64)


def mean_of(values: NDArray[np.float64], groups: Sequence[str]) -> Interval:
    """Return the mean of values [N] with its 95 % interval over groups."""

    def figures(weights: Weights) -> dict[str, float]:
        return {"mean": float(np.average(values, weights=weights))}

    return resample(figures, groups).intervals()["mean"]


def run(victim: Victim, targets: Targets, effort: Effort) -> Outcome:
    """Attack all samples with everything.

    Without gradients only the square attack and noise are run.
    """
    started = time.monotonic()
    clean = in_parts(lambda part, _: _still(victim, part), targets, effort)[1]
    harm: dict[str, dict[float, NDArray[np.float64]]] = {}
    worst = {}
    attacks = {levels: _attacks(victim, levels, effort) for levels in effort.budgets}
    with steps("attacking", sum(map(len, attacks.values()))) as done:
        for levels in effort.budgets:
            best, most = targets.pixels, clean
            for name, attack in attacks[levels].items():
                points, found = attack(targets)
                harm.setdefault(name, {})[levels] = found.double().numpy()
                if name not in OUTSIDE:
                    taken = found > most
                    best = torch.where(taken.reshape(-1, *[1] * (best.ndim - 1)), points, best)
                    most = torch.maximum(most, found)
                done()
            harm.setdefault(ENSEMBLE, {})[levels] = most.double().numpy()
            worst[levels] = best
            if victim.real is not None:
                told = victim.harm(victim.real(best), targets.labels)
                harm.setdefault(AS_SHIPPED, {})[levels] = told.double().numpy()
    return Outcome(
        victim=victim,
        targets=targets,
        effort=effort,
        clean=clean.double().numpy(),
        harm=harm,
        worst=worst,
        seconds=time.monotonic() - started,
    )


def _still(victim: Victim, part: Targets) -> Found:
    return part.pixels, told_harm(victim, part.pixels, part.labels)


def in_parts(attack: Callable[[Targets, int], Found], targets: Targets, effort: Effort) -> Found:
    """Return what an attack finds, run on one batch after the other, each with its own seed."""
    found = []
    for number, places in enumerate(torch.split(torch.arange(len(targets)), effort.batch)):
        found.append(attack(targets.take(places), 1000 * effort.seed + number))
    points, harm = zip(*found, strict=True)
    return torch.cat(points), torch.cat(harm)


def _attacks(
    victim: Victim, levels: float, effort: Effort
) -> dict[str, Callable[[Targets], Found]]:
    flat, round_ = Budget(levels=levels), Budget(levels=levels * _L2_SHARE, norm="l2")

    def climbing(how: Ascent, budget: Budget = flat) -> Callable[[Targets], Found]:
        return lambda targets: in_parts(
            lambda part, seed: climb(victim, part, budget, how, seed=seed), targets, effort
        )

    blind: dict[str, Callable[[Targets], Found]] = {
        NOISE: lambda targets: in_parts(
            lambda part, seed: noise(victim, part, flat, seed=seed), targets, effort
        ),
        SQUARE: lambda targets: in_parts(
            lambda part, seed: square(victim, part, flat, queries=effort.queries, seed=seed),
            targets,
            effort,
        ),
    }
    if not victim.white_box:
        return blind
    thorough = Ascent(steps=50, restarts=effort.restarts, random_start=True)
    return {
        "fgsm": climbing(FGSM),
        "i-fgsm-10": climbing(Ascent(steps=10)),
        "mi-fgsm-10": climbing(Ascent(steps=10, momentum=1.0)),
        "pgd-20": climbing(Ascent(steps=20, random_start=True)),
        STRONGEST: climbing(thorough),
        _UNIVERSAL: lambda targets: universal(
            victim, targets, flat, batch=effort.batch, seed=effort.seed
        ),
        **blind,
        _L2: climbing(Ascent(steps=50, random_start=True), round_),
    }


def at_white(outcome: Outcome) -> NDArray[np.float64]:
    """Return the harm [N] of an attacker who may paint any picture: PGD-50 with the whole range."""
    how = Ascent(steps=50, restarts=2, random_start=True)
    budget = Budget(levels=WHITE)

    def attack(part: Targets, seed: int) -> Found:
        return climb(outcome.victim, part, budget, how, seed=seed)

    found = in_parts(attack, outcome.targets, outcome.effort)[1]
    return np.asarray(found.double().numpy())
