"""One training from a recipe to files in a folder, alone or under ``torchrun``."""

import io
import json
import platform
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from reelcheck.errors import OutputError, SettingError
from reelcheck.lab.data.sampler import EpochSampler
from reelcheck.lab.data.sources import Data, Samples, failed_clips, open_data
from reelcheck.lab.engine.described import Described
from reelcheck.lab.engine.lesson import Lesson
from reelcheck.lab.engine.trainer import make_trainer, processes
from reelcheck.lab.errors import StoppedError
from reelcheck.lab.networks import build
from reelcheck.lab.networks.views import fitted
from reelcheck.lab.recipe import Recipe
from reelcheck.models.protect.pickles import looked_through

CHECKPOINT: Final = "last.ckpt"
WEIGHTS: Final = "network.pt"
_FILTER_DIMENSIONS: Final = 4
_LIBRARIES: Final = ("reelcheck", "torch", "torchvision", "pytorch-lightning", "numpy", "av")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a training leaves behind."""

    folder: Path
    network: nn.Module
    data: Data
    seconds: float
    failed: Mapping[str, str] = field(default_factory=dict)
    """Clips that broke while they were read, and why; they were shown as black."""


def train(recipe: Recipe, *, out: Path, resume: bool = False, quiet: bool = True) -> Trained:
    """Train the network of a recipe.

    Args:
        recipe: What to do.
        out: Folder for checkpoint, weights, logs and ``run.json``.
        resume: Go on from the checkpoint in ``out``; the result is that of an uninterrupted run.
        quiet: Show no progress.

    Raises:
        SettingError: the checkpoint belongs to another recipe, or there is none.
        TrainingError: the loss became no number. The last good checkpoint stays.
        StoppedError: SIGTERM or Ctrl-C; the checkpoint of the last whole epoch stays.
        OutputError: the disk is full or the folder cannot be written.
    """
    checkpoint = _checkpoint(recipe, out) if resume else None
    pl.seed_everything(recipe.seed, workers=True, verbose=False)
    data = open_data(recipe)
    network = fresh_network(recipe, data)
    _channels_last(network)
    if recipe.training.precision == "64-true":
        network.double()  # Lightning would do so only after a checkpoint was rounded to single
    world, rank = processes()
    learning, train_part, validation_part = _learning(recipe, network, data)
    loader = _loader(recipe, train_part, rank=rank, world=world)
    lesson = Lesson(learning, recipe, classes=len(data.classes), steps_per_epoch=len(loader))
    trainer = make_trainer(recipe, out, quiet=quiet)
    started = time.monotonic()
    try:
        if rank == 0:
            _write_run(recipe, out, data)
        with warnings.catch_warnings():
            # Lightning's advice on loaders and folders: both are as they are on purpose.
            warnings.filterwarnings("ignore", module=r"(pytorch_)?lightning")
            held_out = _still_loader(recipe, validation_part, rank, world)
            trainer.fit(lesson, loader, held_out, ckpt_path=checkpoint, weights_only=True)
        failed = failed_clips(data)
        network.float()
        if trainer.is_global_zero:
            _write_run(recipe, out, data, failed=failed)
            save_weights(network, out / WEIGHTS)
    except SystemExit as error:  # what Lightning makes of SIGTERM and Ctrl-C
        raise StoppedError(f"the training in {out} was stopped") from error
    except OSError as error:
        message = f"cannot write to {out}: {error.strerror or error}"
        raise OutputError(message, hint="the last good checkpoint stays") from error
    return Trained(
        folder=out,
        network=network,
        data=data,
        seconds=time.monotonic() - started,
        failed=failed,
    )


def _learning(recipe: Recipe, network: nn.Module, data: Data) -> tuple[nn.Module, Samples, Samples]:
    """Return the part of a network that learns, and what it learns from and is watched on."""
    draws = recipe.training.described_draws
    if not draws:
        return network, data.train, data.validation
    network.train()  # a trunk may vary what it describes while it is in training
    train_part = Described(data.train, network, recipe, draws=draws)
    network.eval()
    validation_part = Described(data.validation, network, recipe, draws=1)
    # Lightning leaves the mode as it finds it: what is asleep would learn without its dropout.
    return network.get_submodule("head").train(), train_part, validation_part


def fresh_network(recipe: Recipe, data: Data) -> nn.Module:
    """Return the network of a recipe before it learns."""
    part = recipe.network
    network = build(part.name, outputs=len(data.classes), options=part.options)
    if network.kind == "quality":
        network.start_from(sum(data.train.labels) / len(data.train))
    return fitted(network, data.fits)


def _channels_last(network: nn.Module) -> None:
    """Lay filters out as the fast convolutions want them: 1.6 times as fast on our CPUs."""
    for parameter in network.parameters():
        if parameter.ndim == _FILTER_DIMENSIONS:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def save_weights(network: nn.Module, path: Path) -> None:
    """Write the weights whole or not at all."""
    packed = io.BytesIO()
    torch.save(network.state_dict(), packed)
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(packed.getbuffer())
    unfinished.replace(path)


def read_run(folder: Path) -> dict[str, Any]:
    """Return what was written down of a training.

    Raises:
        SettingError: the folder holds no training.
    """
    path = folder / "run.json"
    if not path.is_file():
        raise SettingError(f"there is no training in {folder}", hint="run: reelcheck lab train")
    run: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return run


def load_trained(folder: Path) -> tuple[Recipe, Trained]:
    """Return the recipe of a training and its network with the weights that were found.

    Raises:
        SettingError: the folder holds no training, or the training did not end.
    """
    run = read_run(folder)
    plan = Recipe.model_validate(run["recipe"])
    data = open_data(plan)
    network = fresh_network(plan, data)
    path = folder / WEIGHTS
    if not path.is_file():
        raise SettingError(f"there are no weights in {folder}", hint="the training did not end")
    network.load_state_dict(torch.load(looked_through(path), weights_only=True))
    return plan, Trained(folder=folder, network=network, data=data, seconds=0.0)


def _checkpoint(recipe: Recipe, out: Path) -> str:
    path = out / CHECKPOINT
    told = read_run(out)["recipe_sha256"]
    if not path.is_file():
        raise SettingError(f"there is no checkpoint in {out}", hint="train without --resume first")
    if not zipfile.is_zipfile(path):
        raise SettingError(f"the checkpoint {path} is damaged", hint="train without --resume")
    if told != recipe.digest:
        raise SettingError(
            f"the checkpoint in {out} was made from another recipe",
            hint="use the same recipe, or another folder",
        )
    return str(path)


def _loader(recipe: Recipe, samples: Samples, *, rank: int, world: int) -> DataLoader[Any]:
    training = recipe.training
    sampler = EpochSampler(
        samples.labels,
        seed=recipe.seed,
        rank=rank,
        world=world,
        balance="classes" if training.balance_classes else "none",
    )
    return DataLoader(
        samples,  # type: ignore[arg-type]  # a map-style data set by its methods
        batch_size=training.batch,
        sampler=sampler,
        num_workers=training.workers,
        drop_last=len(sampler) >= training.batch,
        collate_fn=getattr(samples, "collate", None),
    )


def _still_loader(recipe: Recipe, samples: Samples, rank: int, world: int) -> DataLoader[Any]:
    mine = list(range(len(samples)))[rank::world]
    return DataLoader(
        samples,  # type: ignore[arg-type]  # a map-style data set by its methods
        batch_size=recipe.training.batch,
        sampler=mine,
        num_workers=recipe.training.workers,
        collate_fn=getattr(samples, "collate", None),
    )


def _write_run(
    recipe: Recipe, out: Path, data: Data, *, failed: Mapping[str, str] | None = None
) -> None:
    """Write down what was trained with what, so that the run can be repeated."""
    out.mkdir(parents=True, exist_ok=True)
    run = {
        "recipe": recipe.model_dump(mode="json"),
        "recipe_sha256": recipe.digest,
        "classes": list(data.classes),
        "unreadable": dict(data.checked.unreadable) if data.checked else {},
        "failed": dict(failed or {}),
        "samples": {"train": len(data.train), "validation": len(data.validation)},
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _LIBRARIES},
        "revision": _revision(),
        "command": sys.argv,
    }
    (out / "run.json").write_text(json.dumps(run, indent=2) + "\n", "utf-8")


def _revision() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"],  # noqa: S607 - whichever git the user has
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return done.stdout.strip()
