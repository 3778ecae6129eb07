"""Clean, dark, static and animated scenes: nothing may be reported of any of them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from defect_pictures import Bytes, events, grainy, moving, scene, see_small
from inprocess import watched
from planted import H264, with_options
from reelcheck.analyzers.defects import DefectsAnalyzer
from reelcheck.media.synth import LOSSLESS, Recipe, write_video
from reelcheck.spans import Observation

FRAMES = 60
Scene = Callable[[int], Bytes]

RECIPES: dict[str, Recipe] = {
    "lossless": replace(LOSSLESS, pixel_format="yuv420p"),
    "h264": with_options(H264, preset="veryfast"),
    "h264 of 10 bits": replace(H264, pixel_format="yuv420p10le"),
    "mpeg4": Recipe(codec="mpeg4", pixel_format="yuv420p", options={"qmin": "2", "qmax": "2"}),
}


# --- scenes --------------------------------------------------------------------------------


@cache
def clean(index: int) -> Bytes:
    """Return a scene in which many things move."""
    return scene(index, width_px=480, height_px=270)


def panning(index: int) -> Bytes:
    """Return a still scene under a camera that pans by 3 px a frame."""
    return np.roll(STILL, 3 * index, axis=1)


def filmed(index: int) -> Bytes:
    """Return a moving scene with the noise of an ordinary camera."""
    return grainy(clean(index), 1.5, seed=index)


def dark(index: int) -> Bytes:
    """Return a night: nearly everything below a quarter of white, with a few lamps, and grain."""
    picture = np.asarray(14 + clean(index) * 0.25, np.uint8)
    for lamp in range(6):
        picture[30 + 38 * lamp : 39 + 38 * lamp, 45 + 68 * lamp : 54 + 68 * lamp] = (240, 220, 170)
    return grainy(picture, 2.0, seed=index)


def static(index: int) -> Bytes:
    """Return a scene without any motion, seen by a sensor with ordinary noise.

    Coders that are set to save more bits than ours here take that noise away altogether; what
    they leave is a freeze by any measure.
    """
    return grainy(STILL, 2.0, seed=index)


def static_and_dark(index: int) -> Bytes:
    return grainy(NIGHT, 2.0, seed=index)


def animated(index: int) -> Bytes:
    """Return a drawing: flat colours, black outlines, a figure that moves on every frame."""
    picture = MEADOW.copy()
    for part in range(12):
        x, y = (50 * part + (2 + part % 3) * index) % 480, 140 + 70 * np.sin(part + index / 12)
        inside = np.s_[max(0, int(y) - 42) : int(y) + 42, max(0, int(x) - 42) : int(x) + 42]
        distance = np.hypot(ROWS[inside] - y, COLUMNS[inside] - x)
        tint = (40 + 17 * part, 230 - 15 * part, 60 + 60 * (part % 4))
        picture[inside][distance < 18 + 2 * part] = (20, 20, 20)
        picture[inside][distance < 15 + 2 * part] = tint
    return picture


def drawn_on_white(index: int) -> Bytes:
    """Return a line drawing that grows, a third of it white paper."""
    picture = animated(index)
    picture[:80] = 255
    picture[40:44, 20 : 24 + 6 * index] = 0
    return picture


ROWS, COLUMNS = np.mgrid[0:270, 0:480]
MEADOW = np.full((270, 480, 3), (120, 190, 235), np.uint8)
MEADOW[190 + 15 * np.sin(COLUMNS / 45) < ROWS] = (90, 170, 60)
STILL = clean(0)
NIGHT = dark(0)
SCENES: list[Scene] = [
    clean,
    panning,
    filmed,
    dark,
    static,
    static_and_dark,
    animated,
    drawn_on_white,
]


def alarms(shown: Scene, recipe: Recipe, path: Path) -> list[Observation]:
    frames: Iterator[tuple[Bytes, int]] = ((shown(n), n) for n in range(FRAMES))
    return events(watched(write_video(path, frames, recipe), DefectsAnalyzer()))


@pytest.mark.parametrize("shown", SCENES, ids=lambda one: one.__name__)
def test_a_sound_scene_raises_no_alarm(shown: Scene, tmp_path: Path) -> None:
    assert alarms(shown, RECIPES["h264"], tmp_path / "clip") == []


@pytest.mark.parametrize("coded", [name for name in RECIPES if name != "h264"])
@pytest.mark.parametrize("shown", [dark, static, animated], ids=lambda one: one.__name__)
def test_no_way_of_coding_raises_an_alarm(shown: Scene, coded: str, tmp_path: Path) -> None:
    assert alarms(shown, RECIPES[coded], tmp_path / "clip") == []


def test_the_same_scene_is_reported_once_it_is_spoiled(tmp_path: Path) -> None:
    """Show that the tests above can fail."""

    def spoiled(index: int) -> Bytes:
        return STILL if 20 <= index < 50 else static(index)

    (found,) = alarms(spoiled, RECIPES["lossless"], tmp_path / "clip")

    assert (found.label, found.span.start) == ("freeze", Fraction(20, 25))


def test_a_live_scene_averaged_over_a_cell_of_a_large_picture_is_no_freeze() -> None:
    """A cell of a 1080p picture averages 144 pixels: noise of 1 step becomes 0.0003."""
    frames = np.repeat(moving(1), 100, axis=0)
    chance = np.random.default_rng(2)
    frames[:, 0] += chance.normal(0, 1 / 255 / 12, frames[:, 0].shape).astype(np.float32)

    assert events(see_small(frames)) == []


@pytest.mark.parametrize("seconds", [0.5, 2.0])
def test_fades_between_scenes_raise_no_alarm(seconds: float) -> None:
    share = np.clip((np.arange(120) / 25 - 1) / seconds, 0, 1).astype(np.float32)
    share = share[:, np.newaxis, np.newaxis, np.newaxis]

    assert events(see_small(moving(120) * (1 - share) + moving(120, seed=2) * share)) == []


def test_hard_cuts_raise_no_alarm() -> None:
    frames = np.concatenate([moving(30, seed=seed) for seed in range(4)])

    assert events(see_small(frames)) == []
