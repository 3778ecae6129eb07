"""Attacks against networks whose weakness is known, and budgets that hold."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reelcheck.lab.attack.battery import ENSEMBLE, Effort, run
from reelcheck.lab.attack.blackbox import noise, square
from reelcheck.lab.attack.certified import certify
from reelcheck.lab.attack.gradient import FGSM, Ascent, Budget, climb, universal
from reelcheck.lab.attack.masking import check_masking
from reelcheck.lab.attack.victims import WHITE, Targets, Victim

STEEP = 40.0
LEVELS = [124, 126, 131, 140]
"""Of 127.5, the border between the classes, they are 3.5, 1.5, 3.5 and 12.5 levels away."""
EFFORT = Effort(budgets=(2.0, 8.0), restarts=2, queries=60, batch=3)
CLIMBS = {
    "fgsm": FGSM,
    "i-fgsm": Ascent(steps=10),
    "mi-fgsm": Ascent(steps=10, momentum=1.0),
    "pgd": Ascent(steps=20, restarts=2, random_start=True),
}


def mean_victim() -> Victim:
    """Class 1 if the mean is above one half, else class 0: so far is every sample from wrong."""
    return Victim(name="mean", kind="classes", tell=_by_mean, classes=("dark", "light"))


def _by_mean(pixels: Tensor) -> Tensor:
    above = STEEP * (pixels.flatten(1).mean(dim=1) - 0.5)
    return torch.stack((-above, above), dim=1)


def hidden_victim() -> Victim:
    """The same in steps of a tenth of a level: there is no slope to follow."""

    def tell(pixels: Tensor) -> Tensor:
        mean = pixels.flatten(1).mean(dim=1)
        steps = (mean.detach() * WHITE * 10).round() / (WHITE * 10) + 0 * mean
        above = STEEP * (steps - 0.5)
        return torch.stack((-above, above), dim=1)

    return Victim(name="steps", kind="classes", tell=tell, classes=("dark", "light"))


def score_victim() -> Victim:
    """A score from 1 to 5 that is the mean of the pixels."""
    return Victim(
        name="brightness",
        kind="score",
        tell=lambda pixels: 1 + 4 * pixels.flatten(1).mean(dim=1),
        highest=5.0,
    )


def flat_targets(levels: list[int], *, side: int = 8) -> Targets:
    """Pictures of one level each; a level above 127 is of class 1."""
    pixels = torch.stack([torch.full((1, 3, side, side), level / WHITE) for level in levels])
    return Targets(
        pixels=pixels,
        labels=torch.tensor([int(level > WHITE / 2) for level in levels]),
        groups=tuple(f"picture-{number}" for number in range(len(levels))),
    )


@pytest.mark.parametrize("name", CLIMBS)
@pytest.mark.parametrize(("levels", "held"), [(1, 4), (2, 3), (3, 3), (4, 1), (12, 1), (13, 0)])
def test_an_ascent_fools_exactly_those_that_the_budget_reaches(
    name: str, levels: int, held: int
) -> None:
    targets = flat_targets(LEVELS)

    points, harm = climb(mean_victim(), targets, Budget(levels=levels), CLIMBS[name])

    assert int((harm <= 0).sum()) == held
    assert float((points - targets.pixels).abs().max()) <= levels / WHITE + 1e-6


def test_an_l2_ascent_reaches_as_far_as_its_root_mean_square() -> None:
    targets = flat_targets(LEVELS)
    held = {
        levels: int((harm <= 0).sum())
        for levels in (1.4, 1.6, 3.4, 3.6)
        for harm in [climb(mean_victim(), targets, Budget(levels=levels, norm="l2"), FGSM)[1]]
    }

    assert held == {1.4: 4, 1.6: 3, 3.4: 3, 3.6: 1}


@given(
    levels=st.floats(0.5, 64),
    norm=st.sampled_from(["linf", "l2"]),
    seed=st.integers(0, 2**16),
    far=st.floats(0.01, 3),
)
@settings(max_examples=60, deadline=None)
def test_no_point_leaves_the_budget_or_the_range_of_pixels(
    levels: float, norm: str, seed: int, far: float
) -> None:
    chance = torch.Generator().manual_seed(seed)
    pixels = torch.rand((3, 1, 3, 5, 7), generator=chance)
    budget = Budget(levels=levels, norm=norm)  # type: ignore[arg-type]  # one of the two

    push = budget.inside(pixels + far * torch.randn(pixels.shape, generator=chance), pixels)

    moved = (push - pixels).flatten(1)
    size = moved.abs().amax(dim=1) if norm == "linf" else moved.square().mean(dim=1).sqrt()
    assert bool((size <= levels / WHITE + 1e-6).all())
    assert float(push.min()) >= 0
    assert float(push.max()) <= 1


def test_what_an_attack_finds_can_be_written_to_a_file() -> None:
    points, _ = climb(mean_victim(), flat_targets(LEVELS), Budget(levels=3), CLIMBS["pgd"])

    assert torch.equal((points * WHITE).round() / WHITE, points)


def test_the_square_attack_needs_answers_only() -> None:
    targets = flat_targets(LEVELS)

    _, harm = square(hidden_victim(), targets, Budget(levels=13), queries=400)

    assert int((harm <= 0).sum()) <= 1


def test_noise_is_no_attack_on_a_mean() -> None:
    _, harm = noise(mean_victim(), flat_targets(LEVELS, side=32), Budget(levels=8))

    assert int((harm <= 0).sum()) == len(LEVELS)


def test_one_push_fools_all_samples_of_a_class_and_none_of_the_other() -> None:
    dark = flat_targets([125, 126, 125, 126])
    mixed = flat_targets([125, 126, 129, 130])

    _, harm = universal(mean_victim(), dark, Budget(levels=4), batch=2)
    _, held = universal(mean_victim(), mixed, Budget(levels=4), batch=2)

    assert bool((harm > 0).all())
    assert int((held <= 0).sum()) >= 1


def test_a_score_is_inflated_by_the_whole_budget() -> None:
    outcome = run(score_victim(), flat_targets([60, 90, 120, 150]), EFFORT)

    assert outcome.figure("pgd-20", 8.0).value == pytest.approx(4 * 8 / WHITE, abs=1e-3)
    assert outcome.clean_figure().value == pytest.approx(1 + 4 * 105 / WHITE, abs=1e-3)


def test_the_ensemble_is_the_worst_for_every_sample() -> None:
    outcome = run(mean_victim(), flat_targets(LEVELS), EFFORT)

    for levels, worst in outcome.harm[ENSEMBLE].items():
        others = [
            harm[levels]
            for name, harm in outcome.harm.items()
            if name not in {ENSEMBLE, "noise", "pgd-50-l2"}
        ]
        assert worst.tolist() == pytest.approx(max(others, key=lambda one: one.sum()).tolist())
    assert outcome.figure(ENSEMBLE, 2.0).value == 0.75
    assert outcome.figure(ENSEMBLE, 8.0).value == 0.25


def test_a_network_with_slopes_is_not_called_masked() -> None:
    masking = check_masking(run(mean_victim(), flat_targets(LEVELS), EFFORT))

    assert all(one.passed for one in masking.checks)
    assert "No sign" in masking.conclusion
    assert list(masking.ladder.values()) == sorted(masking.ladder.values())


def test_a_network_without_slopes_is_called_masked() -> None:
    masking = check_masking(run(hidden_victim(), flat_targets(LEVELS), EFFORT))

    failed = {one.name for one in masking.checks if not one.passed}
    assert "no budget, no defence" in failed
    assert "square is no stronger than pgd-50" in failed
    assert "weaker than it looks" in masking.conclusion


def test_certified_radii_stay_below_the_true_distance_and_come_near() -> None:
    targets = flat_targets([127, 128, 150])
    length = (3 * 8 * 8) ** 0.5
    farthest = (150 - 127.5) / WHITE * length

    found = certify(mean_victim(), targets, EFFORT, sigma_levels=64, draws=200)

    assert 1.0 < farthest < 1.5
    assert found.accuracy[0.0].value >= 1 / 3
    assert found.accuracy[0.25].value == pytest.approx(1 / 3)
    assert found.accuracy[1.5].value == 0
