"""Measure a watermark on a small network: what it costs, what it survives, and false claims.

    python tools/watermark_table.py [--independent 20]

Pictures of ``shapes-classes`` at 32 px and ``resnet8``: 1,500 to learn from, 4,000 to measure on,
1,500 fresh ones for whoever trains the network further. The independent networks are trained from
other starts on other halves of the fresh pictures, and each is claimed with the real key.
"""

import argparse
import copy
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch

from reelcheck.lab.data.chosen import Chosen, Kept
from reelcheck.lab.data.generated_pictures import GeneratedPictures
from reelcheck.lab.data.sources import Data
from reelcheck.lab.engine.refit import refit, steps_of
from reelcheck.lab.engine.run import Trained, fresh_network
from reelcheck.lab.evaluation.against import compare
from reelcheck.lab.evaluation.rows import predict
from reelcheck.lab.recipe import Recipe
from reelcheck.lab.tasks.pictures import CLASSES
from reelcheck.lab.watermark.claiming import claim
from reelcheck.lab.watermark.commitment import Commitment, committed_to
from reelcheck.lab.watermark.embedding import embed
from reelcheck.lab.watermark.secret import Secret
from reelcheck.lab.watermark.survival import (
    HEAD,
    Outcome,
    fine_tuned,
    measured,
    survive,
    to_line,
)
from reelcheck.lab.watermark.suspects import suspect_in

PLAN: Final = Recipe.model_validate(
    {
        "name": "watermark-table",
        "seed": 3,
        "data": {
            "task": "shapes-classes",
            "train_count": 1500,
            "test_count": 4000,
            "difficulty": 0.2,
        },
        "input": {"frames": 1, "size_px": (32, 32)},
        "network": {"name": "resnet8", "options": {"stride": 16}},
        "training": {"epochs": 12, "batch": 32, "rate": 2e-3},
    }
)
SECRET: Final = Secret(bytes.fromhex("5e" * 32))
EPOCHS: Final = 6
"""Of embedding."""
_POOL_SEED: Final = 11
_PARTS: Final = (range(1500), range(1500, 3000), range(5000, 9000))
"""Of the drawn pictures: to learn from, for others to train on with, and to measure on."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--independent", type=int, default=20)
    wanted = parser.parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    pool = GeneratedPictures(
        PLAN.model_copy(update={"seed": _POOL_SEED}), offset=0, count=9000, part="test"
    )
    train, fresh, test = (Kept(Chosen(pool, numbers)) for numbers in _PARTS)
    data = Data(
        train=train,
        validation=Chosen(test, range(1)),
        test=test,
        classes=CLASSES,
        fits=frozenset({"clip"}),
    )
    run(data, fresh, independent=wanted.independent)


def run(data: Data, fresh: Kept, *, independent: int) -> None:
    """Print the tables of these pictures."""
    base = _trained(PLAN, data, data.train, seed=PLAN.seed)
    before = predict(base.network, data.test, batch=64)
    marked = replace(base, network=copy.deepcopy(base.network))
    started = time.process_time()
    found = embed(PLAN, marked, SECRET, epochs=EPOCHS)
    seconds = time.process_time() - started
    print(f"{found.bit_errors} of 256 bits wrong, {found.agreement:.0%} of the triggers")
    print(f"embedding took {seconds:.0f} s of CPU")
    print(
        "cost:", compare(measured(PLAN, marked, marked.network), before, name="before").conclusion
    )
    twin = copy.deepcopy(base.network)
    training = PLAN.training.model_copy(update={"epochs": EPOCHS, "warmup_epochs": 0.0})
    again = PLAN.model_copy(update={"training": training, "seed": PLAN.seed + 1})
    refit(twin, again, data.train, classes=len(data.classes))
    others = predict(twin, data.test, batch=64)
    print(
        "cost:",
        compare(
            measured(PLAN, marked, marked.network), others, name="a twin without mark"
        ).conclusion,
    )
    commitment = committed_to(PLAN, marked, SECRET, release=())
    print(HEAD)
    for outcome in survive(PLAN, marked, SECRET, commitment, fresh=fresh, overwrite_epochs=EPOCHS):
        print(to_line(outcome), flush=True)
    _adaptive(marked, fresh, commitment)
    _independent(data, fresh, commitment, count=independent)


def _adaptive(marked: Trained, fresh: Kept, commitment: Commitment) -> None:
    """Print what is left when somebody who knows the method hides the bits, then trains on."""
    hidden = replace(marked, network=_reordered(marked.network))
    trained_on = fine_tuned(PLAN, hidden, fresh, steps=steps_of(PLAN, len(fresh)))
    rows = {"inputs reordered": hidden.network, "reordered, 100% fine-tuning": trained_on}
    for name, network in rows.items():
        found = claim(suspect_in(name, PLAN, network, marked.data.classes), commitment, SECRET)
        evaluation = measured(PLAN, marked, network)
        outcome = Outcome(name=name, found=found, figure=evaluation.figures["top1"])
        print(to_line(outcome), flush=True)


def _reordered(network: torch.nn.Module) -> torch.nn.Module:
    """Return a network that says the same, with the channels between two blocks in another order.

    The key of this tool marks ``block3.conv1``, so it is its inputs that move.
    """
    copied = copy.deepcopy(network)
    body = copied.get_submodule("network.body")
    before, after = body.get_submodule("block2"), body.get_submodule("block3")
    order = torch.randperm(64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for name in ("conv2", "bn2", "short.0", "short.1"):
            for key, value in before.get_submodule(name).state_dict(keep_vars=True).items():
                if key != "num_batches_tracked":
                    value.copy_(value[order].clone())
        for name in ("conv1", "short.0"):
            weights = after.get_submodule(name).get_parameter("weight")
            weights.copy_(weights[:, order].clone())
    return copied


def _trained(
    plan: Recipe, data: Data, samples: object, *, seed: int, steps: int | None = None
) -> Trained:
    torch.manual_seed(seed)
    network = fresh_network(plan, data)
    again = plan.model_copy(update={"seed": seed})
    refit(network, again, samples, classes=len(data.classes), steps=steps)  # type: ignore[arg-type]
    return Trained(folder=Path(), network=network, data=data, seconds=0.0)


def _independent(data: Data, fresh: Kept, commitment: Commitment, *, count: int) -> None:
    claims, errors, agreed, scores = [], [], [], []
    steps = steps_of(PLAN, len(fresh)) // 4
    for number in range(count):
        rng = np.random.default_rng(number)
        half = rng.choice(len(fresh), len(fresh) // 2, replace=False)
        one = _trained(PLAN, data, Chosen(fresh, half.tolist()), seed=100 + number, steps=steps)
        found = claim(suspect_in(f"{number}", PLAN, one.network, data.classes), commitment, SECRET)
        rows = predict(one.network, Chosen(data.test, range(500)), batch=64)
        scores.append(float(np.mean(rows.told == rows.labels)))
        claims.append(found)
        errors.append(found.bit_errors or 0)
        agreed.append(found.agreed or 0)
    held = sum(one.holds for one in claims)
    least = min((one.p for one in claims), default=1.0)
    print(f"independent: {held} claims among {count}, least p {least:.2g}")
    print(f"  top-1 {min(scores):.3f} to {max(scores):.3f}, {steps} steps each")
    print(f"  bits wrong {sorted(errors)}\n  triggers {sorted(agreed)}")


if __name__ == "__main__":
    main()
