"""What counts prove: exact one-sided bounds, widened where counts come in bursts.

* Poisson: Garwood, Biometrika 28 (1936): the largest rate under which as few as ``count`` alarms
  have the chance ``risk``. With no alarm at all it is ``-ln(risk)``.
* Binomial: Clopper and Pearson, Biometrika 26 (1934).
* Dispersion: Pearson's chi-square over its degrees of freedom, between groups (quasi-likelihood:
  McCullagh and Nelder, Generalized Linear Models, 1989, section 4.5). One odd video can bring ten
  alarms: they count as the one burst that they are, and the bound grows by the size of bursts.

Limits: dispersion is estimated, from few groups badly, and bursts of a kind that never occurred
in the labelled videos are not known.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_TINY: Final = np.finfo(np.float64).tiny
_EXACT_UNTIL: Final = 100
"""Counts up to which the Poisson bound is solved; beyond, the formula of Wilson and Hilferty
(PNAS 17, 1931) is right to four digits."""
_STEPS: Final = 40
"""Halvings of the interval that holds the solution: far below what is printed."""


@lru_cache(maxsize=4096)
def poisson_upper(count: int, risk: float) -> float:
    """Return the upper bound of a Poisson mean at confidence ``1 - risk``."""
    if count > _EXACT_UNTIL:
        return _wilson_hilferty(count + 1, NormalDist().inv_cdf(1 - risk))
    return _solve(lambda mean: _poisson_cdf(count, mean) > risk, 2.0 * count + 50 - math.log(risk))


@lru_cache(maxsize=4096)
def poisson_lower(count: int, risk: float) -> float:
    """Return the lower bound of a Poisson mean at confidence ``1 - risk``."""
    if count == 0:
        return 0.0
    if count > _EXACT_UNTIL:
        return _wilson_hilferty(count, NormalDist().inv_cdf(risk))
    return _solve(lambda mean: 1 - _poisson_cdf(count - 1, mean) < risk, 2.0 * count)


@lru_cache(maxsize=4096)
def binomial_lower(hits: int, trials: int, risk: float) -> float:
    """Return the lower bound of a share of which ``hits`` of ``trials`` were seen."""
    if hits == 0:
        return 0.0
    return _solve(lambda share: _binomial_tail(hits, trials, share) < risk, 1.0)


def rate_upper(count: int, hours: float, *, dispersion: float, risk: float) -> float:
    """Return the upper bound of alarms per hour; infinite without hours."""
    bursts = math.ceil(count / dispersion)
    return dispersion * poisson_upper(bursts, risk) / hours if hours > 0 else math.inf


def share_lower(hits: int, trials: int, *, dispersion: float, risk: float) -> float:
    """Return the lower bound of a share; 0 without trials."""
    alike = math.floor(trials / dispersion)
    return binomial_lower(min(alike, math.floor(hits / dispersion)), alike, risk) if alike else 0.0


def rate_dispersion(counts: Floats, hours: Floats) -> Floats:
    """Return how much more counts scatter between groups than chance explains, 1 or more.

    Args:
        counts: Shape [G, T].
        hours: Of each group, shape [G].
    """
    known = hours > 0
    mine, time = counts[known], hours[known, None]
    expected = mine.sum(axis=0) * time / max(time.sum(), _TINY)
    return _dispersion(mine, expected, expected)


def share_dispersion(hits: Floats, trials: Floats) -> Floats:
    """Return how much more shares scatter between groups than chance explains, 1 or more.

    Args:
        hits: Shape [G, T].
        trials: Of each group, shape [G].
    """
    known = trials > 0
    mine, all_ = hits[known], trials[known, None]
    share = mine.sum(axis=0) / max(all_.sum(), 1)
    return _dispersion(mine, share * all_, share * (1 - share) * all_)


def _dispersion(counts: Floats, expected: Floats, variance: Floats) -> Floats:
    """Return one value per column; without scatter to look at, it is 1."""
    squares = np.square(counts - expected) / np.maximum(variance, _TINY)
    chi = np.where(variance > 0, squares, 0.0).sum(axis=0)
    found: Floats = np.maximum(1.0, chi / max(1, len(counts) - 1))
    return found


def _solve(is_below: Callable[[float], bool], most: float) -> float:
    """Return where a condition ends that holds from 0 on."""
    low, high = 0.0, most
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2


def _poisson_cdf(count: int, mean: float) -> float:
    term = total = math.exp(-mean)
    for k in range(1, count + 1):
        term *= mean / k
        total += term
    return total


def _binomial_tail(hits: int, trials: int, share: float) -> float:
    """Return the chance of ``hits`` or more."""
    if not 0 < share < 1:
        return float(share >= 1)
    yes, no, every = math.log(share), math.log1p(-share), math.lgamma(trials + 1)
    return math.fsum(
        math.exp(
            every - math.lgamma(k + 1) - math.lgamma(trials - k + 1) + k * yes + (trials - k) * no
        )
        for k in range(hits, trials + 1)
    )


def _wilson_hilferty(shape: int, z: float) -> float:
    return shape * (1 - 1 / (9 * shape) + z / (3 * math.sqrt(shape))) ** 3
