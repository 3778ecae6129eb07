"""Figures, slices, mistakes and comparison as JSON, ready to be read by programs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reelcheck.errors import OutputError
from reelcheck.lab.data.sources import Samples
from reelcheck.lab.evaluate import Measured
from reelcheck.lab.evaluation.figures import (
    HIT,
    SURE,
    Evaluation,
    kind_of,
)
from reelcheck.lab.evaluation.rows import BoxRows, ClassRows, QualityRows
from reelcheck.lab.evaluation.slices import Slice
from reelcheck.lab.measure.bootstrap import Interval
from reelcheck.lab.measure.classification import confusion
from reelcheck.lab.measure.detection import mistakes


def write_record(measured: Measured, path: Path) -> None:
    """Write everything that was measured.

    Raises:
        OutputError: the file cannot be written.
    """
    evaluation, samples = measured.evaluation, measured.samples
    comparison = measured.comparison
    rows = evaluation.rows
    data: dict[str, Any] = {
        "part": evaluation.part,
        "kind": kind_of(rows),
        "samples": len(rows),
        "groups": len(set(rows.groups)),
        "figures": as_numbers(evaluation.figures),
        "by_class": {name: as_numbers(one) for name, one in evaluation.by_class.items()},
        "missing": evaluation.missing,
        "notes": list(evaluation.notes),
        "failed": rows.failed,
        "classes": list(evaluation.classes),
    }
    if isinstance(rows, ClassRows):
        table = confusion(rows.told, rows.labels, len(evaluation.classes))
        data["confusion"] = table.tolist()
    data["slices"] = [
        {**_plain(one), "figures": as_numbers(one.figures)} for one in measured.slices
    ]
    if comparison is not None:
        data["against"] = {
            "name": comparison.name,
            "conclusion": comparison.conclusion,
            "difference": as_numbers(comparison.differences),
            "mcnemar": comparison.mcnemar and asdict(comparison.mcnemar),
        }
    data["worst"] = [mistake(evaluation, samples, place) for place in evaluation.worst]
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        path.write_bytes(text.encode("utf-8", "backslashreplace") + b"\n")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def _plain(one: Slice) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ("column", "value", "samples", "groups")}


def as_numbers(figures: dict[str, Interval]) -> dict[str, Any]:
    """Return figures as plain values."""
    return {name: asdict(one) for name, one in figures.items()}


def mistake(evaluation: Evaluation, samples: Samples, place: int) -> dict[str, Any]:
    """Return what is known of one sample, and what was said of it; ``place`` is that of its row."""
    rows = evaluation.rows
    number = rows.numbers[place]
    known: dict[str, Any] = {"sample": number, "group": rows.groups[place]}
    listed = getattr(samples, "rows", None)
    if listed is not None:
        row = listed[number]
        known["file"] = row.file
        for name in ("start_seconds", "end_seconds"):
            known[name] = getattr(row, name, None)
    if isinstance(rows, ClassRows):
        told = int(rows.told[place])
        known["label"] = evaluation.classes[rows.labels[place]]
        known["told"] = evaluation.classes[told]
        known["probability_of_label"] = round(float(rows.own[place]), 4)
        known["probability_of_told"] = round(float(rows.probabilities[place, told]), 4)
    elif isinstance(rows, QualityRows):
        score, lower, upper = (round(float(one), 4) for one in rows.scores[place])
        known |= {"opinion": round(float(rows.opinions[place]), 4), "score": score}
        known |= {"lower": lower, "upper": upper}
        if evaluation.fitted is not None:
            known["fitted"] = round(float(evaluation.fitted[place]), 4)
    elif isinstance(rows, BoxRows):
        missed, false = mistakes(rows.truths[place], rows.found[place], sure=SURE, overlap=HIT)
        known |= {"objects": len(rows.truths[place].labels), "missed": len(missed)}
        known["false"] = len(false)
    known["badness"] = round(float(evaluation.badness[place]), 4)
    return known
