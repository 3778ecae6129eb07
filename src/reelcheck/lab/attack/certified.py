"""Radii within which no attack at all can change the answer: randomised smoothing.

Source: Cohen, Rosenfeld and Kolter, arXiv 1902.02918: the smoothed network answers what the network
says most often of the sample under Gaussian noise. A few draws choose the class, others bound how
often it is said from below (Clopper and Pearson, confidence 1 - ``RISK``); the answer then cannot
change within ``sigma * inverse normal(bound)`` in L2, their algorithm CERTIFY.

Limits: it holds for the smoothed network, which costs a hundred runs an answer, not for the network
alone; the radius is a length over all values of the sample together.
"""

from collections import Counter
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from reelcheck.calibration.bounds import binomial_lower
from reelcheck.lab.attack.battery import Effort, mean_of
from reelcheck.lab.attack.victims import WHITE, Targets, Victim
from reelcheck.lab.measure.bootstrap import Interval

RISK: Final = 0.001
"""That a radius is wrong, for each sample; theirs."""
_CHOOSING: Final = 20
"""Ours; theirs are 100, and 100,000 to bound. Fewer give smaller radii, never wrong ones."""
RADII: Final = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
"""L2, of pixels from 0 to 1; theirs."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Certified:
    """Accuracy that is certain at each radius."""

    sigma_levels: float
    draws: int
    accuracy: dict[float, Interval]
    """Radius -> share of samples whose answer is right and certain to stay."""
    abstained: float
    """Share of samples for which there is no majority."""


def certify(
    victim: Victim, targets: Targets, effort: Effort, *, sigma_levels: float, draws: int
) -> Certified:
    """Certify every sample.

    Args:
        victim: A classifier.
        targets: Samples.
        effort: Its batch and seed are used.
        sigma_levels: Of the noise, best that of the training.
        draws: To bound with.
    """
    chance = torch.Generator().manual_seed(effort.seed)
    radii = np.full(len(targets), -1.0)
    abstained = 0
    for index in range(len(targets)):
        pixels = targets.pixels[index]
        ((told, _),) = _counted(
            victim, pixels, sigma_levels, _CHOOSING, effort.batch, chance
        ).most_common(1)
        hits = _counted(victim, pixels, sigma_levels, draws, effort.batch, chance)[told]
        share = binomial_lower(hits, draws, RISK)
        if share <= 0.5:  # noqa: PLR2004 - no majority
            abstained += 1
        elif told == int(targets.labels[index]):
            radii[index] = sigma_levels / WHITE * NormalDist().inv_cdf(min(share, 1 - 1e-12))
    return Certified(
        sigma_levels=sigma_levels,
        draws=draws,
        accuracy={radius: mean_of(_at_least(radii, radius), targets.groups) for radius in RADII},
        abstained=abstained / len(targets),
    )


def _at_least(radii: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    return (radii >= radius).astype(np.float64)


@torch.no_grad()
def _counted(
    victim: Victim,
    pixels: torch.Tensor,
    sigma_levels: float,
    draws: int,
    batch: int,
    chance: torch.Generator,
) -> Counter[int]:
    """Return how often each class is said under noise."""
    told: Counter[int] = Counter()
    for start in range(0, draws, batch):
        count = min(batch, draws - start)
        noise = torch.randn((count, *pixels.shape), generator=chance) * sigma_levels / WHITE
        told.update(victim.tell(pixels + noise).argmax(dim=1).tolist())
    return told
