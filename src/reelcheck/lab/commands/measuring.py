"""``reelcheck lab evaluate``."""

import json
from dataclasses import asdict

import typer

from reelcheck.lab.commands.app import RunFolder, app
from reelcheck.lab.engine.run import Trained, load_trained
from reelcheck.lab.evaluate import Evaluation, detections, evaluate, predict, write_evaluation
from reelcheck.lab.recipe import Recipe


@app.command("evaluate")
def evaluate_network(folder: RunFolder) -> None:
    """Measure a trained network on its test part; writes evaluation.json beside it.

    \b
    reelcheck lab evaluate runs/first
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    typer.echo(told(*load_trained(folder)))


def told(plan: Recipe, trained: Trained) -> str:
    """Measure a trained network; return its figures as text."""
    if trained.network.kind != "boxes":
        return _figures(measure(plan, trained))
    scores = detections(
        trained.network,
        trained.data.test,
        batch=plan.training.batch,
        classes=len(trained.data.classes),
    )
    path = trained.folder / "evaluation.json"
    path.write_text(json.dumps(asdict(scores), indent=2) + "\n", "utf-8")
    return "\n".join(f"{name:12} {value}" for name, value in asdict(scores).items())


def measure(plan: Recipe, trained: Trained) -> Evaluation:
    """Measure a trained classifier; writes evaluation.json beside it."""
    rows = predict(trained.network, trained.data.test, batch=plan.training.batch)
    evaluation = evaluate(rows, trained.data.classes)
    write_evaluation(evaluation, trained.folder / "evaluation.json")
    return evaluation


def _figures(evaluation: Evaluation) -> str:
    lines = [f"{name:22} {value}" for name, value in evaluation.figures.items()]
    return "\n".join([f"{len(evaluation.rows.labels)} samples", *lines])
