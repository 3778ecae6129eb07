"""``reelcheck lab train``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from reelcheck.lab.commands.app import app
from reelcheck.lab.commands.measuring import told
from reelcheck.lab.engine.run import train
from reelcheck.lab.engine.trainer import processes
from reelcheck.lab.recipe import load_recipe


@app.command("train")
def train_network(
    recipe: Annotated[Path, typer.Argument(help="TOML file.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoint, weights and logs.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Train the network of a recipe, then measure it.

    \b
    reelcheck lab train recipe.toml --out runs/first
    torchrun --nproc-per-node 2 -m reelcheck lab train recipe.toml --out runs/first
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    plan = load_recipe(recipe)
    trained = train(plan, out=out, resume=resume, quiet=not sys.stdout.isatty())
    figures = told(plan, trained)
    if processes()[1] > 0:
        return
    checked = trained.data.checked
    for name, problem in (checked.unreadable if checked else {}).items():
        typer.echo(f"left out {name}: {problem}", err=True)
    for name, problem in trained.failed.items():
        typer.echo(f"broke while it was read, shown as black: {name}: {problem}", err=True)
    typer.echo(f"trained {plan.network.name} in {trained.seconds:.0f} s, wrote {out}", err=True)
    typer.echo(figures)
