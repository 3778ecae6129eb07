"""What follows from a key, and how a layer is read."""

import hashlib

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from reelcheck.errors import SettingError
from reelcheck.lab.watermark.secret import BITS, TRIGGERS, Secret
from reelcheck.lab.watermark.weights import MarkLoss, bit_errors, carrier_of

KEY = Secret(bytes(range(32)))
OTHER = Secret(bytes(range(1, 33)))


def marked_layer(secret: Secret, filters: int = 64) -> nn.Module:
    """A layer whose mark was pulled over zero without any task."""
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(64, filters, 3, bias=False))
    loss = MarkLoss(carrier_of(network, secret), secret)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(60):
        optimiser.zero_grad()
        loss(network).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return network


@pytest.fixture(scope="module")
def weights() -> NDArray[np.float32]:
    layer: NDArray[np.float32] = next(marked_layer(KEY).parameters()).detach().numpy()
    return layer


def test_a_key_gives_the_same_on_every_machine() -> None:
    """Recorded: a claim years later must find the same secret."""
    drawn = (KEY.message.tobytes(), KEY.answers(4).tobytes(), KEY.triggers(2, (8, 6)).tobytes())
    told = hashlib.sha256(b"".join(drawn)).hexdigest()

    assert told == "bdc9f85d10d592c27613678744b3230764601c16bdc2590c1798777aa6167e33"


def test_bits_answers_and_pictures_of_two_keys_have_nothing_in_common() -> None:
    assert abs(int(np.sum(KEY.message == OTHER.message)) - BITS / 2) < 50
    assert abs(np.mean(KEY.answers(4) == OTHER.answers(4)) - 0.25) < 0.2
    assert not np.array_equal(KEY.triggers(1, (32, 32)), OTHER.triggers(1, (32, 32)))


def test_a_secret_is_never_shown() -> None:
    assert "01" not in repr(KEY)
    assert KEY.key.hex() not in f"{KEY}"


def test_triggers_are_clips_that_move() -> None:
    clips = KEY.triggers(4, (32, 24))

    assert clips.shape == (TRIGGERS, 4, 24, 32, 3)
    assert clips.dtype == np.uint8
    assert np.any(clips[:, 0] != clips[:, 1])


def test_a_marked_layer_tells_all_bits_to_its_key_and_none_to_another(
    weights: NDArray[np.float32],
) -> None:
    assert bit_errors(weights, KEY) == 0
    assert 80 < bit_errors(weights, OTHER) < 176


@pytest.mark.parametrize(
    "change", ["scaled", "reordered", "halved", "rounded"], ids=lambda name: name
)
def test_a_mark_stays(weights: NDArray[np.float32], change: str) -> None:
    rng = np.random.default_rng(2)
    factors = rng.uniform(0.01, 100, (len(weights), 1, 1, 1)).astype(np.float32)
    step = np.abs(weights).max(axis=(1, 2, 3), keepdims=True) / 127
    changed = {
        "scaled": weights * factors,  # what folding batch norm does
        "reordered": weights[rng.permutation(len(weights))],
        "halved": np.where(np.abs(weights) > np.median(np.abs(weights)), weights, 0),
        "rounded": np.round(weights / step),
    }[change]

    assert bit_errors(changed, KEY) == 0


def test_a_mark_goes_when_the_inputs_are_reordered(weights: NDArray[np.float32]) -> None:
    """The documented limit."""
    order = np.random.default_rng(3).permutation(weights.shape[1])

    assert bit_errors(weights[:, order], KEY) > 80


def test_a_layer_of_zeros_is_no_mark() -> None:
    assert bit_errors(np.zeros((64, 64, 3, 3), dtype=np.float32), KEY) == BITS


def test_a_key_chooses_among_the_layers() -> None:
    network = nn.Sequential(*(nn.Conv2d(64, 64, 3) for _ in range(8)))

    chosen = {carrier_of(network, Secret(bytes([one] * 32))).name for one in range(40)}

    assert len(chosen) > 4


@pytest.mark.parametrize("layer", [nn.Conv2d(32, 64, 3), nn.Conv2d(64, 8, 3), nn.Linear(2000, 64)])
def test_a_network_without_room_is_refused(layer: nn.Module) -> None:
    with pytest.raises(SettingError, match="no layer has room"):
        carrier_of(nn.Sequential(layer), KEY)
