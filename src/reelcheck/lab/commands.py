"""``reelcheck lab``: train, evaluate, export, compare."""

import json
import logging
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import torch
import typer

from reelcheck.errors import SettingError
from reelcheck.lab.compare import compare, to_text
from reelcheck.lab.data.manifest import class_names, import_folders, write_manifest
from reelcheck.lab.data.sources import open_data
from reelcheck.lab.engine.run import WEIGHTS, Trained, read_run, train
from reelcheck.lab.evaluate import Evaluation, detections, evaluate, predict, write_evaluation
from reelcheck.lab.export.bundle import export_bundle
from reelcheck.lab.networks import build, table
from reelcheck.lab.recipe import Recipe, load_recipe

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    help="Design, train, measure and export networks.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
_Folder = Annotated[Path, typer.Argument(help="Folder of a training.")]


def main(arguments: list[str]) -> None:
    """Run one command of the lab. Errors are those of ``reelcheck.errors``."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning_utilities"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    app(arguments, prog_name="reelcheck lab", standalone_mode=False)


@app.command("networks")
def networks() -> None:
    """List the networks that a recipe may name."""
    for name in sorted(table()):
        typer.echo(name)


@app.command("import")
def import_videos(
    folder: Annotated[Path, typer.Argument(help="Holds one folder of videos per class.")],
) -> None:
    """Make a manifest from folders of classes.

    \b
    reelcheck lab import videos/            videos/fight/*.mp4, videos/calm/*.mp4
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    rows = import_folders(folder)
    target = folder / "clips.csv"
    write_manifest(rows, target)
    typer.echo(f"{len(rows)} clips of {len(class_names(rows))} classes: {target}")


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
    checked = trained.data.checked
    for name, problem in (checked.unreadable if checked else {}).items():
        typer.echo(f"left out {name}: {problem}", err=True)
    typer.echo(f"trained {plan.network.name} in {trained.seconds:.0f} s, wrote {out}", err=True)
    typer.echo(_told(plan, trained))


@app.command("evaluate")
def evaluate_network(folder: _Folder) -> None:
    """Measure a trained network on its test part; writes evaluation.json beside it.

    \b
    reelcheck lab evaluate runs/first
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    typer.echo(_told(*_load(folder)))


@app.command("export")
def export_network(
    folder: _Folder,
    out: Annotated[Path, typer.Option(help="Folder of the bundle; its name names the model.")],
    licence: Annotated[str, typer.Option(help="Of the weights.")] = "proprietary",
) -> None:
    """Write a trained network as ONNX with its card, ready for `reelcheck models add`.

    \b
    reelcheck lab export runs/first --out mymodel --licence Apache-2.0
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    plan, trained = _load(folder)
    figures = {name: str(value) for name, value in _measure(plan, trained).figures.items()}
    typer.echo(export_bundle(plan, trained, figures=figures, licence=licence, out=out))


@app.command("compare")
def compare_networks(
    frames: Annotated[int, typer.Option(min=1, help="Pictures of a clip.")] = 8,
    size: Annotated[int, typer.Option(min=32, help="Side in pixels.")] = 224,
) -> None:
    """Print parameters, GMAC, latency and memory of every network, side by side."""
    torch.set_num_threads(1)
    typer.echo(to_text(compare(frames=frames, size_px=size)))


def _load(folder: Path) -> tuple[Recipe, Trained]:
    run = read_run(folder)
    plan = Recipe.model_validate(run["recipe"])
    data = open_data(plan)
    network = build(plan.network.name, outputs=len(data.classes), options=plan.network.options)
    path = folder / WEIGHTS
    if not path.is_file():
        raise SettingError(f"there are no weights in {folder}", hint="the training did not end")
    network.load_state_dict(torch.load(path, weights_only=True))
    return plan, Trained(folder=folder, network=network, data=data, seconds=0.0)


def _told(plan: Recipe, trained: Trained) -> str:
    if trained.network.kind != "boxes":
        return _figures(_measure(plan, trained))
    scores = detections(
        trained.network,
        trained.data.test,
        batch=plan.training.batch,
        classes=len(trained.data.classes),
    )
    path = trained.folder / "evaluation.json"
    path.write_text(json.dumps(asdict(scores), indent=2) + "\n", "utf-8")
    return "\n".join(f"{name:12} {value}" for name, value in asdict(scores).items())


def _measure(plan: Recipe, trained: Trained) -> Evaluation:
    rows = predict(trained.network, trained.data.test, batch=plan.training.batch)
    evaluation = evaluate(rows, trained.data.classes)
    write_evaluation(evaluation, trained.folder / "evaluation.json")
    return evaluation


def _figures(evaluation: Evaluation) -> str:
    lines = [f"{name:22} {value}" for name, value in evaluation.figures.items()]
    return "\n".join([f"{len(evaluation.rows.labels)} samples", *lines])
