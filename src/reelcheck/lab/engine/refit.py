"""Training that goes on, or begins, on samples at hand: for measurements, nothing is written.

It is the loop of ``engine.run`` with the same loss, optimiser and schedule, but without
checkpoints, logs and several processes.
"""

import warnings
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from reelcheck.lab.data.sampler import EpochSampler
from reelcheck.lab.data.sources import Samples
from reelcheck.lab.engine.lesson import Lesson
from reelcheck.lab.engine.trainer import Chance
from reelcheck.lab.recipe import Recipe

Extra = Callable[[nn.Module], Tensor]
"""What is added to the loss of every step."""


class _Lesson(Lesson):
    """A lesson with an addition to its loss, and perhaps probabilities in place of classes."""

    beside: Extra | None = None

    def _loss(self, batch: Any) -> Tensor:  # noqa: ANN401 - by kind
        inputs, targets, _ = batch
        if self.network.kind not in {"boxes", "quality"} and targets.ndim > 1:
            loss = functional.cross_entropy(self.network(inputs), targets)
        else:
            loss = super()._loss(batch)
        return loss if self.beside is None else loss + self.beside(self.network)


def refit(
    network: nn.Module,
    recipe: Recipe,
    samples: Samples,
    *,
    classes: int,
    steps: int | None = None,
    extra: Extra | None = None,
) -> int:
    """Train a network on samples as its recipe says; return how many steps were made.

    Args:
        network: Changed in place.
        recipe: Its ``training`` and ``seed`` count; epochs are as many as ``steps`` need, if given.
        samples: To learn from; of classifiers, targets may be probabilities [K].
        classes: How many the network tells.
        steps: Stop after so many.
        extra: Added to the loss of every step.

    Raises:
        TrainingError: the loss became no number.
    """
    network.train()  # Lightning leaves the mode as it finds it
    sampler = EpochSampler(samples.labels, seed=recipe.seed)
    loader: DataLoader[Any] = DataLoader(
        samples,  # type: ignore[arg-type]  # a map-style data set by its methods
        batch_size=recipe.training.batch,
        sampler=sampler,
        drop_last=len(sampler) >= recipe.training.batch,
        collate_fn=getattr(samples, "collate", None),
    )
    if steps is not None:
        per_epoch = max(1, len(loader) // recipe.training.accumulate)
        epochs = max(1, -(-steps // per_epoch))
        training = recipe.training.model_copy(update={"epochs": epochs})
        recipe = recipe.model_copy(update={"training": training})
    lesson = _Lesson(network, recipe, classes=classes, steps_per_epoch=len(loader))
    lesson.beside = extra
    with warnings.catch_warnings():
        # Lightning's advice on loaders and loggers: both are as they are on purpose.
        warnings.filterwarnings("ignore", module=r"(pytorch_)?lightning")
        trainer = pl.Trainer(
            max_epochs=recipe.training.epochs,
            max_steps=-1 if steps is None else steps,
            accelerator="auto",
            devices=1,
            precision=recipe.training.precision,
            accumulate_grad_batches=recipe.training.accumulate,
            gradient_clip_val=recipe.training.clip_norm or None,
            callbacks=[Chance(recipe.seed)],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        trainer.fit(lesson, loader)
    network.cpu().eval()
    return int(trainer.global_step)


def steps_of(recipe: Recipe, count: int) -> int:
    """Return how many steps a recipe makes on so many samples."""
    per_epoch = max(1, count // recipe.training.batch) if count else 0
    return max(1, per_epoch // recipe.training.accumulate) * recipe.training.epochs
