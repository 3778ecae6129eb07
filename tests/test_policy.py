"""Policies: how they are read, what they refuse, and how a signal becomes stretches of time."""

from datetime import date
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelcheck.errors import SettingError
from reelcheck.registry import ANALYZERS
from reelcheck.verdict.hysteresis import Run, Sample, runs_of, samples_on
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

BUILTIN = ("broadcast-eu", "broadcast-us", "default", "ugc-strict", "web-accessibility")
HEAD = 'name = "mine"\n'
EVENT = '[[rules]]\nevent = "defects.black"\nseverity = "warn"\nwhy = "ours"\n'
SIGNAL = '[[rules]]\nsignal = "a.b"\nlabel = "c"\non_at = 1\nseverity = "warn"\nwhy = "ours"\n'


def rule(**settings: object) -> SignalRule:
    values = {"signal": "a.b", "label": "c", "on_at": 8.0, "severity": "warn", "why": "ours"}
    return SignalRule.model_validate(values | settings)


def curve(*values: float, step_us: int = 1_000_000) -> list[Sample]:
    return [
        Sample(index * step_us, (index + 1) * step_us, value) for index, value in enumerate(values)
    ]


def edges(samples: list[Sample], by: SignalRule) -> list[tuple[float, float]]:
    runs = runs_of(samples_on(samples, by), by)
    return [(run.start_us / 1e6, run.end_us / 1e6) for run in runs]


def test_the_built_in_policies_are_these() -> None:
    assert policy_names() == BUILTIN


@pytest.mark.parametrize("name", BUILTIN)
def test_built_in_policies_fail_closed_and_say_why(name: str) -> None:
    policy = load_policy(name)

    assert policy.name == name
    assert policy.description
    assert policy.profile
    assert policy.coverage == CoveragePolicy()
    assert policy.waivers == ()
    assert policy.rules
    for each in policy.rules:
        assert each.why.endswith(".")
        assert len(each.why) > 30


@pytest.mark.parametrize("name", BUILTIN)
def test_rules_of_built_in_policies_speak_about_analyzers_that_exist(name: str) -> None:
    analyzers = {each.code.partition(".")[0] for each in load_policy(name).rules}

    assert analyzers <= set(ANALYZERS)


@pytest.mark.parametrize("name", BUILTIN)
def test_every_built_in_policy_fails_flashes(name: str) -> None:
    severities = {each.code: each.severity for each in load_policy(name).rules}

    assert severities["flashes.general_flash"] == "fail"
    assert severities["flashes.red_flash"] == "fail"


def test_a_policy_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        HEAD
        + EVENT
        + "min_duration_seconds = 2\n"
        + SIGNAL
        + '[[waivers]]\ncode = "a.*"\nreason = "agreed"\nexpires = 2030-01-31\n'
        + '[coverage]\ngap = "warn"\n'
    )

    assert load_policy(path) == load_policy(str(path))
    assert load_policy(path) == Policy(
        name="mine",
        coverage=CoveragePolicy(gap="warn"),
        rules=(
            EventRule(event="defects.black", min_duration_seconds=2, severity="warn", why="ours"),
            rule(on_at=1.0),
        ),
        waivers=(Waiver(code="a.*", reason="agreed", expires=date(2030, 1, 31)),),
    )


@pytest.mark.parametrize("name", ["nope", "", "no/such.toml", "nul\0"])
def test_an_unknown_policy_is_refused_with_the_known_names(name: str) -> None:
    with pytest.raises(SettingError) as caught:
        load_policy(name)
    assert repr(name) in str(caught.value)
    assert "default, ugc-strict" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("nome = 1", "nome"),
        ('description = "no name"', "name"),
        (HEAD + "[coverage]\ngap = 'perhaps'", "coverage.gap"),
        (HEAD + "[coverage]\nmin_decoded_ratio = 1.5", "coverage.min_decoded_ratio"),
        (HEAD + "[coverage]\nmin_decoded_ratio = nan", "coverage.min_decoded_ratio"),
        (HEAD + "[coverage]\nmin_ratio = 1", "coverage.min_ratio"),
        (HEAD + "rules = 3", "rules"),
        (HEAD + "[[rules]]\nseverity = 'warn'", "rules[0]"),
        (HEAD + EVENT + "min_duration = 2", "rules[0].min_duration"),
        (HEAD + EVENT + "min_duration_seconds = -1", "rules[0].min_duration_seconds"),
        (HEAD + EVENT + "min_score = true", "rules[0].min_score"),
        (HEAD + EVENT + "max_per_minute = 1.5", "rules[0].max_per_minute"),
        (HEAD + EVENT + 'signal = "a.b"', "rules[0].signal"),
        (HEAD + EVENT.replace("defects.black", "black"), "rules[0].event"),
        (HEAD + EVENT.replace('"warn"', '"bad"'), "rules[0].severity"),
        (HEAD + EVENT.replace('why = "ours"', ""), "rules[0].why"),
        (HEAD + EVENT + SIGNAL.replace("on_at = 1", "on_at = '1'"), "rules[1].on_at"),
        (HEAD + SIGNAL + 'direction = "up"', "rules[0].direction"),
        (HEAD + SIGNAL + "off_at = 1.5", "rules[0]"),
        (HEAD + '[[waivers]]\ncode = "a.b"', "waivers[0].reason"),
        (HEAD + '[[waivers]]\ncode = "a.b"\nreason = "x"\nexpires = "soon"', "waivers[0].expires"),
    ],
)
def test_faults_are_refused_in_one_line_that_names_the_key(text: str, key: str) -> None:
    with pytest.raises(SettingError) as caught:
        parse_policy(text.encode(), where="mine.toml")
    message = str(caught.value)

    assert message.startswith(f"policy 'mine.toml': '{key}': ")
    assert "\n" not in message


@pytest.mark.parametrize(
    "data", [b"name = ", b"\xff", b'name = "a"\nname = "b"', b"a = " + b"[" * 9]
)
def test_what_is_no_toml_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(SettingError, match="is no TOML") as caught:
        parse_policy(data, where="mine.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("direction", "off_at", "accepted"),
    [
        ("above", 8.0, True),
        ("above", 7.9, True),
        ("above", 8.1, False),
        ("below", 8.0, True),
        ("below", 8.1, True),
        ("below", 7.9, False),
    ],
)
def test_off_must_not_lie_beyond_on(direction: str, off_at: float, *, accepted: bool) -> None:
    settings: dict[str, object] = {"direction": direction, "off_at": off_at}
    if accepted:
        assert rule(**settings).off_at == off_at
    else:
        with pytest.raises(ValueError, match="beyond"):
            rule(**settings)


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        ({}, "a.b at 8 or more"),
        ({"off_at": 6.0}, "a.b at 8 or more (until past 6)"),
        (
            {"direction": "below", "min_duration_seconds": 2.0},
            "a.b at 8 or less, for 2 s or longer",
        ),
    ],
)
def test_a_rule_says_its_numbers(settings: dict[str, object], limit: str) -> None:
    assert rule(**settings).limit == limit


def test_an_event_rule_says_its_numbers() -> None:
    settings = EventRule(
        event="a.b",
        min_duration_seconds=1.5,
        min_score=0.5,
        max_per_minute=3,
        severity="warn",
        why="ours",
    )
    assert settings.limit == (
        "for 1.5 s or longer, with a score of 0.5 or more, more than 3 times a minute"
    )
    assert EventRule(event="a.b", severity="warn", why="ours").limit == "any"


@pytest.mark.parametrize(
    ("direction", "values", "expected"),
    [
        ("above", [7.9, 8.0, 7.9], [(1.0, 2.0)]),
        ("above", [7.9, 7.999, 7.9], []),
        ("below", [8.1, 8.0, 8.1], [(1.0, 2.0)]),
        ("below", [8.1, 8.001, 8.1], []),
    ],
)
def test_the_limit_itself_counts(
    direction: str, values: list[float], expected: list[tuple[float, float]]
) -> None:
    assert edges(curve(*values), rule(direction=direction)) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([6, 7, 8, 7, 6, 5.9, 7, 8], [(2.0, 5.0), (7.0, 8.0)]),
        ([6, 7, 7, 7, 6], []),
        ([8, 5, 6, 7], [(0.0, 1.0)]),
    ],
)
def test_a_stretch_begins_at_on_and_goes_on_until_past_off(
    values: list[float], expected: list[tuple[float, float]]
) -> None:
    assert edges(curve(*values), rule(off_at=6.0)) == expected
    mirrored = [-value for value in values]
    below = rule(direction="below", on_at=-8.0, off_at=-6.0)
    assert edges(curve(*mirrored), below) == expected


@pytest.mark.parametrize(("samples", "found"), [(19, 0), (20, 1)])
def test_time_that_samples_stand_for_counts_towards_the_duration(samples: int, found: int) -> None:
    tenths = curve(*[9] * samples, step_us=100_000)

    assert len(edges(tenths, rule(min_duration_seconds=2.0))) == found


def test_one_sample_that_stands_for_two_seconds_lasts_two_seconds() -> None:
    assert edges([Sample(0, 2_000_000, 9)], rule(min_duration_seconds=2.0)) == [(0.0, 2.0)]


def test_samples_that_overlap_count_once() -> None:
    momentary = [Sample(at * 100_000, at * 100_000 + 400_000, 9) for at in range(5)]
    (run,) = runs_of(momentary, rule())

    assert (run.start_us, run.end_us, run.counted_us) == (0, 800_000, 800_000)


@pytest.mark.parametrize(
    ("bridge_seconds", "expected"),
    [(0.9, [(0.0, 1.0), (2.0, 3.0)]), (1.0, [(0.0, 3.0)])],
)
def test_holes_up_to_the_bridge_are_closed(
    bridge_seconds: float, expected: list[tuple[float, float]]
) -> None:
    assert edges(curve(9, 1, 9), rule(bridge_seconds=bridge_seconds)) == expected


def test_bridged_holes_do_not_count_towards_the_duration() -> None:
    by = rule(bridge_seconds=1.0)
    (run,) = runs_of(samples_on(curve(9, 1, 9), by), by)

    assert run == Run(start_us=0, end_us=3_000_000, counted_us=2_000_000, extreme=9)
    assert edges(curve(9, 1, 9), rule(bridge_seconds=1.0, min_duration_seconds=2.0))
    assert not edges(curve(9, 1, 9), rule(bridge_seconds=1.0, min_duration_seconds=2.1))


@pytest.mark.parametrize(
    ("hole_us", "expected"), [(500_000, [(0.0, 2.5)]), (500_001, [(0.0, 1.0)])]
)
def test_after_a_hole_the_upper_limit_must_be_reached_anew(
    hole_us: int, expected: list[tuple[float, float]]
) -> None:
    begin_us = 1_000_000 + hole_us
    samples = [Sample(0, 1_000_000, 9), Sample(begin_us, begin_us + 1_000_000, 7)]

    assert edges(samples, rule(off_at=6.0, bridge_seconds=0.5)) == expected


@settings(deadline=None)
@given(
    values=st.lists(st.sampled_from([5.0, 7.0, 9.0]), max_size=40),
    bridge=st.integers(0, 3),
    least=st.integers(0, 4),
)
def test_stretches_are_apart_in_order_and_long_enough(
    values: list[float], bridge: int, least: int
) -> None:
    by = rule(off_at=6.0, bridge_seconds=float(bridge), min_duration_seconds=float(least))
    runs = runs_of(samples_on(curve(*values), by), by)

    for run in runs:
        assert run.counted_us >= least * 1_000_000
        assert run.counted_us <= run.end_us - run.start_us
        assert run.extreme == 9.0
    for first, second in pairwise(runs):
        assert second.start_us - first.end_us > bridge * 1_000_000
    if not least:
        covered = {
            index
            for run in runs
            for index in range(run.start_us // 1_000_000, run.end_us // 1_000_000)
        }
        assert {index for index, value in enumerate(values) if value == 9.0} <= covered


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=20), st.integers(1, 7))
def test_how_finely_a_curve_is_sampled_does_not_change_its_stretches(
    lengths: list[int], parts: int
) -> None:
    values = [9.0 if index % 2 else 1.0 for index in range(len(lengths))]
    coarse, fine, at = [], [], 0
    for length, value in zip(lengths, values, strict=True):
        unit = length * 5040
        coarse.append(Sample(at, at + unit, value))
        step = Fraction(unit, parts)
        cuts = [at + int(step * part) for part in range(parts + 1)]
        fine += [Sample(a, b, value) for a, b in pairwise(cuts)]
        at += unit
    by = rule(min_duration_seconds=0.0101)

    assert edges(coarse, by) == edges(fine, by)
