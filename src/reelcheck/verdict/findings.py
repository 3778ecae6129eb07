"""Hold the rules of a policy against what was observed."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from reelcheck.verdict.hysteresis import Run, Sample, runs_of, samples_of, samples_on
from reelcheck.verdict.policy import EventRule, Policy, SignalRule, Waiver
from reelcheck.verdict.report import SEVERITY_ORDER, Event, Severity, Signal
from reelcheck.verdict.rounding import microseconds, seconds

_MINUTE_US: Final = 60_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An event, the rule that gave it its severity, and what becomes of it."""

    event: Event
    rule: int | None
    """Position in ``Policy.rules``; ``None`` when no rule speaks about the event."""
    expired: Waiver | None = None
    """A waiver that would have let it pass on an earlier day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All events with their severities, and which rules found something at all."""

    findings: tuple[Finding, ...]
    matched: frozenset[int]
    """Positions of rules that match something, even where a stronger rule had the say."""


def apply_rules(
    events: Sequence[Event], signals: Iterable[tuple[str, Signal]], policy: Policy
) -> Findings:
    """Give every event its severity and make events from signals.

    At every moment the strongest rule that matches has the say, then the earlier one. Events
    that no rule speaks about stay ``info``.
    """
    found, matched = _judge_events(events, policy)
    curves: defaultdict[str, list[Signal]] = defaultdict(list)
    for name, signal in signals:
        curves[name.partition("@")[0]].append(signal)
    taken: defaultdict[tuple[str, int], list[Run]] = defaultdict(list)
    for index in _strongest_first(policy):
        rule = policy.rules[index]
        if not isinstance(rule, SignalRule):
            continue
        for signal in curves[rule.signal]:
            on = samples_on(samples_of(signal), rule)
            if runs_of(on, rule):
                matched.add(index)
            others = taken[rule.code, signal.stream]
            runs = [run for part in _outside(on, others) for run in runs_of(part, rule)]
            others.extend(runs)
            found.extend(Finding(event=_judged(run, rule, signal), rule=index) for run in runs)
    return Findings(findings=tuple(found), matched=frozenset(matched))


def _strongest_first(policy: Policy) -> list[int]:
    order = range(len(policy.rules))
    return sorted(order, key=lambda index: -SEVERITY_ORDER.index(policy.rules[index].severity))


def _outside(samples: Iterable[Sample], runs: Iterable[Run]) -> list[list[Sample]]:
    """Return the samples that lie outside of ``runs``, cut apart where a run lies between them."""
    walls: list[tuple[int, int]] = []
    for run in sorted(runs, key=lambda run: (run.start_us, run.end_us)):
        if walls and run.start_us <= walls[-1][1]:
            walls[-1] = (walls[-1][0], max(walls[-1][1], run.end_us))
        else:
            walls.append((run.start_us, run.end_us))
    parts: list[list[Sample]] = [[] for _ in range(len(walls) + 1)]
    passed = 0
    for sample in samples:
        while passed < len(walls) and walls[passed][1] <= sample.start_us:
            passed += 1
        if passed == len(walls) or sample.end_us <= walls[passed][0]:
            parts[passed].append(sample)
    return [part for part in parts if part]


def _judged(run: Run, rule: SignalRule, signal: Signal) -> Event:
    word = "highest" if rule.direction == "above" else "lowest"
    unit = f" {signal.unit}" if signal.unit else ""
    return Event(
        analyzer=rule.signal.partition(".")[0],
        label=rule.label,
        start_seconds=seconds(run.start_us),
        end_seconds=seconds(run.end_us),
        score=run.extreme,
        unit=signal.unit,
        severity=rule.severity,
        stream=signal.stream,
        origin="judged",
        note=f"{rule.limit}; {word} value {run.extreme:g}{unit}",
    )


def _judge_events(events: Sequence[Event], policy: Policy) -> tuple[list[Finding], set[int]]:
    best: dict[int, int] = {}
    matched = set()
    for index in _strongest_first(policy):
        rule = policy.rules[index]
        if not isinstance(rule, EventRule):
            continue
        for position in _matches(events, rule):
            matched.add(index)
            best.setdefault(position, index)
    found = []
    for position, event in enumerate(events):
        by = best.get(position)
        severity: Severity = "info" if by is None else policy.rules[by].severity
        judged = event.model_copy(update={"severity": severity})
        found.append(Finding(event=judged, rule=by))
    return found, matched


def _matches(events: Sequence[Event], rule: EventRule) -> list[int]:
    least_us = microseconds(rule.min_duration_seconds)
    positions = [
        position
        for position, event in enumerate(events)
        if event.code == rule.event
        and microseconds(event.end_seconds) - microseconds(event.start_seconds) >= least_us
        and (rule.min_score is None or event.score >= rule.min_score)
    ]
    if rule.max_per_minute is None:
        return positions
    by_stream: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for position in positions:
        event = events[position]
        by_stream[event.stream].append((microseconds(event.start_seconds), position))
    crowded = [
        position
        for starts in by_stream.values()
        for position in _crowded(sorted(starts), most=rule.max_per_minute)
    ]
    return sorted(crowded)


def _crowded(starts: Sequence[tuple[int, int]], *, most: int) -> set[int]:
    """Return the positions that share some 60 s with more than ``most`` events in all."""
    crowded: set[int] = set()
    first = marked = 0
    for last, (start_us, _) in enumerate(starts):
        while start_us - starts[first][0] >= _MINUTE_US:
            first += 1
        if last - first + 1 > most:
            crowded.update(position for _, position in starts[max(first, marked) : last + 1])
            marked = last + 1
    return crowded


def waive(findings: Iterable[Finding], waivers: Sequence[Waiver], *, today: date) -> list[Finding]:
    """Turn findings that a waiver speaks about into ``info``, with its reason beside them."""
    return [_waived(finding, waivers, today) for finding in findings]


def _waived(finding: Finding, waivers: Sequence[Waiver], today: date) -> Finding:
    event = finding.event
    if event.severity == "info":
        return finding
    expired = None
    for waiver in waivers:
        if not (
            waiver.names(event.code) and within(event.start_seconds, event.end_seconds, waiver)
        ):
            continue
        if waiver.expires is None or today <= waiver.expires:
            let_pass = event.model_copy(update={"severity": "info", "waived": waiver.reason})
            return Finding(event=let_pass, rule=finding.rule)
        expired = expired or waiver
    return Finding(event=event, rule=finding.rule, expired=expired)


def within(start_seconds: float, end_seconds: float, waiver: Waiver) -> bool:
    """Return whether a stretch lies wholly in the time that ``waiver`` speaks about."""
    if microseconds(start_seconds) < microseconds(waiver.from_seconds):
        return False
    until = waiver.until_seconds
    return until is None or microseconds(end_seconds) <= microseconds(until)
