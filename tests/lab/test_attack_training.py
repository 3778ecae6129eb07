"""Training against an attacker, and the command that attacks what came of it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from reelcheck.errors import SettingError
from reelcheck.lab.commands import main
from reelcheck.lab.engine.adversarial import divergence, noisy, worst_nearby
from reelcheck.lab.engine.run import train
from reelcheck.lab.recipe import AdversarialPart, InputPart, Recipe, load_recipe

SEEN = InputPart(frames=1, size_px=(8, 8))
TINY: dict[str, Any] = {
    "name": "tiny",
    "data": {"task": "shapes-classes", "train_count": 96, "test_count": 24, "difficulty": 0.0},
    "input": {"frames": 1, "size_px": [32, 32]},
    "network": {"name": "resnet8", "options": {"width": 8}},
    "training": {"epochs": 3, "batch": 16, "rate": 3e-3},
}


def recipe(**training: Any) -> Recipe:  # noqa: ANN401 - parts of a recipe
    return Recipe.model_validate({**TINY, "training": {**TINY["training"], **training}})


class Linear(nn.Module):
    """Two classes told apart by the mean of all values."""

    kind = "clip"

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(1, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.flatten(1).mean(dim=1)
        return torch.stack((-5 * mean, 5 * mean), dim=1)


def _inputs(seed: int = 0) -> Tensor:
    levels = 255 * torch.rand((4, 1, 3, 8, 8), generator=torch.Generator().manual_seed(seed))
    return (levels - torch.tensor(SEEN.mean)[:, None, None]) / torch.tensor(SEEN.scale)[
        :, None, None
    ]


@pytest.mark.parametrize("method", ["pgd-at", "trades"])
def test_the_point_that_is_learned_lies_within_the_budget_in_levels(method: str) -> None:
    part = AdversarialPart.model_validate({"method": method, "epsilon_levels": 6, "steps": 4})
    inputs = _inputs()

    nearby = worst_nearby(Linear(), inputs, torch.eye(2)[[0, 1, 0, 1]], part, SEEN)

    scale, mean = (torch.tensor(one)[:, None, None] for one in (SEEN.scale, SEEN.mean))
    assert float(((nearby - inputs) * scale).abs().max()) <= 6 + 1e-3
    assert float((nearby * scale + mean).min()) >= -1e-3
    assert float((nearby * scale + mean).max()) <= 255 + 1e-3


def test_the_ascent_of_a_linear_network_ends_in_the_corner() -> None:
    part = AdversarialPart(epsilon_levels=6, steps=6, step_levels=3)
    inputs = torch.zeros((2, 1, 3, 8, 8))

    nearby = worst_nearby(Linear(), inputs, torch.eye(2), part, SEEN)

    scale = torch.tensor(SEEN.scale)[:, None, None]
    torch.testing.assert_close(nearby[0] * scale, torch.full((1, 3, 8, 8), 6.0))
    torch.testing.assert_close(nearby[1] * scale, torch.full((1, 3, 8, 8), -6.0))


def test_a_network_is_in_training_again_after_the_ascent() -> None:
    network = Linear().train()

    worst_nearby(network, _inputs(), torch.eye(2)[[0, 1, 0, 1]], AdversarialPart(steps=1), SEEN)

    assert network.training
    assert network.norm.training


def test_divergence_is_that_of_kullback_and_leibler() -> None:
    clean, nearby = torch.tensor([[1.0, 0.0, 2.0]]), torch.tensor([[0.0, 1.0, 0.0]])
    p, q = clean.softmax(dim=1), nearby.softmax(dim=1)

    assert float(divergence(clean, clean)) == pytest.approx(0, abs=1e-6)
    assert float(divergence(clean, nearby)) == pytest.approx(float((p * (p / q).log()).sum()))


def test_noise_has_the_levels_of_the_recipe() -> None:
    plan = recipe(smoothing={"sigma_levels": 40})
    inputs = torch.zeros((64, 1, 3, 32, 32))

    spread = noisy(inputs, plan).std(dim=(0, 1, 3, 4)) * torch.tensor(plan.input.scale)

    assert spread.tolist() == pytest.approx([40, 40, 40], rel=0.02)
    assert torch.equal(noisy(inputs, recipe()), inputs)


@pytest.mark.parametrize(
    "lines",
    [
        "[training.adversarial]\nepsilon = 8",
        '[training.adversarial]\nmethod = "free"',
        "[training.adversarial]\nepsilon_levels = 0",
        "[training.smoothing]\nsigma = 0.1",
    ],
)
def test_misspelt_defences_are_refused(lines: str, tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    head = 'name = "a"\n[data]\ntask = "shapes-classes"\n[network]\nname = "resnet8"\n'
    path.write_text(head + lines)

    with pytest.raises(SettingError, match=re.escape("training.")):
        load_recipe(path)


def test_a_network_that_takes_no_pictures_cannot_be_hardened(tmp_path: Path) -> None:
    plan = Recipe.model_validate(
        {
            **TINY,
            "data": {"task": "streams", "train_count": 8, "test_count": 4},
            "network": {"name": "deepsense"},
            "training": {"adversarial": {}},
        }
    )

    with pytest.raises(SettingError, match="'streams'"):
        train(plan, out=tmp_path)


@pytest.fixture(scope="module")
def hardened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("hardened")
    part = {"method": "trades", "steps": 1, "step_levels": 4, "epsilon_levels": 4}
    train(recipe(adversarial=part, smoothing={"sigma_levels": 16}), out=out)
    return out


def test_a_hardened_training_can_be_repeated(hardened: Path, tmp_path: Path) -> None:
    plan = Recipe.model_validate(json.loads((hardened / "run.json").read_text())["recipe"])
    train(plan, out=tmp_path)

    first, second = (
        torch.load(folder / "network.pt", weights_only=True) for folder in (hardened, tmp_path)
    )
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_the_command_writes_figures_checks_and_pictures(
    hardened: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = [
        "--samples",
        "8",
        "--restarts",
        "1",
        "--queries",
        "5",
        "--budget",
        "4",
        "--budget",
        "8",
    ]
    main(["attack", str(hardened), *sizes, "--out", str(tmp_path)])

    record = json.loads((tmp_path / "tiny" / "attack.json").read_text())
    page = (tmp_path / "tiny" / "attack.html").read_text()
    assert record["samples"] == 8
    assert {"fgsm", "pgd-50", "mi-fgsm-10", "square", "universal", "ensemble"} <= set(
        record["attacks"]
    )
    for levels in ("4", "8"):
        worst = record["attacks"]["ensemble"][levels]["value"]
        assert worst <= min(record["attacks"][one][levels]["value"] for one in ("fgsm", "square"))
    assert record["masking"]["conclusion"]
    assert record["certified"]["sigma_levels"] == 16
    assert page.count("data:image/png") >= 3
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert record["masking"]["conclusion"] in capsys.readouterr().out


@pytest.mark.parametrize("name", ["nowhere", "moving-look"])
def test_what_cannot_be_attacked_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=name) as caught:
        main(["attack", name, "--out", str(tmp_path)])

    assert type(caught.value).__module__.startswith("reelcheck.")


def test_the_network_learns_from_the_moved_points_and_not_from_the_clean_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    real = functional.cross_entropy

    def listening(logits: Tensor, *rest: Any, **named: Any) -> Tensor:  # noqa: ANN401 - as torch's
        loss = real(logits, *rest, **named)
        if logits.requires_grad and named.get("reduction") != "sum":
            seen.append(float(loss.detach()))
        return loss

    monkeypatch.setattr(functional, "cross_entropy", listening)
    losses = {}
    for name, part in (
        ("plain", None),
        ("hard", {"epsilon_levels": 64, "step_levels": 32, "steps": 3}),
    ):
        seen.clear()
        train(recipe(epochs=1, adversarial=part), out=tmp_path / name)
        losses[name] = sum(seen[:6])

    assert losses["hard"] > losses["plain"] + 0.5
