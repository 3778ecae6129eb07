"""Whether the figures of attacks can be believed, or only the gradients were hidden.

A network that hides its gradients looks robust to attacks that follow them, and is not (Athalye et
al., arXiv 1802.00420; Carlini et al., arXiv 1902.06705, section 5: these are their signs). A check
that fails means that the true figures are worse than those shown.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from reelcheck.lab.attack.battery import (
    ENSEMBLE,
    NOISE,
    SQUARE,
    STRONGEST,
    Outcome,
    at_white,
    in_parts,
)
from reelcheck.lab.attack.gradient import Ascent, Budget, Found, climb
from reelcheck.lab.attack.victims import Targets
from reelcheck.terminal import steps

LADDER: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Budgets, in levels, over which the harm must grow."""
_SLACK: Final = 0.03
"""Of accuracy: by so much a weaker attack may win by chance; from the goals of this project."""
_SLACK_OF_SCALE: Final = 0.02
"""The same of a score, of its range."""
_NEAR_BEST: Final = 0.9
"""Share of the room above the clean score that an attacker who may paint anything must gain. Ours:
the ends of a sigmoid are never reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One sign of hidden gradients, looked for."""

    name: str
    passed: bool
    told: str
    """What was found, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Masking:
    """All checks."""

    checks: tuple[Check, ...]
    ladder: dict[float, float]
    """Budget in levels -> mean harm under PGD-20."""

    @property
    def conclusion(self) -> str:
        """Say plainly what was found."""
        if not self.checks:
            return "Not checked: without gradients, nothing is known of their masking."
        failed = [one.name for one in self.checks if not one.passed]
        if not failed:
            return "No sign of hidden gradients: the figures can be believed as far as attacks go."
        return (
            f"Gradients may be hidden ({', '.join(failed)}): the network is weaker than it looks."
        )


def check_masking(outcome: Outcome) -> Masking:
    """Look for hidden gradients; nothing to look for without gradients."""
    if not outcome.victim.white_box:
        return Masking(checks=(), ladder={})
    ladder = _ladder(outcome)
    return Masking(
        checks=(
            _monotone(outcome, ladder),
            _unbounded(outcome),
            _no_stronger(outcome, SQUARE, STRONGEST, "the attack that sees answers only"),
            _no_stronger(outcome, NOISE, "fgsm", "noise"),
            _no_stronger(outcome, "fgsm", "pgd-20", "one step"),
            _no_stronger(outcome, ENSEMBLE, STRONGEST, "the worst of all attacks"),
        ),
        ladder=ladder,
    )


def _ladder(outcome: Outcome) -> dict[float, float]:
    how = Ascent(steps=20, random_start=True)
    found = {0.0: float(outcome.clean.mean())}
    with steps("looking for hidden gradients", len(LADDER)) as done:
        for levels in LADDER:
            budget = Budget(levels=levels)

            def attack(part: Targets, seed: int, budget: Budget = budget) -> Found:
                return climb(outcome.victim, part, budget, how, seed=seed)

            found[levels] = float(in_parts(attack, outcome.targets, outcome.effort)[1].mean())
            done()
    return found


def _monotone(outcome: Outcome, ladder: dict[float, float]) -> Check:
    means = list(ladder.values())
    room = _SLACK_OF_SCALE * (max(means) - min(means))
    falls = [b < a - room for a, b in pairwise(means)]
    word = "score" if outcome.victim.kind == "score" else "margin of the wrong class"
    told = ", ".join(f"{levels:g}: {mean:.2f}" for levels, mean in ladder.items())
    return Check(
        name="grows with the budget",
        passed=not any(falls),
        told=f"Mean {word} under PGD-20 by budget in levels: {told}.",
    )


def _unbounded(outcome: Outcome) -> Check:
    harm = at_white(outcome)
    if outcome.victim.kind == "score":
        room = outcome.victim.highest - outcome.clean
        gained = float(np.mean((harm - outcome.clean) / np.maximum(room, 1e-6)))
        told = f"Whoever may paint any picture gets {gained:.0%} of the way to the best score."
        return Check(name="no budget, no defence", passed=gained >= _NEAR_BEST, told=told)
    right = float((harm <= 0).mean())
    told = f"Against whoever may paint any picture, {right:.1%} hold."
    return Check(name="no budget, no defence", passed=right == 0, told=told)


def _no_stronger(outcome: Outcome, weak: str, strong: str, what: str) -> Check:
    """Check that an attack that should be weaker is."""
    gaps = {}
    for levels in outcome.effort.budgets:
        weaker, stronger = (
            float(outcome.effect(outcome.harm[name][levels]).mean()) for name in (weak, strong)
        )
        sign = 1 if outcome.victim.kind == "score" else -1
        gaps[levels] = sign * (weaker - stronger)
    span = outcome.victim.highest * _SLACK_OF_SCALE if outcome.victim.kind == "score" else _SLACK
    worst = max(gaps, key=lambda levels: gaps[levels])
    unit = "" if outcome.victim.kind == "score" else " of accuracy"
    more = "more" if gaps[worst] > 0 else "less"
    told = f"At {worst:g} levels, {what} does {abs(gaps[worst]):.3f}{unit} {more} harm"
    return Check(
        name=f"{weak} is no stronger than {strong}",
        passed=gaps[worst] <= span,
        told=f"{told} than {strong}.",
    )
