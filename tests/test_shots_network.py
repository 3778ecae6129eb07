"""The window arithmetic around TransNetV2, and the network itself where its weights are."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inprocess import watched
from reelcheck.analyzers.shots import ShotsAnalyzer
from reelcheck.analyzers.shots.learned import LearnedShots
from reelcheck.analyzers.shots.network import NetworkWatch, TransNetShots, Windows
from reelcheck.frames import Colour, FrameBatch, Layout
from reelcheck.media.synth import textured, write_video
from reelcheck.models.card import load_card
from reelcheck.models.store import locate
from reelcheck.spans import Observation
from test_shots import video_info

HERE = locate(load_card("transnetv2")) is not None


def own_value(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A network whose answer for a frame is the value of its first pixel."""
    assert frames.shape == (100, 27, 48, 3)
    values = frames[:, 0, 0].astype(np.float32)
    return np.asarray(values[:, 0] + 256 * values[:, 1], dtype=np.float32)


@given(st.integers(0, 420))
@settings(max_examples=40, deadline=None)
def test_every_frame_is_answered_once_and_in_order(count: int) -> None:
    windows = Windows(own_value)
    answers: list[float] = []
    for index in range(count):
        frame = np.zeros((27, 48, 3), dtype=np.uint8)
        frame[0, 0, :2] = index % 256, index // 256
        answers += windows.see(frame).tolist()
    answers += windows.end().tolist()

    assert answers == list(range(count))


def test_the_first_answers_come_with_a_full_window() -> None:
    windows = Windows(own_value)
    known = [len(windows.see(np.zeros((27, 48, 3), dtype=np.uint8))) for _ in range(150)]

    assert [at for at, count in enumerate(known) if count] == [74, 124]


def batch(pixels: NDArray[np.generic], first: int, layout: Layout) -> FrameBatch:
    ordinals = np.arange(first, first + len(pixels))
    return FrameBatch(
        layout=layout,
        pixels=pixels,
        pts=ordinals,
        durations=np.ones(len(pixels), dtype=np.int64),
        ordinals=ordinals,
        changed=np.zeros(len(pixels), dtype=np.bool_),
        time_base=Fraction(1, 25),
        colour=Colour(),
    )


@pytest.mark.parametrize("batch_frames", [1, 16, 50])
@pytest.mark.parametrize("length", [12, 24, 48, 72])
def test_what_the_network_sees_within_a_dissolve_is_no_second_border(
    length: int, batch_frames: int
) -> None:
    scenes = np.random.default_rng(3).random((2, 3, 23, 40)).astype(np.float32)
    one, other = scenes.repeat(4, axis=2).repeat(4, axis=3)[:, :, :90]
    share = np.clip((np.arange(300, dtype=np.float32) - 120) / length, 0, 1)
    grids = one + share[:, None, None, None] * (other - one)
    frames = np.zeros((300, 27, 48, 3), dtype=np.uint8)
    marked = [40, 120 + length // 2, 260]
    frames[marked, 0, 0, 0] = 1  # own_value answers 1 for these, 0 for all others
    watch = NetworkWatch(TransNetShots(), own_value, ShotsAnalyzer().watch(video_info()))

    found: list[Observation] = []
    for first in range(0, 300, batch_frames):
        until = first + batch_frames
        found += watch.see(batch(grids[first:until], first, Layout.GRID))
        found += watch.see(batch(frames[first:until], first, Layout.RGB))
    found += watch.end()

    borders = sorted((border.span.start * 25, border.label) for border in found)
    assert [label for _, label in borders] == ["cut", "dissolve", "cut"]
    assert [borders[0][0], borders[2][0]] == [41, 261]


def test_the_network_is_chosen_for_the_accurate_profile_when_its_weights_are_here() -> None:
    chosen = ShotsAnalyzer.for_profile("accurate")

    assert isinstance(chosen, TransNetShots if HERE else LearnedShots)
    assert isinstance(ShotsAnalyzer.for_profile("fast"), ShotsAnalyzer)


def test_without_weights_the_accurate_profile_uses_the_network_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELCHECK_MODELS", str(tmp_path))

    assert isinstance(ShotsAnalyzer.for_profile("accurate"), LearnedShots)


@pytest.mark.skipif(not HERE, reason="needs the weights: reelcheck models get transnetv2")
def test_the_network_finds_planted_cuts_at_the_first_new_frame(tmp_path: Path) -> None:
    frames = ((textured(i // 8, seed=i // 60, width_px=192, height_px=108), i) for i in range(180))
    path = write_video(tmp_path / "clip.mkv", frames)

    found = watched(path, TransNetShots())

    starts = [one.span.start * 25 for one in found if one.label == "cut"]
    assert starts == [Fraction(60), Fraction(120)]
