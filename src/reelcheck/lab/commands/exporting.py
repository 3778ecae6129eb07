"""``reelcheck lab export``."""

from pathlib import Path
from typing import Annotated

import typer

from reelcheck.lab.commands.app import RunFolder, app
from reelcheck.lab.commands.measuring import measure
from reelcheck.lab.engine.run import load_trained
from reelcheck.lab.export.bundle import export_bundle


@app.command("export")
def export_network(
    folder: RunFolder,
    out: Annotated[Path, typer.Option(help="Folder of the bundle; its name names the model.")],
    licence: Annotated[str, typer.Option(help="Of the weights.")] = "proprietary",
) -> None:
    """Write a trained network as ONNX with its card, ready for `reelcheck models add`.

    \b
    reelcheck lab export runs/first --out mymodel --licence Apache-2.0
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    plan, trained = load_trained(folder)
    figures = {name: str(value) for name, value in measure(plan, trained).figures.items()}
    typer.echo(export_bundle(plan, trained, figures=figures, licence=licence, out=out))
