"""``reelcheck lab leak`` on a network that has learnt its samples by heart."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from reelcheck.errors import SettingError
from reelcheck.lab.commands import app
from reelcheck.lab.data.chosen import Chosen
from reelcheck.lab.engine.refit import refit, steps_of
from reelcheck.lab.engine.run import fresh_network, load_trained, train
from reelcheck.lab.leak.membership import membership
from reelcheck.lab.recipe import Recipe

PLAN = Recipe.model_validate(
    {
        "name": "leaky",
        "seed": 2,
        "data": {
            "task": "shapes-classes",
            "train_count": 48,
            "test_count": 32,
            "difficulty": 1.0,
        },
        "input": {"frames": 1, "size_px": (32, 32)},
        "network": {"name": "resnet8", "options": {"width": 8, "stride": 16}},
        "training": {"epochs": 20, "batch": 16, "rate": 5e-3, "weight_decay": 0.0},
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("leaky")
    train(PLAN, out=place)
    return place


def run(*words: str | Path) -> str:
    done = CliRunner().invoke(app, ["leak", *map(str, words)])
    if done.exception:
        raise done.exception
    return done.output


def test_a_network_that_knows_its_samples_by_heart_leaks_them(folder: Path) -> None:
    told = run("membership", folder, "--shadows", "2")

    found = json.loads((folder / "leak-membership.json").read_text())
    areas = {(one["attack"], one["shown"]): one["figures"]["auc"] for one in found["leaks"]}
    assert set(areas) == {
        (attack, shown)
        for attack in ("confidence", "likelihood")
        for shown in ("full", "rounded to 2", "labels")
    }
    assert areas["confidence", "full"]["low"] > 0.5
    assert (found["members"], found["others"]) == (48, 48)
    assert "too few others" in told  # for a rate of 0.1 %


def test_a_copy_is_measured_for_each_way_of_answering(folder: Path) -> None:
    told = run("extraction", folder, "--queries", "20", "--digits", "1")

    found = json.loads((folder / "leak-extraction.json").read_text())
    assert [(one["queries"], one["shown"]) for one in found["copies"]] == [
        (20, shown) for shown in ("full", "rounded to 1", "labels")
    ]
    assert all(0 <= one["agreement"]["value"] <= 1 for one in found["copies"])
    assert "drawn anew" in told


def test_shadows_come_in_pairs(folder: Path) -> None:
    plan, trained = load_trained(folder)

    with pytest.raises(SettingError, match="pairs"):
        membership(plan, trained, shadows=3, digits=2, tell=print)


def test_quality_networks_are_refused(folder: Path) -> None:
    plan, trained = load_trained(folder)
    trained.network.kind = "quality"  # type: ignore[assignment]  # what quality networks say

    with pytest.raises(SettingError, match="classifiers only"):
        membership(plan, trained, shadows=0, digits=2, tell=print)


def test_a_copy_that_learns_from_probabilities_moves_towards_them(folder: Path) -> None:
    plan, trained = load_trained(folder)
    torch.manual_seed(1)
    network = fresh_network(plan, trained.data)
    even = torch.full((32, 4), 0.25)

    steps = refit(
        network,
        plan,
        Chosen(trained.data.train, range(32), answers=even),
        classes=4,
        steps=30,
    )

    told = network(torch.stack([trained.data.train[one][0] for one in range(32)])).softmax(dim=1)
    assert steps == 30
    assert np.allclose(told.detach().numpy(), 0.25, atol=0.15)


@pytest.mark.parametrize(("count", "steps"), [(48, 60), (15, 20), (16, 20), (33, 40)])
def test_steps_are_those_of_the_training(count: int, steps: int) -> None:
    assert steps_of(PLAN, count) == steps
