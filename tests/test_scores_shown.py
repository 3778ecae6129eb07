"""Reports that tell less of their scores: the verdict stays, the numbers go."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelcheck.errors import SettingError
from reelcheck.exporters.base import Exporter
from reelcheck.registry import EXPORTERS
from reelcheck.settings import Scores, scores_from
from reelcheck.verdict.judge import judge, rejudge
from reelcheck.verdict.policy import load_policy
from reelcheck.verdict.report import canonical_json, parse_report
from sample_policy import OPEN, TODAY, nudity, policy, reason
from sample_timeline import event, realistic_timeline, samples, timeline

FINE = 0.7234567
REDUCED = [Scores.ROUNDED, Scores.LABELS]


@pytest.mark.parametrize("scores", REDUCED)
@pytest.mark.parametrize("name", ["default", "ugc-strict"])
def test_the_verdict_is_that_of_the_full_scores(scores: Scores, name: str) -> None:
    seen, rules = realistic_timeline(), load_policy(name)

    full = judge(seen, rules, today=TODAY)
    less = judge(seen, rules, today=TODAY, scores=scores)

    assert less.verdict.decision == full.verdict.decision
    assert less.verdict.checks == full.verdict.checks
    assert [one.code for one in less.verdict.reasons] == [one.code for one in full.verdict.reasons]
    assert [
        (one.code, one.start_seconds, one.end_seconds, one.severity) for one in less.events
    ] == [(one.code, one.start_seconds, one.end_seconds, one.severity) for one in full.events]
    assert (full.scores, less.scores) == ("full", scores.value)


@given(st.floats(0, 1), st.sampled_from(REDUCED))
def test_a_score_on_either_side_of_a_limit_is_judged_before_it_is_rounded(
    value: float, scores: Scores
) -> None:
    seen, rules = timeline(*samples("nudity.score", [value] * 5)), policy(nudity("fail", 0.705))

    less = judge(seen, rules, today=TODAY, scores=scores)

    assert (less.verdict.decision == "FAIL") == (value >= 0.705)


@pytest.mark.parametrize(
    ("scores", "told"), [("full", "0.723457"), ("rounded", "0.72"), ("labels", None)]
)
def test_no_digit_beyond_what_is_told_is_anywhere_in_the_report(
    scores: str, told: str | None
) -> None:
    seen = timeline(
        *samples("nudity.score", [FINE] * 5),
        event("defects.blur", 1, 2, score=FINE, unit="of 1", note=f"blur {FINE}, limit 0.5"),
    )
    rules = policy(nudity("fail", 0.5))

    report = judge(seen, rules, today=TODAY, scores=Scores(scores))
    text = canonical_json(report, timings="drop").decode()

    assert ("0.7234" in text) == (scores == "full")
    assert ("0.72" in text) == (told is not None)
    assert ("found" in reason(report, "nudity.nudity").text) == (told is not None)
    if told is not None:
        assert f"found {told}" in reason(report, "nudity.nudity").text


def test_labels_alone_tell_what_was_found_and_when_and_no_number() -> None:
    report = judge(realistic_timeline(), load_policy("default"), today=TODAY, scores=Scores.LABELS)

    assert report.signals == {}
    assert report.quality is None
    assert {(one.score, one.unit, one.note, one.place) for one in report.events} == {
        (1.0, "", "", None)
    }


@pytest.mark.parametrize("name", list(EXPORTERS))
@pytest.mark.parametrize("scores", REDUCED)
def test_every_format_can_be_made_of_it(name: str, scores: Scores) -> None:
    report = judge(realistic_timeline(), load_policy("default"), today=TODAY, scores=scores)
    exporter: Exporter = EXPORTERS.load(name)()

    data = exporter.render(report)

    assert data
    assert not re.search(rb"0\.92[0-9]", data)


@pytest.mark.parametrize("scores", REDUCED)
def test_such_a_report_is_read_back_but_not_judged_anew(scores: Scores) -> None:
    report = judge(realistic_timeline(), OPEN, scores=scores)

    assert parse_report(canonical_json(report, timings="keep")) == report
    with pytest.raises(SettingError, match=scores.value):
        rejudge(report, OPEN)


def test_a_report_of_before_tells_its_full_scores() -> None:
    whole = canonical_json(judge(realistic_timeline(), OPEN), timings="keep").decode()

    assert parse_report(whole.replace('"scores":"full",', "")).scores == "full"


def test_an_unknown_word_is_refused() -> None:
    with pytest.raises(SettingError, match="some"):
        scores_from("some")


@pytest.mark.parametrize("scores", REDUCED)
def test_two_videos_that_differ_beyond_what_is_told_give_the_same_report(scores: Scores) -> None:
    """What climbing needs: a change that can be seen."""
    rules = policy(nudity("fail", 0.5))
    seen = timeline(*samples("nudity.score", [0.7211] * 5))
    moved = replace(seen, observations=tuple(samples("nudity.score", [0.7189] * 5)))

    first, second = (judge(one, rules, today=TODAY, scores=scores) for one in (seen, moved))

    assert first == second
