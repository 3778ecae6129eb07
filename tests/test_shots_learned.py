"""What the network of this package adds to the classical detectors, and how both are joined."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inprocess import watched
from reelcheck.analyzers.shots import ShotsAnalyzer
from reelcheck.analyzers.shots.learned import LearnedShots, LearnedWatch
from reelcheck.analyzers.shots.tiny import tiny_levels
from reelcheck.frames import Colour, FrameBatch, Layout
from reelcheck.media.synth import write_video
from reelcheck.spans import Observation, TimeSpan
from test_shots import RGB, blend, shot, video_info

LABELS = ("cut", "dissolve", "fade", "wipe")


def view(index: int, seed: int) -> RGB:
    """A scene of large soft patches that a camera pans over: tiny pictures of it differ."""
    coarse = np.random.default_rng(seed).integers(20, 236, (9, 24, 3)).astype(np.float64)
    y, x = np.linspace(0, 7.9, 108), np.linspace(0, 15.9, 192) + index * 0.02
    rows = coarse[y.astype(int)] * (1 - y % 1)[:, None, None]
    rows += coarse[y.astype(int) + 1] * (y % 1)[:, None, None]
    made = rows[:, x.astype(int)] * (1 - x % 1)[None, :, None]
    made += rows[:, x.astype(int) + 1] * (x % 1)[None, :, None]
    return np.asarray(np.round(made), dtype=np.uint8)


def wiped(one: RGB, other: RGB, share: float, *, way: str) -> RGB:
    height, width = one.shape[:2]
    made = one.copy()
    if way == "right":
        made[:, : round(share * width)] = other[:, : round(share * width)]
    elif way == "left":
        made[:, width - round(share * width) :] = other[:, width - round(share * width) :]
    elif way == "down":
        made[: round(share * height)] = other[: round(share * height)]
    else:
        y, x = np.mgrid[0:height, 0:width]
        far = np.hypot(y - height / 2, x - width / 2)
        made[far <= share * far.max()] = other[far <= share * far.max()]
    return made


@pytest.mark.parametrize("way", ["right", "left", "down", "circle"])
@pytest.mark.parametrize("length", [8, 12])
def test_a_wipe_is_found_where_both_shots_show(way: str, length: int, tmp_path: Path) -> None:
    def picture(index: int) -> RGB:
        share = min(1.0, max(0.0, (index - 59) / (length + 1)))
        return wiped(view(index, seed=5), view(index, seed=9), share, way=way)

    path = write_video(tmp_path / "clip.mkv", ((picture(i), i) for i in range(150)))

    found = watched(path, LearnedShots())

    assert [one.label for one in found] == ["wipe"]
    start, end = found[0].span.start * 25, found[0].span.end * 25
    assert abs(start - 60) <= length / 3
    assert abs(end - 60 - length) <= length / 3
    assert watched(path, ShotsAnalyzer()) == []


@pytest.mark.parametrize("batch_frames", [1, 7, 50])
def test_batches_change_nothing(batch_frames: int, tmp_path: Path) -> None:
    def picture(index: int) -> RGB:
        if index < 100:
            return view(index, seed=1)
        share = min(1.0, (index - 99) / 13)
        return wiped(view(index, seed=1), view(index, seed=2), share, way="right")

    path = write_video(tmp_path / "clip.mkv", ((picture(i), i) for i in range(260)))

    found = watched(path, LearnedShots(), batch_frames=batch_frames)

    assert [one.label for one in found] == ["wipe"]
    assert found == watched(path, LearnedShots())


def told(marks: dict[str, list[int]], grids: NDArray[np.float32], **more: int) -> list[Observation]:
    """Ask a network that marks given frames; it knows a frame by the colour of its last cell."""
    numbered = grids.copy()
    numbered[:, 1, -6:, -6:] = ((np.arange(len(grids)) % 256) - 128)[:, None, None] / 255
    numbered[:, 2, -6:, -6:] = ((np.arange(len(grids)) // 256) - 128)[:, None, None] / 255

    def network(levels: NDArray[np.float32]) -> NDArray[np.float32]:
        assert levels.shape == (144, 27 * 48 * 3)
        last = levels[:, -2:].astype(int)
        answers = np.zeros((144, 4), dtype=np.float32)
        for label, frames in marks.items():
            answers[np.isin(last[:, 0] + 256 * last[:, 1], frames), LABELS.index(label)] = 0.9
        return answers

    classical = ShotsAnalyzer().watch(video_info())
    watch = LearnedWatch(LearnedShots(), network, classical, every=more.get("every", 1))
    found: list[Observation] = []
    for first in range(0, len(grids), 16):
        found += watch.see(batch(numbered[first : first + 16], first))
    return [*found, *watch.end()]


def batch(pixels: NDArray[np.float32], first: int) -> FrameBatch:
    ordinals = np.arange(first, first + len(pixels))
    return FrameBatch(
        layout=Layout.GRID,
        pixels=pixels,
        pts=ordinals,
        durations=np.ones(len(pixels), dtype=np.int64),
        ordinals=ordinals,
        changed=np.zeros(len(pixels), dtype=np.bool_),
        time_base=Fraction(1, 25),
        colour=Colour(),
    )


def scenes(count: int, *, changes: dict[int, int]) -> NDArray[np.float32]:
    """Still scenes of noise; at each frame of ``changes`` a new one blends in for so long."""
    drawn = np.random.default_rng(3).random((len(changes) + 1, 3, 23, 40)).astype(np.float32)
    drawn = drawn.repeat(4, axis=2).repeat(4, axis=3)[:, :, :90]
    drawn[:, 1:] = (drawn[:, 1:] - 0.5) * 0.4
    grids = np.broadcast_to(drawn[0], (count, *drawn.shape[1:])).copy()
    for number, (at, length) in enumerate(changes.items(), start=1):
        share = np.clip((np.arange(count, dtype=np.float32) - at + 1) / (length + 1), 0, 1)
        grids += share[:, None, None, None] * (drawn[number] - grids)
    return grids


def spans(found: list[Observation]) -> list[tuple[str, float, float]]:
    return [(one.label, float(one.span.start * 25), float(one.span.end * 25)) for one in found]


def test_a_cut_within_what_the_network_sees_is_part_of_it() -> None:
    grids = scenes(300, changes={100: 0, 200: 0})

    found = told({"wipe": list(range(95, 106))}, grids)

    assert spans(found) == [("wipe", 95, 106), ("cut", 200, 201)]


def test_a_cut_that_the_network_alone_sees_is_added() -> None:
    grids = scenes(300, changes={200: 0})

    found = told({"cut": [60, 61, 200]}, grids)

    assert spans(found) == [("cut", 60, 61), ("cut", 200, 201)]


def test_a_cut_beside_it_stays() -> None:
    grids = scenes(300, changes={100: 0, 200: 0})

    found = told({"wipe": list(range(110, 120))}, grids)

    assert spans(found) == [("cut", 100, 101), ("wipe", 110, 120), ("cut", 200, 201)]


def test_the_classical_detector_knows_better_how_far_a_dissolve_reaches() -> None:
    found = told({"dissolve": list(range(112, 118))}, scenes(300, changes={105: 20}))

    assert [one.label for one in found] == ["dissolve"]
    assert found[0].span.overlaps(TimeSpan(Fraction(105, 25), Fraction(107, 25)))


@pytest.mark.parametrize(("length", "labels"), [(2, []), (3, ["fade"])])
def test_short_runs_are_motion(length: int, labels: list[str]) -> None:
    found = told({"fade": list(range(60, 60 + length))}, scenes(200, changes={}))

    assert [one.label for one in found] == labels


@pytest.mark.parametrize("count", [1, 96, 97, 121, 400])
def test_a_run_until_the_end_is_reported_once(count: int) -> None:
    found = told({"wipe": list(range(max(0, count - 10), count))}, scenes(count, changes={}))

    expected = [("wipe", max(0, count - 10), count)] if count >= 3 else []
    assert spans(found) == expected


def test_of_fast_videos_frames_are_left_out() -> None:
    found = told({"wipe": list(range(100, 120))}, scenes(300, changes={}), every=2)

    assert spans(found) == [("wipe", 100, 120)]


def test_tiny_pictures_are_means_of_cells() -> None:
    grid = np.zeros((3, 54, 96), dtype=np.float32)
    grid[0, :2, :2] = [[0, 1], [1, 0]]
    grid[1, :2, :2] = 0.25

    tiny = tiny_levels(grid)

    assert tiny.shape == (27, 48, 3)
    assert tiny[0, 0].tolist() == [128, 192, 128]
    assert tiny[1:, :, 0].max() == 0


@pytest.mark.parametrize("shape", [(1, 1), (9, 160), (160, 9), (90, 160)])
def test_every_shape_comes_to_one_size(shape: tuple[int, int]) -> None:
    grid = np.full((3, *shape), 0.5, dtype=np.float32)

    assert np.unique(tiny_levels(grid)[..., 0]).tolist() == [128]


def test_it_runs_by_default_and_not_on_key_frames_alone() -> None:
    assert isinstance(ShotsAnalyzer.for_profile("balanced"), LearnedShots)
    assert list(LearnedShots().watch(video_info(key_frames_only=True)).end()) == []


def test_a_dissolve_is_reported_once(tmp_path: Path) -> None:
    def picture(index: int) -> RGB:
        share = min(1.0, max(0.0, (index - 59) / 21))
        return blend(shot(index, seed=5), shot(index, seed=9), share)

    path = write_video(tmp_path / "clip.mkv", ((picture(i), i) for i in range(150)))

    assert [one.label for one in watched(path, LearnedShots())] == ["dissolve"]
