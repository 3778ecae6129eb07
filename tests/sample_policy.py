"""Short ways to write policies, and to look into the reports they lead to."""

from datetime import date
from typing import Any

from reelcheck.verdict.policy import CoveragePolicy, EventRule, Policy, SignalRule, Waiver
from reelcheck.verdict.report import Reason, Report

TODAY = date(2026, 6, 15)
OPEN = Policy(name="open")
"""No rules: only coverage and failures speak."""


def black(severity: str = "warn", **more: Any) -> EventRule:  # noqa: ANN401 - any field of the rule
    values = {"event": "defects.black", "severity": severity, "why": "ours"}
    return EventRule.model_validate(values | more)


def nudity(severity: str, on_at: float, **more: Any) -> SignalRule:  # noqa: ANN401 - as above
    values = {"signal": "nudity.score", "label": "nudity", "on_at": on_at, "severity": severity}
    return SignalRule.model_validate(values | {"why": "ours"} | more)


def policy(
    *rules: EventRule | SignalRule,
    waivers: tuple[Waiver, ...] = (),
    **gaps: Any,  # noqa: ANN401 - as above
) -> Policy:
    return Policy(name="test", rules=rules, waivers=waivers, coverage=CoveragePolicy(**gaps))


def reason(report: Report, code: str) -> Reason:
    (found,) = (item for item in report.verdict.reasons if item.code == code)
    return found


def found(report: Report, code: str) -> list[tuple[float, float, str]]:
    return [
        (item.start_seconds, item.end_seconds, item.severity)
        for item in report.events
        if item.code == code
    ]
