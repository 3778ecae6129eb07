"""``reelcheck lab attack``."""

from pathlib import Path
from typing import Annotated

import typer

from reelcheck.errors import SettingError
from reelcheck.lab.attack.battery import Effort, run
from reelcheck.lab.attack.certified import certify
from reelcheck.lab.attack.masking import check_masking
from reelcheck.lab.attack.pools import pictures_for
from reelcheck.lab.attack.report import Attacked, to_text, write
from reelcheck.lab.attack.shipped import shipped_victim
from reelcheck.lab.attack.victims import Targets, Victim, targets_of, victim_of
from reelcheck.lab.commands.app import app
from reelcheck.lab.engine.run import load_trained, train
from reelcheck.lab.evaluation.parts import samples_of
from reelcheck.lab.recipe import Recipe, load_recipe

_DRAWS = 200
_RECIPE = ".toml"


@app.command("attack")
def attack_network(  # noqa: PLR0913, PLR0917 - one parameter per option
    networks: Annotated[
        list[str],
        typer.Argument(help="Folders of trainings, recipes to train first, or stored models."),
    ],
    samples: Annotated[int, typer.Option(min=2, help="Of the test part.")] = 200,
    budget: Annotated[
        list[float] | None, typer.Option(min=0.5, max=255, help="In levels of 255; repeatable.")
    ] = None,
    restarts: Annotated[int, typer.Option(min=1, help="Of PGD-50.")] = 2,
    queries: Annotated[int, typer.Option(min=1, help="Of the square attack.")] = 300,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the reports; beside the training if not given.")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Of stored models: a folder of pictures and videos.")
    ] = None,
    sigma: Annotated[
        float, typer.Option(min=0, help="Certify with so many levels of noise; 0 as trained.")
    ] = 0.0,
) -> None:
    """Attack networks with all that there is; writes attack.json and attack.html.

    \b
    reelcheck lab attack runs/robust
    reelcheck lab attack runs/robust --samples 100 --budget 8
    reelcheck lab attack quality --pictures frames/ --out attacked
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    chosen = tuple(sorted(set(budget or Effort().budgets)))
    effort = Effort(budgets=chosen, restarts=restarts, queries=queries, seed=seed)
    for name in networks:
        victim, targets, plan, folder = _opened(name, samples, pictures, out)
        outcome = run(victim, targets, effort)
        levels = sigma or _trained_noise(plan)
        certified = None
        if levels and victim.kind == "classes":
            certified = certify(victim, targets, effort, sigma_levels=levels, draws=_DRAWS)
        found = Attacked(outcome=outcome, masking=check_masking(outcome), certified=certified)
        typer.echo(to_text(found))
        typer.echo(str(write(found, folder)))


def _opened(
    name: str, count: int, pictures: Path | None, out: Path | None
) -> tuple[Victim, Targets, Recipe | None, Path]:
    """Return victim, samples, recipe and the folder for the report."""
    place = Path(name)
    if not (place / "run.json").is_file() and place.suffix != _RECIPE:
        victim = shipped_victim(name)
        targets = pictures_for(victim, pictures, count=count)
        return victim, targets, None, (out or Path()) / victim.name
    if pictures is not None:
        raise SettingError("--pictures are for stored models", hint="a training has its own data")
    if place.suffix == _RECIPE:
        plan = load_recipe(place)
        trained = train(plan, out=(out or Path("runs")) / plan.name)
    else:
        plan, trained = load_trained(place)
    samples = samples_of(plan, trained.data, "test")
    targets = targets_of(plan, samples, count=count)
    folder = trained.folder if out is None else out / plan.name
    return victim_of(plan, trained), targets, plan, folder


def _trained_noise(plan: Recipe | None) -> float:
    smoothing = None if plan is None else plan.training.smoothing
    return smoothing.sigma_levels if smoothing is not None else 0.0
