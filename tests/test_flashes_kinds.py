"""What is no flash, flashes of red, flashes that go on, and what is said of all of them."""

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flash_grids import (
    HEIGHT,
    SDR,
    WIDTH,
    Floats,
    area,
    batches,
    coloured,
    events,
    failed,
    flashes,
    grey,
    info,
    labels,
    pick,
    square_wave,
    watch,
)
from reelcheck.analyzers.flashes import FlashesAnalyzer

# --- what is not a flash -------------------------------------------------------------------


def test_changes_that_are_not_opposing_do_not_count() -> None:
    levels = [0.0] * 5 + [0.12 * (n // 2) for n in range(2, 18)] + [1.0] * 25

    found = watch(grey(levels), Fraction(25))

    assert labels(found) == set()
    assert max(s.score for s in found if s.signal == "transitions") == 1


def test_small_steps_back_inside_a_rise_do_not_make_it_a_flash() -> None:
    # valley to peak is never more than 0.08, although the whole goes up by 0.6
    levels = [0.1 + 0.03 * n + (0.05 if n % 2 else 0.0) for n in range(20)]

    assert labels(watch(grey(levels), Fraction(25))) == set()


@pytest.mark.parametrize("frames", [6, 12, 25])
def test_slow_ramps_count_once_per_ramp(frames: int) -> None:
    up = np.linspace(0, 1, frames + 1)[:-1].tolist()
    levels = (up + up[::-1]) * (150 // (2 * frames))

    found = watch(grey(levels), Fraction(50))

    in_a_second = max(s.score for s in found if s.signal == "transitions")
    assert in_a_second == -(-50 // frames)
    assert failed(found) == ({"general_flash"} if frames == 6 else set())


@pytest.mark.parametrize("rate_fps", [Fraction(50), Fraction(120)], ids=str)
def test_flashes_that_rise_over_several_frames_on_a_textured_picture_count(
    rate_fps: Fraction,
) -> None:
    # brighter cells pass the limit earlier than darker ones, in different frames
    picture = np.random.default_rng(3).uniform(0.2, 1.0, (HEIGHT, WIDTH)).astype(np.float32)
    times = np.arange(int(2 * rate_fps)) / float(rate_fps)
    strength = 0.5 - 0.5 * np.cos(2 * np.pi * 5 * times)
    grid = np.zeros((len(times), 3, HEIGHT, WIDTH), dtype=np.float32)
    grid[:, 0] = strength[:, None, None] * picture

    found = events(watch(grid, rate_fps))

    assert {event.label for event in found} == {"general_flash"}
    assert found[0].score == 5


def test_a_single_cut_is_one_transition() -> None:
    found = watch(grey([0.0] * 25 + [1.0] * 50), Fraction(25))

    assert labels(found) == set()
    assert [s.score for s in found if s.signal == "transitions"] == [0, 1, 0]


def texture(rng: np.random.Generator, shape: tuple[int, int], scale: int) -> Floats:
    """Smooth noise whose detail is about ``scale`` cells large, 0 to 1."""
    coarse = rng.random((shape[0] // scale + 2, shape[1] // scale + 2))
    rows, columns = (np.arange(side) / scale for side in shape)
    below, beside = rows.astype(int), columns.astype(int)
    down, right = (rows - below)[:, None], columns - beside
    top = coarse[below][:, beside] * (1 - right) + coarse[below][:, beside + 1] * right
    bottom = coarse[below + 1][:, beside] * (1 - right) + coarse[below + 1][:, beside + 1] * right
    smooth: Floats = (top * (1 - down) + bottom * down).astype(np.float32)
    return smooth


def moving(shift: Callable[[int], int], *, scale: int, count: int = 75, seed: int = 5) -> Floats:
    """A full-contrast texture that moves sideways by ``shift(frame)`` cells."""
    wide = texture(np.random.default_rng(seed), (HEIGHT, 1000), scale)
    wide = (wide - wide.min()) / np.ptp(wide)
    grid = np.zeros((count, 3, HEIGHT, WIDTH), dtype=np.float32)
    for index in range(count):
        at = shift(index)
        grid[index, 0] = wide[:, at : at + WIDTH]
    return grid


@pytest.mark.parametrize("scale", [3, 8, 20])
@pytest.mark.parametrize("step", [1, 4, 8])
def test_pans_do_not_fail(scale: int, step: int) -> None:
    found = watch(moving(lambda index: step * index, scale=scale), Fraction(25))

    assert failed(found) == set()


@pytest.mark.parametrize("hertz", [2, 5])
def test_a_shaken_camera_does_not_flash(hertz: int) -> None:
    def sway(index: int) -> int:
        return 100 + round(4 * math.sin(2 * math.pi * hertz * index / 25))

    assert failed(watch(moving(sway, scale=8), Fraction(25))) == set()


@pytest.mark.parametrize("deviation", [0.02, 0.1, 0.3])
def test_noise_does_not_flash(deviation: float) -> None:
    grid = grey([0.2] * 75)
    noise = np.random.default_rng(9).normal(0, deviation, grid[:, 0].shape)
    grid[:, 0] += noise.astype(np.float32)

    assert labels(watch(grid, Fraction(25))) == set()


@pytest.mark.parametrize("seed", range(4))
def test_three_cuts_a_second_between_textured_shots_do_not_fail(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shots = [moving(lambda index: index, scale=20, count=8, seed=seed + 10 * n) for n in range(12)]
    grid = np.concatenate([shot * np.float32(rng.uniform(0.4, 1)) for shot in shots])

    assert failed(watch(grid, Fraction(24))) == set()


# --- red -----------------------------------------------------------------------------------


DARK_RED, GREEN_OF_SAME_LIGHT = (0.35, 0.0, 0.0), (0.0, 0.104, 0.0)


@pytest.mark.parametrize(("count", "expected"), [(3, set()), (4, {"red_flash"})])
def test_saturated_red_fails_without_any_change_of_luminance(
    count: int, expected: set[str]
) -> None:
    states = flashes(count, Fraction(30))
    grid = coloured([(GREEN_OF_SAME_LIGHT, DARK_RED)[state] for state in states])

    assert failed(watch(grid, Fraction(30))) == expected


@pytest.mark.parametrize(
    ("red", "other", "expected"),
    [
        # R / (R + G + B) is 0.82 and 0.78; both lie far from this blue
        ((0.41, 0.09, 0.0), (0.0, 0.05, 0.5), {"red_flash"}),
        ((0.39, 0.11, 0.0), (0.0, 0.07, 0.5), set()),
        # a red of 1.0 lies 0.21 and 0.19 from these two in u'v'
        ((0.4, 0.0, 0.0), (0.40, 0.0, 0.0), set()),
        ((0.4, 0.0, 0.0), (0.08, 0.0215, 0.0215), set()),
        ((0.4, 0.0, 0.0), (0.085, 0.085, 0.085), {"red_flash"}),
    ],
)
def test_red_must_be_saturated_and_far_from_the_other_state(
    red: tuple[float, float, float], other: tuple[float, float, float], expected: set[str]
) -> None:
    states = flashes(5, Fraction(30))
    grid = coloured([(other, red)[state] for state in states])

    assert failed(watch(grid, Fraction(30))) == expected


def test_red_that_comes_and_goes_over_several_frames_counts() -> None:
    strength = 0.5 - 0.5 * np.cos(2 * np.pi * 5 * np.arange(120) / 60)
    red, green = np.array(DARK_RED), np.array(GREEN_OF_SAME_LIGHT)
    grid = coloured([tuple(part * red + (1 - part) * green) for part in strength])
    found = events(watch(grid, Fraction(60)))

    assert [event.label for event in found] == ["red_flash"]
    assert found[0].score == 5


def test_noise_around_black_is_no_red() -> None:
    grid = np.random.default_rng(2).normal(0, 0.01, (75, 3, HEIGHT, WIDTH)).astype(np.float32)

    assert labels(watch(grid, Fraction(25))) == set()


# --- extended flashing and warnings --------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "expected"), [(Fraction(4), {"flash_warning"}), (Fraction(6), {"extended_flash"})]
)
def test_two_flashes_a_second_fail_when_they_go_on(seconds: Fraction, expected: set[str]) -> None:
    times = [Fraction(n, 24) for n in range(24 * 9)]
    changes = [1 + Fraction(k, 4) for k in range(int(seconds * 4))]
    found = events(watch(grey(pick(square_wave(times, changes_at=changes), 0.0, 1.0)), times))

    assert {event.label for event in found} == expected
    assert (found[0].span.start, found[0].span.end) == (changes[0], changes[-1])
    assert found[0].score == 2


@pytest.mark.parametrize(
    ("fourth_last", "expected"), [(3750, {"extended_flash"}), (3749, {"flash_warning"})]
)
def test_extended_flashing_is_measured_in_exact_time(fourth_last: int, expected: set[str]) -> None:
    # there are four changes in every second from the fourth change, at 0.750 s, until the fourth
    # last change leaves the window one second after it happened: for 4.000 s or for 3.999 s
    steps = [*range(0, 3750, 250), fourth_last, 4000, 4250, 4500]
    changes = [1 + Fraction(step, 1000) for step in steps]
    times = sorted({Fraction(n, 10) for n in range(90)} | set(changes))
    levels = pick(square_wave(times, changes_at=changes), 0.0, 1.0)

    assert labels(watch(grey(levels), times)) == expected


@pytest.mark.parametrize(("changes", "expected"), [(3, set()), (4, {"flash_warning"})])
def test_a_warning_needs_two_flashes_in_a_second(changes: int, expected: set[str]) -> None:
    levels = [n // 5 % 2 for n in range(5 * (changes + 1))] + [changes % 2] * 25

    assert labels(watch(grey([float(level) for level in levels]), Fraction(25))) == expected


# --- signals, batches, edges ---------------------------------------------------------------


def test_signals_tile_the_video_and_show_count_and_area() -> None:
    grid = grey(pick(flashes(4, Fraction(25)), 0.0, 1.0), area(0.6))
    found = watch(grid, Fraction(25))

    for signal, unit, highest in (("transitions", "1/s", 8), ("area_percent", "%", 60)):
        curve = [seen for seen in found if seen.signal == signal]
        assert curve[0].span.start == 0
        assert curve[-1].span.end == Fraction(len(grid), 25)
        assert all(a.span.end == b.span.start for a, b in pairwise(curve))
        assert all(a.score != b.score for a, b in pairwise(curve))
        assert max(seen.score for seen in curve) == highest
        assert {seen.unit for seen in curve} == {unit}


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_results_do_not_depend_on_batches(size: int) -> None:
    rng = np.random.default_rng(4)
    grid = moving(lambda index: 2 * index, scale=8)
    grid[10:60] += coloured([(0.3 * rng.random(), 0.0, 0.0) for _ in range(50)])

    assert watch(grid, Fraction(25), size=size) == watch(grid, Fraction(25), size=16)


@settings(max_examples=25, deadline=None)
@given(gaps=st.lists(st.integers(1, 40), min_size=7, max_size=40))
def test_any_sequence_of_full_changes_is_judged_by_its_times_alone(gaps: list[int]) -> None:
    changes = [Fraction(sum(gaps[: n + 1]), 100) for n in range(len(gaps))]
    levels = [float(n % 2) for n in range(len(gaps) + 1)]
    found = watch(grey(levels), [Fraction(0), *changes])

    too_fast = any(b - a < 1 for a, b in zip(changes, changes[6:], strict=False))
    assert ("general_flash" in labels(found)) == too_fast
    if too_fast:
        worst = max(sum(0 <= b - a < 1 for b in changes) for a in changes)
        assert max(e.score for e in events(found) if e.label == "general_flash") == worst / 2


def test_a_change_of_the_grid_in_mid_stream_goes_on_counting() -> None:
    times = [Fraction(n, 10) for n in range(20)]
    levels = [float(n % 2) for n in range(20)]
    whole, small = grey(levels), grey(levels, np.ones((60, 80), dtype=np.bool_))
    running = FlashesAnalyzer().watch(info(SDR))
    parts = list(batches(whole, times, size=5))[:2] + list(batches(small, times, size=5))[2:]
    found = [seen for batch in parts for seen in running.see(batch)] + list(running.end())

    (event,) = events(found)
    assert (event.span.start, event.span.end) == (times[1], times[-1])


def test_key_frames_alone_are_not_judged() -> None:
    running = FlashesAnalyzer().watch(info(SDR, key_frames_only=True))
    grid = grey([0.0, 1.0] * 10)

    assert [
        s for b in batches(grid, [Fraction(n, 25) for n in range(20)]) for s in running.see(b)
    ] == []
    assert list(running.end()) == []


def test_an_empty_stream_says_nothing() -> None:
    assert list(FlashesAnalyzer().watch(info(SDR)).end()) == []
