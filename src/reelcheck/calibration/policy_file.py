"""Write a policy as TOML that reads back as the same policy."""

import json
import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from reelcheck.calibration.choose import Choice, Goal
from reelcheck.calibration.targets import Target
from reelcheck.verdict.policy import Policy, Rule

_UNSAFE = re.compile("[\x7f]")
"""What TOML wants escaped and JSON does not."""


def promising(
    base: Policy, chosen: Sequence[tuple[Target, Choice]], goal: Goal, *, name: str
) -> Policy:
    """Return the base policy with the rules that keep their promise in place of those it had."""
    rules: list[Rule] = list(base.rules)
    new: list[Rule] = []
    for target, choice in chosen:
        if choice.rule is None:
            continue
        rule = choice.rule.model_copy(update={"why": _why(choice, goal)})
        if target.place is None:
            new.append(rule)
        else:
            rules[target.place] = rule
    return base.model_copy(update={"name": name, "rules": (*rules, *new)})


def _why(choice: Choice, goal: Goal) -> str:
    one = choice.calibration
    return (
        f"reelcheck calibrate: {goal}; chosen on {one.hours:.3g} h without events and "
        f"{one.events} events of {one.groups} groups, {choice.reason}."
    )


def policy_toml(policy: Policy) -> str:
    """Return the policy as TOML."""
    head = policy.model_dump(include={"name", "description", "profile"})
    parts = [_table("", head), _table("[coverage]", policy.coverage.model_dump())]
    parts += [
        _table("[[rules]]", _told(one.model_dump(exclude_defaults=True))) for one in policy.rules
    ]
    parts += [
        _table("[[waivers]]", one.model_dump(exclude_defaults=True)) for one in policy.waivers
    ]
    return "\n".join(parts)


def _told(rule: dict[str, Any]) -> dict[str, Any]:
    """Return the keys in the order of the documentation."""
    order = ("event", "signal", "label", "direction", "on_at", "off_at")
    first = {key: rule[key] for key in order if key in rule}
    last = {key: rule[key] for key in ("severity", "required", "why") if key in rule}
    return first | {key: rule[key] for key in rule if key not in {*first, *last}} | last


def _table(head: str, values: dict[str, Any]) -> str:
    lines = [f"{key} = {_value(one)}" for key, one in values.items()]
    return "\n".join([*([head] if head else []), *lines]) + "\n"


def _value(one: str | float | date) -> str:
    if isinstance(one, str):
        quoted = json.dumps(one, ensure_ascii=False)
        return _UNSAFE.sub(lambda match: f"\\u{ord(match.group()):04x}", quoted)
    if isinstance(one, bool):
        return str(one).lower()
    return one.isoformat() if isinstance(one, date) else repr(one)
