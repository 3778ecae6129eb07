"""One training from a recipe to files in a folder, alone or under ``torchrun``."""

import json
import os
import platform
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader

from reelcheck.errors import OutputError, SettingError
from reelcheck.lab.data.sampler import EpochSampler
from reelcheck.lab.data.sources import Data, Samples, open_data
from reelcheck.lab.engine.lesson import Lesson
from reelcheck.lab.networks import build
from reelcheck.lab.recipe import Recipe

CHECKPOINT: Final = "last.ckpt"
WEIGHTS: Final = "network.pt"
_LIBRARIES: Final = ("reelcheck", "torch", "torchvision", "pytorch-lightning", "numpy", "av")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a training leaves behind."""

    folder: Path
    network: nn.Module
    data: Data
    seconds: float


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
        OutputError: the disk is full or the folder cannot be written.
    """
    checkpoint = _checkpoint(recipe, out) if resume else None
    pl.seed_everything(recipe.seed, workers=True, verbose=False)
    data = open_data(recipe)
    network = build(recipe.network.name, outputs=len(data.classes), options=recipe.network.options)
    world, rank = _processes()
    loader = _loader(recipe, data.train, rank=rank, world=world)
    lesson = Lesson(network, recipe, classes=len(data.classes), steps_per_epoch=len(loader))
    trainer = _trainer(recipe, out, quiet=quiet)
    started = time.monotonic()
    try:
        if rank == 0:
            _write_run(recipe, out, data)
        with warnings.catch_warnings():
            # Lightning's advice on loaders and folders: both are as they are on purpose.
            warnings.filterwarnings("ignore", module=r"(pytorch_)?lightning")
            held_out = _still_loader(recipe, data.validation, rank, world)
            trainer.fit(lesson, loader, held_out, ckpt_path=checkpoint)
        network.float()
        if trainer.is_global_zero:
            torch.save(network.state_dict(), out / WEIGHTS)
    except OSError as error:
        message = f"cannot write to {out}: {error.strerror or error}"
        raise OutputError(message, hint="the last good checkpoint stays") from error
    return Trained(folder=out, network=network, data=data, seconds=time.monotonic() - started)


def _processes() -> tuple[int, int]:
    """Return how many processes train together, and which one this is (torchrun's variables)."""
    return int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))


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
    network = build(plan.network.name, outputs=len(data.classes), options=plan.network.options)
    path = folder / WEIGHTS
    if not path.is_file():
        raise SettingError(f"there are no weights in {folder}", hint="the training did not end")
    network.load_state_dict(torch.load(path, weights_only=True))
    return plan, Trained(folder=folder, network=network, data=data, seconds=0.0)


def _checkpoint(recipe: Recipe, out: Path) -> str:
    path = out / CHECKPOINT
    told = read_run(out)["recipe_sha256"]
    if not path.is_file():
        raise SettingError(f"there is no checkpoint in {out}", hint="train without --resume first")
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


class _Chance(Callback):
    """Makes chance depend on seed, epoch, batch and process alone: a resumed run is the same."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell samples and sampler the epoch."""
        del pl_module
        loader: Any = trainer.train_dataloader
        loader.sampler.epoch = loader.dataset.epoch = trainer.current_epoch

    def on_train_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Seed what layers draw (dropout) and what batches draw (mixup)."""
        del pl_module, batch
        place = (self._seed, trainer.current_epoch, batch_idx, trainer.global_rank)
        torch.manual_seed(hash(place) % 2**63)


def _trainer(recipe: Recipe, out: Path, *, quiet: bool) -> pl.Trainer:
    training = recipe.training
    callbacks: list[Callback] = [
        _Chance(recipe.seed),
        ModelCheckpoint(
            dirpath=out,
            filename="last",
            enable_version_counter=False,
            save_on_train_epoch_end=True,  # during validation, the epoch would not count as done
        ),
    ]
    if training.ema_decay:
        callbacks.append(EMAWeightAveraging(decay=training.ema_decay))
    if training.early_stop_epochs:
        callbacks.append(EarlyStopping("val_loss", patience=training.early_stop_epochs))
    world, _ = _processes()
    local = int(os.environ.get("LOCAL_WORLD_SIZE", str(world)))
    gpu = torch.cuda.is_available()
    return pl.Trainer(
        max_epochs=training.epochs,
        accelerator="gpu" if gpu else "cpu",
        devices=local if world > 1 or not gpu else 1,
        num_nodes=max(1, world // local),
        strategy="ddp" if world > 1 else "auto",
        precision=training.precision,
        accumulate_grad_batches=training.accumulate,
        gradient_clip_val=training.clip_norm or None,
        callbacks=callbacks,
        logger=CSVLogger(str(out), name="", version="log"),
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        enable_progress_bar=not quiet,
        enable_model_summary=False,
        default_root_dir=str(out),
    )


def _write_run(recipe: Recipe, out: Path, data: Data) -> None:
    """Write down what was trained with what, so that the run can be repeated."""
    out.mkdir(parents=True, exist_ok=True)
    run = {
        "recipe": recipe.model_dump(mode="json"),
        "recipe_sha256": recipe.digest,
        "classes": list(data.classes),
        "unreadable": dict(data.checked.unreadable) if data.checked else {},
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
