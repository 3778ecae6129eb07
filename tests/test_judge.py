"""From findings and gaps to a decision: it fails closed, and needs no video to be repeated."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reelcheck.errors import ERROR_CODES, WARNING_CODES
from reelcheck.spans import Observation
from reelcheck.verdict.judge import MAX_SPANS, exit_code, judge, rejudge, strongest
from reelcheck.verdict.policy import (
    CoveragePolicy,
    Policy,
    Waiver,
    load_policy,
    policy_names,
)
from reelcheck.verdict.report import (
    DECISION_ORDER,
    Decision,
    Report,
    canonical_json,
    parse_report,
)
from reelcheck.verdict.timeline import Coverage, Failure, Timeline
from sample_policy import OPEN, TODAY, black, nudity, policy, reason
from sample_timeline import (
    ALL_ANALYZERS,
    DURATION,
    coverage,
    event,
    frame,
    picture,
    realistic_timeline,
    timeline,
)


def test_a_healthy_and_fully_seen_video_passes() -> None:
    report = judge(timeline(event("shots.cut", 1, 2)), OPEN)

    assert report.verdict.decision == "PASS"
    assert report.verdict.reasons == ()
    assert report.verdict.policy == "open"
    assert [item.severity for item in report.events] == ["info"]


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        ([], "PASS"),
        (["PASS", "WARN"], "WARN"),
        (["WARN", "INCONCLUSIVE", "PASS"], "INCONCLUSIVE"),
        (["INCONCLUSIVE", "FAIL", "WARN"], "FAIL"),
    ],
)
def test_fail_beats_inconclusive_beats_warn_beats_pass(
    decisions: list[Decision], expected: Decision
) -> None:
    assert strongest(decisions) == expected


@pytest.mark.parametrize(
    ("decision", "plain", "strict"),
    [("PASS", 0, 0), ("WARN", 0, 1), ("FAIL", 1, 1), ("INCONCLUSIVE", 4, 4)],
)
def test_exit_codes(decision: Decision, plain: int, strict: int) -> None:
    assert exit_code(decision, strict=False) == plain
    assert exit_code(decision, strict=True) == strict


GAPS: list[tuple[str, Coverage, str]] = [
    ("gap", coverage((0, 50, "decoded"), (50, DURATION, "damaged")), "COVERAGE_GAP"),
    ("gap", coverage((0, 50, "decoded"), (50, DURATION, "skipped")), "COVERAGE_GAP"),
    ("gap", coverage(decoded_ratio=0.9989), "COVERAGE_RATIO"),
    ("gap", coverage(warnings=("W_PARTIAL: it ends early",)), "W_PARTIAL"),
    ("gap", coverage(warnings=("W_DECODE_ERRORS: 3 packets",)), "W_DECODE_ERRORS"),
    ("gap", coverage(warnings=("W_CORRUPT_FRAMES: 3 frames",)), "W_CORRUPT_FRAMES"),
    ("sampled", coverage((0, DURATION, "sampled")), "COVERAGE_SAMPLED"),
    ("extra_video_streams", coverage(warnings=("W_EXTRA_STREAMS",)), "W_EXTRA_STREAMS"),
]


@pytest.mark.parametrize(("setting", "covered", "code"), GAPS)
@pytest.mark.parametrize(
    ("level", "decision"),
    [("inconclusive", "INCONCLUSIVE"), ("warn", "WARN"), ("ignore", "PASS")],
)
def test_what_was_not_seen_means_what_the_policy_says(
    setting: str, covered: Coverage, code: str, level: str, decision: str
) -> None:
    gaps: dict[str, Any] = {setting: level}
    report = judge(timeline(covered=covered), policy(**gaps))

    assert report.verdict.decision == decision
    assert reason(report, code).leads_to == decision


@pytest.mark.parametrize("name", policy_names())
@pytest.mark.parametrize(("setting", "covered", "code"), GAPS)
def test_no_built_in_policy_passes_what_was_not_seen(
    name: str, setting: str, covered: Coverage, code: str
) -> None:
    report = judge(timeline(covered=covered), load_policy(name))

    assert report.verdict.decision == "INCONCLUSIVE"
    assert reason(report, code).leads_to == "INCONCLUSIVE", setting


@pytest.mark.parametrize(("ratio", "decision"), [(0.999, "PASS"), (0.998999, "INCONCLUSIVE")])
def test_the_wanted_share_of_decoded_time_is_enough(ratio: float, decision: str) -> None:
    assert judge(timeline(covered=coverage(decoded_ratio=ratio)), OPEN).verdict.decision == decision


@pytest.mark.parametrize(
    ("stretches", "decision"),
    [
        ([(0, DURATION, "sampled")], "PASS"),
        ([(0, 30, "decoded"), (30, DURATION, "sampled")], "PASS"),
        ([(0, 30, "sampled"), (30, DURATION, "skipped")], "INCONCLUSIVE"),
        ([(0, 30, "sampled")], "INCONCLUSIVE"),
    ],
)
def test_a_policy_that_allows_sampling_still_wants_the_rest(
    stretches: list[Any], decision: str
) -> None:
    covered = coverage(*stretches, decoded_ratio=0.1)
    report = judge(timeline(covered=covered), policy(sampled="ignore"))

    assert report.verdict.decision == decision


def test_a_gap_names_its_stretches_and_its_causes() -> None:
    covered = coverage((0, 5, "damaged"), (5, 9, "decoded"), (9, 10, "damaged"))
    named = reason(judge(timeline(covered=covered), OPEN), "COVERAGE_GAP")

    assert [(item.start_seconds, item.end_seconds) for item in named.spans] == [(0, 5), (9, 10)]
    assert "2 times, 6.000 s in all, first at 0.000 s" in named.text
    assert "packets were damaged" in named.text


@pytest.mark.parametrize("code", sorted(set(WARNING_CODES) - {item[2] for item in GAPS}))
def test_other_warnings_do_not_decide(code: str) -> None:
    covered = coverage(warnings=(f"{code}: words",))

    assert judge(timeline(covered=covered), OPEN).verdict.decision == "PASS"


@pytest.mark.parametrize("code", sorted(ERROR_CODES))
def test_nothing_forgives_an_error_of_the_pass(code: str) -> None:
    lenient = policy(
        gap="ignore",
        sampled="ignore",
        analyzer_failure="ignore",
        extra_video_streams="ignore",
        min_decoded_ratio=0.0,
        waivers=(Waiver(code="*", reason="all of it"),),
    )
    report = judge(timeline(failures=(Failure(code=code, message="words"),)), lenient)

    assert report.verdict.decision == "INCONCLUSIVE"
    assert reason(report, code).text == "The pass did not end well: words"


@pytest.mark.parametrize(
    ("level", "decision"),
    [("inconclusive", "INCONCLUSIVE"), ("warn", "WARN"), ("ignore", "PASS")],
)
def test_a_broken_analyzer_means_what_the_policy_says(level: str, decision: str) -> None:
    broken = Failure(code="E_ANALYZER", message="words", analyzer="defects", at_seconds=3)
    report = judge(timeline(failures=(broken,)), policy(analyzer_failure=level))

    assert report.verdict.decision == decision
    assert "'defects'" in reason(report, "E_ANALYZER").text


def test_a_value_that_is_not_finite_cannot_pass() -> None:
    bad = Observation(
        analyzer="nudity",
        signal="score",
        span=event("a.b", 0, 1).span,
        score=float("nan"),
    )
    assert judge(timeline(bad), OPEN).verdict.decision == "INCONCLUSIVE"


def test_without_an_analyzer_nothing_passes() -> None:
    report = judge(timeline(analyzers=()), policy(gap="ignore"))

    assert report.verdict.decision == "INCONCLUSIVE"
    assert reason(report, "NO_ANALYZER")


def test_without_a_frame_nothing_passes() -> None:
    report = judge(timeline(covered=coverage(frames_decoded=0)), policy(gap="ignore"))

    assert reason(report, "NO_FRAMES").leads_to == report.verdict.decision == "INCONCLUSIVE"


@pytest.mark.parametrize(("required", "decision"), [(True, "INCONCLUSIVE"), (False, "PASS")])
@pytest.mark.parametrize("what", ["not run", "broken", "no samples"])
def test_a_rule_that_could_not_be_checked_is_named(
    what: str, *, required: bool, decision: str
) -> None:
    broken = (Failure(code="E_ANALYZER", message="words", analyzer="nudity"),)
    report = judge(
        timeline(
            analyzers=("defects",) if what == "not run" else ALL_ANALYZERS,
            failures=broken if what == "broken" else (),
        ),
        policy(nudity("fail", 0.5, required=required), analyzer_failure="ignore"),
    )

    assert report.verdict.decision == decision
    assert "nudity.nudity" in reason(report, "NOT_CHECKED").text
    assert [check.outcome for check in report.verdict.checks] == ["not_checked"]


def test_a_reason_counts_all_of_its_stretches_and_lists_the_first() -> None:
    events = [event("defects.black", at, at + Fraction(1, 2)) for at in range(30)]
    named = reason(judge(timeline(*events), policy(black())), "defects.black")

    assert named.text == "Black: 30 times, 15.000 s in all, first at 0.000 s. ours"
    assert [item.start_seconds for item in named.spans] == list(range(MAX_SPANS))


def test_reasons_that_decide_come_first() -> None:
    report = judge(realistic_timeline(), load_policy("default"))
    order = [DECISION_ORDER.index(item.leads_to) for item in report.verdict.reasons]

    assert order == sorted(order, reverse=True)
    assert report.verdict.reasons[0].leads_to == report.verdict.decision == "FAIL"


def without_pictures(report: Report) -> Report:
    bare = tuple(item.model_copy(update={"evidence": None}) for item in report.events)
    return report.model_copy(update={"events": bare})


TIMES = st.integers(0, 1800).map(frame)


@st.composite
def observations(draw: Callable[[Any], Any]) -> Observation:
    first, last = sorted((draw(TIMES), draw(TIMES)))
    name = draw(st.sampled_from(["defects.black", "flashes.general_flash", "nudity.score", "x.y"]))
    is_sample = name == "nudity.score" or draw(st.booleans())
    score = draw(st.floats(0, 1) | st.sampled_from([0.3, 0.5, 0.8, float("nan")]))
    made = event(name, first, last, score=score, stream=draw(st.sampled_from([0, 1, 2])))
    analyzer, _, signal = name.partition(".")
    return (
        Observation(
            analyzer=analyzer, signal=signal, span=made.span, score=score, stream=made.stream
        )
        if is_sample
        else made
    )


@st.composite
def timelines(draw: Callable[[Any], Any]) -> Timeline:
    states = st.sampled_from(["decoded", "decoded", "sampled", "skipped", "damaged"])
    middle = draw(st.integers(0, 60))
    failures = st.lists(
        st.sampled_from(
            [
                Failure(code="E_TIMEOUT", message="words"),
                Failure(code="E_ANALYZER", message="words", analyzer="nudity", at_seconds=1.5),
            ]
        ),
        max_size=2,
    )
    return timeline(
        *draw(st.lists(observations(), max_size=12)),
        covered=coverage(
            (0, middle, draw(states)),
            (middle, DURATION, draw(states)),
            decoded_ratio=draw(st.sampled_from([1.0, 0.999, 0.5])),
            warnings=draw(st.sampled_from([(), ("W_PARTIAL: words",), ("W_EXTRA_STREAMS",)])),
        ),
        failures=tuple(draw(failures)),
        pictures=tuple(map(picture, draw(st.lists(st.integers(0, 60), max_size=4)))),
        analyzers=draw(st.sampled_from([ALL_ANALYZERS, ("defects",), ()])),
    )


POLICIES = st.sampled_from(
    [
        OPEN,
        load_policy("default"),
        load_policy("ugc-strict"),
        policy(black("fail"), nudity("warn", 0.3), gap="ignore", analyzer_failure="warn"),
        policy(black(), waivers=(Waiver(code="*", reason="all", until_seconds=30),)),
    ]
)


@settings(deadline=None)
@given(watched=timelines(), first=POLICIES, second=POLICIES)
def test_judging_a_stored_report_is_judging_the_video_again(
    watched: Timeline, first: Policy, second: Policy
) -> None:
    stored = canonical_json(judge(watched, first, today=TODAY), timings="keep")

    again = rejudge(parse_report(stored), second, today=TODAY)

    fresh = judge(watched, second, today=TODAY)
    assert without_pictures(again) == without_pictures(fresh)


@settings(deadline=None)
@given(watched=timelines(), used=POLICIES)
def test_judging_twice_with_one_policy_gives_the_same_bytes(
    watched: Timeline, used: Policy
) -> None:
    report = judge(watched, used, today=TODAY)

    assert canonical_json(rejudge(report, used, today=TODAY), timings="keep") == canonical_json(
        report, timings="keep"
    )


@settings(deadline=None)
@given(watched=timelines(), used=POLICIES)
@example(
    watched=timeline(covered=coverage((0, 20, "sampled"), (20, DURATION, "decoded"))),
    used=policy(black(), waivers=(Waiver(code="*", reason="all", until_seconds=30),)),
)
def test_pass_needs_full_coverage_or_a_waiver_and_health(watched: Timeline, used: Policy) -> None:
    report = judge(watched, used, today=TODAY)
    states = {item.state for item in report.coverage.spans} - {"decoded"}
    lost = {"COVERAGE_SAMPLED" if one == "sampled" else "COVERAGE_GAP" for one in states}

    if report.verdict.decision == "PASS" and used.coverage == CoveragePolicy():
        waived = {one.code for one in report.verdict.reasons if one.text.startswith("Waived (")}
        assert not report.failures
        assert lost <= waived
        assert report.coverage.decoded_ratio >= 0.999
        assert report.video.analyzers
        assert not report.coverage.warnings
