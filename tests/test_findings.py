"""Rules and waivers: which findings count, and on exactly which stretches of time."""

from datetime import date
from fractions import Fraction

import pytest

from reelcheck.verdict.judge import judge
from reelcheck.verdict.policy import Waiver, load_policy
from reelcheck.verdict.report import Report
from reelcheck.verdict.timeline import Coverage
from sample_policy import TODAY, black, found, nudity, policy, reason
from sample_timeline import DURATION, coverage, event, frame, samples, timeline


@pytest.mark.parametrize(("frames", "severity"), [(59, "info"), (60, "warn")])
@pytest.mark.parametrize("first", [0, 7, 1001])
def test_an_event_counts_from_its_least_length_on(first: int, frames: int, severity: str) -> None:
    observed = event("defects.black", frame(first), frame(first + frames))
    report = judge(timeline(observed), policy(black(min_duration_seconds=2.002)))

    assert [item.severity for item in report.events] == [severity]


@pytest.mark.parametrize(("score", "severity"), [(0.4999, "info"), (0.5, "warn")])
def test_an_event_counts_from_its_least_score_on(score: float, severity: str) -> None:
    report = judge(
        timeline(event("defects.black", 1, 2, score=score)), policy(black(min_score=0.5))
    )

    assert found(report, "defects.black") == [(1, 2, severity)]


@pytest.mark.parametrize(
    ("starts", "flagged"),
    [
        ([0, 20, 40], []),
        ([0, 20, 40, 59.9], [0, 20, 40, 59.9]),
        ([0, 20, 40, 60], []),
        ([0, 50, 51, 52, 53], [50, 51, 52, 53, 0]),
        ([0, 100, 101, 102, 103, 200], [100, 101, 102, 103]),
    ],
)
def test_events_count_when_a_minute_holds_too_many(
    starts: list[float], flagged: list[float]
) -> None:
    events = [event("defects.black", at, at + Fraction(1, 10)) for at in starts]
    report = judge(timeline(*events), policy(black(max_per_minute=3)))

    assert [item[0] for item in found(report, "defects.black") if item[2] == "warn"] == sorted(
        flagged
    )


def test_the_streams_of_a_video_have_their_minutes_apart() -> None:
    events = [event("defects.black", at, at + 1, stream=at % 2) for at in range(6)]
    report = judge(timeline(*events), policy(black(max_per_minute=3)))

    assert {item.severity for item in report.events} == {"info"}


def test_the_strongest_rule_wins_whatever_the_order() -> None:
    rules = (black("warn"), black("fail", min_duration_seconds=5), black("info"))
    events = (event("defects.black", 1, 2), event("defects.black", 10, 15))
    for order in (rules, rules[::-1]):
        report = judge(timeline(*events), policy(*order))

        assert found(report, "defects.black") == [(1, 2, "warn"), (10, 15, "fail")]
        assert report.verdict.decision == "FAIL"
        assert {check.outcome for check in report.verdict.checks} == {"found"}


def test_of_equal_rules_the_earlier_one_gives_the_reason() -> None:
    rules = (black(why="the first"), black(why="the second"))
    report = judge(timeline(event("defects.black", 1, 2)), policy(*rules))

    assert reason(report, "defects.black").text.endswith("the first")


def test_a_signal_beyond_its_limit_becomes_an_event() -> None:
    curve = samples("nudity.score", [0.1, 0.5, 0.9, 0.3, 0.1], unit="x")
    report = judge(timeline(*curve), policy(nudity("fail", 0.8, off_at=0.3)))

    (made,) = report.events
    assert (made.origin, made.code, made.severity) == ("judged", "nudity.nudity", "fail")
    assert (made.start_seconds, made.end_seconds) == (2, 4)
    assert (made.score, made.unit, made.stream) == (0.9, "x", 0)
    assert made.note == "nudity.score at 0.8 or more (until past 0.3); highest value 0.9 x"


@pytest.mark.parametrize(
    ("direction", "on_at", "furthest"), [("above", 0.5, "0.9"), ("below", 0.3, "0.1")]
)
def test_a_reason_names_the_value_furthest_beyond_the_limit(
    direction: str, on_at: float, furthest: str
) -> None:
    curve = samples("nudity.score", [0.6, 0.4, 0.9, 0.4, 0.2, 0.4, 0.1, 0.4])
    report = judge(timeline(*curve), policy(nudity("fail", on_at, direction=direction)))

    assert len(report.events) == 2
    assert f"; found {furthest})" in reason(report, "nudity.nudity").text


def test_at_each_moment_the_strongest_rule_of_a_signal_has_the_say() -> None:
    curve = samples("nudity.score", [0.1, 0.6, 0.6, 0.9, 0.9, 0.6, 0.1])
    report = judge(
        timeline(*curve), policy(nudity("warn", 0.5, bridge_seconds=5.0), nudity("fail", 0.8))
    )

    assert found(report, "nudity.nudity") == [(1, 3, "warn"), (3, 5, "fail"), (5, 6, "warn")]


def test_flanks_that_are_too_short_for_the_weaker_rule_are_left_out() -> None:
    curve = samples("nudity.score", [0.1, 0.6, 0.6, 0.9, 0.9, 0.6, 0.1])
    rules = (nudity("warn", 0.5, min_duration_seconds=2.0), nudity("fail", 0.8))
    report = judge(timeline(*curve), policy(*rules))

    assert found(report, "nudity.nudity") == [(1, 3, "warn"), (3, 5, "fail")]
    assert [check.outcome for check in report.verdict.checks] == ["found", "found"]


def test_every_stream_has_its_own_hysteresis() -> None:
    curves = [
        *samples("nudity.score", [0.9, 0.1, 0.1]),
        *samples("nudity.score", [0.1, 0.6, 0.1], stream=2),
    ]
    report = judge(timeline(*curves), policy(nudity("fail", 0.8, off_at=0.5)))

    assert [(item.stream, item.start_seconds) for item in report.events] == [(0, 0)]


@pytest.mark.parametrize(
    ("value", "decision"),
    [
        (-24.06, "FAIL"),
        (-24.04, "WARN"),
        (-23.56, "WARN"),
        (-23.54, "PASS"),
        (-22.46, "PASS"),
        (-22.44, "WARN"),
        (-21.96, "WARN"),
        (-21.94, "FAIL"),
    ],
)
def test_european_loudness_has_a_band(value: float, decision: str) -> None:
    heard = [
        *samples("loudness.integrated_lufs", [value], step=60, unit="LUFS", stream=1),
        *samples("loudness.true_peak_dbtp", [-3.0], step=60, unit="dBTP", stream=1),
    ]
    assert judge(timeline(*heard), load_policy("broadcast-eu")).verdict.decision == decision


@pytest.mark.parametrize(
    ("name", "peak", "decision"),
    [
        ("broadcast-eu", -1.0, "PASS"),
        ("broadcast-eu", -0.9, "FAIL"),
        ("broadcast-us", -2.0, "PASS"),
        ("broadcast-us", -1.9, "FAIL"),
        ("default", 0.0, "PASS"),
        ("default", 0.1, "WARN"),
    ],
)
def test_true_peaks_may_reach_the_limit_of_their_policy(
    name: str, peak: float, decision: str
) -> None:
    heard = [
        *samples("loudness.integrated_lufs", [-23.0], step=60, unit="LUFS", stream=1),
        *samples("loudness.true_peak_dbtp", [peak], step=60, unit="dBTP", stream=1),
    ]
    assert judge(timeline(*heard), load_policy(name)).verdict.decision == decision


@pytest.mark.parametrize(
    ("name", "score", "decision"),
    [
        ("default", 0.49, "PASS"),
        ("default", 0.5, "WARN"),
        ("default", 0.8, "FAIL"),
        ("ugc-strict", 0.19, "PASS"),
        ("ugc-strict", 0.2, "WARN"),
        ("ugc-strict", 0.5, "FAIL"),
    ],
)
def test_nudity_scores_have_two_limits(name: str, score: float, decision: str) -> None:
    report = judge(timeline(*samples("nudity.score", [0.0, score, 0.0])), load_policy(name))

    assert report.verdict.decision == decision


@pytest.mark.parametrize(
    ("name", "decision"),
    [("default", "PASS"), ("ugc-strict", "WARN"), ("web-accessibility", "FAIL")],
)
def test_small_flashes_matter_on_the_web(name: str, decision: str) -> None:
    seen = [event("flashes.small_field_flash", 3, 4), *samples("nudity.score", [0.0])]

    assert judge(timeline(*seen), load_policy(name)).verdict.decision == decision


def waived(*waivers: Waiver, today: date = TODAY, covered: Coverage | None = None) -> Report:
    observed = timeline(event("defects.black", 3, 6), covered=covered)
    return judge(observed, policy(black("fail"), waivers=waivers), today=today)


@pytest.mark.parametrize("code", ["defects.black", "defects.*", "*"])
def test_a_waived_finding_passes_and_is_listed(code: str) -> None:
    report = waived(Waiver(code=code, reason="it opens on black"))

    assert report.verdict.decision == "PASS"
    assert [(item.severity, item.waived) for item in report.events] == [
        ("info", "it opens on black")
    ]
    assert reason(report, "defects.black").leads_to == "PASS"
    assert reason(report, "defects.black").text.startswith("Waived (it opens on black). Black: ")
    assert [check.outcome for check in report.verdict.checks] == ["waived"]


@pytest.mark.parametrize("code", ["defects.blac", "shots.*", "Defects.black"])
def test_a_waiver_for_something_else_changes_nothing(code: str) -> None:
    assert waived(Waiver(code=code, reason="ours")).verdict.decision == "FAIL"


@pytest.mark.parametrize(
    ("first", "last", "decision"),
    [(3, 6, "PASS"), (0, None, "PASS"), (3.1, 6, "FAIL"), (3, 5.9, "FAIL"), (3.1, None, "FAIL")],
)
def test_a_finding_must_lie_wholly_in_the_time_of_its_waiver(
    first: float, last: float | None, decision: str
) -> None:
    waiver = Waiver(code="*", reason="ours", from_seconds=first, until_seconds=last)

    assert waived(waiver).verdict.decision == decision


def test_a_waiver_holds_on_its_last_day_and_not_after() -> None:
    waiver = Waiver(code="*", reason="until the fix", expires=TODAY)
    late = waived(waiver, today=date(2026, 6, 16))

    assert waived(waiver).verdict.decision == "PASS"
    assert late.verdict.decision == "FAIL"
    assert "'until the fix' expired on 2026-06-15" in reason(late, "defects.black").text


def test_the_first_waiver_in_force_gives_the_reason() -> None:
    old = Waiver(code="*", reason="old", expires=date(2020, 1, 1))
    report = waived(old, Waiver(code="*", reason="first"), Waiver(code="*", reason="second"))

    assert [item.waived for item in report.events] == ["first"]


@pytest.mark.parametrize(
    ("waiver", "decision"),
    [
        (Waiver(code="COVERAGE_GAP", reason="x"), "PASS"),
        (Waiver(code="COVERAGE_*", reason="x", from_seconds=10, until_seconds=20), "PASS"),
        (Waiver(code="COVERAGE_*", reason="x", from_seconds=10.5), "INCONCLUSIVE"),
        (Waiver(code="W_*", reason="x"), "INCONCLUSIVE"),
        (Waiver(code="COVERAGE_GAP", reason="x", expires=date(2020, 1, 1)), "INCONCLUSIVE"),
        (Waiver(code="COVERAGE_GAP", reason="x", expires=TODAY), "PASS"),
    ],
)
def test_a_gap_can_be_waived_when_its_time_is_covered(waiver: Waiver, decision: str) -> None:
    covered = coverage((0, 10, "decoded"), (10, 20, "damaged"), (20, DURATION, "decoded"))
    report = judge(timeline(covered=covered), policy(waivers=(waiver,)), today=TODAY)

    assert report.verdict.decision == decision
