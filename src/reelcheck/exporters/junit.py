"""The verdict as a JUnit test report, so that a build server shows it like any other test."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from reelcheck.exporters.base import plain_text
from reelcheck.verdict.report import Check, Decision, Reason, Report, Severity

_DECISION_OF: Final[dict[Severity, Decision]] = {"fail": "FAIL", "warn": "WARN", "info": "PASS"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    group: str
    name: str
    reasons: tuple[Reason, ...] = ()
    skipped: str = ""
    """Why it was not carried out; empty when it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JunitExporter:
    """One suite for the video, with one case for each rule, each analyzer and the coverage.

    What leads to FAIL is a failure and what leads to INCONCLUSIVE is an error, as the test could
    not be carried out. Warnings pass, and stand in the output of their case.
    """

    name: str = "junit"
    suffix: str = ".junit.xml"
    media_type: str = "application/xml"

    def render(self, report: Report) -> bytes:
        """Return the test report."""
        cases = [*_rule_cases(report), *_analyzer_cases(report), _coverage_case(report)]
        suites = ET.Element("testsuites", name="reelcheck")
        suite = ET.SubElement(suites, "testsuite", name=plain_text(report.video.name))
        elements = [_element(suite, case) for case in cases]
        counts = Counter(child.tag for element in elements for child in element)
        for element in (suites, suite):
            element.set("tests", str(len(elements)))
            element.set("failures", str(counts["failure"]))
            element.set("errors", str(counts["error"]))
            element.set("skipped", str(counts["skipped"]))
        text = plain_text(f"{report.verdict.decision} by policy {report.verdict.policy}")
        ET.SubElement(suite, "system-out").text = text
        ET.indent(suites)
        document = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
        return bytes(document) + b"\n"


def _rule_cases(report: Report) -> Iterator[_Case]:
    seen: Counter[str] = Counter()
    for check in report.verdict.checks:
        name = f"{check.code} {check.severity}"
        seen[name] += 1
        if seen[name] > 1:
            name += f" {seen[name]}"
        reasons = tuple(_about(check, report.verdict.reasons))
        skipped = "not checked" if check.outcome == "not_checked" else ""
        yield _Case(group="policy", name=name, reasons=reasons, skipped=skipped)


def _about(check: Check, reasons: Iterable[Reason]) -> Iterator[Reason]:
    for reason in reasons:
        if reason.code == check.code and reason.leads_to in {_DECISION_OF[check.severity], "PASS"}:
            yield reason


def _analyzer_cases(report: Report) -> Iterator[_Case]:
    """Yield whether each analyzer came through; a reason for each of its failures."""
    leads_to = {reason.code: reason.leads_to for reason in report.verdict.reasons}
    broken = {failure.analyzer for failure in report.failures} - {""}
    for analyzer in sorted(broken | set(report.video.analyzers)):
        reasons = tuple(
            Reason(
                code=failure.code,
                leads_to=leads_to.get(failure.code, "INCONCLUSIVE"),
                text=failure.message,
            )
            for failure in report.failures
            if failure.analyzer == analyzer
        )
        yield _Case(group="analyzer", name=analyzer, reasons=reasons)


def _coverage_case(report: Report) -> _Case:
    """Return the case of every reason that belongs to no rule and to no analyzer."""
    elsewhere = {check.code for check in report.verdict.checks}
    elsewhere |= {failure.code for failure in report.failures if failure.analyzer}
    elsewhere -= {failure.code for failure in report.failures if not failure.analyzer}
    others = tuple(reason for reason in report.verdict.reasons if reason.code not in elsewhere)
    return _Case(group="coverage", name="coverage", reasons=others)


def _element(suite: ET.Element, case: _Case) -> ET.Element:
    element = ET.SubElement(
        suite,
        "testcase",
        classname=f"reelcheck.{case.group}",
        name=plain_text(case.name),
    )
    tags = {"FAIL": "failure", "INCONCLUSIVE": "error"}
    remarks = []
    for reason in case.reasons:
        text = plain_text(reason.text)
        if reason.leads_to in tags and not len(element):
            child = ET.SubElement(element, tags[reason.leads_to], type=plain_text(reason.code))
            child.set("message", text)
        else:
            remarks.append(f"{reason.leads_to}: {text}")
    if case.skipped and not len(element):
        ET.SubElement(element, "skipped", message=case.skipped)
    if remarks:
        ET.SubElement(element, "system-out").text = "\n".join(remarks)
    return element
