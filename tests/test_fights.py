"""Motion with a known truth, and what the analyzer makes of whole videos."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inprocess import watched
from reelcheck.analyzers.fights import FightsAnalyzer
from reelcheck.analyzers.fights.motion import (
    STATISTICS,
    block_motion,
    small_levels,
    statistics,
)
from reelcheck.media.synth import Recipe, Timed, plain, textured, write_video
from reelcheck.spans import Observation


def noise(*, rows: int = 45, columns: int = 80, seed: int = 1) -> NDArray[np.int16]:
    """Return a picture in which every displacement has one best match."""
    levels = np.random.default_rng(seed).integers(0, 256, (rows, columns))
    return levels.astype(np.int16)


@pytest.mark.parametrize(("right", "down"), [(0, 0), (3, 0), (0, -2), (-4, 4), (1, -3)])
def test_a_patch_that_moves_is_found_where_it_is_and_as_fast_as_it_is(
    right: int, down: int
) -> None:
    before = noise()
    after = before.copy()
    after[10:30, 20:50] = before[10 - down : 30 - down, 20 - right : 50 - right]

    motion = block_motion(before, after, seconds=0.08)

    inside = (slice(2, 6), slice(4, 10))
    assert (motion.right[inside] == right).all()
    assert (motion.down[inside] == down).all()
    assert (motion.rest[inside] == 0).all()
    assert motion.right[0, 0] == motion.down[0, 0] == 0


def test_a_camera_that_pans_moves_nothing() -> None:
    wide = noise(columns=90)

    motion = block_motion(wide[:, 3:83], wide[:, :80], seconds=0.08)

    assert np.median(motion.speed) == 0
    assert np.median(motion.rest) == 0
    assert np.median(motion.change) > 0


def test_speed_counts_time() -> None:
    before = noise()
    after = before.copy()
    after[10:30, 20:50] = before[10:30, 18:48]

    slow, fast = (block_motion(before, after, seconds=one) for one in (0.16, 0.08))

    assert fast.speed.max() == pytest.approx(2 * slow.speed.max())


@pytest.mark.parametrize("shape", [(1, 1), (3, 80), (5, 5), (7, 2)])
def test_the_smallest_pictures_have_one_block(shape: tuple[int, int]) -> None:
    picture = np.zeros(shape, dtype=np.int16)

    motion = block_motion(picture, picture, seconds=0.08)

    assert motion.change.size >= 1
    assert not motion.speed.any()


def test_levels_are_those_of_eight_bits_whatever_lies_outside() -> None:
    luma = np.array([[-0.2, -0.2, 1.3, 1.3], [-0.2, -0.2, 1.3, 1.3]], dtype=np.float32)

    assert small_levels(luma).tolist() == [[0, 255]]


def test_a_still_picture_has_no_statistics_of_motion() -> None:
    still = block_motion(noise(), noise(), seconds=0.08)

    table = statistics([still, still])

    assert table.shape == (2, STATISTICS)
    assert np.isfinite(table).all()
    assert not table[:, :13].any()


def moving(*, rate: int, seconds: int = 4, bars: int = 0) -> Iterator[Timed]:
    """Yield two boxes that circle each other, at any frame rate, perhaps between black bars."""
    picture = textured(0, seed=3, width_px=192, height_px=108)
    for index in range(rate * seconds):
        shown = picture.copy()
        for turn in (0.0, np.pi):
            angle = 2 * np.pi * index / rate + turn
            x, y = int(96 + 40 * np.cos(angle)), int(54 + 25 * np.sin(angle))
            shown[y - 15 : y + 15, x - 8 : x + 8] = textured(
                index * 25 // rate, seed=5, width_px=16, height_px=30
            )
        if bars:
            wide = plain((0, 0, 0), width_px=192, height_px=108 + 2 * bars)
            wide[bars : bars + 108] = shown
            shown = wide
        yield shown, index


def scores(path: Path) -> list[Observation]:
    return watched(path, FightsAnalyzer())


def made(folder: Path, *, rate: int, bars: int = 0, **more: int) -> Path:
    recipe = Recipe(pixel_format="yuv420p", time_base=Fraction(1, rate), rate_fps=Fraction(rate))
    return write_video(
        folder / f"{rate}-{bars}-{len(more)}.mkv", moving(rate=rate, bars=bars, **more), recipe
    )


def test_scores_lie_behind_each_other_and_cover_the_video(tmp_path: Path) -> None:
    found = scores(made(tmp_path, rate=25))

    assert {one.signal for one in found} == {"score"}
    assert [one.span.start // Fraction(1, 2) for one in found] == list(range(8))
    assert all(a.span.end == b.span.start for a, b in pairwise(found))
    assert found[-1].span.end == 4
    assert all(0 <= one.score <= 1 for one in found)


@pytest.mark.parametrize("seconds", [1, 3])
def test_a_video_shorter_than_a_window_is_judged_as_well(seconds: int, tmp_path: Path) -> None:
    assert scores(made(tmp_path, rate=25, seconds=seconds))


def test_black_bars_change_little(tmp_path: Path) -> None:
    bare, barred = scores(made(tmp_path, rate=25)), scores(made(tmp_path, rate=25, bars=26))

    assert mean(barred) == pytest.approx(mean(bare), abs=0.1)


@pytest.mark.parametrize("rate", [10, 50, 120])
def test_another_frame_rate_changes_little(rate: int, tmp_path: Path) -> None:
    usual, other = scores(made(tmp_path, rate=25)), scores(made(tmp_path, rate=rate))

    assert mean(other) == pytest.approx(mean(usual), abs=0.15)


def test_nothing_that_stands_still_is_a_fight(tmp_path: Path) -> None:
    picture = textured(0, seed=3, width_px=192, height_px=108)
    path = write_video(tmp_path / "still.mkv", ((picture, n) for n in range(100)))

    assert max(one.score for one in scores(path)) < 0.3


def mean(found: list[Observation]) -> float:
    return float(np.mean([one.score for one in found]))
