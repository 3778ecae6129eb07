"""P-values of a claim: exact, and valid under the null hypothesis."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelcheck.lab.watermark.chance import bits_p, joined, tail, trigger_p
from reelcheck.lab.watermark.secret import BITS, TRIGGERS, Secret

HALF = Fraction(1, 2)


@pytest.mark.parametrize(
    ("count", "matches", "chance", "expected"),
    [
        (1, 0, HALF, 1.0),
        (2, 2, HALF, 0.25),
        (3, 2, HALF, 0.5),
        (2, 1, Fraction(1, 4), 7 / 16),
        (256, 256, HALF, 2.0**-256),
    ],
)
def test_a_tail_is_that_of_the_binomial_distribution(
    count: int, matches: int, chance: Fraction, expected: float
) -> None:
    assert tail(count, matches, chance) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("classes", "least"), [(2, 80), (5, 48), (10, 33)], ids=["2 classes", "5", "10"]
)
def test_the_least_triggers_for_a_claim_are_those_of_the_table(classes: int, least: int) -> None:
    """Seed-systems 5.1 gives them for p below 1e-9."""
    chance = Fraction(1, classes)

    assert tail(TRIGGERS, least, chance) < 1e-9 <= tail(TRIGGERS, least - 1, chance)


def test_a_claim_by_bits_needs_176_of_256() -> None:
    assert bits_p(BITS, BITS - 176, tries=1) < 1e-9 <= bits_p(BITS, BITS - 175, tries=1)


def test_more_tables_to_choose_from_make_a_p_value_larger() -> None:
    assert bits_p(BITS, 90, tries=4) == 4 * bits_p(BITS, 90, tries=1)
    assert bits_p(BITS, 128, tries=4) == 1.0


def test_two_p_values_together_are_twice_the_smaller() -> None:
    assert joined([1e-3, 1e-5]) == 2e-5
    assert joined([0.7, 0.9]) == 1.0
    assert joined([]) == 1.0


@settings(max_examples=30)
@given(st.integers(0, 3), st.binary(min_size=32, max_size=32))
def test_a_suspect_that_says_one_class_only_is_never_claimed(said: int, key: bytes) -> None:
    told = np.full(TRIGGERS, said)

    assert trigger_p(told, Secret(key).answers(4), classes=4) > 1e-6


def test_the_suspects_own_answers_count_where_they_make_a_match_likelier() -> None:
    answers = np.array([0] * 60 + [1] * 40)
    always_zero = np.zeros(100, dtype=np.int64)

    assert trigger_p(always_zero, answers, classes=2) == pytest.approx(
        tail(100, 60, Fraction(60, 100))
    )
    assert tail(100, 60, HALF) < 0.03  # what 1/K alone would have said


def test_p_values_of_strangers_are_no_smaller_than_chance() -> None:
    """Of 300 keys against one fixed suspect, at most a share p may fall below p."""
    rng = np.random.default_rng(5)
    told = rng.choice(4, TRIGGERS, p=[0.7, 0.2, 0.1, 0.0])
    values = [trigger_p(told, Secret(rng.bytes(32)).answers(4), classes=4) for _ in range(300)]

    for limit in (0.5, 0.1, 0.01):
        allowed = limit + 3 * (limit * (1 - limit) / 300) ** 0.5
        assert np.mean(np.array(values) <= limit) <= allowed
