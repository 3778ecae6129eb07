"""Every recipe of the examples, and the trial of every network, trains; here on a few samples."""

from pathlib import Path

import pytest

from reelcheck.errors import SettingError
from reelcheck.lab.compare import Task, measure_one
from reelcheck.lab.engine.run import train
from reelcheck.lab.networks import build, table
from reelcheck.lab.recipe import Recipe, load_recipe
from reelcheck.lab.trials import trial_recipe

RECIPES = sorted((Path(__file__).parents[2] / "examples" / "recipes").glob("*.toml"))


def shortened(recipe: Recipe) -> Recipe:
    data = recipe.data.model_copy(update={"train_count": 8, "test_count": 8})
    training = recipe.training.model_copy(update={"epochs": 1, "batch": 4})
    return recipe.model_copy(update={"data": data, "training": training})


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_an_example_trains(path: Path, tmp_path: Path) -> None:
    recipe = load_recipe(path)

    train(shortened(recipe), out=tmp_path)

    assert recipe.name == path.stem
    assert (tmp_path / "network.pt").is_file()


def test_every_network_has_an_example() -> None:
    assert {load_recipe(path).network.name for path in RECIPES} == set(table())


@pytest.mark.parametrize("name", sorted(table()))
def test_every_network_has_a_trial(name: str) -> None:
    kind = str(build(name, outputs=3).kind)

    recipe = trial_recipe(name, kind, samples=64, epochs=1)

    assert recipe.network.name == name


def test_a_trial_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(SettingError, match="smell"):
        trial_recipe("nose", "smell", samples=64, epochs=1)


def test_a_row_tells_cost_and_score() -> None:
    row = measure_one("deepsense", 2, 32, Task(samples=64, epochs=1))

    assert row.parameters > 0
    assert row.macs > 0
    assert row.trial is not None
    assert row.trial.task == "streams"
    assert "top1" in str(row)
