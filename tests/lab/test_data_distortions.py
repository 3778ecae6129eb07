"""Quality ladders: what is added is what the score says, and kinds cost alike."""

import itertools

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from reelcheck.errors import SettingError
from reelcheck.lab.data.sources import open_data
from reelcheck.lab.recipe import Recipe
from reelcheck.lab.tasks import distortions


def ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Mean structural similarity of luma, Wang et al. 2004, Gaussian window of 1.5 px."""
    weights = np.array([0.299, 0.587, 0.114])
    x, y = one @ weights, other @ weights
    mean_x, mean_y = gaussian_filter(x, 1.5), gaussian_filter(y, 1.5)
    var_x = gaussian_filter(x * x, 1.5) - mean_x**2
    var_y = gaussian_filter(y * y, 1.5) - mean_y**2
    both = gaussian_filter(x * y, 1.5) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    top = (2 * mean_x * mean_y + c1) * (2 * both + c2)
    return float((top / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean())


@pytest.fixture(scope="module")
def scenes() -> list[np.ndarray]:
    return [distortions.scene_frames(scene, seed=5, frames=1) for scene in range(10)]


@pytest.mark.parametrize("kind", distortions.KINDS)
def test_equal_strength_costs_equal_similarity_whatever_the_kind(
    kind: str, scenes: list[np.ndarray]
) -> None:
    costs = []
    for strength in (0.1, 0.5, 1.0):
        rng = np.random.default_rng(0)
        changed = [distortions.distort(one, kind, strength=strength, rng=rng)[0] for one in scenes]
        pairs = zip(scenes, changed, strict=True)
        costs.append(1 - np.mean([ssim(one[0], other) for one, other in pairs]))

    assert costs[0] < costs[1] < costs[2]
    assert costs[1:] == pytest.approx([0.2, 0.4], abs=0.05)


def test_a_ladder_is_one_scene_whose_scores_fall_step_by_step() -> None:
    steps = [distortions.truth(index, seed=3) for index in range(6, 12)]

    assert len({one.group for one in steps}) == len({one.kind for one in steps}) == 1
    assert steps[0].score == 5
    assert all(one.score > other.score for one, other in itertools.pairwise(steps))
    assert all(one.score == 5 - 4 * one.strength for one in steps)
    assert {distortions.truth(6 * scene, seed=3).kind for scene in range(6)} == set(
        distortions.KINDS
    )


def test_the_first_step_is_the_scene_itself_and_frames_move() -> None:
    clip, second, *_ = distortions.ladder(2, seed=3, frames=3, size_px=64)

    assert (second != clip).any()
    assert (clip == distortions.scene_frames(2, seed=3, frames=3, size_px=64)).all()
    assert clip.shape == (3, 64, 64, 3)
    assert np.abs(clip[0].astype(int) - clip[1]).mean() > 1


def recipe(**augmentation: float) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "ladders",
            "data": {"task": "distortions", "train_count": 12, "test_count": 6},
            "input": {"frames": 2, "size_px": [48, 40], "fragments_grid": 2, "fragments_px": 16},
            "augmentation": augmentation,
            "network": {"name": "quality"},
        }
    )


def test_samples_are_fragments_glance_and_score() -> None:
    data = open_data(recipe())
    (fragments, glance), score, number = data.test[4]

    assert fragments.shape == (2, 3, 32, 32)
    assert glance.shape == (3, 40, 48)
    assert (score.dtype.is_floating_point, number) == (True, 4)
    assert float(score) == pytest.approx(data.test.labels[4])
    assert data.fits == {"quality"}
    assert data.classes == ()


def test_training_draws_fragments_anew_each_epoch_and_the_test_does_not() -> None:
    data = open_data(recipe(flip=0.5))
    seen = {}
    for epoch in (0, 1):
        data.train.epoch = data.test.epoch = epoch
        seen[epoch] = data.train[0][0][0], data.test[0][0][0]

    assert not seen[0][0].equal(seen[1][0])
    assert seen[0][1].equal(seen[1][1])


@pytest.mark.parametrize("name", ["colour", "recompress"])
def test_an_augmentation_that_changes_quality_is_refused(name: str) -> None:
    with pytest.raises(SettingError, match="change the quality"):
        open_data(recipe(**{name: 0.5}))
