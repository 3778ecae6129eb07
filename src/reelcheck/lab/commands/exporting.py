"""``reelcheck lab export``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from reelcheck.errors import SettingError
from reelcheck.lab.commands.app import RunFolder, app
from reelcheck.lab.commands.measuring import measure
from reelcheck.lab.engine.run import load_trained
from reelcheck.lab.export.bundle import export_bundle
from reelcheck.lab.export.int8 import CALIBRATION_SAMPLES, export_int8


class _Format(StrEnum):
    """What can be written."""

    ONNX = "onnx"
    SAVEDMODEL = "savedmodel"
    CAFFE = "caffe"


@app.command("export")
def export_network(
    folder: RunFolder,
    out: Annotated[Path, typer.Option(help="Folder of the bundle; its name names the model.")],
    licence: Annotated[str, typer.Option(help="Of the weights.")] = "proprietary",
    format: Annotated[  # noqa: A002 - the name of the option
        list[_Format] | None,
        typer.Option(help="Repeat for several; each further one gets a folder OUT_FORMAT."),
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="Also write OUT_int8.")] = False,  # noqa: FBT002 - a flag
    calibration: Annotated[
        int, typer.Option(min=1, help="Most samples of the training part that int8 looks at.")
    ] = CALIBRATION_SAMPLES,
) -> None:
    """Write a trained network with its card, ready for `reelcheck models add`; ONNX by default.

    \b
    reelcheck lab export runs/first --out mymodel --licence Apache-2.0
    reelcheck lab export runs/first --out mymodel --format onnx --format savedmodel
    reelcheck lab export runs/first --out mymodel --int8
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    chosen = list(dict.fromkeys(format or [_Format.ONNX]))
    if int8 and _Format.ONNX not in chosen:
        raise SettingError("--int8 is made from ONNX", hint="add --format onnx")
    plan, trained = load_trained(folder)
    figures = {name: str(value) for name, value in measure(plan, trained).figures.items()}
    made: dict[_Format, Path] = {}
    for one in chosen:
        target = out if not made else out.with_name(f"{out.name}_{one}")
        made[one] = export_bundle(
            plan, trained, figures=figures, licence=licence, out=target, format=one.value
        )
        typer.echo(made[one])
    if int8:
        target = out.with_name(f"{out.name}_int8")
        drift = export_int8(plan, trained, made[_Format.ONNX], out=target, samples=calibration)
        typer.echo(f"{target}\n{drift.to_text()}")
