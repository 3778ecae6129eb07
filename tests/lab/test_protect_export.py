"""What the lab exports carries probes, which the exported model answers and another does not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from protected_bundles import Direct, changed_weights
from reelcheck.lab.engine.run import train
from reelcheck.lab.export.bundle import export_bundle
from reelcheck.lab.export.int8 import export_int8
from reelcheck.lab.recipe import Recipe
from reelcheck.models.protect.probes import MARGIN, WIDE_MARGIN, ask
from reelcheck.models.session import open_session
from reelcheck.models.store import card_of_bundle, read_parts, read_probes

RECIPES: dict[str, dict[str, Any]] = {
    "clip": {
        "data": {"task": "motion-classes", "train_count": 7, "test_count": 7, "clip_seconds": 0.5},
        "input": {"frames": 4, "size_px": [32, 32]},
        "network": {"name": "tsm", "options": {"width_mult": 0.1}},
        "training": {"epochs": 1, "batch": 7},
    },
    "streams": {
        "data": {"task": "streams", "train_count": 8, "test_count": 8},
        "network": {"name": "deepsense", "options": {"width": 8, "hidden": 6}},
        "training": {"epochs": 1, "batch": 8},
    },
}


def noisy(values: NDArray[np.float32]) -> NDArray[Any]:
    rng = np.random.default_rng(values.size)
    return values * (1 + 0.01 * rng.normal(size=values.shape))


@pytest.mark.parametrize("kind", RECIPES)
def test_an_exported_bundle_carries_probes_that_tell_other_weights(
    kind: str, tmp_path: Path
) -> None:
    recipe = Recipe.model_validate({"name": kind, "seed": 2, **RECIPES[kind]})
    trained = train(recipe, out=tmp_path / "run")
    floats, ints = tmp_path / "floats", tmp_path / "ints"
    export_bundle(recipe, trained, figures={"x": "1"}, licence="MIT", out=floats)
    export_int8(recipe, trained, float_bundle=floats, out=ints)

    for folder, margin in ((floats, MARGIN), (ints, WIDE_MARGIN)):
        card = card_of_bundle(folder)
        probes = read_probes(card, folder=folder)
        assert probes is not None
        assert probes.margin == margin
        for batch in (1, 2, 4):
            session = open_session(card, folder=folder)
            assert ask(probes, card, session, batch=batch).worst < margin / 10
    card = card_of_bundle(floats)
    probes = read_probes(card, folder=floats)
    assert probes is not None
    model = read_parts(card, folder=floats).content[card.weights.file]
    assert not ask(probes, card, Direct(changed_weights(model, noisy), card)).sound
    broken = read_parts(card_of_bundle(ints), folder=ints).content["model.onnx"]
    assert not ask(probes, card, Direct(broken, card)).sound, "another number format is told too"
