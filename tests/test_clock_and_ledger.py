"""Times are strictly increasing and exact; every coded picture is accounted for."""

import random
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelcheck.media.clock import Clock, common_time_base
from reelcheck.media.ledger import Ledger
from reelcheck.spans import TimeSpan

TB = Fraction(1, 90000)
STEP = 3600


def clock() -> Clock:
    return Clock(time_base=TB, nominal=Fraction(1, 25))


@given(st.lists(st.one_of(st.none(), st.integers(-(10**9), 10**9)), min_size=1, max_size=50))
def test_times_increase_strictly_whatever_the_container_says(stamps: list[int | None]) -> None:
    one = clock()

    ticks = [one.next_tick(stamp) for stamp in stamps]

    assert all(a < b for a, b in pairwise(ticks))
    assert one.missing == stamps.count(None)


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=50))
def test_good_times_are_left_alone(steps: list[int]) -> None:
    stamps = [sum(steps[: i + 1]) for i in range(len(steps))]
    one = clock()

    assert [one.next_tick(stamp) for stamp in stamps] == stamps
    assert one.repaired == one.missing == 0


@given(
    st.integers(1, 2000),
    st.integers(1, 10**6),
    st.fractions(min_value=-5000, max_value=5000, max_denominator=10**6),
)
def test_a_common_time_base_holds_ticks_and_origin_exactly(
    numerator: int, denominator: int, origin: Fraction
) -> None:
    base = Fraction(numerator, denominator)

    fine, factor, ticks = common_time_base(base, origin)

    assert fine * factor == base
    assert ticks * fine == origin


@pytest.mark.parametrize(
    ("steps", "varies"),
    [([STEP] * 20, False), ([3003, 3004] * 10, False), ([STEP, STEP // 4] * 10, True)],
)
def test_a_varying_rate_is_told_from_rounding(steps: list[int], varies: bool) -> None:  # noqa: FBT001 - a truth
    one = clock()
    at = 0
    for step in steps:
        one.next_tick(at)
        at += step

    assert one.varies == varies


@pytest.mark.parametrize(
    ("frames", "stated", "lost"),
    [(2, 0, False), (20, 0, True), (20, STEP * 20, False), (5, 0, False)],
)
def test_a_long_step_in_a_steady_stream_hides_a_loss_unless_stated(
    frames: int,
    stated: int,
    lost: bool,  # noqa: FBT001 - a truth
) -> None:
    one = clock()
    for index in range(20):
        one.next_tick(index * STEP)

    assert one.hides_loss(frames * STEP, stated) == lost


@given(
    st.integers(1, 300).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), max_size=n // 2))
    ),
    st.integers(0, 10**6),
)
def test_the_ledger_finds_exactly_the_pictures_that_never_came(
    case: tuple[int, set[int]], seed: int
) -> None:
    count, missing = case
    rnd = random.Random(seed)
    decode_order = sorted(range(count), key=lambda index: index + rnd.uniform(0, 6))
    ledger = Ledger(time_base=TB)

    pending = set[int]()
    for position, index in enumerate(decode_order):
        ledger.promise(index * STEP, STEP)
        pending.add(index)
        if position >= 8:
            show_next(ledger, pending, missing)
    while pending:
        show_next(ledger, pending, missing)
    ledger.close()

    assert ledger.lost == len(missing)
    assert ledger.shown == count - len(missing)
    whole = TimeSpan(Fraction(0), count * STEP * TB)
    spans = ledger.spans(Fraction(0), whole, 0)
    damaged = sum(s.span.seconds for s in spans if s.state == "damaged")
    assert damaged == len(missing) * STEP * TB
    assert sum(s.span.seconds for s in spans) == whole.seconds


def show_next(ledger: Ledger, pending: set[int], missing: set[int]) -> None:
    index = min(pending)
    pending.remove(index)
    if index not in missing:
        ledger.show(index * STEP)


def test_pictures_at_one_time_are_counted_one_by_one() -> None:
    ledger = Ledger(time_base=TB)
    for _ in range(3):
        ledger.promise(0, STEP)
    for _ in range(2):
        ledger.show(0)
    ledger.close()

    assert ledger.lost == 1
