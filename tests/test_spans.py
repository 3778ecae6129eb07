"""Arithmetic of time spans, for any spans."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelcheck.spans import TimeSpan, merge, subtract

TIMES = st.fractions(min_value=0, max_value=100, max_denominator=90000)
SPANS = st.tuples(TIMES, TIMES).map(lambda pair: TimeSpan(min(pair), max(pair)))


def inside(time: Fraction, spans: list[TimeSpan]) -> bool:
    return any(span.start <= time < span.end for span in spans)


@given(st.lists(SPANS, max_size=8), TIMES)
def test_merging_keeps_every_moment_and_adds_none(spans: list[TimeSpan], time: Fraction) -> None:
    merged = merge(spans)

    assert inside(time, merged) == inside(time, spans)
    assert all(a.end < b.start for a, b in pairwise(merged))


@given(SPANS, st.lists(SPANS, max_size=8), TIMES)
def test_subtracting_leaves_what_no_part_covers(
    whole: TimeSpan, parts: list[TimeSpan], time: Fraction
) -> None:
    left = subtract(whole, parts)

    assert inside(time, left) == (inside(time, [whole]) and not inside(time, parts))


@given(SPANS, st.lists(SPANS, max_size=8))
def test_what_is_left_and_what_was_taken_add_up(whole: TimeSpan, parts: list[TimeSpan]) -> None:
    left = subtract(whole, parts)
    taken = subtract(whole, left)

    assert sum(span.seconds for span in left + taken) == whole.seconds


@given(st.lists(SPANS, max_size=8), TIMES)
def test_bridging_closes_gaps_up_to_its_length(spans: list[TimeSpan], bridge: Fraction) -> None:
    merged = merge(spans, bridge=bridge)

    assert all(b.start - a.end > bridge for a, b in pairwise(merged))


def test_a_span_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="before it starts"):
        TimeSpan(Fraction(2), Fraction(1))
