"""Every form of a report: exact times, hostile text, and a way back wherever a format has one."""

import csv
import io
import json
import re
import unicodedata
from fractions import Fraction
from typing import Any
from xml.etree import ElementTree as ET

import opentimelineio as otio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelcheck.exporters.base import Exporter, frame_at, header_rate_fps, plain_text
from reelcheck.exporters.csv import COLUMNS, CsvExporter
from reelcheck.exporters.edl import EdlExporter, timecode, timecode_rate_fps
from reelcheck.exporters.json import JsonExporter
from reelcheck.exporters.junit import JunitExporter
from reelcheck.exporters.otio import OtioExporter
from reelcheck.exporters.webvtt import WebvttExporter
from reelcheck.registry import EXPORTERS
from reelcheck.verdict.judge import judge
from reelcheck.verdict.policy import Waiver, load_policy
from reelcheck.verdict.report import DECISION_ORDER, Report, parse_report
from reelcheck.verdict.timeline import Failure
from sample_policy import OPEN, black, policy
from sample_timeline import (
    ALL_ANALYZERS,
    RATE_FPS,
    coverage,
    event,
    frame,
    realistic_timeline,
    timeline,
)

PLAIN = ("csv", "edl", "json", "junit", "otio", "webvtt")

NTSC = Fraction(30000, 1001)
NTSC_60 = Fraction(60000, 1001)
FILM = Fraction(24000, 1001)

NASTY = (
    "\x1b[31m",
    "\x9b31m",
    "\u202egpj.exe",
    "-->",
    "]]>",
    "</script>",
    "=cmd()",
    "+1",
    "-1",
    "@x",
    "\t=1",
    "\r=1",
    "\n\n1\n00:00:00.000 --> 00:00:09.000\nx",
    '","',
    "|C:ResolveColorRed",
    "\udcff",
    "\ud800",
    "\ufffe",
    "\x00",
    "&amp;",
    "\\u001b",
    "\U000e0041",
)
HOSTILE = st.text(st.characters(codec=None, categories=None), max_size=12) | st.lists(
    st.sampled_from(NASTY), min_size=1, max_size=3
).map("".join)


def sample_report() -> Report:
    return judge(realistic_timeline(), load_policy("default"))


def hostile_report(text: str) -> Report:
    """Return a report with ``text`` in every place that a file, a stranger or a user can fill."""
    watched = timeline(
        event("defects.black", 3, 6, note=text, unit=text),
        event("defects.blur", 7, 8, note=text),
        event("shots.x", 1, 2, note=text),
        name=text,
        covered=coverage(warnings=(f"W_PARTIAL: {text}",)),
        failures=(
            Failure(code="E_ANALYZER", message=text, analyzer="shots"),
            Failure(code="E_TIMEOUT", message=text),
        ),
    )
    rules = black("fail", why=f"{text}."), black("warn", event="defects.blur")
    waiver = Waiver(code="defects.blur", reason=f"ours {text}")
    return judge(watched, policy(*rules, waivers=(waiver,)))


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


@pytest.mark.parametrize(
    ("frame_number", "rate_fps", "expected"),
    [
        (0, Fraction(25), "00:00:00:00"),
        (24, Fraction(25), "00:00:00:24"),
        (25, Fraction(25), "00:00:01:00"),
        (24 * 3600 * 25 - 1, Fraction(25), "23:59:59:24"),
        (24 * 3600 * 25, Fraction(25), "00:00:00:00"),
        (23, FILM, "00:00:00:23"),
        (24 * 60, FILM, "00:01:00:00"),
        (1799, NTSC, "00:00:59;29"),
        (1800, NTSC, "00:01:00;02"),
        (1801, NTSC, "00:01:00;03"),
        (17981, NTSC, "00:09:59;29"),
        (17982, NTSC, "00:10:00;00"),
        (107892, NTSC, "01:00:00;00"),
        (2589407, NTSC, "23:59:59;29"),
        (2589408, NTSC, "00:00:00;00"),
        (3599, NTSC_60, "00:00:59;59"),
        (3600, NTSC_60, "00:01:00;04"),
        (35964, NTSC_60, "00:10:00;00"),
        (215784, NTSC_60, "01:00:00;00"),
        (59, Fraction(60), "00:00:00:59"),
    ],
)
def test_time_code_follows_smpte(frame_number: int, rate_fps: Fraction, expected: str) -> None:
    assert timecode(frame_number, rate_fps) == expected


@given(
    st.integers(0, 2589407),
    st.sampled_from([FILM, Fraction(24), Fraction(25), NTSC, Fraction(30), NTSC_60, Fraction(60)]),
)
def test_time_code_agrees_with_opentimelineio(frame_number: int, rate_fps: Fraction) -> None:
    drop = otio.opentime.IsDropFrameRate(1 if rate_fps in {NTSC, NTSC_60} else 0)
    at = otio.opentime.RationalTime(frame_number, float(rate_fps))
    rate = float(rate_fps)
    if frame_number < round(rate_fps) * 3600 * 23:
        assert timecode(frame_number, rate_fps) == otio.opentime.to_timecode(at, rate, drop)


@given(st.integers(0, 5_000_000), st.sampled_from([NTSC, NTSC_60]))
def test_drop_frame_time_code_stays_within_two_frames_of_the_clock(
    frame_number: int, rate_fps: Fraction
) -> None:
    hours, minutes, seconds, frames = map(int, re.split("[:;]", timecode(frame_number, rate_fps)))
    shown = (hours * 60 + minutes) * 60 + seconds + Fraction(frames, round(rate_fps))
    true = frame_number / rate_fps % 86400

    assert abs((shown - true + 43200) % 86400 - 43200) < Fraction(1, 10)


@pytest.mark.parametrize(
    "rate_fps",
    [FILM, Fraction(25), NTSC, Fraction(50), NTSC_60, Fraction(60), Fraction(120)],
)
@pytest.mark.parametrize("number", [0, 1, 1799, 107_892, 2_589_407])
def test_the_frame_of_an_event_comes_back_exactly(rate_fps: Fraction, number: int) -> None:
    report = judge(
        timeline(event("shots.cut", number / rate_fps, (number + 1) / rate_fps), rate_fps=rate_fps),
        OPEN,
    )

    assert frame_at(report.events[0].start_seconds, rate_fps) == number
    assert frame_at(report.events[0].end_seconds, rate_fps) == number + 1


@pytest.mark.parametrize(
    ("claimed", "used"),
    [
        (NTSC, NTSC),
        (Fraction(2997, 100), NTSC),
        (Fraction(23976, 1000), FILM),
        (Fraction(15), FILM),
        (Fraction(120), Fraction(60)),
        (Fraction(90000), Fraction(25)),
        (Fraction(0), Fraction(25)),
        (None, Fraction(25)),
    ],
)
def test_time_code_uses_the_nearest_rate_of_smpte(claimed: Fraction | None, used: Fraction) -> None:
    report = judge(timeline(rate_fps=claimed), OPEN)

    assert timecode_rate_fps(report) == used


@pytest.mark.parametrize("text", ["30000/0", "x/y", "", "-25/1", "nan"])
def test_a_rate_that_is_no_rate_is_unknown(text: str) -> None:
    report = judge(timeline(), OPEN)
    stream = report.video.video_streams[0].model_copy(update={"rate_fps_from_header_exact": text})
    video = report.video.model_copy(update={"video_streams": (stream,)})

    assert header_rate_fps(report.model_copy(update={"video": video})) is None


MARKER = re.compile(
    r"(?P<number>\d{3})  001      V     C        "
    r"(?P<start>\d\d:\d\d:\d\d[:;]\d\d) (?P<end>\d\d:\d\d:\d\d[:;]\d\d) (?P=start) (?P=end)\r\n"
    r"(?P<text>[^|\r\n]+) \|C:(?P<colour>\w+) \|M:(?P<name>[^|\r\n]+) \|D:(?P<length>\d+)"
)


def markers(report: Report) -> list[re.Match[str]]:
    head, *blocks = EdlExporter().render(report).decode("ascii").strip().split("\r\n\r\n")
    found = [MARKER.fullmatch(block) for block in blocks]

    assert head.startswith("TITLE: ")
    assert all(found)
    return [marker for marker in found if marker]


def test_an_edit_list_has_one_marker_for_each_event() -> None:
    report = sample_report()
    black_marker = markers(report)[1]

    assert len(markers(report)) == len(report.events)
    assert black_marker.groupdict() == {
        "number": "002",
        "start": "00:00:02;00",
        "end": "00:00:05;00",
        "text": "defects: 1; mean luma 0.01, limit 0.1",
        "colour": "ResolveColorYellow",
        "name": "WARN black",
        "length": "90",
    }


@pytest.mark.parametrize(
    ("rate_fps", "mode"),
    [(NTSC, "DROP FRAME"), (NTSC_60, "DROP FRAME"), (FILM, "NON-DROP FRAME"), (None, "NON-DROP")],
)
def test_an_edit_list_says_whether_it_drops_frames(rate_fps: Fraction | None, mode: str) -> None:
    data = EdlExporter().render(judge(timeline(rate_fps=rate_fps), OPEN)).decode("ascii")

    assert f"FCM: {mode}" in data
    assert ("\r\nFCM: DROP" in data) == (rate_fps in {NTSC, NTSC_60})


def test_a_marker_is_at_least_one_frame_long() -> None:
    (marker,) = markers(judge(timeline(event("shots.cut", 1, 1)), OPEN))

    assert marker["length"] == "1"
    assert marker["start"] != marker["end"]


def test_an_edit_list_that_overflows_keeps_the_strongest_and_says_so() -> None:
    cuts = [event("shots.cut", frame(number), frame(number + 1)) for number in range(1200)]
    report = judge(timeline(*cuts, event("defects.black", 50, 51)), policy(black("fail")))
    head = EdlExporter().render(report).decode("ascii").split("\r\n\r\n")[0]
    read = markers(report)

    assert len(read) == 999
    assert head.endswith("* LEFT OUT: 202 weaker events")
    assert [marker["colour"] for marker in read].count("ResolveColorRed") == 1
    assert [int(marker["number"]) for marker in read] == list(range(1, 1000))


@settings(deadline=None, max_examples=60)
@given(text=HOSTILE)
def test_no_text_breaks_an_edit_list(text: str) -> None:
    report = hostile_report(text)

    assert len(markers(report)) == len(report.events)


def read_otio(report: Report) -> Any:  # noqa: ANN401 - the library has no types
    data = OtioExporter().render(report).decode("utf-8")
    return otio.adapters.read_from_string(data, "otio_json")


@pytest.mark.parametrize("rate_fps", [FILM, Fraction(25), NTSC, NTSC_60])
def test_opentimelineio_reads_every_marker_at_its_frame(rate_fps: Fraction) -> None:
    frames = [(0, 1), (60, 150), (107_892, 107_992)]
    events = [event("shots.x", a / rate_fps, b / rate_fps) for a, b in frames]
    read = read_otio(judge(timeline(*events, rate_fps=rate_fps), OPEN))
    (clip,) = read.find_clips()

    ranges = [marker.marked_range for marker in clip.markers]
    assert [(item.start_time.value, item.end_time_exclusive().value) for item in ranges] == frames
    assert {item.start_time.rate for item in ranges} == {float(rate_fps)}


def test_opentimelineio_writes_back_what_it_read() -> None:
    report = sample_report()
    read = read_otio(report)
    again = json.loads(otio.adapters.write_to_string(read, "otio_json"))
    (clip,) = read.find_clips()

    assert again["name"] == report.video.name
    assert clip.source_range.duration == otio.opentime.RationalTime(1800, float(RATE_FPS))
    assert clip.media_reference.target_url == "in/holiday.mp4"
    assert [
        (item.name, item.color, item.metadata["reelcheck"]["start_seconds"])
        for item in clip.markers
    ] == [
        (
            f"{item.severity.upper()} {item.label.replace('_', ' ')}",
            {"info": "BLUE", "warn": "YELLOW", "fail": "RED"}[item.severity],
            item.start_seconds,
        )
        for item in report.events
    ]


def test_without_a_rate_markers_count_milliseconds() -> None:
    read = read_otio(judge(timeline(event("shots.x", Fraction(5, 4), 2), rate_fps=None), OPEN))
    (clip,) = read.find_clips()

    assert clip.markers[0].marked_range.start_time == otio.opentime.RationalTime(1250, 1000)


@settings(deadline=None, max_examples=60)
@given(text=HOSTILE)
def test_opentimelineio_reads_any_text(text: str) -> None:
    report = hostile_report(text)
    (clip,) = read_otio(report).find_clips()

    assert clip.name == plain_text(report.video.name)
    assert len(clip.markers) == len(report.events)


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


def test_junit_cases_of_rules_alike_have_different_names() -> None:
    names = list(outcomes(judge(timeline(), policy(black(), black(min_score=0.5)))))

    assert names[:2] == [
        "reelcheck.policy defects.black warn",
        "reelcheck.policy defects.black warn 2",
    ]


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
    state=st.sampled_from(["decoded", "sampled", "damaged"]),
    level=st.sampled_from(["inconclusive", "warn", "ignore"]),
)
def test_junit_fails_when_the_verdict_does(
    found: list[str], failures: tuple[Failure, ...], state: Any, level: str
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
