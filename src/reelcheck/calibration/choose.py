"""Choose a threshold on one half of the videos that keeps a promise, and hold the other against it.

Groups are dealt into two halves, balanced in events and hours, before any score is looked at. On
the first half the list of thresholds is walked from the safe end as long as the bound keeps the
promise, and the last one that keeps it is chosen. This is fixed-sequence testing (Maurer, Hothorn
and Lehmacher 1995; for thresholds: Angelopoulos, Bates, Candes, Jordan and Lei, "Learn then Test",
arXiv 2110.01052): looking at many thresholds costs nothing, the chosen one breaks the promise with
a chance of at most ``1 - confidence``. Several minimum durations share that chance equally
(Bonferroni). The second half takes no part in the choice; if it contradicts, there is no rule.

Limits: the promise holds for videos like the labelled ones, watched with the same profile and
models. What is rare among them is promised nothing.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from reelcheck.calibration.bounds import binomial_lower, poisson_lower
from reelcheck.calibration.curve import Curve, curve_of
from reelcheck.calibration.sweep import DURATIONS_SECONDS, Sweep, rule_at
from reelcheck.errors import SettingError
from reelcheck.verdict.policy import SignalRule

Outcome = Literal["kept", "too_little_data", "out_of_reach", "contradicted"]
_BURSTS: Final = 1.5
"""Dispersion that is worth telling."""
_LEAST_GROUPS: Final = 2
"""In each half: one group shows no scatter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What is to be promised: one of the two limits."""

    max_false_alarms_per_hour: float | None = None
    min_recall: float | None = None
    confidence: float = 0.9

    def __post_init__(self) -> None:
        """Refuse two limits, none, or one that nothing can keep."""
        rate, recall = self.max_false_alarms_per_hour, self.min_recall
        if (rate is None) == (recall is None):
            raise SettingError("give either a limit of false alarms per hour or a least recall")
        if rate is not None and not (math.isfinite(rate) and rate > 0):
            raise SettingError(f"false alarms per hour must be more than 0, got {rate:g}")
        if recall is not None and not 0 < recall < 1:
            raise SettingError(f"recall must lie between 0 and 1, got {recall:g}")
        if not 0.5 <= self.confidence < 1:  # noqa: PLR2004 - below, a bound is no bound
            raise SettingError(f"confidence must be 0.5 or more, got {self.confidence:g}")

    def __str__(self) -> str:
        """Show the promise."""
        sure = f"with {100 * self.confidence:g} % confidence"
        if self.min_recall is not None:
            return f"at least {100 * self.min_recall:g} % of events found, {sure}"
        rate = self.max_false_alarms_per_hour or 0.0
        return f"at most {rate:g} false alarm{'s' * (rate != 1)} per hour, {sure}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """What came of it."""

    outcome: Outcome
    reason: str
    """One sentence or two, for a person."""
    rule: SignalRule | None
    """The rule that keeps the promise; ``None`` where there is none."""
    place: int | None
    """Place of its threshold in the curves, also when the other half contradicts it."""
    calibration: Curve
    """The half on which it was chosen, with the bounds that were used."""
    check: Curve
    """The other half."""
    min_duration_seconds: float
    """That of the curves."""
    tried: tuple[float, ...]
    """Minimum durations that shared the risk."""


def durations_of(rule: SignalRule) -> tuple[float, ...]:
    """Return the minimum durations to sweep for a rule, its own among them."""
    return tuple(sorted({*DURATIONS_SECONDS, rule.min_duration_seconds}))


def halves(whole: Sweep) -> tuple[list[int], list[int]]:
    """Deal groups into two halves, by their events and hours alone."""
    dealt: tuple[list[int], list[int]] = ([], [])
    for with_events in (True, False):
        weights = whole.events.astype(np.float64) if with_events else whole.hours
        mine = [i for i in range(len(whole.groups)) if bool(whole.events[i]) == with_events]
        loads = [0.0, 0.0]
        for place in sorted(mine, key=lambda i: (-weights[i], whole.groups[i])):
            side = int(
                loads[1] < loads[0] or (loads[0] == loads[1] and len(dealt[1]) < len(dealt[0]))
            )
            loads[side] += float(weights[place])
            dealt[side].append(place)
    return sorted(dealt[0]), sorted(dealt[1])


def choose(whole: Sweep, rule: SignalRule, goal: Goal) -> Choice:
    """Choose threshold and minimum duration, and check them."""
    first, second = (whole.part(places) for places in halves(whole))
    own = whole.durations_seconds.index(rule.min_duration_seconds)
    tried = _affordable(first, own, goal)
    risk = (1 - goal.confidence) / len(tried)
    curves = {place: curve_of(first, place, risk=risk) for place in tried}
    chosen = {
        place: at for place, one in curves.items() if (at := _last_kept(one, goal)) is not None
    }
    best = max(
        chosen, key=lambda one: _worth(curves[one], chosen[one], one == own, goal), default=own
    )
    place = chosen.get(best)
    check = curve_of(second, best, risk=1 - goal.confidence)
    outcome, reason = _settle(curves[best], check, place, goal, risk)
    seconds = whole.durations_seconds[best]
    kept = place is not None and outcome == "kept"
    return Choice(
        outcome=outcome,
        reason=reason,
        rule=(
            rule_at(rule, whole.thresholds[place or 0], min_duration_seconds=seconds)
            if kept
            else None
        ),
        place=place,
        calibration=curves[best],
        check=check,
        min_duration_seconds=seconds,
        tried=tuple(whole.durations_seconds[one] for one in tried),
    )


def _affordable(part: Sweep, own: int, goal: Goal) -> list[int]:
    """Return the durations to try: several only with events to tell them apart, and data to spare.

    Looks at hours and numbers of events only, never at scores.
    """
    every = list(range(len(part.durations_seconds)))
    risk = (1 - goal.confidence) / len(every)
    events = int(part.events.sum())
    if goal.min_recall is not None:
        enough = events >= 2 * events_needed(goal.min_recall, risk)
    else:
        rate = goal.max_false_alarms_per_hour or 0.0
        enough = events > 0 and part.hours.sum() >= 2 * hours_needed(rate, risk)
    return every if enough else [own]


def hours_needed(per_hour: float, risk: float) -> float:
    """Return the hours that, without one false alarm, prove that there are fewer per hour."""
    return -math.log(risk) / per_hour


def events_needed(recall: float, risk: float) -> int:
    """Return how many events, all of them found, prove such a recall."""
    return math.ceil(math.log(risk) / math.log(recall))


def _last_kept(curve: Curve, goal: Goal) -> int | None:
    """Walk from the safe end while the promise is kept; return the last place."""
    if goal.min_recall is not None:
        fails = np.flatnonzero(curve.recall_lower < goal.min_recall)
        place = int(fails[-1]) + 1 if len(fails) else 0
        return place if place < len(curve.thresholds) else None
    fails = np.flatnonzero(curve.per_hour_upper > (goal.max_false_alarms_per_hour or 0.0))
    place = int(fails[0]) - 1 if len(fails) else len(curve.thresholds) - 1
    return place if place >= 0 else None


def _worth(curve: Curve, place: int, own: bool, goal: Goal) -> tuple[float, bool]:  # noqa: FBT001 - one call
    """Return what to maximise among durations; the rule's own wins a tie."""
    if goal.min_recall is not None:
        return -float(curve.false_alarms[place]), own
    return float(curve.found[place]), own


def _settle(
    calibration: Curve, check: Curve, place: int | None, goal: Goal, risk: float
) -> tuple[Outcome, str]:
    lack = _lack(calibration, check, goal, risk)
    if lack:
        return "too_little_data", lack
    if place is None:
        return "out_of_reach", _out_of_reach(calibration, goal)
    doubt = _doubt(check, place, goal)
    return ("contradicted", doubt) if doubt else ("kept", _kept(check, place, goal))


def _lack(calibration: Curve, check: Curve, goal: Goal, risk: float) -> str:
    """Return what is missing to promise anything, or nothing."""
    if min(calibration.groups, check.groups) < _LEAST_GROUPS:
        total = calibration.groups + check.groups
        return f"at least {2 * _LEAST_GROUPS} groups of videos are needed, there are {total}"
    if goal.min_recall is not None:
        wanted, there = events_needed(goal.min_recall, risk), calibration.events
        return (
            f"at least {wanted} events are needed in each half, so {2 * wanted} in all, even if "
            f"every one is found; there are {there} and {check.events}"
            if there < wanted or not check.events
            else ""
        )
    rate = goal.max_false_alarms_per_hour or 0.0
    needed, hours = hours_needed(rate, risk), calibration.hours
    if hours >= needed and check.hours > 0:
        return ""
    text = (
        f"at least {needed:.3g} hours without events are needed in each half, so {2 * needed:.3g} "
        f"in all, for {rate:g} per hour, even without one false alarm; there are {hours:.3g} and "
        f"{check.hours:.3g}"
    )
    if hours > 0:
        text += f". So few hours can promise no less than {hours_needed(hours, risk):.3g} per hour"
    return text


def _out_of_reach(calibration: Curve, goal: Goal) -> str:
    if goal.min_recall is not None:
        found = int(calibration.found[-1])
        return (
            f"even the loosest threshold finds {found} of {calibration.events} events, which "
            f"promises {100 * calibration.recall_lower[-1]:.3g} %"
        )
    size = calibration.dispersion[0]
    bursts = f", as alarms come in bursts of about {size:.2g}" if size >= _BURSTS else ""
    return (
        f"even the strictest threshold gives {int(calibration.false_alarms[0])} false alarms in "
        f"{calibration.hours:.3g} h, which promises {calibration.per_hour_upper[0]:.3g} per hour"
        f"{bursts}; more hours lower the bound if alarms are rare"
    )


def _doubt(check: Curve, place: int, goal: Goal) -> str:
    """Return how the other half speaks clearly against the promise, or nothing."""
    risk = 1 - goal.confidence
    if goal.min_recall is not None:
        alike = math.floor(check.events / float(check.spread[place]))
        misses = math.floor(alike * (1 - float(check.recall[place])))
        most = 1 - binomial_lower(misses, alike, risk)
        return (
            f"the other half contradicts it: {int(check.found[place])} of {check.events} events "
            f"were found, so that at most {100 * most:.3g} % are"
            if most < goal.min_recall
            else ""
        )
    alarms, burst = int(check.alarms[place]), float(check.dispersion[place])
    least = burst * poisson_lower(math.floor(alarms / burst), risk) / check.hours
    return (
        f"the other half contradicts it: {alarms} false alarms in {check.hours:.3g} h, so that "
        f"there are at least {least:.3g} per hour"
        if least > (goal.max_false_alarms_per_hour or 0.0)
        else ""
    )


def _kept(check: Curve, place: int, goal: Goal) -> str:
    if goal.min_recall is not None:
        share = check.recall[place]
        fits = "keeps it" if share >= goal.min_recall else "falls short, within chance"
        return f"the other half {fits}: {int(check.found[place])} of {check.events} events found"
    alarms = int(check.alarms[place])
    rate = alarms / check.hours
    fits = (
        "keeps it"
        if rate <= (goal.max_false_alarms_per_hour or 0.0)
        else "exceeds it, within chance"
    )
    return (
        f"the other half {fits}: {alarms} false alarm{'s' * (alarms != 1)} in {check.hours:.3g} h, "
        f"{rate:.3g} per hour"
    )
