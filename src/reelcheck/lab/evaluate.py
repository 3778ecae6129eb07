"""Measurement of a trained network: figures, slices, comparison, and the files that hold them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reelcheck.lab.data.sources import Samples
from reelcheck.lab.engine.run import Trained
from reelcheck.lab.evaluation.against import Comparison, compare
from reelcheck.lab.evaluation.figures import Evaluation, evaluate
from reelcheck.lab.evaluation.parts import samples_of
from reelcheck.lab.evaluation.rows import predict
from reelcheck.lab.evaluation.service import rows_of
from reelcheck.lab.evaluation.slices import FEW_TO_SHOW, Slice, slices
from reelcheck.lab.recipe import Recipe

__all__ = ["Evaluation", "Measured", "evaluate", "measure", "predict", "to_text"]
_NAME_WIDTH: Final = 27


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """Everything that was measured of one network on one part of the data."""

    plan: Recipe
    samples: Samples
    evaluation: Evaluation
    slices: tuple[Slice, ...] = ()
    comparison: Comparison | None = None


def measure(
    plan: Recipe,
    trained: Trained,
    *,
    part: str = "test",
    columns: Sequence[str] = (),
    against: str = "",
    worst: int = 20,
) -> Measured:
    """Measure a trained network.

    Args:
        plan: The recipe of the training.
        trained: What it left behind.
        part: ``train``, ``validation``, ``test`` or ``all``.
        columns: By which the figures are told apart too; by group unasked where there are few.
        against: Another training, a bundle or a stored model; empty for none.
        worst: How many of the worst mistakes are kept.

    Raises:
        SettingError: there is no such part, column or model, or the model cannot be compared.
        DataError: no sample can be read.
    """
    samples = samples_of(plan, trained.data, part)
    classes = trained.data.classes
    rows = predict(trained.network, samples, batch=plan.training.batch)
    evaluation = evaluate(rows, classes, part=part, worst=worst)
    groups = len(set(rows.groups))
    wanted = list(dict.fromkeys(columns))
    if 1 < groups <= FEW_TO_SHOW and groups < len(rows) and "group" not in wanted:
        wanted.append("group")
    folder = plan.data.manifest.parent if plan.data.manifest else None
    found: list[Slice] = []
    for column in wanted:
        found += slices(rows, samples, column, classes=classes, folder=folder)
    comparison = None
    if against:
        others = rows_of(against, plan, classes=classes, part=part)
        comparison = compare(evaluation, others, name=Path(against).name or against)
    return Measured(
        plan=plan,
        samples=samples,
        evaluation=evaluation,
        slices=tuple(found),
        comparison=comparison,
    )


def to_text(measured: Measured) -> str:
    """Return the figures for a terminal."""
    evaluation = measured.evaluation
    rows = evaluation.rows
    lines = [f"{len(rows)} samples of {len(set(rows.groups))} groups, part {evaluation.part}"]
    lines += [f"{name:{_NAME_WIDTH}} {value}" for name, value in evaluation.figures.items()]
    for name, reason in evaluation.missing.items():
        lines.append(f"{name:{_NAME_WIDTH}} left out: {reason}")
    for one in measured.slices:
        head = f"{one.column} {one.value} ({one.samples})"
        told = ", ".join(f"{name} {value}" for name, value in list(one.figures.items())[:2])
        lines.append(f"{head:{_NAME_WIDTH}} {told}")
    lines += evaluation.notes
    if measured.comparison is not None:
        lines.append(measured.comparison.conclusion)
    return "\n".join(lines)
