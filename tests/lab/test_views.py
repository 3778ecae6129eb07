"""Clips, shown to networks that were made for something else."""

import pytest
import torch
from torch import Tensor

from reelcheck.errors import SettingError
from reelcheck.lab.networks import build
from reelcheck.lab.networks.views import (
    DIRECTIONS,
    DISPLACEMENTS_PX,
    MOTION_BINS,
    EachPicture,
    fitted,
    motion,
)

MOVES = {"right": (1, 0), "left": (-1, 0), "up": (0, -1), "down": (0, 1)}


def moving(columns: int, rows: int, *, frames: int = 5) -> Tensor:
    """A window on a random picture; what is seen moves by (columns, rows) per frame."""
    texture = torch.rand((3, 200, 200), generator=torch.Generator().manual_seed(0))
    starts = [(80 - rows * at, 80 - columns * at) for at in range(frames)]
    return torch.stack([texture[:, t : t + 32, left : left + 32] for t, left in starts])[None]


@pytest.mark.parametrize("length", DISPLACEMENTS_PX)
@pytest.mark.parametrize("direction", MOVES)
def test_a_shift_answers_in_its_own_bin(length: int, direction: str) -> None:
    columns, rows = MOVES[direction]

    found = motion(moving(columns * length, rows * length))[0]

    own = DISPLACEMENTS_PX.index(length) * len(DIRECTIONS) + list(DIRECTIONS).index(direction)
    assert found.shape == (5, MOTION_BINS)
    assert (found[1:].argmax(dim=1) == own).all()
    assert torch.allclose(found[1:, own], torch.ones(4), atol=1e-3)
    assert (found[0] == 0).all()


def test_flat_pictures_and_a_single_one_have_no_motion() -> None:
    assert (motion(torch.full((2, 3, 3, 32, 32), 0.3)).abs() < 1e-3).all()
    assert motion(torch.rand(2, 1, 3, 32, 32)).shape == (2, 1, MOTION_BINS)


def test_a_network_of_pictures_tells_the_mean_of_its_pictures() -> None:
    network = build("mobilenet_v2", outputs=3, options={"width_mult": 0.25}).eval()
    clip = torch.rand(2, 4, 3, 32, 32)

    told = fitted(network, {"clip"})(clip)

    expected = torch.stack([network(clip[:, at]) for at in range(4)]).mean(dim=0)
    assert torch.allclose(told, expected, atol=1e-5)


def test_the_second_head_of_inception_is_kept_in_training() -> None:
    network = fitted(build("inception_v3", outputs=3), {"clip"}).train()

    main, aux = network(torch.rand(2, 1, 3, 80, 80))

    assert main.shape == aux.shape == (2, 3)


@pytest.mark.parametrize("size_px", [16, 32, 48])
def test_deepsense_names_clips_of_any_size(size_px: int) -> None:
    network = fitted(build("deepsense", outputs=3), {"clip"}).eval()

    assert network(torch.rand(2, 5, 3, size_px, size_px)).shape == (2, 3)


def test_a_network_that_does_not_fit_is_refused_with_what_would() -> None:
    with pytest.raises(SettingError, match="boxes") as failure:
        fitted(build("yolo", outputs=3), {"clip"})

    assert "clip" in failure.value.hint
    assert not isinstance(fitted(build("tsn", outputs=3), {"clip"}), EachPicture)
