"""From the word of a label to the rule whose threshold it sets."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from reelcheck.errors import SettingError
from reelcheck.verdict.policy import NAME_PATTERN, Policy, SignalRule
from reelcheck.verdict.report import SEVERITY_ORDER

_NEW_BRIDGE_SECONDS: Final = 1.0
"""Of a rule that the base policy does not have; that of the nudity rule, so that one scene stays
one finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A rule to be calibrated."""

    label: str
    """As written in the table."""
    rule: SignalRule
    """As in the base policy, or a new one; ``on_at`` of a new one means nothing yet."""
    place: int | None
    """Position in ``Policy.rules``; ``None`` for a new rule."""

    @property
    def analyzer(self) -> str:
        """Who measures its signal."""
        return self.rule.signal.partition(".")[0]


def find_target(label: str, policy: Policy, signals: Collection[str]) -> Target:
    """Return the rule that ``label`` is about.

    A label names a rule of the policy by its code (``nudity.nudity``), its label or its signal, or
    else a signal (``mymodel.wild``, or ``wild`` where only one signal is called so). Of several
    rules for one code the strongest is meant, then the first: at every moment it has the say.

    Args:
        label: As written in the table.
        policy: The policy that the new one starts from.
        signals: Names of the signals that a rule could be about.

    Raises:
        SettingError: nothing, or more than one thing, is called so.
    """
    rules = [
        (place, rule)
        for place, rule in enumerate(policy.rules)
        if isinstance(rule, SignalRule) and label in {rule.code, rule.label, rule.signal}
    ]
    known = {rule.code for rule in policy.rules if isinstance(rule, SignalRule)} | set(signals)
    if len({rule.code for _, rule in rules}) > 1:
        raise _several(label, sorted({rule.code for _, rule in rules}))
    if rules:
        place, rule = max(rules, key=lambda one: (_strength(one[1]), -one[0]))
        return Target(label=label, rule=rule, place=place)
    fitting = sorted({one for one in signals if label in {one, one.partition(".")[2]}})
    if len(fitting) > 1:
        raise _several(label, fitting)
    if not fitting or not re.fullmatch(NAME_PATTERN, fitting[0]):
        hint = f"known: {', '.join(sorted(known))}; or a signal, as analyzer.signal"
        raise SettingError(f"unknown label {label!r}", hint=hint)
    rule = SignalRule(
        signal=fitting[0],
        label=fitting[0].partition(".")[2],
        on_at=0.0,
        bridge_seconds=_NEW_BRIDGE_SECONDS,
        severity="warn",
        why="Set by reelcheck calibrate.",
    )
    return Target(label=label, rule=rule, place=None)


def _strength(rule: SignalRule) -> int:
    return SEVERITY_ORDER.index(rule.severity)


def _several(label: str, names: list[str]) -> SettingError:
    return SettingError(f"the label {label!r} is ambiguous", hint=f"write {' or '.join(names)}")
