"""The form of a report: its schema, its bytes, and how a timeline is put into it."""

import json
import math
from fractions import Fraction
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from reelcheck.errors import ReportError
from reelcheck.frames import MediaInfo
from reelcheck.spans import Observation
from reelcheck.verdict.build import unjudged
from reelcheck.verdict.judge import judge
from reelcheck.verdict.policy import load_policy
from reelcheck.verdict.report import (
    Event,
    Quality,
    QualityCause,
    QualityShot,
    Report,
    Signal,
    Worst,
    canonical_json,
    json_schema,
    parse_report,
)
from reelcheck.verdict.rounding import microseconds, rounded, seconds, seconds_of
from sample_timeline import (
    coverage,
    event,
    media,
    realistic_timeline,
    samples,
    span,
    timeline,
)

TOP_LEVEL = {
    "schema_version",
    "reelcheck_version",
    "video",
    "coverage",
    "verdict",
    "events",
    "signals",
    "quality",
    "models",
    "isolation",
    "isolation_missing",
    "scores",
    "limits",
    "seal",
    "versions",
    "failures",
    "timings",
}


def judged() -> Report:
    return judge(realistic_timeline(), load_policy("default"))


def as_json(report: Report) -> Any:  # noqa: ANN401 - JSON can be anything
    return json.loads(canonical_json(report, timings="keep"))


def test_a_report_has_exactly_the_published_keys() -> None:
    assert set(as_json(judged())) == TOP_LEVEL


def test_the_published_schema_accepts_a_full_report() -> None:
    quality = Quality(
        score=4.1,
        scale=(1, 5),
        interval=(3.9, 4.3),
        worst_5_percent=2.2,
        worst=Worst(start_seconds=3, end_seconds=4, score=1.5),
        causes=(QualityCause(cause="blur", share=0.25),),
        shots=(
            QualityShot(start_seconds=0, end_seconds=3, score=4.5),
            QualityShot(start_seconds=3, end_seconds=3.2, score=None),
        ),
        judged_seconds=59,
    )
    report = judged().model_copy(update={"quality": quality})

    jsonschema.Draft202012Validator(json_schema()).validate(as_json(report))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema_version",), "2.0"),
        (("verdict", "decision"), "MAYBE"),
        (("events", 0, "severity"), "bad"),
        (("events", 0, "start_seconds"), "soon"),
        (("coverage", "surprise"), 1),
    ],
)
def test_schema_and_reader_refuse_the_same_faults(
    path: tuple[str | int, ...], value: object
) -> None:
    document = as_json(judged())
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value

    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(document)
    with pytest.raises(ReportError, match=str(path[-1])):
        parse_report(json.dumps(document))


def test_the_schema_names_itself_and_explains_its_fields() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)

    assert schema["$id"] == "reelcheck-report-1.0"
    assert schema["$defs"]["Event"]["properties"]["origin"]["description"].startswith("Found by")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", '{"video": "\\ud800"}', "null"])
def test_what_is_no_report_is_refused_in_one_line(data: bytes | str) -> None:
    with pytest.raises(ReportError) as caught:
        parse_report(data)
    assert "\n" not in str(caught.value)


def test_a_report_survives_its_json() -> None:
    report = judged()

    assert parse_report(canonical_json(report, timings="keep")) == report


def test_canonical_json_forgets_timings_on_request_and_nothing_else() -> None:
    report = judged()
    kept, dropped = as_json(report), json.loads(canonical_json(report, timings="drop"))

    assert kept["timings"] == {"decode": 1.25, "total": 2.5}
    assert dropped == kept | {"timings": {}}


def test_the_same_content_gives_the_same_bytes_in_any_order_of_keys() -> None:
    report = judged()
    turned = dict(reversed(report.video.metadata.items()))
    other = report.model_copy(
        update={
            "video": report.video.model_copy(update={"metadata": turned}),
            "signals": dict(reversed(report.signals.items())),
        }
    )

    assert canonical_json(other, timings="keep") == canonical_json(report, timings="keep")


@settings(deadline=None)
@given(name=st.text(st.characters(codec=None, categories=None), max_size=20))
def test_any_file_name_can_be_stored_and_read_back(name: str) -> None:
    report = unjudged(timeline(name=name))
    data = canonical_json(report, timings="keep")

    assert parse_report(data) == report
    assert canonical_json(parse_report(data), timings="keep") == data


def test_half_characters_of_file_names_are_shown_as_escapes() -> None:
    assert unjudged(timeline(name="a\udcffb")).video.name == "a\\udcffb"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_do_not_fit_into_a_report(value: float) -> None:
    with pytest.raises(ValidationError):
        Signal(unit="", stream=0, times_seconds=(0,), durations_seconds=(1,), values=(value,))


def test_columns_of_a_signal_are_equally_long() -> None:
    with pytest.raises(ValidationError, match="got \\[2, 1, 1\\]"):
        Signal(unit="", stream=0, times_seconds=(0, 1), durations_seconds=(1,), values=(1,))


def test_reports_are_frozen() -> None:
    with pytest.raises(ValidationError):
        judged().video.name = "other"


def test_negative_zero_is_zero() -> None:
    assert math.copysign(1, rounded(-0.0)) == 1
    assert math.copysign(1, rounded(-1e-9)) == 1


@settings(deadline=None)
@given(
    start=st.fractions(min_value=0, max_value=10**6, max_denominator=10**6),
    length_us=st.integers(0, 10**10),
)
def test_lengths_of_whole_microseconds_survive_rounding(start: Fraction, length_us: int) -> None:
    end = start + Fraction(length_us, 10**6)
    first, last = (rounded(seconds_of(edge)) for edge in (start, end))

    assert microseconds(last) - microseconds(first) == length_us
    assert abs(Fraction(microseconds(first), 10**6) - start) <= Fraction(1, 2 * 10**6)


def test_two_seconds_stay_two_seconds_wherever_they_begin() -> None:
    begins = [Fraction(ticks, 12800) for ticks in range(0, 12800, 4)]  # many end on half a us
    events = [event("defects.black", begin, begin + 2) for begin in begins]
    found = unjudged(timeline(*events)).events

    assert {
        microseconds(item.end_seconds) - microseconds(item.start_seconds) for item in found
    } == {2_000_000}


@settings(deadline=None)
@given(st.integers(-(10**15), 10**15))
def test_whole_microseconds_come_back_from_seconds(whole_us: int) -> None:
    assert microseconds(seconds(whole_us)) == whole_us


def test_absurd_times_of_a_header_do_not_overflow() -> None:
    assert microseconds(1.7e308) == int(1.7e308) * 10**6


def test_rates_stand_as_fractions_beside_their_decimals() -> None:
    stream = unjudged(timeline()).video.video_streams[0]

    assert stream.rate_fps_from_header == 29.97003
    assert stream.rate_fps_from_header_exact == "30000/1001"
    assert stream.sample_aspect_ratio_exact == "1/1"


def test_an_unknown_rate_is_null() -> None:
    stream = unjudged(timeline(rate_fps=None)).video.video_streams[0]

    assert (stream.rate_fps_from_header, stream.rate_fps_from_header_exact) == (None, None)


def test_samples_become_curves_with_times_and_lengths() -> None:
    curve = samples("defects.luma_mean", [0.25, 0.5, 0.125], step=Fraction(1, 3), unit="")
    signals = unjudged(timeline(*reversed(curve))).signals

    assert signals == {
        "defects.luma_mean": Signal(
            unit="",
            stream=0,
            times_seconds=(0.0, 0.333333, 0.666667),
            durations_seconds=(0.333333, 0.333334, 0.333333),
            values=(0.25, 0.5, 0.125),
        )
    }


def test_curves_of_further_streams_carry_the_stream_in_their_name() -> None:
    found = [
        *samples("defects.luma_mean", [0.5]),
        *samples("defects.luma_mean", [0.5], stream=2),
        *samples("loudness.integrated_lufs", [-23], stream=1),
        *samples("loudness.integrated_lufs", [-30], stream=3),
    ]
    signals = unjudged(timeline(*found)).signals

    assert {name: signal.stream for name, signal in signals.items()} == {
        "defects.luma_mean": 0,
        "defects.luma_mean@2": 2,
        "loudness.integrated_lufs": 1,
        "loudness.integrated_lufs@3": 3,
    }


def test_one_name_on_the_first_picture_and_the_first_sound_stays_two_curves() -> None:
    found = [*samples("x.level", [1]), *samples("x.level", [2], stream=1)]
    signals = unjudged(timeline(*found)).signals

    assert [signals[name].values for name in ("x.level", "x.level@1")] == [(1.0,), (2.0,)]


def test_a_file_without_streams_can_be_reported() -> None:
    empty = timeline()
    bare = unjudged(
        type(empty)(
            source=empty.source,
            media=MediaInfo(video=(), audio=()),
            profile="fast",
            analyzers=(),
            coverage=coverage(frames_decoded=0),
            observations=(),
        )
    )
    assert (bare.video.video_streams, bare.signals, bare.verdict.decision) == (
        (),
        {},
        "INCONCLUSIVE",
    )
    assert media().video  # and with streams it has some


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("label", ["", "black"])
def test_a_value_that_is_not_finite_makes_its_analyzer_broken(value: float, label: str) -> None:
    bad = Observation(
        analyzer="defects", signal="luma_mean", label=label, span=span(3, 4), score=value
    )
    report = unjudged(timeline(bad, bad, event("shots.cut", 1, 2)))

    assert [(item.code, item.analyzer, item.at_seconds) for item in report.failures] == [
        ("E_ANALYZER", "defects", 3.0)
    ]
    assert [item.code for item in report.events] == ["shots.cut"]
    assert report.signals == {}


def test_the_code_of_an_event_is_its_name_in_policies() -> None:
    found = Event(
        analyzer="defects",
        label="black",
        start_seconds=0,
        end_seconds=1,
        score=1,
        severity="info",
        stream=0,
        origin="observed",
    )
    assert found.code == "defects.black"
