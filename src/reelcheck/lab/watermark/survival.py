"""What a mark survives, measured on the network that carries it.

Three things that happen to any stolen network (further training, pruning, whole numbers of eight
bits), and two attacks of somebody who knows the method but not the key: training much longer, and
embedding a mark of their own over it.
"""

import copy
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch
from torch import nn

from reelcheck.lab.data.sources import Samples, open_data
from reelcheck.lab.engine.refit import refit, steps_of
from reelcheck.lab.engine.run import Trained
from reelcheck.lab.errors import TrainingError
from reelcheck.lab.evaluation.figures import Evaluation, evaluate, main_figure
from reelcheck.lab.evaluation.rows import predict
from reelcheck.lab.export.bundle import export_bundle
from reelcheck.lab.export.int8 import export_int8
from reelcheck.lab.measure.bootstrap import Interval
from reelcheck.lab.recipe import Recipe
from reelcheck.lab.watermark.claiming import Claim, claim
from reelcheck.lab.watermark.commitment import Commitment
from reelcheck.lab.watermark.embedding import embed
from reelcheck.lab.watermark.secret import Secret
from reelcheck.lab.watermark.suspects import Suspect, suspect_in, suspect_of

FRESH_SEED: Final = 5_000_003
"""Added to the seed of a generated task for data that the network was not trained on."""
SHARES: Final = (0.2, 1.0)
"""Of the steps of the original training, for training that goes on."""
PRUNED: Final = (0.5, 0.7)
"""Shares of the weights that are set to zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A network after something was done to it."""

    name: str
    found: Claim
    figure: Interval | None
    """The main figure on the test part."""


def survive(
    plan: Recipe,
    trained: Trained,
    secret: Secret,
    commitment: Commitment,
    *,
    fresh: Samples,
    overwrite_epochs: int,
) -> Iterator[Outcome]:
    """Do to a marked network what thieves do; yield what is left, one after the other.

    Args:
        fresh: Data of the thieves, see ``fresh_samples``.
        plan: The recipe of the training.
        trained: The marked network.
        secret: Of its owner.
        commitment: To its mark.
        overwrite_epochs: Of the attacker who embeds a mark over it, as in ``embed``.
    """

    def outcome(name: str, network: nn.Module) -> Outcome:
        found = claim(suspect_in(name, plan, network, trained.data.classes), commitment, secret)
        return Outcome(name=name, found=found, figure=_figure(plan, trained, network))

    yield outcome("as released", trained.network)
    steps = steps_of(plan, len(trained.data.train))
    for share in SHARES:
        network = fine_tuned(plan, trained, fresh, steps=round(share * steps))
        yield outcome(f"{share:.0%} fine-tuning", network)
    for share in PRUNED:
        yield outcome(f"{share:.0%} pruned", pruned(trained.network, share))
    found, figure = _in_int8(plan, trained, lambda one: claim(one, commitment, secret))
    yield Outcome(name="int8", found=found, figure=figure)
    yield outcome(
        f"another mark over it, {overwrite_epochs} epochs",
        overwritten(plan, trained, fresh, epochs=overwrite_epochs),
    )


def fresh_samples(plan: Recipe, trained: Trained) -> Samples:
    """Return data that the network was not trained on: drawn anew, or the validation part."""
    if plan.data.task is None:
        return trained.data.validation
    data = plan.data.model_copy(update={"test_count": 1})  # only the training part is looked at
    other = plan.model_copy(update={"seed": plan.seed + FRESH_SEED, "data": data})
    return open_data(other).train


def fine_tuned(plan: Recipe, trained: Trained, samples: Samples, *, steps: int) -> nn.Module:
    """Return a copy of a network after so many steps at the full rate of its recipe."""
    network = copy.deepcopy(trained.network)
    classes = len(trained.data.classes)
    refit(network, steady(plan), samples, classes=classes, steps=max(1, steps))
    return network


def steady(plan: Recipe) -> Recipe:
    """Return a recipe that keeps its full rate from the first step to the last."""
    training = plan.training.model_copy(
        update={"schedule": "constant", "warmup_epochs": 0.0, "described_draws": 0}
    )
    return plan.model_copy(update={"training": training, "seed": plan.seed + 7})


def pruned(network: nn.Module, share: float) -> nn.Module:
    """Return a copy of a network whose smallest weights are zero, over all layers together.

    Source: magnitude pruning, Han et al. 2015, "Learning both Weights and Connections".
    """
    copied = copy.deepcopy(network)
    matrices = [one for one in copied.parameters() if one.ndim > 1]
    with torch.no_grad():
        sizes = torch.cat([one.abs().flatten() for one in matrices])
        limit = sizes.kthvalue(max(1, round(share * len(sizes)))).values
        for one in matrices:
            one[one.abs() <= limit] = 0.0
    return copied


def overwritten(plan: Recipe, trained: Trained, samples: Samples, *, epochs: int) -> nn.Module:
    """Return a copy of a network with the mark of somebody else over its own."""
    network = copy.deepcopy(trained.network)
    data = replace(trained.data, train=samples)
    thief = Secret(bytes(range(32)))
    with suppress(TrainingError):  # the thief's mark need not hold for the owner's to be gone
        embed(plan, replace(trained, network=network, data=data), thief, epochs=epochs)
    return network


def _in_int8(
    plan: Recipe, trained: Trained, judge: Callable[[Suspect], Claim]
) -> tuple[Claim, Interval | None]:
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "whole", Path(folder) / "small"
        export_bundle(plan, trained, figures={}, licence="proprietary", out=whole)
        drift = export_int8(plan, trained, whole, out=small)
        found = judge(suspect_of(str(small)))
    return replace(found, suspect="int8"), drift.comparison.this.get(drift.main_figure)


def _figure(plan: Recipe, trained: Trained, network: nn.Module) -> Interval | None:
    found = measured(plan, trained, network)
    return found.figures.get(main_figure(found.rows))


def measured(plan: Recipe, trained: Trained, network: nn.Module) -> Evaluation:
    """Return the figures of a network on the test part of a training."""
    rows = predict(network, trained.data.test, batch=plan.training.batch)
    return evaluate(rows, trained.data.classes, part="test", worst=0)


HEAD: Final = (
    f"{'WHAT WAS DONE':34} {'BITS WRONG':>10} {'P':>9} {'TRIGGERS':>9} {'P':>9} "
    f"{'TOGETHER':>9}  FIGURE"
)


def to_line(outcome: Outcome) -> str:
    """Return a line of the table below ``HEAD``."""
    found = outcome.found
    errors = "-" if found.bit_errors is None else str(found.bit_errors)
    bits = "-" if found.bits_p is None else f"{found.bits_p:.1e}"
    agreed = "-" if found.agreed is None else str(found.agreed)
    asked = "-" if found.triggers_p is None else f"{found.triggers_p:.1e}"
    return (
        f"{outcome.name:34} {errors:>10} {bits:>9} {agreed:>9} {asked:>9} {found.p:9.1e}  "
        f"{outcome.figure or '-'}"
    )
