"""Frozen trunks are run ahead of the training, and causes are learned beside scores."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reelcheck.errors import SettingError
from reelcheck.lab.data.manifest import Row, write_manifest
from reelcheck.lab.engine.lesson import quality_loss
from reelcheck.lab.engine.run import load_trained, train
from reelcheck.lab.evaluation.rows import predict
from reelcheck.lab.export.bundle import export_bundle
from reelcheck.lab.networks.quality_lite0 import QualityLite0, build_quality_lite0
from reelcheck.lab.recipe import Recipe
from reelcheck.media.synth import write_video
from reelcheck.models.card import parse_card

CAUSES = ("blur", "noise")


def picture(seed: int, *, cause: str, strength: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    grey = np.kron(rng.integers(0, 255, (16, 16)), np.ones((5, 5)))
    if cause == "noise":
        grey = grey + 25 * strength * rng.standard_normal(grey.shape)
    for _ in range(4 * strength if cause == "blur" else 0):
        grey = (grey + np.roll(grey, 1, 0) + np.roll(grey, 1, 1)) / 3
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ladders")
    rows = []
    for scene in range(6):
        for cause in CAUSES:
            for strength in (0, 1, 2):
                file = f"{scene}-{cause}-{strength}.mkv"
                shown = picture(scene, cause=cause, strength=strength)
                write_video(folder / file, ((shown, tick) for tick in range(2)))
                part = {4: "validation", 5: "test"}.get(scene, "train")
                rows.append(
                    Row(
                        file=file,
                        label=cause,
                        score=5.0 - 2 * strength,
                        group=str(scene),
                        split=part,
                    )
                )
    write_manifest(rows, folder / "clips.csv")
    return folder / "clips.csv"


def recipe_of(manifest: Path, *, draws: int, trained_blocks: int = 0) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "small",
            "data": {"manifest": manifest, "target": "score"},
            "input": {
                "frames": 1,
                "size_px": [32, 32],
                "fragments_grid": 2,
                "fragments_px": 32,
                "mean": [127, 127, 127],
                "scale": [128, 128, 128],
            },
            "network": {
                "name": "quality_lite0",
                "options": {"grid": 2, "trained_blocks": trained_blocks},
            },
            "training": {"epochs": 2, "batch": 8, "described_draws": draws},
        }
    )


def test_a_frozen_trunk_is_described_ahead_and_only_the_head_learns(
    manifest: Path, tmp_path: Path
) -> None:
    trained = train(recipe_of(manifest, draws=2), out=tmp_path)
    torch.manual_seed(0)
    fresh = {name: one.clone() for name, one in trained.network.named_parameters()}

    again = train(recipe_of(manifest, draws=2), out=tmp_path / "again").network

    assert all(torch.equal(fresh[name], one) for name, one in again.named_parameters())
    assert all(not one.requires_grad for one in again.trunk.parameters())  # type: ignore[union-attr]
    seen = again.head.fragment[0].running_var  # type: ignore[union-attr, index]
    assert not torch.equal(seen, torch.ones_like(seen)), "the head was asleep while it learned"
    _, read_back = load_trained(tmp_path)
    rows = predict(read_back.network, read_back.data.test, batch=4)
    assert rows.scores.shape == (6, 3)
    assert rows.opinions.tolist() == [5.0, 3.0, 1.0] * 2


def test_descriptions_of_a_trunk_that_learns_are_refused(manifest: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="a trunk that does not learn"):
        train(recipe_of(manifest, draws=2, trained_blocks=1), out=tmp_path)


def test_descriptions_of_a_network_without_a_trunk_are_refused(
    manifest: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(manifest, draws=1)
    other = recipe.network.model_copy(update={"name": "quality", "options": {"width_mult": 0.1}})

    with pytest.raises(SettingError, match="has no trunk"):
        train(recipe.model_copy(update={"network": other}), out=tmp_path)


def test_the_card_names_the_causes(manifest: Path, tmp_path: Path) -> None:
    recipe = recipe_of(manifest, draws=1)
    trained = train(recipe, out=tmp_path / "run")

    folder = export_bundle(
        recipe, trained, figures={}, licence="Apache-2.0", out=tmp_path / "judge"
    )

    card = parse_card((folder / "card.toml").read_text("utf-8"), where="judge")
    assert card.output.labels == ("score", "lower", "upper", *CAUSES)
    assert card.output.kind == "quality"


def test_a_wrong_cause_costs_and_a_right_one_does_not() -> None:
    judged = torch.tensor([[3.0, 2.9, 3.1, 9.0, -9.0]])
    blamed = torch.tensor([[3.0, 0.0]]), torch.tensor([[3.0, 1.0]])

    right, wrong = (float(quality_loss(judged, one)) for one in blamed)

    assert right == pytest.approx(float(quality_loss(judged[:, :3], torch.tensor([3.0]))), abs=1e-4)
    assert wrong - right == pytest.approx(1.8, abs=0.01)


def network() -> QualityLite0:
    torch.manual_seed(3)
    return build_quality_lite0(outputs=2, grid=2).eval()


def test_colour_does_not_count() -> None:
    torch.manual_seed(1)
    grey_fragments, grey_glance = torch.randn(2, 1, 1, 64, 64), torch.randn(2, 1, 32, 32)
    colour = torch.tensor([0.587, -0.299, 0.0])[:, None, None]  # of no brightness

    plain = network()(grey_fragments.expand(-1, -1, 3, -1, -1), grey_glance.expand(-1, 3, -1, -1))
    tinted = network()(grey_fragments + colour, grey_glance + colour)

    assert torch.allclose(plain, tinted, atol=1e-4)


def test_fragments_may_stand_in_any_order() -> None:
    torch.manual_seed(2)
    fragments, glance = torch.randn(1, 1, 3, 64, 64), torch.randn(1, 3, 32, 32)
    swapped = torch.cat((fragments[..., 32:], fragments[..., :32]), dim=-1)

    assert torch.allclose(network()(fragments, glance), network()(swapped, glance), atol=1e-5)


def test_the_interval_holds_the_score_whatever_the_margin() -> None:
    torch.manual_seed(4)
    judge = network()
    judge.head.margin.fill_(-5.0)

    told = judge(torch.randn(4, 1, 3, 64, 64), torch.randn(4, 3, 32, 32))

    assert (told[:, 1] <= told[:, 0]).all()
    assert (told[:, 0] <= told[:, 2]).all()
