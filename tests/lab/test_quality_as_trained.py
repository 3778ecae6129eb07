"""The analyzer shows its network the same picture as training did."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reelcheck.analyzers.quality import Judge
from reelcheck.lab.data.prepare import PrepareQuality
from reelcheck.lab.recipe import load_recipe
from reelcheck.models.card import load_card

RECIPE = Path(__file__).parents[2] / "recipes" / "quality.toml"


class Listening:
    """A network that keeps what it is shown."""

    sha256 = ""

    def __init__(self) -> None:
        self.shown: list[NDArray[Any]] = []

    def run(
        self, tensor: NDArray[Any], extra: Mapping[str, NDArray[Any]] | None = None
    ) -> NDArray[np.float32]:
        self.shown = [tensor[0], *(part[0] for part in (extra or {}).values())]
        return np.zeros((1, len(load_card("quality").output.labels)), dtype=np.float32)


@pytest.mark.parametrize(
    ("height", "width"), [(256, 384), (1080, 1920), (333, 517), (150, 900), (48, 48), (200, 130)]
)
def test_fragments_and_glance_are_those_of_training(height: int, width: int) -> None:
    grey = np.random.default_rng(height).integers(30, 255, (height, width), dtype=np.uint8)
    network = Listening()

    Judge(load_card("quality"), network)(grey)
    trained = PrepareQuality(load_recipe(RECIPE).input)(np.repeat(grey[None, ..., None], 3, axis=3))

    assert len(network.shown) == len(trained) == 2
    for shown, prepared in zip(network.shown, trained, strict=True):
        assert shown.shape == tuple(prepared.shape)
        assert np.allclose(shown, prepared.numpy(), atol=1e-6)
