"""What happens in one step: loss, optimiser, schedule. Lightning does the rest."""

import math
from typing import Any, Final

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional

from reelcheck.lab.engine.adversarial import (
    check_hardening,
    divergence,
    grown,
    noisy,
    worst_nearby,
)
from reelcheck.lab.engine.mixing import mixed
from reelcheck.lab.errors import TrainingError
from reelcheck.lab.recipe import AdversarialPart, Recipe

_AUX_WEIGHT: Final = 0.4
"""Of Inception's auxiliary head: Szegedy et al., arXiv 1512.00567, section 4; torchvision."""
_RANK_WEIGHT: Final = 0.3
"""Of the rank loss beside the regression loss, after FAST-VQA (arXiv 2207.02595)."""
_INTERVAL: Final = 0.8
"""Share of true scores that the predicted interval is to hold."""
_CAUSE_WEIGHT: Final = 0.1
"""Of telling the cause of a score, beside the score. Ours."""
_JUDGED: Final = 3
"""Score, lower and upper; logits of causes come behind them."""


class Lesson(pl.LightningModule):
    """One network learning from one recipe.

    A batch is ``(inputs, targets, indices)``; what they are depends on ``network.kind``, see
    ``reelcheck.lab.networks``.
    """

    def __init__(
        self, network: nn.Module, recipe: Recipe, *, classes: int, steps_per_epoch: int
    ) -> None:
        super().__init__()
        check_hardening(recipe, str(network.kind))
        self._classes = classes
        self.network = network
        self.recipe = recipe
        self._steps_per_epoch = max(1, steps_per_epoch // recipe.training.accumulate)

    def on_train_epoch_start(self) -> None:
        """Add YOLOX's L1 loss in the last epochs, those without mosaic."""
        how = self.recipe.augmentation
        if how.mosaic and hasattr(self.network, "l1_weight"):
            last = self.current_epoch >= self.recipe.training.epochs - how.mosaic_off_epochs
            setattr(self.network, "l1_weight", float(last))  # noqa: B010 - only YOLO has it

    def training_step(self, batch: Any, batch_index: int) -> Tensor:  # noqa: ANN401 - by kind
        """Return the loss of one batch.

        Raises:
            TrainingError: the loss is no number.
        """
        del batch_index
        loss = self._loss(batch)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss became {float(loss.detach()):g} in epoch {self.current_epoch + 1}",
                hint="lower training.rate, or set training.clip_norm",
            )
        self.log("loss", loss.detach(), on_epoch=True, on_step=False, batch_size=len(batch[2]))
        return loss

    def _loss(self, batch: Any) -> Tensor:  # noqa: ANN401 - by kind
        inputs, targets, _ = batch
        kind = self.network.kind
        if kind == "boxes":
            losses: dict[str, Tensor] = self.network(inputs, targets)
            return torch.stack(list(losses.values())).sum()
        if kind == "quality":
            return quality_loss(self.network(*inputs), targets)
        inputs, one_hot = mixed(inputs, targets, self.recipe.augmentation, self._classes)
        if isinstance(inputs, Tensor):
            inputs = noisy(inputs, self.recipe)
            part = self.recipe.training.adversarial
            if part is not None:
                return self._hardened_loss(inputs, one_hot, part)
        return self._told_loss(self.network(inputs), one_hot)

    def _hardened_loss(self, inputs: Tensor, one_hot: Tensor, part: AdversarialPart) -> Tensor:
        """Return the loss under attack: PGD-AT, or TRADES."""
        part = grown(part, self.global_step / self._steps_per_epoch)
        nearby = worst_nearby(self.network, inputs, one_hot, part, self.recipe.input)
        if part.method == "pgd-at":
            return self._told_loss(self.network(nearby), one_hot)
        clean, moved = self.network(torch.cat((inputs, nearby))).chunk(2)
        return self._told_loss(clean, one_hot) + part.beta * divergence(clean, moved)

    def _told_loss(self, output: Any, one_hot: Tensor) -> Tensor:  # noqa: ANN401 - or two outputs
        smoothing = self.recipe.training.label_smoothing
        if isinstance(output, tuple):
            main, aux = (_cross_entropy(part, one_hot, smoothing) for part in output)
            return main + _AUX_WEIGHT * aux
        return _cross_entropy(output, one_hot, smoothing)

    def validation_step(self, batch: Any, batch_index: int) -> None:  # noqa: ANN401 - by kind
        """Log the loss on data that is not trained on, as ``val_loss``."""
        del batch_index
        inputs, targets, indices = batch
        if self.network.kind == "boxes":
            return  # detectors give boxes here, no loss; they are measured after training
        output = self.network(*inputs) if self.network.kind == "quality" else self.network(inputs)
        if self.network.kind == "quality":
            loss = quality_loss(output, targets)
        else:
            loss = functional.cross_entropy(output, targets)
            right = (output.argmax(dim=1) == targets).float().mean()
            self.log("val_accuracy", right, batch_size=len(indices), sync_dist=True)
        self.log("val_loss", loss, batch_size=len(indices), sync_dist=True, prog_bar=True)

    def configure_optimizers(self) -> Any:  # noqa: ANN401 - Lightning takes many forms
        """Return the optimiser and its schedule. Norms and biases do not decay."""
        training = self.recipe.training
        decaying = [p for p in self.network.parameters() if p.requires_grad and p.ndim > 1]
        others = [p for p in self.network.parameters() if p.requires_grad and p.ndim <= 1]
        groups = [
            {"params": decaying, "weight_decay": training.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        optimiser: torch.optim.Optimizer
        if training.optimiser == "sgd":
            optimiser = torch.optim.SGD(
                groups, lr=training.rate, momentum=training.momentum, nesterov=True
            )
        else:
            optimiser = torch.optim.AdamW(groups, lr=training.rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, self._rate_at)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rate_at(self, step: int) -> float:
        """Return the learning rate at a step as a share: linear warm-up, then half a cosine."""
        training = self.recipe.training
        warmup = training.warmup_epochs * self._steps_per_epoch
        total = training.epochs * self._steps_per_epoch
        if step < warmup:
            return (step + 1) / (warmup + 1)
        if training.schedule == "constant":
            return 1.0
        done = min(1.0, (step - warmup) / max(1.0, total - warmup))
        return 0.5 * (1 + math.cos(math.pi * done))


def _cross_entropy(logits: Tensor, one_hot: Tensor, smoothing: float) -> Tensor:
    return functional.cross_entropy(logits, one_hot, label_smoothing=smoothing)


def quality_loss(predicted: Tensor, targets: Tensor) -> Tensor:
    """Return regression, rank and interval loss of scores.

    Args:
        predicted: Shape [N, 3]: score, lower, upper; or [N, 3 + K] with logits of K causes.
        targets: Shape [N]; or [N, 2] with the place of the cause beside the score.
    """
    causes = torch.zeros(())
    if targets.ndim > 1:
        targets, places = targets[:, 0], targets[:, 1].long()
        if predicted.shape[1] > _JUDGED:
            causes = functional.cross_entropy(predicted[:, _JUDGED:], places)
    score, lower, upper = predicted[:, :_JUDGED].unbind(dim=1)
    regression = functional.smooth_l1_loss(score, targets)
    difference = targets[:, None] - targets[None, :]
    told = score[:, None] - score[None, :]
    rank = functional.relu(difference.abs() - told * difference.sign()).mean()
    tails = (1 - _INTERVAL) / 2
    interval = _pinball(lower, targets, tails) + _pinball(upper, targets, 1 - tails)
    return regression + _RANK_WEIGHT * rank + interval + _CAUSE_WEIGHT * causes


def _pinball(predicted: Tensor, targets: Tensor, quantile: float) -> Tensor:
    """Quantile loss, Koenker and Bassett 1978."""
    error = targets - predicted
    return torch.maximum(quantile * error, (quantile - 1) * error).mean()
