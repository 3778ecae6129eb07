"""How likely a match is by chance: exact, and valid whatever the suspect is.

The null hypothesis is that the suspect was made without the key. Bits, projection and answers are
drawn from the key evenly and independently, so given *any* such suspect each of the 256 bits
matches with chance 1/2, and each trigger with chance 1/K of K classes. The tail of the binomial
distribution is then exact: it needs no model of what networks look like.

Two further cautions, both of which can only make a p-value larger. Of triggers, the chance is also
computed from the suspect's own answers (one that always says the same class matches as often as
that class was drawn), and the larger p-value counts. And where several tables of weights have the
shape of the marked layer, the best counts, times their number (Bonferroni).
"""

from fractions import Fraction
from math import comb

import numpy as np
from numpy.typing import NDArray


def tail(count: int, matches: int, chance: Fraction) -> float:
    """Return the chance of so many matches or more among ``count`` independent ones."""
    if matches <= 0:
        return 1.0
    top, whole = chance.numerator, chance.denominator
    rest = whole - top
    ways = sum(
        comb(count, hits) * top**hits * rest ** (count - hits) for hits in range(matches, count + 1)
    )
    return float(Fraction(ways, whole**count))


def trigger_chance(
    told: NDArray[np.int64], answers: NDArray[np.int64], *, classes: int
) -> Fraction:
    """Return how often answers in a random order would match what a suspect says."""
    count = len(answers)
    drawn = np.bincount(answers, minlength=classes)
    said = np.bincount(told[told >= 0], minlength=classes)
    together = sum(int(a) * int(b) for a, b in zip(drawn, said[:classes], strict=True))
    return Fraction(together, count * count)


def trigger_p(told: NDArray[np.int64], answers: NDArray[np.int64], *, classes: int) -> float:
    """Return the p-value of the answers of a suspect to the triggers.

    Args:
        told: Class that it says for each trigger, -1 for one that the owner's network has not.
        answers: Class that was drawn for each.
        classes: Of the owner's network.
    """
    matches = int(np.sum(told == answers))
    own = trigger_chance(told, answers, classes=classes)
    return max(tail(len(answers), matches, one) for one in (Fraction(1, classes), own))


def bits_p(count: int, errors: int, *, tries: int) -> float:
    """Return the p-value of the best of so many tables."""
    return min(1.0, tries * tail(count, count - errors, Fraction(1, 2)))


def joined(values: list[float]) -> float:
    """Return one p-value of several, which need not be independent (Bonferroni)."""
    return min(1.0, len(values) * min(values)) if values else 1.0
