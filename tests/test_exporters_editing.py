"""Forms for editing tools: time code, edit lists and OpenTimelineIO, exact to the frame."""

import json
import re
from fractions import Fraction
from typing import Any

import opentimelineio as otio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile_text import HOSTILE, hostile_report, sample_report
from reelcheck.exporters.base import frame_at, header_rate_fps, plain_text
from reelcheck.exporters.edl import EdlExporter, timecode, timecode_rate_fps
from reelcheck.exporters.otio import OtioExporter
from reelcheck.verdict.judge import judge
from reelcheck.verdict.report import Report
from sample_policy import OPEN, black, policy
from sample_timeline import RATE_FPS, event, frame, timeline

NTSC = Fraction(30000, 1001)
NTSC_60 = Fraction(60000, 1001)
FILM = Fraction(24000, 1001)


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


@settings(deadline=None)
@given(
    st.integers(0, 2_000_000),
    st.sampled_from([FILM, Fraction(24), Fraction(25), NTSC, Fraction(30), NTSC_60, Fraction(60)]),
)
def test_time_code_agrees_with_opentimelineio(frame_number: int, rate_fps: Fraction) -> None:
    at = otio.opentime.RationalTime(frame_number, float(rate_fps))
    drops = rate_fps in {NTSC, NTSC_60}
    theirs = otio.opentime.to_timecode(at, float(rate_fps), drop_frame=drops)

    assert timecode(frame_number, rate_fps) == theirs


@settings(deadline=None)
@given(st.integers(0, 2_589_407), st.sampled_from([NTSC, NTSC_60]))
def test_drop_frame_time_code_drifts_less_than_a_sixth_of_a_second_a_day(
    frame_number: int, rate_fps: Fraction
) -> None:
    hours, minutes, seconds, frames = map(int, re.split("[:;]", timecode(frame_number, rate_fps)))
    shown = (hours * 60 + minutes) * 60 + seconds + Fraction(frames, round(rate_fps))
    true = frame_number / rate_fps % 86400

    assert abs((shown - true + 43200) % 86400 - 43200) < Fraction(1, 6)


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
    cuts = [event("shots.cut", frame(number), frame(number + 1)) for number in range(1199)]
    found = [*cuts, event("shots.fade", 55, 58), event("defects.black", 50, Fraction(501, 10))]
    report = judge(timeline(*found), policy(black("fail")))
    head = EdlExporter().render(report).decode("ascii").split("\r\n\r\n")[0]
    read = markers(report)

    assert len(read) == 999
    assert head.endswith("* LEFT OUT: 202 weaker events")
    assert [marker["colour"] for marker in read].count("ResolveColorRed") == 1
    assert [marker["name"] for marker in read].count("INFO fade") == 1
    assert [int(marker["number"]) for marker in read] == list(range(1, 1000))


def test_an_edit_list_that_holds_everything_leaves_nothing_out() -> None:
    cuts = [event("shots.cut", frame(number), frame(number + 1)) for number in range(999)]
    data = EdlExporter().render(judge(timeline(*cuts), OPEN)).decode("ascii")

    assert "\r\n999 " in data
    assert "LEFT OUT" not in data


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
