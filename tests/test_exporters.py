"""Every form of a report: exact times, hostile text, and a way back wherever a format has one."""

import csv
import io
import re
import unicodedata
from fractions import Fraction
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile_text import HOSTILE, NASTY, hostile_report, sample_report
from reelcheck.exporters.base import Exporter, plain_text
from reelcheck.exporters.csv import COLUMNS, CsvExporter
from reelcheck.exporters.json import JsonExporter
from reelcheck.exporters.junit import JunitExporter
from reelcheck.exporters.webvtt import WebvttExporter
from reelcheck.registry import EXPORTERS
from reelcheck.spans import CoverageState
from reelcheck.verdict.judge import judge
from reelcheck.verdict.policy import load_policy
from reelcheck.verdict.report import DECISION_ORDER, Report, parse_report
from reelcheck.verdict.timeline import Failure
from sample_policy import OPEN, black, policy
from sample_timeline import (
    ALL_ANALYZERS,
    coverage,
    event,
    frame,
    timeline,
)

PLAIN = ("csv", "edl", "json", "junit", "otio", "webvtt")


def steers(text: str) -> bool:
    """Whether a terminal or a reader could be led astray; line ends are part of most formats."""
    return any(
        unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} or each in "\u202a\u202e\u2066\ufeff"
        for each in text
        if each not in "\r\n"
    )


@pytest.mark.parametrize("name", PLAIN)
def test_every_exporter_is_what_the_registry_says(name: str) -> None:
    exporter = EXPORTERS.load(name)()

    assert isinstance(exporter, Exporter)
    assert exporter.name == name
    assert exporter.suffix.startswith(".")
    assert "/" in exporter.media_type
    assert exporter == EXPORTERS.load(name)()


@pytest.mark.parametrize("name", PLAIN)
def test_the_same_report_gives_the_same_bytes(name: str) -> None:
    first, second = (EXPORTERS.load(name)().render(sample_report()) for _ in range(2))

    assert first == second
    assert first.endswith(b"\n")


@pytest.mark.parametrize("name", PLAIN)
def test_a_report_without_findings_can_be_written(name: str) -> None:
    assert EXPORTERS.load(name)().render(judge(timeline(), OPEN))


@pytest.mark.parametrize("name", PLAIN)
@settings(deadline=None, max_examples=60)
@given(text=HOSTILE)
def test_no_text_can_steer_a_terminal(name: str, text: str) -> None:
    assert not steers(EXPORTERS.load(name)().render(hostile_report(text)).decode("utf-8"))


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("name", PLAIN)
def test_known_attacks_reach_no_terminal(name: str, text: str) -> None:
    assert not steers(EXPORTERS.load(name)().render(hostile_report(text)).decode("utf-8"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[1mb\n", "a\\u001b[1mb\\u000a"),
        ("\x9b\x7f\u202e\u2028", "\\u009b\\u007f\\u202e\\u2028"),
        ("\U000e0041", "\\U000e0041"),
        ("naïve 映画 👩‍👩‍👧 می‌خواهم <&>", "naïve 映画 👩‍👩‍👧 می‌خواهم <&>"),
    ],
)
def test_unsafe_characters_are_shown_and_others_are_kept(text: str, shown: str) -> None:
    assert plain_text(text) == shown


@settings(deadline=None, max_examples=60)
@given(text=HOSTILE)
def test_json_says_the_same_as_the_report(text: str) -> None:
    report = hostile_report(text)

    assert parse_report(JsonExporter().render(report)) == report


def test_json_keeps_a_column_of_numbers_on_one_line() -> None:
    lines = JsonExporter().render(sample_report()).decode().splitlines()

    assert "        20.0, 20.0, 20.0".strip() in "\n".join(lines)
    assert max(map(len, lines)) < 1000


def rows(report: Report) -> list[dict[str, str]]:
    data = CsvExporter().render(report).decode("utf-8")
    return list(csv.DictReader(io.StringIO(data, newline=""), strict=True))


def test_csv_has_one_row_for_each_event() -> None:
    report = sample_report()
    read = rows(report)

    assert tuple(read[0]) == COLUMNS
    assert [
        (row["analyzer"], float(row["start_seconds"]), float(row["end_seconds"]), row["severity"])
        for row in read
    ] == [
        (item.analyzer, item.start_seconds, item.end_seconds, item.severity)
        for item in report.events
    ]


def test_csv_gives_the_length_of_each_event() -> None:
    (row,) = rows(judge(timeline(event("defects.black", frame(60), frame(150))), OPEN))

    assert row["duration_seconds"] == "3.003"


def test_csv_ends_its_lines_as_the_standard_wants() -> None:
    data = CsvExporter().render(sample_report())

    assert data.count(b"\r\n") == data.count(b"\n") == len(sample_report().events) + 1


@settings(deadline=None, max_examples=60)
@given(text=HOSTILE)
def test_no_cell_of_text_is_calculated(text: str) -> None:
    report = hostile_report(text)
    read = rows(report)

    assert len(read) == len(report.events)
    for row in read:
        for column in ("video", "note", "unit", "waived"):
            assert not row[column].lstrip().startswith(("=", "+", "-", "@"))


def test_numbers_below_zero_stay_numbers() -> None:
    read = rows(judge(timeline(event("loudness.silence", 1, 2, score=-70.0)), OPEN))

    assert read[0]["score"] == "-70.0"


CUE = re.compile(
    r"(?P<number>\d+)\n(?P<start>\d\d+:\d\d:\d\d\.\d{3}) --> (?P<end>\d\d+:\d\d:\d\d\.\d{3})\n"
    r"(?P<title>[^\n]+)\n(?P<text>[^\n]+)"
)


def clock_ms(clock: str) -> int:
    hours, minutes, seconds = clock.split(":")
    return (int(hours) * 60 + int(minutes)) * 60_000 + int(seconds.replace(".", ""))


def cues(report: Report) -> list[re.Match[str]]:
    header, note, *blocks = WebvttExporter().render(report).decode("utf-8").strip().split("\n\n")
    found = [CUE.fullmatch(block) for block in blocks]

    assert header == "WEBVTT"
    assert note.startswith("NOTE ")
    assert "-->" not in note
    assert "\n" not in note
    assert all(found)
    return [cue for cue in found if cue]


def test_webvtt_has_one_cue_for_each_event() -> None:
    report = sample_report()

    assert [(clock_ms(cue["start"]), clock_ms(cue["end"])) for cue in cues(report)] == [
        (round(item.start_seconds * 1000), round(item.end_seconds * 1000)) for item in report.events
    ]


@pytest.mark.parametrize(
    ("start", "end", "line"),
    [
        (0, Fraction(1, 10000), "00:00:00.000 --> 00:00:00.001"),
        (Fraction(12345, 10000), 2, "00:00:01.235 --> 00:00:02.000"),
        (3599, Fraction(35999996, 10000), "00:59:59.000 --> 01:00:00.000"),
        (360000, 360001, "100:00:00.000 --> 100:00:01.000"),
    ],
)
def test_cues_are_exact_to_the_millisecond_and_never_empty(
    start: Fraction, end: Fraction, line: str
) -> None:
    report = judge(timeline(event("defects.black", start, end)), OPEN)

    assert line in WebvttExporter().render(report).decode()


@settings(deadline=None, max_examples=60)
@given(text=HOSTILE)
def test_no_text_breaks_a_cue(text: str) -> None:
    report = hostile_report(text)
    read = cues(report)

    assert len(read) == len(report.events)
    for cue in read:
        assert not set("<>") & set(cue["text"])
        assert not re.search("&(?!amp;|lt;|gt;)", cue["text"])


def test_absurd_times_can_be_written() -> None:
    report = judge(timeline(event("shots.x", 0, 10**307)), OPEN)

    for name in PLAIN:
        assert EXPORTERS.load(name)().render(report)


def suite(report: Report) -> ET.Element:
    (only,) = ET.fromstring(JunitExporter().render(report))  # noqa: S314 - our own bytes
    return only


def test_junit_has_a_case_for_each_rule_each_analyzer_and_the_coverage() -> None:
    report = sample_report()
    cases = [(case.get("classname"), case.get("name")) for case in suite(report).iter("testcase")]

    assert cases == [
        *(("reelcheck.policy", f"{each.code} {each.severity}") for each in report.verdict.checks),
        *(("reelcheck.analyzer", name) for name in ALL_ANALYZERS),
        ("reelcheck.coverage", "coverage"),
    ]


def test_junit_counts_what_it_holds() -> None:
    root = suite(sample_report())
    for attribute, tag in [("failures", "failure"), ("errors", "error"), ("skipped", "skipped")]:
        assert int(root.get(attribute, "")) == len(list(root.iter(tag)))
    assert int(root.get("tests", "")) == len(list(root.iter("testcase")))


def outcomes(report: Report) -> dict[str, set[str]]:
    return {
        f"{case.get('classname')} {case.get('name')}": {child.tag for child in case}
        for case in suite(report).iter("testcase")
    }


def test_junit_failures_errors_and_warnings_stand_in_their_cases() -> None:
    read = outcomes(sample_report())

    assert read["reelcheck.policy flashes.general_flash fail"] == {"failure"}
    assert read["reelcheck.policy flashes.red_flash fail"] == set()
    assert read["reelcheck.policy defects.black warn"] == {"system-out"}
    assert read["reelcheck.analyzer shots"] == {"error"}
    assert read["reelcheck.analyzer defects"] == set()
    assert read["reelcheck.coverage coverage"] == {"error", "system-out"}


def test_junit_skips_rules_that_were_not_checked() -> None:
    report = judge(timeline(analyzers=("defects",)), load_policy("default"))

    assert outcomes(report)["reelcheck.policy nudity.nudity fail"] == {"skipped"}
    assert outcomes(report)["reelcheck.policy defects.black warn"] == set()


@pytest.mark.parametrize(
    ("failures", "broken"),
    [
        ([("E_TIMEOUT", "")], ["coverage"]),
        ([("E_ANALYZER", "shots")], ["shots"]),
        ([("E_MODEL_MISSING", "shots"), ("E_MODEL_MISSING", "")], ["shots", "coverage"]),
        ([("E_ANALYZER", "unheard_of")], ["unheard_of"]),
    ],
)
def test_junit_shows_a_failure_where_it_happened(
    failures: list[tuple[str, str]], broken: list[str]
) -> None:
    stopped = tuple(Failure(code=code, message="x", analyzer=name) for code, name in failures)
    root = suite(judge(timeline(failures=stopped), OPEN))

    assert [case.get("name") for case in root.iter("testcase") if len(case)] == broken


def test_junit_cases_of_rules_alike_have_different_names() -> None:
    names = list(outcomes(judge(timeline(), policy(black(), black(min_score=0.5)))))

    assert names[:2] == [
        "reelcheck.policy defects.black warn",
        "reelcheck.policy defects.black warn 2",
    ]


STATES: st.SearchStrategy[CoverageState] = st.sampled_from(["decoded", "sampled", "damaged"])
FAILURES = st.lists(
    st.sampled_from(
        [
            Failure(code="E_TIMEOUT", message="words"),
            Failure(code="E_ANALYZER", message="words", analyzer="shots"),
            Failure(code="E_MODEL_MISSING", message="words", analyzer="unheard_of"),
            Failure(code="E_MODEL_MISSING", message="words"),
        ]
    ),
    max_size=3,
).map(tuple)


@settings(deadline=None, max_examples=80)
@given(
    found=st.lists(st.sampled_from(["defects.black", "defects.blur", "shots.cut"]), max_size=3),
    failures=FAILURES,
    state=STATES,
    level=st.sampled_from(["inconclusive", "warn", "ignore"]),
)
def test_junit_fails_when_the_verdict_does(
    found: list[str], failures: tuple[Failure, ...], state: CoverageState, level: str
) -> None:
    watched = timeline(
        *(event(code, 1, 2) for code in found), covered=coverage((0, 9, state)), failures=failures
    )
    rules = black("fail"), black("warn", event="defects.blur")
    report = judge(watched, policy(*rules, gap=level, analyzer_failure=level))
    tags = {child.tag for case in suite(report).iter("testcase") for child in case}
    reached = DECISION_ORDER.index(report.verdict.decision)

    assert ("failure" in tags) == (report.verdict.decision == "FAIL")
    assert ("error" in tags) == any(
        item.leads_to == "INCONCLUSIVE" for item in report.verdict.reasons
    )
    assert bool({"failure", "error"} & tags) == (reached >= DECISION_ORDER.index("INCONCLUSIVE"))


@settings(deadline=None, max_examples=60)
@given(text=HOSTILE)
def test_junit_is_xml_whatever_the_text(text: str) -> None:
    report = hostile_report(text)
    root = suite(report)

    assert root.get("name") == plain_text(report.video.name)
    (failure,) = root.iter("failure")
    assert failure.get("message", "").endswith(plain_text(report.verdict.checks[0].why))
