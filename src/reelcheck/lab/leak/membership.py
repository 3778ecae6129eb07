"""Membership inference on a trained network, for three ways of answering."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reelcheck.errors import SettingError
from reelcheck.lab.data.chosen import Chosen
from reelcheck.lab.data.sources import Samples
from reelcheck.lab.engine.refit import refit, steps_of
from reelcheck.lab.engine.run import Trained, fresh_network
from reelcheck.lab.evaluation.parts import Joined, samples_of
from reelcheck.lab.evaluation.rows import predict
from reelcheck.lab.leak.attacks import confidence, likelihood
from reelcheck.lab.leak.outputs import Floats, shown_ways
from reelcheck.lab.leak.telling import told_apart
from reelcheck.lab.measure.bootstrap import Interval
from reelcheck.lab.recipe import Recipe

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """One attack on one way of answering."""

    attack: str
    shown: str
    figures: dict[str, Interval]


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """What was measured of a network."""

    members: int
    others: int
    shadows: int
    shadow_members: int
    """Samples that each shadow was trained on; the network itself was trained on ``trained_on``."""
    trained_on: int
    leaks: tuple[Leak, ...]


def membership(
    plan: Recipe, trained: Trained, *, shadows: int, digits: int, tell: Tell
) -> Membership:
    """Attack a trained network.

    Members are samples of its training part, others those of validation and test, as many of each.

    Args:
        plan: The recipe of the training, by which the shadows are trained too.
        trained: What it left behind.
        shadows: Networks trained for the likelihood attack; 0 for the confidence attack alone.
        digits: Of rounded answers.
        tell: Told of each shadow, since they take time.

    Raises:
        SettingError: the network is no classifier, or one shadow is asked for.
    """
    refuse_others(trained.network)
    if shadows % 2:
        raise SettingError("shadows come in pairs: one is trained on what the other is not")
    pool, members = _pool(plan, trained, seen=True)
    rows = predict(trained.network, pool, batch=plan.training.batch)
    labels, truth = rows.labels, members[list(rows.numbers)]
    told, sides = _shadows(plan, trained, members, count=shadows, tell=tell)
    sides, told = sides[:, list(rows.numbers)], told[:, list(rows.numbers)]
    found = []
    for way in shown_ways(digits):
        shown = way.of(rows.probabilities)
        scores = {"confidence": confidence(shown, labels)}
        if shadows:
            hidden = np.stack([way.of(one) for one in told])
            scores["likelihood"] = likelihood(
                shown, labels, shadows=hidden, trained_on=sides, way=way
            )
        found += [
            Leak(attack=name, shown=way.name, figures=told_apart(one, truth, rows.groups))
            for name, one in scores.items()
        ]
    return Membership(
        members=int(truth.sum()),
        others=int((~truth).sum()),
        shadows=shadows,
        shadow_members=len(members) // 2,
        trained_on=len(trained.data.train),
        leaks=tuple(found),
    )


def refuse_others(network: Any) -> None:  # noqa: ANN401 - any network of the lab
    """Refuse networks that give no probabilities.

    Raises:
        SettingError: it is none that classifies.
    """
    if network.kind in {"boxes", "quality"}:
        raise SettingError("what leaks is measured of classifiers only")


def _pool(plan: Recipe, trained: Trained, *, seen: bool) -> tuple[Samples, NDArray[np.bool_]]:
    """Return members and others, as many of each, and which are which.

    Args:
        plan: The recipe.
        trained: Whose data.
        seen: As they are measured, which never varies; else as they are trained on.
    """
    data = trained.data
    train = samples_of(plan, data, "train") if seen else data.train
    others = Joined([("validation", data.validation), ("test", data.test)])
    count = min(len(train), len(others))
    rng = np.random.default_rng(plan.seed)
    sides = [
        Chosen(side, sorted(rng.choice(len(side), count, replace=False)))
        for side in (train, others)
    ]
    pool = Joined([("members", sides[0]), ("others", sides[1])])
    return pool, np.arange(2 * count) < count


def _shadows(
    plan: Recipe, trained: Trained, members: NDArray[np.bool_], *, count: int, tell: Tell
) -> tuple[Floats, NDArray[np.bool_]]:
    """Train shadows in pairs, each on the half that its twin has not; return what they say.

    Returns:
        Probabilities [S, N, K], and which was trained on which sample [S, N].
    """
    classes = len(trained.data.classes)
    size = len(members)
    sides = np.zeros((count, size), dtype=bool)
    told = np.zeros((count, size, classes))
    if not count:
        return told, sides
    learned, _ = _pool(plan, trained, seen=False)
    measured, _ = _pool(plan, trained, seen=True)
    for number in range(count):
        rng = np.random.default_rng((plan.seed, number // 2))
        half = rng.permutation(size) < size // 2
        sides[number] = half if number % 2 == 0 else ~half
        seed = plan.seed + 11 + number
        torch.manual_seed(seed)
        network = fresh_network(plan, trained.data)
        again = plan.model_copy(update={"seed": seed})
        chosen = Chosen(learned, np.flatnonzero(sides[number]).tolist())
        steps = steps_of(plan, len(trained.data.train))
        refit(network, again, chosen, classes=classes, steps=steps)
        rows = predict(network, measured, batch=plan.training.batch)
        told[number, list(rows.numbers)] = rows.probabilities
        tell(f"shadow {number + 1} of {count}")
    return told, sides
