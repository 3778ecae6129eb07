"""Borders of shots that were planted, and everything that is none."""

import gc
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inprocess import watched
from reelcheck.analyzers.shots import ShotsAnalyzer
from reelcheck.analyzers.shots.graduals import Gradual
from reelcheck.analyzers.shots.pictures import Picture
from reelcheck.frames import Colour, FrameBatch, Layout, VideoInfo
from reelcheck.media.synth import Recipe, plain, textured, write_video
from reelcheck.spans import Observation, TimeSpan

RGB = NDArray[np.uint8]


def shot(index: int, seed: int) -> RGB:
    """A calm shot: the texture moves an eighth as fast as ``textured`` by itself."""
    return _texture(index // 8, seed)


@cache
def _texture(step: int, seed: int) -> RGB:
    picture = textured(step, seed=seed, width_px=192, height_px=108)
    picture.flags.writeable = False  # it is shown eight times
    return picture


def blend(one: RGB, other: RGB, share: float) -> RGB:
    return np.asarray(np.round((1 - share) * one + share * other), dtype=np.uint8)


def lit(picture: RGB, gain: float) -> RGB:
    return np.asarray(np.clip(picture * gain, 0, 255), dtype=np.uint8)


def borders(
    path: Path, picture: Callable[[int], RGB], count: int, *, ticks: Callable[[int], int] = int
) -> list[Observation]:
    recipe = Recipe(time_base=Fraction(1, 100))
    frames = ((picture(index), ticks(index)) for index in range(count))
    return watched(write_video(path / "clip.mkv", frames, recipe), ShotsAnalyzer())


def every(step: int) -> Callable[[int], int]:
    return lambda index: step * index


@pytest.mark.parametrize("step", [1, 2, 4, 5], ids=["100 fps", "50 fps", "25 fps", "20 fps"])
def test_a_cut_is_found_at_the_first_frame_of_the_new_shot(step: int, tmp_path: Path) -> None:
    found = borders(tmp_path, lambda i: shot(i, seed=i // 45), 135, ticks=every(step))

    assert [one.label for one in found] == ["cut", "cut"]
    starts = [Fraction(step * at, 100) for at in (45, 90)]
    assert [one.span for one in found] == [TimeSpan(at, at + Fraction(step, 100)) for at in starts]
    assert all(one.score > 0.5 for one in found)


@pytest.mark.parametrize("rate_fps", [Fraction(30000, 1001), Fraction(60)], ids=["29.97", "60"])
def test_a_cut_is_exact_at_rates_of_television(rate_fps: Fraction, tmp_path: Path) -> None:
    recipe = Recipe(  # Matroska would round the times to milliseconds
        codec="libx264",
        pixel_format="yuv420p",
        container="mp4",
        time_base=1 / rate_fps,
        rate_fps=rate_fps,
    )
    frames = ((shot(i, seed=i // 45), i) for i in range(90))

    found = watched(write_video(tmp_path / "clip.mp4", frames, recipe), ShotsAnalyzer())

    assert [(one.label, one.span) for one in found] == [
        ("cut", TimeSpan(45 / rate_fps, 46 / rate_fps))
    ]


def test_a_cut_is_found_where_the_frame_rate_changes_by_four(tmp_path: Path) -> None:
    def ticks(index: int) -> int:
        return 8 * index if index < 50 else 400 + 2 * (index - 50)

    found = borders(tmp_path, lambda i: shot(i, seed=int(i >= 30) + int(i >= 90)), 140, ticks=ticks)

    assert [(one.label, one.span.start) for one in found] == [
        ("cut", Fraction(240, 100)),
        ("cut", Fraction(480, 100)),
    ]


def test_one_frame_of_another_picture_is_two_cuts(tmp_path: Path) -> None:
    found = borders(tmp_path, lambda i: shot(i, seed=3 if i == 40 else 0), 90, ticks=every(4))

    assert [(one.label, one.span.start * 25) for one in found] == [
        ("cut", Fraction(40)),
        ("cut", Fraction(41)),
    ]


@pytest.mark.parametrize("length", [6, 8, 12, 24, 48])
def test_a_dissolve_is_found_about_where_it_is(length: int, tmp_path: Path) -> None:
    def picture(index: int) -> RGB:
        share = min(1.0, max(0.0, (index - 60) / length))
        return blend(shot(index, 0), shot(index, 5), share)

    found = borders(tmp_path, picture, 120 + length, ticks=every(4))

    assert [one.label for one in found] == ["dissolve"]
    start, end = (float(at * 25) for at in (found[0].span.start, found[0].span.end))
    overlap = min(end, 60 + length) - max(start, 60)
    assert overlap / (max(end, 60 + length) - min(start, 60)) >= 0.5


@pytest.mark.parametrize("level", [0, 255], ids=["black", "white"])
def test_a_fade_out_and_in_is_one_fade(level: int, tmp_path: Path) -> None:
    empty = plain((level, level, level), width_px=192, height_px=108)

    def picture(index: int) -> RGB:
        seed = 0 if index < 77 else 4
        away = np.interp(index, [60, 75, 79, 94], [0.0, 1.0, 1.0, 0.0])
        return blend(shot(index, seed), empty, float(away))

    found = borders(tmp_path, picture, 150, ticks=every(4))

    assert [one.label for one in found] == ["fade"]
    assert abs(found[0].span.start * 25 - 60) <= 3
    assert abs(found[0].span.end * 25 - 94) <= 3


def letterboxed(picture: RGB) -> RGB:
    """A picture between black bars, which are its strongest edges."""
    boxed = np.asarray(150 + (picture.astype(np.float32) - 128) * 0.8, dtype=np.uint8)
    boxed[:20] = boxed[-20:] = 0
    return boxed


def test_a_cut_between_shots_with_equal_black_bars_is_found(tmp_path: Path) -> None:
    found = borders(tmp_path, lambda i: letterboxed(shot(i, i // 50)), 100, ticks=every(4))

    assert [(one.label, one.span.start * 25) for one in found] == [("cut", Fraction(50))]


def test_a_fade_does_not_reach_across_the_cut_that_follows_it(tmp_path: Path) -> None:
    def picture(index: int) -> RGB:
        share = min(1.0, max(0.0, (index - 50) / 10))
        shown = letterboxed(shot(index, 0 if index < 92 else 3))
        return blend(plain((0, 0, 0), width_px=192, height_px=108), shown, share)

    found = borders(tmp_path, picture, 150, ticks=every(4))

    assert [one.label for one in found] == ["cut", "fade"]
    assert found[0].span.start * 25 == 92
    assert abs(found[1].span.end * 25 - 60) <= 3


@pytest.mark.parametrize("batch_frames", [1, 7, 64])
def test_findings_do_not_depend_on_the_size_of_batches(batch_frames: int, tmp_path: Path) -> None:
    def picture(index: int) -> RGB:
        share = min(1.0, max(0.0, (index - 60) / 16))
        return blend(shot(index, 0), shot(index, 5 if index < 110 else 2), share)

    path = write_video(tmp_path / "clip.mkv", ((picture(i), i) for i in range(150)))

    found = watched(path, ShotsAnalyzer(), batch_frames=batch_frames)

    assert [one.label for one in found] == ["cut", "dissolve"]
    assert found == watched(path, ShotsAnalyzer())


def cartoon(index: int) -> RGB:
    picture = plain((90, 170, 250), width_px=192, height_px=108)
    picture[70:] = (60, 160, 60)
    left = abs(index * 3 - 150)
    picture[40:80, left : left + 30] = (250, 210, 40)
    picture[50:60, left + 8 : left + 14] = (10, 10, 10)
    return picture


def noisy(index: int) -> RGB:
    grain = np.random.default_rng(index).normal(0, 14, (108, 192, 1))
    return np.asarray(np.clip(shot(0, 0) + grain, 0, 255), dtype=np.uint8)


def damaged(index: int) -> RGB:
    picture = shot(index, 0).copy()
    if index in {50, 51}:
        picture[60:, 40:] = (110, 110, 110)
    return picture


def dark(index: int) -> RGB:
    return lit(shot(index, 0), 0.12)


HARMLESS: dict[str, Callable[[int], RGB]] = {
    "a still picture": lambda _: shot(0, 0),
    "a pan": lambda index: textured(index, width_px=192, height_px=108),
    "a dark pan": dark,
    "light that rises and falls": lambda i: lit(shot(i, 0), 0.4 + 0.5 * abs(i - 50) / 50),
    "an exposure step": lambda i: lit(shot(i, 0), 0.6 if i < 50 else 0.95),
    "a flash of one frame": lambda i: lit(shot(i, 0), 2.5 if i == 50 else 0.8),
    "a flash of three frames": lambda i: lit(shot(i, 0), 2.5 if 50 <= i < 53 else 0.8),
    "a white frame": lambda i: (
        plain((255, 255, 255), width_px=192, height_px=108) if i == 50 else shot(i, 0)
    ),
    "noise": noisy,
    "a cartoon": cartoon,
    "damage in two frames": damaged,
    "nothing but black": lambda _: plain((0, 0, 0), width_px=192, height_px=108),
}


@pytest.mark.parametrize("name", list(HARMLESS))
def test_what_is_no_border_of_shots_is_not_reported(name: str, tmp_path: Path) -> None:
    assert borders(tmp_path, HARMLESS[name], 110, ticks=every(4)) == []


def test_a_cut_between_two_dark_shots_is_found(tmp_path: Path) -> None:
    found = borders(tmp_path, lambda i: lit(shot(i, i // 50), 0.15), 100, ticks=every(4))

    assert [(one.label, one.span.start * 25) for one in found] == [("cut", Fraction(50))]


def video_info(*, key_frames_only: bool = False) -> VideoInfo:
    return VideoInfo(
        stream=0,
        codec="ffv1",
        width_px=320,
        height_px=180,
        sample_aspect_ratio=Fraction(1),
        rotation_degrees=0,
        pixel_format="bgr0",
        colour=Colour(),
        rate_fps_from_header=None,
        duration_seconds_from_header=None,
        frames_from_header=None,
        key_frames_only=key_frames_only,
    )


def grid_batch(
    at: int, height: int, width: int, *, time_base: Fraction = Fraction(1, 25)
) -> FrameBatch:
    """One frame of a picture that changes every 20 frames."""
    cells = np.random.default_rng(at // 20).random((1, 3, height, width))
    return FrameBatch(
        layout=Layout.GRID,
        pixels=cells.astype(np.float32),
        pts=np.array([at]),
        durations=np.array([1]),
        ordinals=np.array([at]),
        changed=np.array([False]),
        time_base=time_base,
        colour=Colour(),
    )


def test_a_change_of_shape_starts_afresh() -> None:
    watch = ShotsAnalyzer().watch(video_info())
    found: list[Observation] = []
    for at in range(80):
        height, width = (90, 160) if at < 40 else (160, 90)
        found += watch.see(grid_batch(at, height, width))
    found += watch.end()

    assert [one.span.start * 25 for one in found if one.label == "cut"] == [20, 60]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 160), (9, 17), (3, 200), (2, 3)])
def test_pictures_of_few_cells_are_taken(height: int, width: int) -> None:
    watch = ShotsAnalyzer().watch(video_info())
    found = [one for at in range(120) for one in watch.see(grid_batch(at, height, width))]
    found += watch.end()

    assert all(0 <= one.score <= 1 and one.span.end <= Fraction(120, 25) for one in found)


@pytest.mark.parametrize("rate_fps", [1, 25, 1000, 90000])
def test_few_pictures_are_kept_at_any_frame_rate(rate_fps: int) -> None:
    watch = ShotsAnalyzer().watch(video_info())
    for at in range(400):
        list(watch.see(grid_batch(at, 18, 32, time_base=Fraction(1, rate_fps))))

    assert sum(isinstance(one, Picture) for one in gc.get_objects()) < 250


def test_key_frames_alone_say_nothing_of_shots() -> None:
    watch = ShotsAnalyzer().watch(video_info(key_frames_only=True))

    assert not [one for at in range(80) for one in watch.see(grid_batch(at, 90, 160))]
    assert not list(watch.end())


def halves() -> Iterator[tuple[Gradual, Gradual, bool]]:
    first = Gradual(way="out", first=10, last=20, start=Fraction(1), end=Fraction(2), score=0.9)
    for gap, joins in ((Fraction(1, 2), True), (Fraction(51, 100), False)):
        start = first.end + gap
        later = Gradual(way="in", first=30, last=40, start=start, end=start + 1, score=0.7)
        yield first, later, joins


@pytest.mark.parametrize(("first", "later", "joins"), list(halves()))
def test_halves_of_a_fade_join_up_to_half_a_second(
    first: Gradual,
    later: Gradual,
    joins: bool,  # noqa: FBT001 - a known truth
) -> None:
    assert first.leads_to(later, apart=Fraction(1, 2)) == joins
    assert first.joined(later).end == later.end
    assert first.joined(later).score == 0.7
