"""Calibration, part by part: labels, targets, what is seen, counting, bounds, probabilities."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelled_tracks import RULE, SECOND, track
from reelcheck.calibration.bounds import (
    binomial_lower,
    poisson_lower,
    poisson_upper,
    rate_dispersion,
    share_dispersion,
)
from reelcheck.calibration.labels import read_labels
from reelcheck.calibration.policy_file import policy_toml
from reelcheck.calibration.reliability import pool_adjacent_violators, reliability
from reelcheck.calibration.sweep import sweep, thresholds_of
from reelcheck.calibration.targets import Target, find_target
from reelcheck.calibration.tracks import Track, joined, length, track_of, without
from reelcheck.errors import InputError, ReportError, SettingError
from reelcheck.verdict.build import unjudged
from reelcheck.verdict.policy import (
    CoveragePolicy,
    EventRule,
    Policy,
    SignalRule,
    Waiver,
    load_policy,
    parse_policy,
    policy_names,
)
from reelcheck.verdict.report import Report
from sample_policy import nudity, policy
from sample_timeline import coverage, samples, timeline

HEAD = "file,start_seconds,end_seconds,label"
TARGET = Target(label="nudity", rule=RULE, place=None)
STRETCHES = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda one: (one[0], sum(one)))
)


def table(folder: Path, *rows: str, head: str = HEAD) -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


# --- labels


def test_rows_become_videos_with_their_events(tmp_path: Path) -> None:
    read = read_labels(
        table(
            tmp_path, "b.mp4,1,2.5,nudity,film", "a.mp4,,,,", "b.mp4,7,9,fight,film",
            head=f"{HEAD},group",
        )
    )  # fmt: skip

    b, a = read.videos
    assert (b.file, b.path, b.group) == ("b.mp4", tmp_path / "b.mp4", "film")
    assert b.events == {"nudity": ((1_000_000, 2_500_000),), "fight": ((7_000_000, 9_000_000),)}
    assert (a.group, a.events, read.faults) == ("a.mp4", {}, ())
    assert read.names == ("fight", "nudity")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("bad.mp4,2,1,nudity", "end after it starts"),
        ("bad.mp4,1,1,nudity", "end after it starts"),
        ("bad.mp4,-1,1,nudity", "start at 0 or later"),
        ("bad.mp4,nan,1,nudity", "start at 0 or later"),
        ("bad.mp4,one,2,nudity", "no number"),
        ("bad.mp4,,,nudity", "no number"),
        ("bad.mp4,1,2,", "no label"),
        ("bad.mp4,1,2", "4 entries"),
        ("bad.mp4,1,2,nudity,more", "4 entries"),
        (",1,2,nudity", "names no file"),
    ],
)
def test_a_wrong_row_takes_its_video_out_and_is_named(row: str, words: str, tmp_path: Path) -> None:
    read = read_labels(table(tmp_path, "good.mp4,,,", "bad.mp4,3,4,nudity", row))

    (fault,) = read.faults
    assert words in str(fault)
    assert str(fault).startswith(f"{tmp_path / 'labels.csv'}, row 4: ")
    left = ["good.mp4"] if row.startswith("bad") else ["good.mp4", "bad.mp4"]
    assert [video.file for video in read.videos] == left


def test_one_file_cannot_be_in_two_groups(tmp_path: Path) -> None:
    read = read_labels(table(tmp_path, "a.mp4,,,,x", "a.mp4,1,2,nudity,y", head=f"{HEAD},group"))

    assert not read.videos
    assert "'x' by row 2" in str(read.faults[0])


@pytest.mark.parametrize("text", ["", f"{HEAD}\n", "file,label\na,b\n", f'{HEAD}\n"a.mp4,,,\n'])
def test_a_table_that_is_none_is_refused_whole(text: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)

    with pytest.raises(InputError, match=r"labels\.csv"):
        read_labels(path)


# --- targets


@pytest.mark.parametrize("label", ["nudity", "nudity.nudity", "nudity.score"])
def test_a_label_means_the_strongest_rule_of_the_policy(label: str) -> None:
    base = policy(nudity("warn", 0.5), nudity("fail", 0.8), nudity("fail", 0.9))

    assert find_target(label, base, ()).place == 1


@pytest.mark.parametrize("label", ["wild", "mine.wild"])
def test_a_label_without_a_rule_makes_a_new_one_for_its_signal(label: str) -> None:
    target = find_target(label, policy(), {"mine.wild", "mine.calm"})

    assert (target.place, target.rule.code, target.analyzer) == (None, "mine.wild", "mine")


@pytest.mark.parametrize(
    ("label", "words"), [("nuditi", "unknown label 'nuditi'"), ("wild", "ambiguous")]
)
def test_an_unknown_or_ambiguous_label_is_refused(label: str, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        find_target(label, policy(nudity("fail", 0.8)), {"mine.wild", "other.wild"})


# --- what is seen


def report_of(**more: object) -> Report:
    return unjudged(timeline(*samples("nudity.score", [0.1] * 60), **more))  # type: ignore[arg-type] # parts of a timeline


def test_seen_time_without_events_is_counted() -> None:
    found = track_of(report_of(), TARGET, [(10 * SECOND, 15 * SECOND)], video="a", group="g")

    assert found.clean_us == 55 * SECOND
    assert found.seen == (True,)


@pytest.mark.parametrize("state", ["damaged", "skipped", "sampled"])
def test_what_was_not_seen_is_no_silence(state: str) -> None:
    covered = coverage((0, 20, "decoded"), (20, 50, state), (50, 60, "decoded"))  # type: ignore[arg-type] # a state
    events = [(15 * SECOND, 26 * SECOND), (40 * SECOND, 45 * SECOND), (45 * SECOND, 55 * SECOND)]

    found = track_of(report_of(covered=covered), TARGET, events, video="a", group="g")

    # joined: 15 to 26 (5 of 11 s seen), 40 to 55 (5 of 15 s seen)
    assert found.seen == (False, False)
    assert found.clean_us == (15 + 5) * SECOND


def test_a_video_without_samples_gives_no_hours_and_hides_its_events() -> None:
    found = track_of(unjudged(timeline()), TARGET, [(0, SECOND)], video="a", group="g")

    assert (found.clean_us, found.seen, found.streams) == (0, (False,), ())


def test_a_report_without_the_analyzer_is_refused() -> None:
    with pytest.raises(ReportError, match=r"clip: .*without 'nudity'"):
        track_of(report_of(analyzers=("shots",)), TARGET, [], video="clip", group="g")


@settings(deadline=None, max_examples=50)
@given(STRETCHES, STRETCHES)
def test_stretches_without_others_are_what_is_left_second_by_second(
    first: list[tuple[int, int]], second: list[tuple[int, int]]
) -> None:
    def inside(second_: int, stretches: list[tuple[int, int]]) -> bool:
        return any(start <= second_ < end for start, end in stretches)

    left = without(joined(first), joined(second))

    expected = [inside(at, first) and not inside(at, second) for at in range(100)]
    assert [inside(at, left) for at in range(100)] == expected
    assert length(left) == sum(expected)


# --- counting


def test_alarms_and_found_events_are_counted_by_the_rule() -> None:
    values = [0.1, 0.6, 0.1, 0.9, 0.9, 0.1, 0.7, 0.1]
    one = track(values, events=[(4, 6), (7, 8)])

    whole = sweep([one], RULE, (0.0, 1.9))

    at = {value: place for place, value in enumerate(whole.thresholds)}
    # at 0.5: 0.6 alone and 0.7 alone are false; both 0.9 are apart, the first one is false too
    assert whole.false[0, 0, at[0.5]] == 3
    assert whole.found[0, 0, at[0.5]] == 1
    assert whole.false[0, 0, at[0.65]] == 2
    assert whole.false[0, 0, at[0.95]] == whole.found[0, 0, at[0.95]] == 0
    assert whole.false[0, 1].sum() == 0, "no run is as long as 1.9 s"
    assert whole.events.tolist() == [2]


@pytest.mark.parametrize(
    ("seconds", "event", "alarms"),
    [
        (60, (0, 30), 0),
        (60, (0, 29), 1),
        (60, (70, 80), 1),
        (61, (70, 80), 2),
        (600, (0, 60), 9),
    ],
)
def test_a_long_finding_is_false_unless_half_of_it_is_true_and_counts_by_the_minute(
    seconds: int, event: tuple[int, int], alarms: int
) -> None:
    rule = RULE.model_copy(update={"bridge_seconds": 0.1})
    one = track([0.9] * seconds + [0.0] * 20, events=[event])

    whole = sweep([one], rule, (0.0,))

    at = whole.thresholds.index(0.9)
    assert whole.false[0, 0, at] == alarms
    assert whole.found[0, 0, at] == (event[0] < seconds)


def test_a_bridge_makes_one_alarm_and_the_minimum_duration_counts_samples_only() -> None:
    rule = RULE.model_copy(update={"bridge_seconds": 1.1})
    one = track([0.9, 0.1, 0.9, 0.1])

    whole = sweep([one], rule, (0.0, 1.9, 2.1))

    at = whole.thresholds.index(0.5)
    assert whole.false[0, :, at].tolist() == [1, 1, 0]


def test_a_signal_that_is_bad_when_low_is_swept_downward() -> None:
    rule = RULE.model_copy(update={"direction": "below"})
    whole = sweep([track([0.5, 0.2, 0.5], events=[(1, 2)])], rule, (0.0,))

    assert whole.thresholds[0] < whole.thresholds[-1]
    at = whole.thresholds.index(0.3)
    assert (whole.found[0, 0, at], whole.false[0, 0, at]) == (1, 0)


@pytest.mark.parametrize("unit", ["", "%", "LUFS", "1/s", "dBTP", "LU"])
def test_thresholds_are_fixed_and_go_from_strict_to_loose(unit: str) -> None:
    above, below = (list(thresholds_of(unit, one)) for one in ("above", "below"))

    assert above == sorted(set(above), reverse=True)
    assert below == above[::-1]


# --- bounds


@pytest.mark.parametrize(
    ("count", "lower", "upper"), [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (10, 4.7954, 18.3904)]
)
def test_poisson_bounds_are_those_of_garwoods_table(count: int, lower: float, upper: float) -> None:
    assert poisson_lower(count, 0.025) == pytest.approx(lower, abs=1e-4)
    assert poisson_upper(count, 0.025) == pytest.approx(upper, abs=1e-4)


def test_the_formula_for_many_alarms_meets_the_exact_bound() -> None:
    steps = [poisson_upper(count, 0.1) for count in (99, 100, 101, 102)]

    assert np.diff(steps) == pytest.approx([1.064] * 3, abs=0.005)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 40), st.data())
def test_the_binomial_bound_leaves_exactly_the_risk(trials: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(1, trials))

    share = binomial_lower(hits, trials, 0.1)

    tail = sum(
        math.comb(trials, k) * share**k * (1 - share) ** (trials - k)
        for k in range(hits, trials + 1)
    )
    assert tail == pytest.approx(0.1, rel=1e-6)


def test_bursts_widen_and_scatter_by_chance_does_not() -> None:
    rng = np.random.default_rng(1)
    hours = np.ones(400)

    chance = rng.poisson(0.5, 400).astype(float)
    counts = np.stack([chance, 4 * chance, np.zeros(400)], axis=1)

    by_chance, in_bursts, none = rate_dispersion(counts, hours)

    assert 1.0 <= by_chance < 1.2
    assert 3.4 < in_bursts < 4.8
    assert none == 1.0
    hits = np.array([[4.0, 0.0, 4.0, 0.0]]).T
    assert share_dispersion(hits, np.full(4, 4.0)) == pytest.approx(16 / 3)


# --- probabilities


def test_pooling_gives_the_known_answer() -> None:
    steps = pool_adjacent_violators(
        np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.0, 1.0, 0.0, 1.0]), np.array([1.0, 1, 3, 2])
    )

    assert steps.probabilities.tolist() == [0, 0.25, 1]
    assert steps.scores.tolist() == pytest.approx([0.1, 0.275, 0.4])


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.booleans(), st.integers(1, 5)), min_size=1, max_size=30
    )
)
def test_pools_rise_and_keep_the_mean(rows: list[tuple[int, bool, int]]) -> None:
    scores, truth, weights = np.array(rows, float).reshape(-1, 3).T

    steps = pool_adjacent_violators(scores, truth, weights)

    assert (np.diff(steps.probabilities) > 0).all()
    assert (np.diff(steps.scores) > 0).all()
    assert (
        truth @ weights
        == pytest.approx(
            sum(
                weight * steps.probabilities[np.abs(steps.scores - score).argmin()]
                for score, weight in zip(scores, weights, strict=True)
            )
        )
        or len(steps.scores) > 1
    )


def test_scores_that_lie_about_probability_are_mended_on_the_other_half() -> None:
    rng = np.random.default_rng(2)

    def half(first: int) -> list[Track]:
        tracks = []
        for number in range(first, first + 20):
            scores = rng.random(120)
            hits = np.flatnonzero(rng.random(120) < scores**3)  # the truth: the cube
            events = [(int(at), int(at) + 1) for at in hits]
            tracks.append(track(scores.tolist(), name=str(number), events=events))
        return tracks

    found = reliability(half(0), half(20))

    assert found is not None
    assert found.error_before == pytest.approx(0.25, abs=0.03), "mean of s - s^3"
    assert found.error_after < 0.05


def test_probabilities_need_events_and_scores_from_0_to_1() -> None:
    clean, shot = track([0.1, 0.2]), track([0.1, 0.9], events=[(1, 2)])

    assert reliability([clean], [shot]) is None
    assert reliability([shot], [clean]) is None
    assert reliability([track([-20.0, 3.0], events=[(1, 2)])], [shot]) is None


# --- the policy file


@pytest.mark.parametrize("name", policy_names())
def test_built_in_policies_come_back_from_toml(name: str) -> None:
    base = load_policy(name)

    assert parse_policy(policy_toml(base).encode(), where="test") == base


@settings(deadline=None, max_examples=50)
@given(st.text(min_size=1), st.floats(-1e9, 1e9), st.dates(), st.floats(0, 1))
def test_any_policy_comes_back_from_toml(
    text: str, number: float, day: object, ratio: float
) -> None:
    base = Policy(
        name=text,
        description=text,
        coverage=CoveragePolicy(min_decoded_ratio=ratio, gap="warn"),
        rules=(
            EventRule(event="defects.black", min_score=number, severity="info", why=text),
            SignalRule(
                signal="a.b", label="c", on_at=number, off_at=number, severity="fail",
                required=True, direction="below", why=text,
            ),
        ),
        waivers=(Waiver(code=text, reason=text, until_seconds=abs(number), expires=day),),  # type: ignore[arg-type] # a date
    )  # fmt: skip

    assert parse_policy(policy_toml(base).encode(), where="test") == base
