"""``reelcheck lab networks`` and ``reelcheck lab compare``."""

from typing import Annotated

import typer

from reelcheck.lab.commands.app import app
from reelcheck.lab.compare import HEAD, Task, compare
from reelcheck.lab.networks import table


@app.command("networks")
def networks() -> None:
    """List the networks that a recipe may name."""
    for name in sorted(table()):
        typer.echo(name)


@app.command("compare")
def compare_networks(
    frames: Annotated[int, typer.Option(min=1, help="Pictures of a clip.")] = 8,
    size: Annotated[int, typer.Option(min=32, help="Side in pixels.")] = 224,
    score: Annotated[int, typer.Option(min=0, help="Epochs to train each for; 0 for none.")] = 0,
    samples: Annotated[int, typer.Option(min=64, help="To train on.")] = 2000,
) -> None:
    """Print parameters, GMAC, latency and memory of every network, side by side.

    With --score every network also learns a generated task, in a small form and by one recipe.

    \b
    reelcheck lab compare
    reelcheck lab compare --score 4                 about an hour on one core
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    typer.echo(HEAD)
    for row in compare(frames=frames, size_px=size, task=Task(samples=samples, epochs=score)):
        typer.echo(row)
