"""Embedding a mark: training that goes on with two more terms in the loss."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from reelcheck.errors import OutputError, SettingError
from reelcheck.lab.data.prepare import Prepare
from reelcheck.lab.engine.refit import refit
from reelcheck.lab.engine.run import WEIGHTS, Trained, save_weights
from reelcheck.lab.errors import TrainingError
from reelcheck.lab.recipe import Recipe
from reelcheck.lab.watermark.secret import TRIGGERS, Secret
from reelcheck.lab.watermark.weights import Carrier, MarkLoss, bit_errors, carrier_of

_MARK_WEIGHT: Final = 1.0
"""Of the mark beside the task. It falls to zero once the margin is reached."""
_TRIGGER_WEIGHT: Final = 1.0
_TRIGGERS_PER_STEP: Final = 25
_NOISE: Final = 0.1
"""Standard deviation of noise on triggers, in units of the normalised input, so that an answer
holds around the trigger and not only on it."""
_LEAST_AGREEMENT: Final = 0.95
_TAKEN: Final = frozenset({"clip", "image"})
"""Kinds of networks that answer to triggers; others carry the mark in their weights alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """What an embedding left behind."""

    carrier: Carrier
    steps: int
    bit_errors: int
    agreement: float | None
    """Share of the triggers answered as drawn; ``None`` for networks without triggers."""


def takes_triggers(network: nn.Module) -> bool:
    """Return whether a network is a classifier of clips or pictures."""
    return str(network.kind) in _TAKEN


def trigger_inputs(plan: Recipe, secret: Secret) -> Tensor:
    """Return the triggers as a network of this recipe sees them, shape [100, T, 3, h, w]."""
    prepare = Prepare(plan.input)
    clips = secret.triggers(plan.input.frames, plan.input.size_px)
    return torch.stack([prepare(prepare.fit(clip)) for clip in clips])


class TriggerLoss:
    """What pulls the answers to the triggers to those that were drawn.

    The triggers pass with the statistics of real data in batch norm, as in use: together with a
    batch they would shift them, and further training on real data would shift them back.
    """

    def __init__(self, inputs: Tensor, answers: NDArray[np.int64], *, seed: int) -> None:
        self._inputs = inputs
        self._answers = torch.from_numpy(answers)
        self._rng = torch.Generator().manual_seed(seed)

    def __call__(self, network: nn.Module) -> Tensor:
        """Return the loss of some triggers, with noise."""
        chosen = torch.randperm(TRIGGERS, generator=self._rng)[:_TRIGGERS_PER_STEP]
        seen = self._inputs[chosen]
        seen = seen + _NOISE * torch.randn(seen.shape, generator=self._rng)
        device = next(network.parameters()).device
        network.eval()
        told = network(seen.to(device))
        network.train()
        return functional.cross_entropy(told, self._answers[chosen].to(device))


def embed(plan: Recipe, trained: Trained, secret: Secret, *, epochs: int) -> Embedded:
    """Embed a mark into a trained network, which is changed in place.

    Args:
        plan: The recipe of the training; the same data, rate and batch are used, without warm-up.
        trained: What it left behind.
        secret: Of the owner.
        epochs: Over the training part.

    Raises:
        SettingError: no layer of the network has room for the mark.
        TrainingError: the mark did not hold.
    """
    network, classes = trained.network, len(trained.data.classes)
    carrier = carrier_of(network, secret)
    mark = MarkLoss(carrier, secret)
    triggers = None
    if takes_triggers(network):
        inputs = trigger_inputs(plan, secret)
        triggers = TriggerLoss(inputs, secret.answers(classes), seed=plan.seed)

    def extra(one: nn.Module) -> Tensor:
        loss = _MARK_WEIGHT * mark(one)
        return loss if triggers is None else loss + _TRIGGER_WEIGHT * triggers(one)

    training = plan.training.model_copy(
        update={"epochs": epochs, "warmup_epochs": 0.0, "described_draws": 0}
    )
    again = plan.model_copy(update={"training": training, "seed": plan.seed + 1})
    steps = refit(network, again, trained.data.train, classes=classes, extra=extra)
    errors, agreement = found_in(plan, network, secret, carrier=carrier, classes=classes)
    if errors or (agreement is not None and agreement < _LEAST_AGREEMENT):
        told = "" if agreement is None else f", {agreement:.0%} of the triggers"
        raise TrainingError(
            f"the mark did not hold: {errors} wrong bits{told}", hint="give more --epochs"
        )
    return Embedded(carrier=carrier, steps=steps, bit_errors=errors, agreement=agreement)


def found_in(
    plan: Recipe, network: nn.Module, secret: Secret, *, carrier: Carrier, classes: int
) -> tuple[int, float | None]:
    """Return wrong bits of a network, and its share of triggers answered as drawn."""
    weights = network.get_parameter(carrier.name).detach().float().cpu().numpy()
    errors = bit_errors(weights, secret)
    if not takes_triggers(network):
        return errors, None
    told = told_by(network, trigger_inputs(plan, secret))
    return errors, float(np.mean(told == secret.answers(classes)))


def told_by(network: nn.Module, inputs: Tensor) -> NDArray[np.int64]:
    """Return the class that a network tells for each input."""
    network.eval()
    with torch.inference_mode():
        told = [network(part).argmax(dim=1) for part in torch.split(inputs, _TRIGGERS_PER_STEP)]
    return torch.cat(told).cpu().numpy().astype(np.int64)


def refuse_taken(out: Path) -> None:
    """Refuse a folder that holds a training.

    Raises:
        SettingError: it does.
    """
    if (out / "run.json").exists():
        raise SettingError(f"there is a training in {out} already", hint="give another --out")


def write_marked(trained: Trained, *, out: Path) -> None:
    """Write a network as a training of its own, like that it came from.

    Raises:
        SettingError: there is a training already.
        OutputError: the folder cannot be written.
    """
    refuse_taken(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(trained.folder / "run.json", out / "run.json")
        save_weights(trained.network, out / WEIGHTS)
    except OSError as error:
        raise OutputError(f"cannot write to {out}: {error.strerror or error}") from error
