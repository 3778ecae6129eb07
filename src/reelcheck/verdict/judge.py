"""From a timeline and a policy to a report with a decision.

FAIL > INCONCLUSIVE > WARN > PASS. PASS is the hardest to get: everything was seen, every analyzer
is healthy, and no rule speaks against it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Final

from reelcheck.errors import SettingError
from reelcheck.settings import Scores
from reelcheck.verdict.build import unjudged
from reelcheck.verdict.evidence import Still, stills_of, with_evidence, with_worst_picture
from reelcheck.verdict.findings import Finding, Findings, apply_rules, waive, within
from reelcheck.verdict.gaps import (
    amount,
    coverage_reasons,
    failure_reasons,
    unchecked_reasons,
)
from reelcheck.verdict.policy import NO_LIMIT, Policy, SignalRule, Waiver, policy_digest
from reelcheck.verdict.report import (
    DECISION_ORDER,
    Check,
    Decision,
    Event,
    Outcome,
    Reason,
    Report,
    Severity,
    Span,
    Verdict,
)
from reelcheck.verdict.showing import shown, shown_value
from reelcheck.verdict.timeline import Timeline

MAX_SPANS: Final = 20
"""Stretches that one reason lists; its text counts all of them. Ours."""

_DECISION_OF: Final[dict[Severity, Decision]] = {"info": "PASS", "warn": "WARN", "fail": "FAIL"}
_EXIT_CODES: Final[dict[Decision, int]] = {"PASS": 0, "WARN": 0, "FAIL": 1, "INCONCLUSIVE": 4}


def judge(
    timeline: Timeline,
    policy: Policy,
    *,
    today: date | None = None,
    scores: Scores = Scores.FULL,
) -> Report:
    """Judge what a pass found out.

    ``today`` decides which waivers have expired; ``None`` means the date now (UTC). ``scores`` says
    how much of the scores the report tells; the verdict does not depend on it.
    """
    whole = _judge(unjudged(timeline), stills_of(timeline), policy, today=today, scores=scores)
    return shown(whole, scores)


def rejudge(report: Report, policy: Policy, *, today: date | None = None) -> Report:
    """Judge a stored report anew, without its video.

    The result is that of ``judge`` with this policy, but for the pictures: a report keeps at most
    40, and events that only the new policy finds get the nearest of those.

    Raises:
        SettingError: the report does not tell its full scores.
    """
    if report.scores != Scores.FULL.value:
        raise SettingError(
            f"the report tells its scores only as {report.scores!r}, so it cannot be judged anew",
            hint="keep the report with full scores, and judge that",
        )
    observed = [event for event in report.events if event.origin == "observed"]
    bare = report.model_copy(update={"events": tuple(observed), "seal": None})
    return _judge(bare, stills_of(report), policy, today=today)


def exit_code(decision: Decision, *, strict: bool) -> int:
    """Return the exit code of the command: 0, 1 for FAIL, 4 for INCONCLUSIVE.

    With ``strict``, WARN is 1 as well.
    """
    return 1 if strict and decision == "WARN" else _EXIT_CODES[decision]


def strongest(decisions: Iterable[Decision]) -> Decision:
    """Return the strongest of ``decisions``, PASS when there is none."""
    return max(decisions, key=DECISION_ORDER.index, default="PASS")


def _judge(
    bare: Report,
    stills: Sequence[Still],
    policy: Policy,
    *,
    today: date | None,
    scores: Scores = Scores.FULL,
) -> Report:
    today = today or datetime.now(tz=UTC).date()
    observed = [
        event.model_copy(update={"waived": None, "evidence": None}) for event in bare.events
    ]
    found = apply_rules(observed, bare.signals.items(), policy)
    findings = waive(found.findings, policy.waivers, today=today)
    events = sorted((finding.event for finding in findings), key=_in_order)
    checks = _checks(bare, found, findings, policy)
    required = (rule.required for rule in policy.rules)
    reasons = [
        *_finding_reasons(findings, policy, scores),
        *_waived_reasons(coverage_reasons(bare, policy), policy.waivers, today=today),
        *failure_reasons(bare, policy),
        *unchecked_reasons(zip(checks, required, strict=True)),
    ]
    reasons.sort(key=lambda reason: -DECISION_ORDER.index(reason.leads_to))
    verdict = Verdict(
        decision=strongest(reason.leads_to for reason in reasons),
        policy=policy.name,
        policy_sha256=policy_digest(policy),
        reasons=tuple(_cut(reason) for reason in reasons),
        checks=tuple(checks),
    )
    pictured = with_evidence(events, stills, report=bare)
    quality = with_worst_picture(bare.quality, stills, events=events, report=bare)
    return bare.model_copy(update={"verdict": verdict, "events": pictured, "quality": quality})


def _in_order(event: Event) -> tuple[float, float, int, str, str, str, float]:
    return (
        event.start_seconds,
        event.end_seconds,
        event.stream,
        event.analyzer,
        event.label,
        event.origin,
        event.score,
    )


def _cut(reason: Reason) -> Reason:
    return reason.model_copy(update={"spans": reason.spans[:MAX_SPANS]})


def _finding_reasons(findings: Iterable[Finding], policy: Policy, scores: Scores) -> list[Reason]:
    """Return one reason for each rule that decided something, and for each waiver it met."""
    groups: dict[tuple[int, str], list[Finding]] = {}
    for finding in findings:
        if finding.rule is not None and (finding.event.severity != "info" or finding.event.waived):
            groups.setdefault((finding.rule, finding.event.waived or ""), []).append(finding)
    return [_finding_reason(groups[key], policy, scores) for key in sorted(groups)]


def _finding_reason(group: Sequence[Finding], policy: Policy, scores: Scores) -> Reason:
    event, index = group[0].event, group[0].rule
    rule = policy.rules[index or 0]
    spans = sorted((_span(finding.event) for finding in group), key=_start)
    limit = rule.limit
    if isinstance(rule, SignalRule) and scores is not Scores.LABELS:
        values = [finding.event.score for finding in group]
        found = max(values) if rule.direction == "above" else min(values)
        limit += f"; found {shown_value(found, scores):g}"
    label = event.label.replace("_", " ").capitalize()
    told = "" if limit == NO_LIMIT else f" (limit: {limit})"
    text = f"{label}: {amount(spans)}{told}. {rule.why}"
    if event.waived:
        text = f"Waived ({event.waived}). {text}"
    expired = [finding.expired for finding in group if finding.expired]
    if expired:
        text += f" The waiver {expired[0].reason!r} expired on {expired[0].expires}."
    return Reason(
        code=event.code, leads_to=_DECISION_OF[event.severity], text=text, spans=tuple(spans)
    )


def _span(event: Event) -> Span:
    return Span(
        start_seconds=event.start_seconds, end_seconds=event.end_seconds, stream=event.stream
    )


def _start(span: Span) -> tuple[float, float, int]:
    return span.start_seconds, span.end_seconds, span.stream


def _waived_reasons(
    reasons: Iterable[Reason], waivers: Sequence[Waiver], *, today: date
) -> list[Reason]:
    """Let gaps pass that a waiver in force names and, if limited in time, wholly contains."""
    judged = []
    for reason in reasons:
        for waiver in waivers:
            if _lets_pass(waiver, reason, today=today):
                text = f"Waived ({waiver.reason}). {reason.text}"
                judged.append(reason.model_copy(update={"leads_to": "PASS", "text": text}))
                break
        else:
            judged.append(reason)
    return judged


def _lets_pass(waiver: Waiver, reason: Reason, *, today: date) -> bool:
    if not waiver.names(reason.code) or not reason.code.startswith(("COVERAGE_", "W_")):
        return False
    if waiver.expires is not None and today > waiver.expires:
        return False
    if not waiver.is_limited_in_time:
        return True
    spans = reason.spans
    return bool(spans) and all(
        within(span.start_seconds, span.end_seconds, waiver) for span in spans
    )


def _checks(
    report: Report, found: Findings, findings: Iterable[Finding], policy: Policy
) -> list[Check]:
    standing = {item.rule for item in findings if item.event.waived is None}
    waived = {item.rule for item in findings if item.event.waived is not None}
    broken = {failure.analyzer for failure in report.failures}
    healthy = set(report.video.analyzers) - broken
    measured = {name.partition("@")[0] for name in report.signals}
    checks = []
    for index, rule in enumerate(policy.rules):
        blind = rule.code.partition(".")[0] not in healthy or (
            isinstance(rule, SignalRule) and rule.signal not in measured
        )
        outcome: Outcome = "not_checked" if blind else "clear"
        if index in found.matched:
            outcome = "waived" if index in waived and index not in standing else "found"
        checks.append(
            Check(
                code=rule.code,
                severity=rule.severity,
                outcome=outcome,
                limit=rule.limit,
                why=rule.why,
            )
        )
    return checks
