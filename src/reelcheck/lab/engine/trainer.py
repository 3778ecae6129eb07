"""Lightning's Trainer as a recipe asks for it: precision, averages, checkpoints, logs, devices."""

import os
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from tensorboardX import SummaryWriter

from reelcheck.lab.recipe import Recipe


def processes() -> tuple[int, int]:
    """Return how many processes train together, and which one this is (torchrun's variables)."""
    return int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))


class Chance(Callback):
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


class _Board(Callback):
    """Writes what TensorBoard shows.

    Lightning's own logger would import TensorFlow wherever that is installed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add the figures of an epoch, after its validation."""
        del pl_module
        if not trainer.is_global_zero:
            return
        with SummaryWriter(str(self._folder)) as board:
            for name, value in trainer.callback_metrics.items():
                board.add_scalar(name, float(value), trainer.current_epoch)
            rate = trainer.optimizers[0].param_groups[0]["lr"]
            board.add_scalar("rate", rate, trainer.current_epoch)


def _fresh(out: Path, name: str) -> str:
    """Return a name for a log that is not there yet: a resumed training keeps the earlier ones."""
    taken = len(list(out.glob(f"{name}*")))
    return f"{name}-{taken + 1}" if taken else name


def make_trainer(recipe: Recipe, out: Path, *, quiet: bool) -> pl.Trainer:
    """Return the trainer of a recipe; logs, as CSV and for TensorBoard, go below ``out``."""
    training = recipe.training
    callbacks: list[Callback] = [
        Chance(recipe.seed),
        _Board(out / "tensorboard"),
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
    world, _ = processes()
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
        logger=CSVLogger(str(out), name="", version=_fresh(out, "log")),
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        enable_progress_bar=not quiet,
        enable_model_summary=False,
        default_root_dir=str(out),
    )
