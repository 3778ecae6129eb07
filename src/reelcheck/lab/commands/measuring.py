"""``reelcheck lab evaluate``, and what training and export need of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import torch.distributed
import typer

from reelcheck.lab.commands.app import RunFolder, app
from reelcheck.lab.engine.run import Trained, load_trained
from reelcheck.lab.evaluate import Evaluation, Measured, to_text
from reelcheck.lab.evaluate import measure as measure_part
from reelcheck.lab.evaluation.events import (
    events_text,
    measure_events,
    read_reports,
    read_truth,
)
from reelcheck.lab.evaluation.page import write_page
from reelcheck.lab.evaluation.record import write_record
from reelcheck.lab.evaluation.rows import processes
from reelcheck.lab.measure.events import Matching
from reelcheck.lab.recipe import Recipe


class _Part(StrEnum):
    """Parts of the data that can be measured."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"
    ALL = "all"


@app.command("evaluate")
def evaluate_network(
    folder: RunFolder,
    part: Annotated[_Part, typer.Option(help="Of the data.")] = _Part.TEST,
    slice_by: Annotated[
        list[str] | None,
        typer.Option("--slice", help="Class, group, length, resolution or split; repeatable."),
    ] = None,
    against: Annotated[
        str, typer.Option(help="A training, bundle or stored model, on the same samples.")
    ] = "",
    worst: Annotated[int, typer.Option(min=0, help="Mistakes to list and show.")] = 20,
) -> None:
    """Measure a trained network; writes evaluation.json and evaluation.html beside it.

    \b
    reelcheck lab evaluate runs/first
    reelcheck lab evaluate runs/first --part train --worst 100     wrong labels come first
    reelcheck lab evaluate runs/first --against runs/old --slice length
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    plan, trained = load_trained(folder)
    with _together():
        measured = measure_part(
            plan, trained, part=part, columns=slice_by or (), against=against, worst=worst
        )
        alone = processes()[0] == 0
    if alone:
        _write(measured, folder)
        typer.echo(to_text(measured))


@app.command("events")
def measure_reports(
    truth: Annotated[Path, typer.Argument(help="CSV: file,start_seconds,end_seconds,label.")],
    reports: Annotated[list[Path], typer.Argument(help="JSON reports of `reelcheck analyze`.")],
    min_overlap: Annotated[
        float, typer.Option(min=0.01, max=1, help="Shared time per joined time of a hit.")
    ] = 0.5,
    within: Annotated[
        float | None, typer.Option(min=0, help="Instead: starts that lie so close, in seconds.")
    ] = None,
) -> None:
    """Measure what analyzers reported against what there is.

    \b
    reelcheck lab events truth.csv reports/*.json
    reelcheck lab events cuts.csv reports/*.json --within 0.08
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    table = read_truth(truth)
    matching = Matching(min_overlap=min_overlap, within_seconds=within)
    found = measure_events(table, read_reports(reports, table), matching=matching)
    typer.echo(events_text(found, files=len(reports)))


@contextmanager
def _together() -> Iterator[None]:
    """Join the other processes of ``torchrun``, where there are any."""
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if several and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo")
        try:
            yield
        finally:
            torch.distributed.destroy_process_group()
    else:
        yield


def told(plan: Recipe, trained: Trained) -> str:
    """Measure a network right after its training; return its figures as text."""
    measured = measure_part(plan, trained)
    if processes()[0] > 0:
        return ""  # process 0 writes for all
    _write(measured, trained.folder)
    return to_text(measured)


def measure(plan: Recipe, trained: Trained) -> Evaluation:
    """Measure a trained network of any kind on its test part; writes the files beside it."""
    measured = measure_part(plan, trained)
    if processes()[0] == 0:
        _write(measured, trained.folder)
    return measured.evaluation


def _write(measured: Measured, folder: Path) -> None:
    """Write the record, then the page; those of the test part have the plain name.

    Raises:
        OutputError: a file cannot be written.
    """
    part = measured.evaluation.part
    name = "evaluation" if part == _Part.TEST else f"evaluation-{part}"
    write_record(measured, folder / f"{name}.json")
    write_page(measured, folder / f"{name}.html")
