"""Training: what it leaves behind, that it repeats itself, and how it fails."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reelcheck.errors import SettingError
from reelcheck.lab.data.sampler import EpochSampler
from reelcheck.lab.engine.run import train
from reelcheck.lab.errors import TrainingError
from reelcheck.lab.recipe import Recipe, load_recipe

TINY = {
    "name": "tiny",
    "seed": 3,
    "data": {"task": "motion-classes", "train_count": 12, "test_count": 6, "difficulty": 0.1},
    "input": {"frames": 4, "size_px": [32, 32]},
    "network": {"name": "tsm", "options": {"width_mult": 0.1, "norm": "group"}},
    "training": {"epochs": 2, "batch": 4, "rate": 1e-3},
}


def recipe(**training: object) -> Recipe:
    part = TINY["training"]
    assert isinstance(part, dict)
    return Recipe.model_validate({**TINY, "training": {**part, **training}})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(folder / "network.pt", weights_only=True)
    return state


def test_a_training_leaves_weights_a_checkpoint_and_a_record(tmp_path: Path) -> None:
    train(recipe(), out=tmp_path)

    run = json.loads((tmp_path / "run.json").read_text())
    assert run["recipe"]["network"]["name"] == "tsm"
    assert run["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert weights(tmp_path)
    assert (tmp_path / "last.ckpt").is_file()
    assert "val_loss" in (tmp_path / "log" / "metrics.csv").read_text()


def test_the_same_recipe_gives_the_same_weights(tmp_path: Path) -> None:
    for name in ("a", "b"):
        train(recipe(), out=tmp_path / name)

    first, second = weights(tmp_path / "a"), weights(tmp_path / "b")
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    train(recipe(epochs=3), out=whole)
    stopped = _stop_after(2, parted)
    assert stopped

    train(recipe(epochs=3), out=parted, resume=True)

    one, other = weights(whole), weights(parted)
    worst = max(float((one[key].float() - other[key].float()).abs().max()) for key in one)
    assert worst <= 1e-6


def _stop_after(epochs: int, folder: Path) -> bool:
    """Train the three epochs, but lose the process during the last."""
    from reelcheck.lab.engine import lesson  # noqa: PLC0415 - only here

    class Lost(Exception):  # noqa: N818 - an event, not an error
        pass

    original = lesson.Lesson.training_step

    def step(self: lesson.Lesson, batch: object, batch_index: int) -> torch.Tensor:
        if self.current_epoch == epochs:
            raise Lost
        return original(self, batch, batch_index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lesson.Lesson, "training_step", step)
        try:
            train(recipe(epochs=3), out=folder)
        except Lost:
            return True
    return False


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    train(recipe(epochs=1), out=tmp_path)

    with pytest.raises(SettingError, match="another recipe"):
        train(recipe(epochs=2), out=tmp_path, resume=True)


def test_there_must_be_a_training_to_resume(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no training"):
        train(recipe(), out=tmp_path, resume=True)


def test_a_loss_that_is_no_number_stops_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="loss became") as failure:
        train(recipe(rate=1e30, clip_norm=0, epochs=6, warmup_epochs=0), out=tmp_path)

    assert "training.rate" in failure.value.hint


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1", "unknown|Extra inputs"),
        ("name = ", "recipe"),
        ('name = "a"\n[data]\ntask = "t"\nmanifest = "m.csv"\n[network]\nname = "tsm"', "either"),
        ('name = "a"\n[data]\ntask = "t"\n[network]\nname = "tsm"\n[training]\nlr = 1', "lr"),
    ],
)
def test_a_wrong_recipe_is_refused_by_the_key(text: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)

    with pytest.raises(SettingError, match=complaint):
        load_recipe(path)


@given(st.integers(1, 60), st.integers(1, 5), st.integers(0, 9))
def test_processes_share_one_order_without_overlap(count: int, world: int, epoch: int) -> None:
    parts = []
    for rank in range(world):
        sampler = EpochSampler([0] * count, seed=1, rank=rank, world=world)
        sampler.epoch = epoch
        parts.append(list(sampler))
        assert len(parts[-1]) == len(sampler)

    together = [part[at] for at in range(len(parts[0])) for part in parts]
    alone = EpochSampler([0] * count, seed=1)
    alone.epoch = epoch
    assert together == list(alone)[: len(together)]
    assert len(set(together)) == len(together)


def test_balanced_classes_are_drawn_equally_often() -> None:
    labels = [0] * 950 + [1] * 50
    drawn = list(EpochSampler(labels, seed=0, balance="classes"))

    share = sum(labels[one] for one in drawn) / len(drawn)
    assert 0.42 < share < 0.58
