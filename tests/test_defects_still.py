"""Pictures without a picture, still ones, repeated ones and missing ones, exact to the frame."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from defect_pictures import (
    HEIGHT,
    NTSC,
    PAL,
    WIDTH,
    Floats,
    edges,
    events,
    labels,
    moving,
    see_small,
    spread,
    steady,
    video,
)

RATES = [Fraction(24), PAL, NTSC, Fraction(60)]


# --- black and plain pictures --------------------------------------------------------------


def planted(kind: str, count: int, first: int, last: int) -> Floats:
    """Return moving frames with a stretch of black, grey or orange from ``first`` to ``last``."""
    frames = moving(count)
    colour = {"black": (0.0, 0.0, 0.0), "grey": (0.6, 0.0, 0.0), "orange": (0.5, -0.2, 0.3)}[kind]
    frames[first:last] = np.array(colour, np.float32)[:, np.newaxis, np.newaxis]
    return frames


@pytest.mark.parametrize("rate_fps", RATES, ids=str)
@pytest.mark.parametrize(
    ("kind", "label"),
    [("black", "black"), ("grey", "solid_colour"), ("orange", "solid_colour")],
)
@pytest.mark.parametrize(("first", "last"), [(0, 12), (17, 40), (48, 60)])
def test_plain_stretches_are_found_to_the_frame(
    kind: str, label: str, first: int, last: int, rate_fps: Fraction
) -> None:
    (found,) = events(see_small(planted(kind, 60, first, last), rate_fps))

    assert found.label == label
    assert edges(found) == (first / rate_fps, last / rate_fps)


def test_edges_follow_the_times_of_the_container_when_the_rate_varies() -> None:
    times = steady(30, Fraction(50)) + [Fraction(6, 10) + n / Fraction(8) for n in range(30)]

    (found,) = events(see_small(planted("black", 60, 20, 45), times))

    assert edges(found) == (times[20], times[45])


@pytest.mark.parametrize(
    ("level", "area", "found"),
    [
        (0.099, 0.981, {"black"}),
        (0.099, 0.979, set()),
        (0.101, 0.981, {"solid_colour"}),
        (-0.02, 1.0, {"black"}),
    ],
)
def test_black_has_a_limit_of_level_and_of_area(level: float, area: float, found: set[str]) -> None:
    frames = moving(25)
    frames[:, 0, spread(area)] = level
    frames[:, 1:] = 0

    assert labels(see_small(frames, PAL)) & {"black", "solid_colour"} == found


@pytest.mark.parametrize("plane", [0, 1, 2])
@pytest.mark.parametrize(("offset", "found"), [(0.019, {"solid_colour"}), (0.021, set())])
def test_a_plain_colour_may_vary_by_its_tolerance_in_each_plane(
    plane: int, offset: float, found: set[str]
) -> None:
    frames = np.full((25, 3, HEIGHT, WIDTH), 0.25, np.float32)
    frames[:, plane, spread(0.05)] += offset

    assert labels(see_small(frames)) & {"solid_colour"} == found


@pytest.mark.parametrize(
    ("rate_fps", "frames", "found"),
    [(PAL, 2, 0), (PAL, 3, 1), (Fraction(5), 1, 1), (Fraction(6), 1, 0)],
)
def test_flashes_of_black_are_too_short_to_report(
    rate_fps: Fraction, frames: int, found: int
) -> None:
    shown = planted("black", 40, 20, 20 + frames)

    assert len(events(see_small(shown, rate_fps), "black")) == found


def test_black_is_no_freeze_and_not_underexposed() -> None:
    assert labels(see_small(planted("black", 100, 20, 90))) == {"black"}


# --- freezes -------------------------------------------------------------------------------


def frozen(count: int, first: int, last: int) -> Floats:
    """Return moving frames of which ``first`` to ``last`` show the same picture."""
    frames = moving(count)
    frames[first:last] = frames[first]
    return frames


@pytest.mark.parametrize("rate_fps", RATES, ids=str)
@pytest.mark.parametrize(("first", "last"), [(0, 60), (21, 99), (60, 120)])
def test_freezes_are_found_to_the_frame(first: int, last: int, rate_fps: Fraction) -> None:
    (found,) = events(see_small(frozen(120, first, last), rate_fps), "freeze")

    assert edges(found) == (first / rate_fps, last / rate_fps)
    assert found.score == 0


@pytest.mark.parametrize(("frames", "found"), [(18, 0), (19, 1)])
def test_a_freeze_lasts_three_quarters_of_a_second(frames: int, found: int) -> None:
    assert len(events(see_small(frozen(80, 20, 20 + frames)), "freeze")) == found


@pytest.mark.parametrize(
    ("mean", "every", "found"),
    [(0.00003, 2, 1), (0.00005, 2, 0), (0.00009, 4, 1), (0.001, 2, 0), (0.001, 8, 1)],
)
def test_a_freeze_may_change_by_less_than_a_live_scene(mean: float, every: int, found: int) -> None:
    """Each change makes two steps: to it and back."""
    frames = frozen(80, 20, 60)
    frames[21:60:every, 0] += mean

    assert len(events(see_small(frames), "freeze")) == found


@pytest.mark.parametrize(("change", "found"), [(0.015, 1), (0.03, 0)])
def test_a_small_thing_that_moves_is_life(change: float, found: int) -> None:
    frames = frozen(80, 20, 60)
    frames[21:60:2, 0, 40:41, 70:71] += change

    assert len(events(see_small(frames), "freeze")) == found


@pytest.mark.parametrize(("steps", "whole"), [(1, True), (3, True), (4, False)])
def test_a_new_key_frame_does_not_split_a_freeze(steps: int, *, whole: bool) -> None:
    frames = frozen(110, 10, 100)
    for step in range(steps):
        frames[50 + step : 100, 0] += 0.002

    found = events(see_small(frames), "freeze")

    assert (edges(found[0]) == (Fraction(10, 25), Fraction(100, 25))) == whole
    assert len(found) == (1 if whole else 2)


def test_two_slides_are_two_freezes_that_touch() -> None:
    frames = frozen(100, 0, 50)
    frames[50:] = moving(1, seed=3)

    assert [edges(one) for one in events(see_small(frames), "freeze")] == [
        (Fraction(0), Fraction(2)),
        (Fraction(2), Fraction(4)),
    ]


# --- repeated frames -----------------------------------------------------------------------


def repeating(count: int, repeats: Sequence[int], *, rest: float = 0.0) -> Floats:
    """Return moving frames of which ``repeats`` show the frame before again.

    ``rest`` is the mean change that coding leaves, as a share of the change by motion.
    """
    order = np.cumsum([index not in repeats for index in range(count)])
    frames: Floats = moving(count + 1)[order]
    motion = float(np.abs(frames[1, 0] - frames[0, 0]).mean())
    for index in repeats:
        frames[index, 0] += rest * motion
    return frames


@pytest.mark.parametrize("rate_fps", RATES, ids=str)
@pytest.mark.parametrize("cadence", [2, 5])
def test_repeat_cadences_are_found_to_the_frame(cadence: int, rate_fps: Fraction) -> None:
    repeats = range(20, 70, cadence)

    (found,) = events(see_small(repeating(90, repeats), rate_fps))

    assert found.label == "duplicate_frames"
    assert edges(found) == (repeats[0] / rate_fps, (repeats[-1] + 1) / rate_fps)
    assert found.score == pytest.approx(1 / cadence, abs=0.06)
    assert found.note.startswith(f"{len(repeats)} of")


@pytest.mark.parametrize(("repeats", "found"), [([20, 30], 0), ([20, 30, 40], 1)])
def test_two_repeats_are_no_stretch_and_three_are(repeats: list[int], found: int) -> None:
    assert len(events(see_small(repeating(90, repeats)))) == found


@pytest.mark.parametrize(("apart", "found"), [(25, 1), (27, 0)])
def test_repeats_far_apart_do_not_belong_together(apart: int, found: int) -> None:
    frames = repeating(150, [20, 20 + apart, 20 + 2 * apart])

    assert len(events(see_small(frames))) == found


@pytest.mark.parametrize(("rest", "found"), [(0.05, 1), (0.25, 0)])
def test_a_repeat_may_be_coded_anew_but_not_move(rest: float, found: int) -> None:
    frames = repeating(90, range(20, 70, 5), rest=rest) * np.float32(0.3)

    assert len(events(see_small(frames), "duplicate_frames")) == found


# --- missing frames ------------------------------------------------------------------------


@pytest.mark.parametrize("rate_fps", RATES, ids=str)
@pytest.mark.parametrize("missing", [1, 7])
@pytest.mark.parametrize("first", [3, 40])
def test_missing_frames_are_counted_where_they_should_stand(
    first: int, missing: int, rate_fps: Fraction
) -> None:
    times = [t for n, t in enumerate(steady(80, rate_fps)) if not first <= n < first + missing]

    (found,) = events(see_small(moving(len(times)), times))

    assert (found.label, found.score) == ("dropped_frames", missing)
    assert float(found.span.start) == pytest.approx(first / rate_fps, abs=1e-4)
    assert found.span.end == (first + missing) / rate_fps


@pytest.mark.parametrize(("intervals", "found"), [("1.4", 0), ("1.6", 1)])
def test_a_frame_may_be_late_but_not_by_more_than_half(intervals: str, found: int) -> None:
    late = (Fraction(intervals) - 1) / PAL
    times = [t + (late if n >= 40 else 0) for n, t in enumerate(steady(80, PAL))]

    assert len(events(see_small(moving(80), times), "dropped_frames")) == found


def test_variable_rates_and_clocks_of_milliseconds_miss_nothing() -> None:
    paces = [Fraction(1, 25), Fraction(1, 10), Fraction(1, 30)]
    variable = [sum(paces[k % 3] for k in range(n)) or Fraction(0) for n in range(60)]
    rounded = [Fraction(round(t * 1000), 1000) for t in steady(60, Fraction(60000, 1001))]

    assert events(see_small(moving(60), variable), "dropped_frames") == []
    assert events(see_small(moving(60), rounded)) == []


@pytest.mark.parametrize("slower", [Fraction(1, 10), Fraction(1, 49), Fraction(1, 5)])
def test_a_lasting_change_of_rate_misses_nothing(slower: Fraction) -> None:
    times = steady(80, PAL) + [80 / PAL + n * slower for n in range(40)]

    assert events(see_small(moving(120), times)) == []
    assert events(see_small(moving(120), [times[-1] - t for t in reversed(times)])) == []


@pytest.mark.parametrize(("frames", "found"), [(12, 0), (13, 1)])
def test_a_few_frames_do_not_tell_the_rate(frames: int, found: int) -> None:
    times = [t for n, t in enumerate(steady(frames + 1, PAL)) if n != 6]

    assert len(events(see_small(moving(frames), times), "dropped_frames")) == found


# --- key frames only -----------------------------------------------------------------------


def test_nothing_is_said_of_neighbours_when_only_key_frames_are_seen() -> None:
    frames = repeating(120, range(50, 80, 5))
    frames[2:30] = frames[2]
    frames[90:100] = 0
    times = [t + (1 if n >= 40 else 0) for n, t in enumerate(steady(120, PAL))]
    kinds = {"freeze", "duplicate_frames", "dropped_frames"}

    assert labels(see_small(frames, times)) == kinds | {"black"}
    assert labels(see_small(frames, times, of=video(key_frames_only=True))) == {"black"}
