"""How good a trained network is, on samples that it has not seen."""

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader

from reelcheck.lab.data.sources import Samples
from reelcheck.lab.measure.bootstrap import Interval, interval
from reelcheck.lab.measure.classification import Classified, classified, confusion
from reelcheck.lab.measure.detection import (
    DetectionScores,
    FoundBoxes,
    TruthBoxes,
    measure_detections,
)

_WORST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """One row per sample, in the order of the samples."""

    probabilities: NDArray[np.float64]
    labels: NDArray[np.int64]
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Figures with intervals, and where the network was most wrong."""

    rows: Rows
    classes: tuple[str, ...]
    figures: dict[str, Interval]
    worst: tuple[int, ...]
    """Numbers of the samples with the least probability of their label, worst first."""

    @property
    def told(self) -> NDArray[np.int64]:
        """Class that was told for every sample."""
        return np.asarray(self.rows.probabilities.argmax(axis=1), dtype=np.int64)


def predict(network: nn.Module, samples: Samples, *, batch: int) -> Rows:
    """Run a network over samples; under ``torchrun`` every process takes its share.

    Each sample counts once, however many processes there are: rows are gathered by number.
    """
    rank, world = 0, 1
    if torch.distributed.is_initialized():
        rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
    loader: DataLoader[Any] = DataLoader(
        samples,  # type: ignore[arg-type]  # a map-style data set by its methods
        batch_size=batch,
        sampler=range(rank, len(samples), world),
    )
    network.eval()
    rows: dict[int, tuple[list[float], int]] = {}
    with torch.inference_mode():
        for inputs, targets, numbers in loader:
            chances = network(inputs).softmax(dim=1).double().tolist()
            told = zip(numbers.tolist(), chances, targets.tolist(), strict=True)
            rows.update({number: (chance, target) for number, chance, target in told})
    if world > 1:
        parts: list[Any] = [None] * world
        torch.distributed.all_gather_object(parts, rows)
        rows = {number: row for part in parts for number, row in part.items()}
    ordered = [rows[number] for number in range(len(samples))]
    return Rows(
        probabilities=np.array([chances for chances, _ in ordered]),
        labels=np.array([target for _, target in ordered]),
        groups=tuple(samples.groups),
    )


def detections(
    network: nn.Module, samples: Samples, *, batch: int, classes: int
) -> DetectionScores:
    """Run a detector over samples; return the figures of COCO."""
    loader: DataLoader[Any] = DataLoader(
        samples,  # type: ignore[arg-type]  # a map-style data set by its methods
        batch_size=batch,
        collate_fn=getattr(samples, "collate", None),
    )
    network.eval()
    truths: list[TruthBoxes] = []
    found: list[FoundBoxes] = []
    with torch.inference_mode():
        for images, targets, _ in loader:
            for told, target in zip(network(images), targets, strict=True):
                boxes, labels = (target[name].double().numpy() for name in ("boxes", "labels"))
                truths.append(TruthBoxes(boxes_px=boxes, labels=labels.astype(np.int64)))
                found.append(
                    FoundBoxes(
                        boxes_px=told["boxes"].double().numpy(),
                        scores=told["scores"].double().numpy(),
                        labels=told["labels"].numpy(),
                    )
                )
    return measure_detections(truths, found, classes=classes)


def evaluate(rows: Rows, classes: tuple[str, ...]) -> Evaluation:
    """Return figures with 95 % intervals over groups, and the worst mistakes."""

    def figure(name: str, chosen: NDArray[np.intp]) -> float:
        return float(getattr(classified(rows.probabilities[chosen], rows.labels[chosen]), name))

    names = list(Classified.__dataclass_fields__)
    figures = {name: interval(partial(figure, name), rows.groups) for name in names}
    own = rows.probabilities[np.arange(len(rows.labels)), rows.labels]
    worst = np.argsort(own, kind="stable")[:_WORST]
    return Evaluation(
        rows=rows, classes=classes, figures=figures, worst=tuple(int(one) for one in worst)
    )


def write_evaluation(evaluation: Evaluation, path: Path) -> None:
    """Write figures, confusion and worst mistakes as JSON."""
    rows = evaluation.rows
    table = confusion(evaluation.told, rows.labels, len(evaluation.classes))
    data = {
        "samples": len(rows.labels),
        "groups": len(set(rows.groups)),
        "figures": {name: asdict(value) for name, value in evaluation.figures.items()},
        "classes": list(evaluation.classes),
        "confusion": table.tolist(),
        "worst": [
            {
                "sample": number,
                "group": rows.groups[number],
                "label": evaluation.classes[rows.labels[number]],
                "told": evaluation.classes[evaluation.told[number]],
                "probability_of_label": round(
                    float(rows.probabilities[number, rows.labels[number]]), 4
                ),
            }
            for number in evaluation.worst
        ],
    }
    path.write_text(json.dumps(data, indent=2) + "\n", "utf-8")
