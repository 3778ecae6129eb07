"""Flashing light on either side of every published limit: how often, how strong, how large."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flash_grids import (
    HEIGHT,
    HLG,
    PQ,
    RATES,
    WIDTH,
    Floats,
    Levels,
    area,
    events,
    failed,
    flashes,
    grey,
    labels,
    luma,
    pick,
    watch,
)
from reelcheck.frames import Colour
from reelcheck.media import colour

# --- how often -----------------------------------------------------------------------------


@pytest.mark.parametrize("rate_fps", RATES, ids=str)
def test_three_flashes_in_a_second_pass_with_a_warning(rate_fps: Fraction) -> None:
    found = watch(grey(pick(flashes(3, rate_fps), 0.0, 1.0)), rate_fps)

    assert labels(found) == {"flash_warning"}
    assert events(found)[0].score == 3


@pytest.mark.parametrize("rate_fps", RATES, ids=str)
def test_four_flashes_in_a_second_fail_from_the_first_to_the_last_change(
    rate_fps: Fraction,
) -> None:
    states = flashes(4, rate_fps)
    (event,) = events(watch(grey(pick(states, 0.0, 1.0)), rate_fps))

    changes = [n / rate_fps for n, (a, b) in enumerate(pairwise(states), start=1) if a != b]
    assert event.label == "general_flash"
    assert (event.span.start, event.span.end) == (changes[0], changes[-1])
    assert (event.score, event.unit, event.place) == (4, "1/s", None)
    assert "8 changes of luminance over 100.0 %" in event.note
    assert "no broadcast certificate" in event.note


@pytest.mark.parametrize("rate_fps", RATES, ids=str)
def test_exactly_three_flashes_in_every_second_never_make_seven_transitions(
    rate_fps: Fraction,
) -> None:
    frames_per_change = int(-(-rate_fps // 6))  # rounded up: never faster than 3 Hz
    states = [n // frames_per_change % 2 for n in range(int(3 * rate_fps))]

    assert labels(watch(grey(pick(states, 0.0, 1.0)), rate_fps)) == {"flash_warning"}


@pytest.mark.parametrize(("changes", "expected"), [(6, set()), (7, {"general_flash"})])
def test_the_seventh_transition_fails_even_from_a_middle_state(
    changes: int, expected: set[str]
) -> None:
    levels = [0.3] * 10 + [(1.0, 0.0)[n // 3 % 2] for n in range(3 * changes)] + [0.0] * 25
    # the last state is dark: an odd number of changes starts from the middle and ends dark
    if changes % 2 == 0:
        levels = levels[:-25] + [levels[-26]] * 25

    assert failed(watch(grey(levels), Fraction(25))) == expected


@pytest.mark.parametrize(
    ("gap_ticks", "expected"), [(999, {"general_flash"}), (1000, set()), (1001, set())]
)
def test_seven_transitions_fail_only_when_they_lie_less_than_a_second_apart(
    gap_ticks: int, expected: set[str]
) -> None:
    steps = [0, 100, 200, 300, 400, 500, gap_ticks]
    times = [Fraction(0)] + [Fraction(1000 + step, 1000) for step in steps] + [Fraction(3)]
    levels = [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0]

    assert failed(watch(grey(levels), times)) == expected


def test_variable_frame_rate_is_counted_in_time_and_not_in_frames() -> None:
    # one change per frame: ten frames within half a second, or ten frames within five
    levels = [0.0, 1.0] * 5
    fast = [Fraction(n, 20) for n in range(10)]
    slow = [Fraction(n, 2) for n in range(10)]

    assert failed(watch(grey(levels), fast)) == {"general_flash"}
    assert labels(watch(grey(levels), slow)) == set()


def test_a_burst_inside_slow_variable_rate_material_is_found_at_its_exact_time() -> None:
    before = [Fraction(n * n, 600) for n in range(40)]
    burst = [before[-1] + Fraction(n, 13) for n in range(1, 10)]
    after = [burst[-1] + Fraction(n, 3) for n in range(1, 6)]
    levels = [0.2] * 40 + [1.0, 0.0] * 4 + [1.0] + [1.0] * 5

    (event,) = events(watch(grey(levels), before + burst + after))

    assert event.label == "general_flash"
    assert (event.span.start, event.span.end) == (burst[0], burst[-1])
    assert event.score == 4.5


# --- how strong ----------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [0.0, 0.05, 0.3, 0.6])
@pytest.mark.parametrize(("step", "expected"), [(0.09, set()), (0.11, {"general_flash"})])
def test_only_changes_of_a_tenth_of_the_peak_count(
    dark: float, step: float, expected: set[str]
) -> None:
    states = flashes(6, Fraction(30))

    assert failed(watch(grey(pick(states, dark, dark + step)), Fraction(30))) == expected


@pytest.mark.parametrize(("dark", "expected"), [(0.79, {"general_flash"}), (0.81, set())])
def test_the_darker_state_must_lie_below_four_fifths(dark: float, expected: set[str]) -> None:
    states = flashes(6, Fraction(30))

    assert failed(watch(grey(pick(states, dark, 1.0)), Fraction(30))) == expected


@pytest.mark.parametrize(
    ("dark", "bright", "expected"),
    [
        (50, 68, set()),
        (50, 72, {"general_flash"}),
        (158, 180, {"general_flash"}),
        (170, 188, set()),  # Michelson 0.050, less than 1/17
        (170, 194, {"general_flash"}),  # 0.066
        (600, 670, set()),  # 0.055
        (600, 685, {"general_flash"}),  # 0.066
    ],
)
@pytest.mark.parametrize("of", [PQ, HLG], ids=["pq", "hlg"])
def test_hdr_counts_absolute_light_and_above_160_cd_m2_contrast(
    of: Colour, dark: float, bright: float, expected: set[str]
) -> None:
    codes = np.linspace(0, 1, 200_001)
    light = colour.pq_to_cd_m2(codes) if of is PQ else 1000 * colour.hlg_to_scene(codes) ** 1.2
    low, high = np.interp([dark, bright], light, codes)
    grid = np.zeros((90, 3, HEIGHT, WIDTH), dtype=np.float32)
    grid[:, 0] = np.array(pick(flashes(6, Fraction(30)), low, high))[:, None, None]

    assert failed(watch(grid, Fraction(30), of)) == expected


# --- how large -----------------------------------------------------------------------------


@pytest.mark.parametrize("left", [0, 30, 100])
@pytest.mark.parametrize(
    ("ratio", "expected"), [(0.24, "small_field_flash"), (0.26, "general_flash")]
)
def test_more_than_a_quarter_of_the_screen_must_flash(
    ratio: float, expected: str, left: int
) -> None:
    levels = pick(flashes(4, Fraction(25)), 0.0, 0.5)
    (event,) = events(watch(grey(levels, area(ratio, left=left), rest=0.1), Fraction(25)))

    assert event.label == expected
    assert event.place is not None
    assert event.place.x == left / WIDTH
    assert event.place.width == pytest.approx(ratio, abs=1 / WIDTH)


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(0.24, set()), (0.26, {"small_field_flash"}), (0.9, "small_field_flash")],
)
@pytest.mark.parametrize("corner", [(0, 0), (31, 50), (60, 107)])
def test_more_than_a_quarter_of_a_third_by_third_field_must_flash(
    ratio: float, expected: set[str] | str, corner: tuple[int, int]
) -> None:
    side = ratio**0.5 / 3
    where = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    top, left = corner
    where[top : top + round(side * HEIGHT), left : left + round(side * WIDTH)] = True
    levels = pick(flashes(4, Fraction(25)), 0.0, 1.0)

    expected = {expected} if isinstance(expected, str) else expected
    assert failed(watch(grey(levels, where, rest=0.2), Fraction(25))) == expected


def cut_cells(top: float, left: float, height: float, width: float) -> Floats:
    """Share of each cell that a rectangle covers whose edges, in cells, cut through them."""
    shares = []
    for start, length, side in ((top, height, HEIGHT), (left, width, WIDTH)):
        cells = np.arange(side)
        shares.append(
            np.clip(np.minimum(cells + 1, start + length) - np.maximum(cells, start), 0, 1)
        )
    covered: Floats = np.outer(*shares).astype(np.float32)
    return covered


@settings(max_examples=40, deadline=None)
@given(
    ratio=st.sampled_from([0.24, 0.26]),
    top=st.floats(0, 1),
    left=st.floats(0, 1),
    stretch=st.floats(0.7, 1.4),
    levels=st.sampled_from([(0.0, 1.0), (0.3, 0.42), (0.5, 0.0), (0.05, 0.9)]),
    field=st.booleans(),
)
def test_cells_that_an_edge_cuts_count_for_the_part_that_flashes(
    *, ratio: float, top: float, left: float, stretch: float, levels: Levels, field: bool
) -> None:
    scale = ratio**0.5 / (3 if field else 1)
    height, width = scale * HEIGHT / stretch, scale * WIDTH * stretch
    share = cut_cells(top * (HEIGHT - height), left * (WIDTH - width), height, width)
    low, high = luma(levels[0]), luma(levels[1])
    grid = grey([0.2] * 60)
    for state, frame in zip(flashes(4, Fraction(20)), grid, strict=True):
        frame[0] += share * ((low, high)[state] - luma(0.2))

    expected = "small_field_flash" if field else "general_flash"
    assert (expected in labels(watch(grid, Fraction(20)))) == (ratio > 0.25)


def test_strobing_text_fails_the_small_field_and_not_the_screen() -> None:
    where = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    # seven letters of three strokes each, two cells thick and two cells apart
    for stroke in range(21):
        left = 40 + 4 * stroke
        where[30:52, left : left + 2] = True
    found = watch(grey(pick(flashes(5, Fraction(30)), 0.0, 1.0), where), Fraction(30))

    assert failed(found) == {"small_field_flash"}


def test_flashes_of_several_small_parts_add_up() -> None:
    where = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    for row in range(5):
        for column in range(8):
            where[18 * row : 18 * row + 10, 20 * column : 20 * column + 10] = True
    found = watch(grey(pick(flashes(4, Fraction(25)), 0.0, 1.0), where), Fraction(25))

    assert where.mean() > 0.25
    assert failed(found) == {"general_flash"}


@pytest.mark.parametrize("size", [0.13, 0.3, 0.5])
@pytest.mark.parametrize(("count", "expected"), [(3, set()), (4, {"general_flash"})])
def test_parts_in_opposite_phase_add_up_and_are_not_counted_twice(
    count: int, expected: set[str], size: float
) -> None:
    states = flashes(count, Fraction(30))
    left, right = area(size), area(size, left=80)
    grid = grey(pick(states, 0.0, 1.0), left, rest=0.4)
    other = grey(pick(states, 1.0, 0.0), right, rest=0.4)
    grid[:, 0, right] = other[:, 0, right]

    # a small field is full of either half, so that with three flashes nothing may fail at all
    assert failed(watch(grid, Fraction(30))) == expected


def test_a_flash_that_wanders_over_the_screen_counts_for_the_screen() -> None:
    grid = grey([0.1] * 75)
    for flash in range(5):
        start = 20 + 5 * flash
        where = area(0.3, left=(0, 50, 100)[flash % 3])
        grid[start : start + 2, 0, where] = 1.0

    assert failed(watch(grid, Fraction(25))) == {"general_flash"}
