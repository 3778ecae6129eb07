"""What ``calibrate`` prints: the promise, what came of it, and the operating curve as a table."""

import sys
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reelcheck.calibration.calibrate import Calibrated
from reelcheck.calibration.choose import Choice, Goal
from reelcheck.calibration.curve import Curve
from reelcheck.exporters.base import plain_text
from reelcheck.verdict.policy import Policy, SignalRule

OUTCOMES: Final = {
    "kept": "PROMISED",
    "too_little_data": "TOO LITTLE DATA",
    "out_of_reach": "OUT OF REACH",
    "contradicted": "CONTRADICTED",
}
_STYLES: Final = {"kept": "bold white on green", "contradicted": "bold white on red"}
_UNSURE: Final = "bold white on magenta"
_MAX_ROWS: Final = 12
_MINUTES: Final = 10
"""Length of the video for which the chance of a false alarm is told."""
_WIDTH: Final = 100


def print_calibrated(one: Calibrated, base: Policy, goal: Goal) -> None:
    """Print everything about one label to stdout."""
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, highlight=False, width=_WIDTH, no_color=True)
    choice = one.choice
    head = Text()
    head.append(f" {OUTCOMES[choice.outcome]} ", style=_STYLES.get(choice.outcome, _UNSURE))
    head.append(f"  {plain_text(one.target.rule.code)}", style="bold")
    head.append(f"  {goal}")
    console.print(head)
    facts = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    for name, text in facts_of(one, base, goal):
        facts.add_row(Text(f"  {name}", style="dim"), Text(plain_text(text)))
    console.print(facts)
    console.print(_table(choice))


def facts_of(one: Calibrated, base: Policy, goal: Goal) -> list[tuple[str, str]]:
    """Return what a person should know, as name and words."""
    choice, target = one.choice, one.target
    found = [("result", choice.reason), ("rule", _rule(one, base))]
    found += [
        ("chosen on", _half(choice.calibration, choice.place)),
        ("other half", _half(choice.check, choice.place)),
    ]
    if choice.rule is not None and goal.max_false_alarms_per_hour is not None:
        chance = goal.max_false_alarms_per_hour * _MINUTES / 60  # Markov: however alarms cluster
        if chance < 1:
            text = f"stopped with a chance of at most {100 * chance:.2g} %"
            found.append((f"{_MINUTES} clean minutes", text))
    if one.unseen:
        found.append(("not seen", f"{one.unseen} labelled events; neither found nor missed"))
    if one.reliability is not None:
        before, after = one.reliability.error_before, one.reliability.error_after
        text = f"error {before:.3f} as it is, {after:.3f} after isotonic regression (other half)"
        found.append(("as probability", text))
    weaker = _others(target.rule, target.place, base)
    if weaker:
        found.append(("not promised", f"{weaker} about the same signal, left as in the base"))
    return found


def _rule(one: Calibrated, base: Policy) -> str:
    if one.choice.rule is not None:
        return f"{one.choice.rule.limit}; severity {one.choice.rule.severity}"
    if one.target.place is None:
        return "none is written"
    return f"left as in {base.name!r}, without a promise: {one.target.rule.limit}"


def _half(curve: Curve, place: int | None) -> str:
    text = f"{curve.hours:.3g} h without events, {curve.events} events, {curve.groups} groups"
    if place is None:
        return text
    alarms = int(curve.alarms[place])
    text += f": {alarms} false alarm{'s' * (alarms != 1)}"
    text += f" (at most {curve.per_hour_upper[place]:.3g} per hour)"
    if curve.events:
        text += f", {int(curve.found[place])} events found"
    return text


def _others(rule: SignalRule, place: int | None, base: Policy) -> str:
    same = [
        other
        for at, other in enumerate(base.rules)
        if isinstance(other, SignalRule) and other.signal == rule.signal and at != place
    ]
    return ", ".join(f"{other.severity} at {other.on_at:g}" for other in same)


def rows_of(choice: Choice) -> list[int]:
    """Return the places of the thresholds that tell the curve, the chosen one among them."""
    one, other = choice.calibration, choice.check
    columns = np.stack([one.alarms, one.found, other.alarms, other.found])
    turns = np.flatnonzero((np.diff(columns, axis=1) != 0).any(axis=0))
    telling = sorted({0, *turns.tolist(), *(turns + 1).tolist(), len(one.thresholds) - 1})
    shares = np.square(np.linspace(0, 1, min(_MAX_ROWS, len(telling))))  # denser at the strict end
    kept = (shares * (len(telling) - 1)).round().astype(int)
    chosen = {choice.place} if choice.place is not None else set[int]()
    return sorted({telling[at] for at in kept} | chosen)


def _table(choice: Choice) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in (
        "  on_at",
        "false alarms",
        "bound per hour",
        "found",
        "other half: false alarms",
        "found",
    ):
        table.add_column(name, justify="right")
    one, other = choice.calibration, choice.check
    for place in rows_of(choice):
        mark = "> " if place == choice.place else "  "
        table.add_row(
            f"{mark}{one.thresholds[place]:g}",
            f"{int(one.alarms[place])}",
            f"{one.per_hour_upper[place]:.3g}",
            share(one, place),
            f"{int(other.alarms[place])}",
            share(other, place),
            style="bold" if place == choice.place else "",
        )
    return table


def share(curve: Curve, place: int) -> str:
    """Return how many events are found, in words."""
    return f"{int(curve.found[place])} of {curve.events}" if curve.events else "-"
