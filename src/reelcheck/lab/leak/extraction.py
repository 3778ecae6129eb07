"""Extraction: a copy of a network, trained on its answers to queries.

After Tramer et al. 2016, "Stealing Machine Learning Models via Prediction APIs", and Orekondy et
al. 2019, "Knockoff Nets". The thief has pictures of the same kind without labels, and knows recipe
and architecture: more than most have, so what is told is closer to the worst than to the usual
case. A copy learns from probabilities where it gets them, else from labels; for each way of
answering it makes as many steps as the original did.

Limits: one copy for each way and number of queries, so small differences are chance; no thief who
chooses the next query by the last answers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from reelcheck.errors import SettingError
from reelcheck.lab.data.chosen import Chosen
from reelcheck.lab.data.sources import Samples, open_data
from reelcheck.lab.engine.refit import refit, steps_of
from reelcheck.lab.engine.run import Trained, fresh_network
from reelcheck.lab.evaluation.parts import still
from reelcheck.lab.evaluation.rows import ClassRows, predict
from reelcheck.lab.leak.membership import refuse_others
from reelcheck.lab.leak.outputs import Shown, shown_ways
from reelcheck.lab.measure.bootstrap import Interval, resample
from reelcheck.lab.recipe import Recipe

QUERY_SEED = 7_000_003
"""Added to the seed of a generated task for the pictures of the thief."""
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One copy, measured on the test part of the original."""

    shown: str
    queries: int
    agreement: Interval
    """Share of samples of which both say the same."""
    accuracy: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """What was measured of a network."""

    source: str
    """Where the queries come from."""
    accuracy: Interval
    """Of the original."""
    copies: tuple[Copy, ...]


def extraction(
    plan: Recipe, trained: Trained, *, queries: Sequence[int], digits: int, tell: Tell
) -> Extraction:
    """Copy a network by its answers.

    Args:
        plan: The recipe of the training, by which the copies are trained too.
        trained: What it left behind.
        queries: How many, for each copy.
        digits: Of rounded answers.
        tell: Told of each copy, since they take time.

    Raises:
        SettingError: the network is no classifier, or there are fewer samples than queries.
    """
    refuse_others(trained.network)
    asked, source = _queries(plan, trained, most=max(queries))
    answers = predict(trained.network, asked, batch=plan.training.batch)
    own = predict(trained.network, trained.data.test, batch=plan.training.batch)
    copies = []
    for count in queries:
        for way in shown_ways(digits):
            said = _copied(plan, trained, asked, answers, count=count, way=way)
            agreement = _share(said.told == own.told, own.groups)
            accuracy = _share(said.told == own.labels, own.groups)
            copies.append(
                Copy(shown=way.name, queries=count, agreement=agreement, accuracy=accuracy)
            )
            tell(f"{count} queries, {way.name}: agreement {agreement}")
    accuracy = _share(own.told == own.labels, own.groups)
    return Extraction(source=source, accuracy=accuracy, copies=tuple(copies))


def _queries(plan: Recipe, trained: Trained, *, most: int) -> tuple[Samples, str]:
    if plan.data.task is None:
        samples, source = trained.data.validation, "the validation part, without its labels"
    else:
        data = plan.data.model_copy(update={"train_count": most, "test_count": 1})
        other = still(plan).model_copy(update={"data": data, "seed": plan.seed + QUERY_SEED})
        samples, source = open_data(other).train, "the generated task, drawn anew"
    if len(samples) < most:
        raise SettingError(
            f"{most} queries are asked for, and there are {len(samples)} samples for them"
        )
    return samples, source


def _copied(
    plan: Recipe,
    trained: Trained,
    asked: Samples,
    answers: ClassRows,
    *,
    count: int,
    way: Shown,
) -> ClassRows:
    chosen = [place for place, number in enumerate(answers.numbers) if number < count]
    shown = torch.from_numpy(way.of(answers.probabilities[chosen])).float()
    numbers = [answers.numbers[place] for place in chosen]
    seed = plan.seed + 13
    torch.manual_seed(seed)
    network = fresh_network(plan, trained.data)
    again = plan.model_copy(update={"seed": seed})
    steps = steps_of(plan, len(trained.data.train))
    samples = Chosen(asked, numbers, answers=shown)
    refit(network, again, samples, classes=len(trained.data.classes), steps=steps)
    said: ClassRows = predict(network, trained.data.test, batch=plan.training.batch)
    return said


def _share(right: NDArray[np.bool_], groups: Sequence[str]) -> Interval:
    values = right.astype(np.float64)
    found = resample(
        lambda weights: {"share": float((weights * values).sum() / weights.sum())}, groups
    )
    return found.intervals()["share"]
