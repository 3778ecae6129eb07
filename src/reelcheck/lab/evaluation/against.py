"""Two models on the very same samples: which is better, and whether that can be told."""

import math
from dataclasses import dataclass

import numpy as np

from reelcheck.errors import SettingError
from reelcheck.lab.evaluation.figures import LOWER_IS_BETTER, Evaluation, main_figure, measurer
from reelcheck.lab.evaluation.rows import ClassRows, Rows
from reelcheck.lab.measure.bootstrap import LEAST_GROUPS, Interval, resample


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """McNemar's exact test of two classifiers (McNemar 1947; the binomial form)."""

    only_this: int
    """Samples that only this network gets right."""
    only_other: int
    p_value: float
    """Chance of so uneven a split if both were equally good; two-sided. Takes the samples as
    independent, which those of one group are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """This network against another."""

    name: str
    """Of the other."""
    samples: int
    this: dict[str, Interval]
    other: dict[str, Interval]
    differences: dict[str, Interval]
    """This minus the other, with the interval of the paired bootstrap over groups."""
    mcnemar: McNemar | None
    conclusion: str


def compare(evaluation: Evaluation, other: Rows, *, name: str) -> Comparison:
    """Compare what two models said of the same samples.

    Args:
        evaluation: Of this network.
        other: What the other said; samples that either could not read are left out.
        name: Of the other.

    Raises:
        SettingError: the two are of different kinds, or share no sample.
    """
    mine = evaluation.rows
    if type(mine) is not type(other):
        raise SettingError(f"{name} is a model of another kind and cannot be compared")
    shared = set(mine.numbers) & set(other.numbers)
    if not shared:
        raise SettingError(f"{name} and this network share no sample")
    this_rows, other_rows = (
        rows.take([place for place, number in enumerate(rows.numbers) if number in shared])
        for rows in (mine, other)
    )
    this, that = (
        resample(measurer(rows, evaluation.classes), rows.groups)
        for rows in (this_rows, other_rows)
    )
    differences = {key: one for key, one in this.minus(that).items() if "/" not in key}
    test = None
    if isinstance(this_rows, ClassRows) and isinstance(other_rows, ClassRows):
        test = mcnemar(this_rows, other_rows)
    figure = main_figure(mine)
    return Comparison(
        name=name,
        samples=len(this_rows),
        this={key: one for key, one in this.intervals().items() if "/" not in key},
        other={key: one for key, one in that.intervals().items() if "/" not in key},
        differences=differences,
        mcnemar=test,
        conclusion=_conclusion(
            figure,
            differences.get(figure),
            name=name,
            seen=f"{len(this_rows)} samples of {this.groups} groups",
            groups=this.groups,
        ),
    )


def mcnemar(this: ClassRows, other: ClassRows) -> McNemar:
    """Return McNemar's exact test on the same samples."""
    right = this.told == this.labels
    others = other.told == other.labels
    only_this, only_other = int(np.sum(right & ~others)), int(np.sum(others & ~right))
    count = only_this + only_other
    tail = sum(math.comb(count, one) for one in range(min(only_this, only_other) + 1))
    p_value = min(1.0, 2 * tail / 2**count)
    return McNemar(only_this=only_this, only_other=only_other, p_value=p_value)


def _conclusion(
    figure: str, difference: Interval | None, *, name: str, seen: str, groups: int
) -> str:
    """Return one plain sentence."""
    if difference is None:
        return f"No difference can be told: {figure} cannot be computed for both."
    value, low, high = difference.value, difference.low, difference.high
    if low is None or high is None or groups < LEAST_GROUPS:
        return (
            f"No difference can be told with {groups} groups: {figure} differs by {value:+.3f}, "
            f"and at least {LEAST_GROUPS} groups are needed."
        )
    measured = f"{figure} differs by {value:+.3f} [{low:+.3f}, {high:+.3f}] on the same {seen}"
    if low <= 0 <= high:
        return f"No difference can be told with {groups} groups: {measured}."
    better = (low > 0) != (figure in LOWER_IS_BETTER)
    return f"{'Better' if better else 'Worse'} than {name}: {measured}."
