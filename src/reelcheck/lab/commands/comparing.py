"""``reelcheck lab networks`` and ``reelcheck lab compare``."""

from typing import Annotated

import torch
import typer

from reelcheck.lab.commands.app import app
from reelcheck.lab.compare import compare, to_text
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
) -> None:
    """Print parameters, GMAC, latency and memory of every network, side by side."""
    torch.set_num_threads(1)
    typer.echo(to_text(compare(frames=frames, size_px=size)))
