"""Say what was not seen, and what that does to the decision. This is where it fails closed."""

from collections.abc import Iterable
from typing import Final

from reelcheck.errors import WARNING_CODES
from reelcheck.verdict.policy import Level, Policy
from reelcheck.verdict.report import (
    Check,
    CoverageReport,
    CoverageStretch,
    Decision,
    Reason,
    Report,
    Span,
)
from reelcheck.verdict.rounding import microseconds, seconds

GAP_WARNINGS: Final = ("W_PARTIAL", "W_DECODE_ERRORS", "W_CORRUPT_FRAMES")
"""Warnings that mean that something was lost, even where no stretch of time can be named."""

_LEADS_TO: Final[dict[Level, Decision]] = {
    "inconclusive": "INCONCLUSIVE",
    "warn": "WARN",
    "ignore": "PASS",
}


def coverage_reasons(report: Report, policy: Policy) -> list[Reason]:
    """Return one reason for everything that was not seen, with all of its stretches."""
    coverage, rules = report.coverage, policy.coverage
    reasons = _nothing_seen(report)
    gaps = [span for span in coverage.spans if span.state in {"damaged", "skipped"}]
    sampled = [span for span in coverage.spans if span.state == "sampled"]
    reasons += _stretches("COVERAGE_GAP", "Not seen", gaps, rules.gap)
    reasons += _stretches("COVERAGE_SAMPLED", "Seen only in part", sampled, rules.sampled)
    if coverage.decoded_ratio < rules.min_decoded_ratio:
        level = rules.sampled if _is_seen_in_part(coverage, policy) else rules.gap
        text = (
            f"{_percent(coverage.decoded_ratio)} of the video was decoded, and "
            f"{_percent(rules.min_decoded_ratio)} is wanted"
        )
        reasons.append(Reason(code="COVERAGE_RATIO", leads_to=_LEADS_TO[level], text=text))
    levels = dict.fromkeys(GAP_WARNINGS, rules.gap) | {"W_EXTRA_STREAMS": rules.extra_video_streams}
    for warning in coverage.warnings:
        code = warning.partition(":")[0].strip()
        if code in levels:
            text = warning.partition(":")[2].strip() or WARNING_CODES[code]
            reasons.append(Reason(code=code, leads_to=_LEADS_TO[levels[code]], text=text))
    return reasons


def _percent(ratio: float) -> str:
    """Return ``99.87 %``, never rounded up to a full hundred."""
    return f"{int(ratio * 10_000) / 100:g} %"


def _nothing_seen(report: Report) -> list[Reason]:
    reasons = []
    if not report.coverage.frames_decoded:
        reasons.append(
            Reason(
                code="NO_FRAMES",
                leads_to="INCONCLUSIVE",
                text="Not one frame was decoded",
            )
        )
    if not report.video.analyzers:
        reasons.append(
            Reason(
                code="NO_ANALYZER",
                leads_to="INCONCLUSIVE",
                text="No analyzer was asked to run, so nothing was checked",
            )
        )
    return reasons


def _stretches(
    code: str, words: str, stretches: Iterable[CoverageStretch], level: Level
) -> list[Reason]:
    """Return one reason for each cause of ``stretches``, in order of appearance."""
    by_cause: dict[str, list[CoverageStretch]] = {}
    for stretch in stretches:
        by_cause.setdefault(stretch.cause, []).append(stretch)
    return [
        Reason(
            code=code,
            leads_to=_LEADS_TO[level],
            text=f"{words}: {amount(group)}; {cause or 'no cause is known'}",
            spans=tuple(plain(span) for span in group),
        )
        for cause, group in by_cause.items()
    ]


def plain(span: Span) -> Span:
    """Return only the times and the stream of ``span``."""
    return Span(start_seconds=span.start_seconds, end_seconds=span.end_seconds, stream=span.stream)


def amount(spans: Iterable[Span]) -> str:
    """Return how much time ``spans`` take, and where they begin, in words."""
    listed = list(spans)
    total_us = sum(
        microseconds(span.end_seconds) - microseconds(span.start_seconds) for span in listed
    )
    total = f"{seconds(total_us):.3f} s"
    first = min(span.start_seconds for span in listed)
    if len(listed) == 1:
        return f"{total} from {first:.3f} s on"
    return f"{len(listed)} times, {total} in all, first at {first:.3f} s"


def _is_seen_in_part(coverage: CoverageReport, policy: Policy) -> bool:
    """Whether only sampling is to blame: with it, every stream would be covered well enough."""
    seen_us: dict[int, int] = {}
    for span in coverage.spans:
        length_us = microseconds(span.end_seconds) - microseconds(span.start_seconds)
        seen = span.state in {"decoded", "sampled"}
        seen_us[span.stream] = seen_us.get(span.stream, 0) + (length_us if seen else 0)
    wanted_us = policy.coverage.min_decoded_ratio * microseconds(coverage.duration_seconds)
    is_sampled = any(span.state == "sampled" for span in coverage.spans)
    return is_sampled and all(seen >= wanted_us for seen in seen_us.values())


def failure_reasons(report: Report, policy: Policy) -> list[Reason]:
    """Return one reason for every failure. What stopped the pass itself is never forgiven."""
    level = _LEADS_TO[policy.coverage.analyzer_failure]
    return [
        Reason(
            code=failure.code,
            leads_to=level if failure.analyzer else "INCONCLUSIVE",
            text=(
                f"The analyzer {failure.analyzer!r} broke: {failure.message}"
                if failure.analyzer
                else f"The pass did not end well: {failure.message}"
            ),
        )
        for failure in report.failures
    ]


def unchecked_reasons(checks: Iterable[tuple[Check, bool]]) -> list[Reason]:
    """Return what could not be checked; each check comes with whether it is required."""
    missing: dict[bool, list[str]] = {True: [], False: []}
    for check, required in checks:
        if check.outcome == "not_checked" and check.code not in missing[required]:
            missing[required].append(check.code)
    words = {
        True: "Required by the policy, but not checked",
        False: "Not checked, because the analyzer did not run or had nothing to measure",
    }
    return [
        Reason(
            code="NOT_CHECKED",
            leads_to="INCONCLUSIVE" if required else "PASS",
            text=f"{words[required]}: {', '.join(codes)}",
        )
        for required, codes in missing.items()
        if codes
    ]
