"""Compares networks that learn from the pictures of fights themselves, on the folds of SCF.

    python tools/fights_networks.py DATA --out runs --network tsm --network action

``DATA`` is that of ``fights_rows.py``; all of its SCF and a quarter of its ice hockey are learned
from. Every network is the same EfficientNet-Lite0, from its ImageNet weights, and is trained by one
recipe; only the way it looks along time differs. What was trained before is found in ``runs``.
Printed: figures of each, and its differences to the first, with 95 % intervals over sources.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from fights_rows import clips

from reelcheck.lab.engine.run import WEIGHTS, load_trained, train
from reelcheck.lab.evaluation.rows import ClassRows, predict
from reelcheck.lab.measure.bootstrap import Resampled, resample
from reelcheck.lab.measure.classification import Classifier
from reelcheck.lab.recipe import Recipe, load_recipe

_FOLDS: Final = 4
_NETWORKS: Final = ("single", "tsn", "tsm", "action")
_OPTIONS: Final[dict[str, str]] = {"action": 'shift = "tsm"'}
"""As published: gates are then all that ACTION-Net has beyond TSM, but that its shift learns."""
_SHOWN: Final = ("top1", "pr_auc/1", "roc_auc/1")
_RECIPE: Final = """
name = "{network}-{fold}"
seed = 1
[data]
manifest = "fold-{fold}.csv"
cache_mib = 4096
[input]
frames = 8
size_px = [128, 128]
mean = [127, 127, 127]
scale = [128, 128, 128]
[augmentation]
flip = 0.5
crop_scale = [0.6, 1.0]
colour = 0.2
[network]
name = "{network}"
[network.options]
backbone = "efficientnet_lite0"
weights = "package"
dropout = 0.5
{options}
[training]
epochs = 10
batch = 8
optimiser = "sgd"
rate = 0.01
weight_decay = 1e-4
label_smoothing = 0.1
"""


def main() -> None:
    """Train what is missing, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--network", action="append", choices=_NETWORKS, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    for fold in range(_FOLDS):
        _write_manifest(given.data.resolve(), given.out / f"fold-{fold}.csv", fold)
    first: Resampled | None = None
    for network in given.network:
        told = [_held_out(given.out, network, fold) for fold in range(_FOLDS)]
        tell(network, told)
        measured = _measured(told)
        if first is not None:
            _tell_intervals(f"{network} minus {given.network[0]}", measured.minus(first))
        first = first or measured


def _write_manifest(data: Path, path: Path, fold: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "label", "group", "split"])
        rows.writerows(_rows(data, fold))


def _rows(data: Path, fold: int) -> Iterator[tuple[str, str, str, str]]:
    for number, clip in enumerate(clips(data)):
        if clip.set == "scf" or (clip.set == "hockey" and number % 4 == 0):
            label = "fight" if clip.label else "calm"
            watched = clip.set == "hockey" and int(clip.group) % 8 == 0  # nothing is chosen by it
            part = "test" if clip.fold == fold else "validation" if watched else "train"
            yield str(clip.path), label, f"{clip.set} {clip.group}", part


def _recipe(out: Path, network: str, fold: int) -> Recipe:
    path = out / f"{network}-{fold}.toml"
    options = _OPTIONS.get(network, "")
    path.write_text(_RECIPE.format(network=network, fold=fold, options=options), "utf-8")
    return load_recipe(path)


def _held_out(out: Path, network: str, fold: int) -> ClassRows:
    """Return what a network says of the fold that it was not trained on."""
    folder = out / f"{network}-{fold}"
    recipe = _recipe(out, network, fold)
    if not (folder / WEIGHTS).is_file():
        train(recipe, out=folder)
    trained = load_trained(folder)[1]
    rows: ClassRows = predict(trained.network, trained.data.test, batch=recipe.training.batch)
    return rows


def _measured(told: list[ClassRows]) -> Resampled:
    probabilities = np.concatenate([rows.probabilities for rows in told])
    measured = Classifier(probabilities, np.concatenate([rows.labels for rows in told]))
    return resample(measured, [group for rows in told for group in rows.groups])


def tell(network: str, told: list[ClassRows]) -> None:
    """Print the figures of one network: by fold, and of all clips."""
    folds = [Classifier(rows.probabilities, rows.labels)(np.ones(len(rows))) for rows in told]
    means: dict[str, Any] = {
        name: f"{np.mean([one[name] for one in folds]):.3f} "
        f"(folds {', '.join(f'{one[name]:.3f}' for one in folds)})"
        for name in _SHOWN
    }
    print(network, json.dumps(means))
    _tell_intervals(network, _measured(told).intervals())


def _tell_intervals(name: str, intervals: dict[str, Any]) -> None:
    print(name, json.dumps({one: str(intervals[one]) for one in _SHOWN}), flush=True)


if __name__ == "__main__":
    main()
