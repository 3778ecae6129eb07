"""Exposure, signal levels after EBU R 103, black borders and their changes."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from defect_pictures import (
    HEIGHT,
    NTSC,
    PAL,
    WIDTH,
    Codes,
    Floats,
    curve,
    edges,
    events,
    labels,
    moving,
    scene,
    see_both,
    see_native,
    see_small,
    spread,
    video,
)
from inprocess import watched
from planted import H264
from reelcheck.analyzers.defects import DefectsAnalyzer
from reelcheck.frames import Colour
from reelcheck.media.synth import LOSSLESS, Recipe, write_video

# --- exposure ------------------------------------------------------------------------------


def lit(count: int, first: int, last: int, *, level: float, area: float) -> Floats:
    """Return moving frames; from ``first`` to ``last`` a share of the cells has one level."""
    frames = moving(count)
    frames[first:last, 0, spread(area)] = level
    return frames


@pytest.mark.parametrize("rate_fps", [PAL, NTSC], ids=str)
@pytest.mark.parametrize(
    ("label", "level", "area"), [("underexposed", 0.13, 0.95), ("overexposed", 0.98, 0.5)]
)
def test_bad_exposure_is_found_to_the_frame(
    label: str, level: float, area: float, rate_fps: Fraction
) -> None:
    (found,) = events(see_small(lit(120, 35, 90, level=level, area=area), rate_fps))

    assert found.label == label
    assert edges(found) == (35 / rate_fps, 90 / rate_fps)
    assert found.score == pytest.approx(area, abs=0.03)


@pytest.mark.parametrize(
    ("level", "area", "found"),
    [
        (0.149, 0.905, {"underexposed"}),
        (0.151, 0.905, set()),
        (0.149, 0.895, set()),
        (0.951, 0.355, {"overexposed"}),
        (0.949, 0.355, set()),
        (0.951, 0.345, set()),
    ],
)
def test_exposure_has_limits_of_level_and_of_area(
    level: float, area: float, found: set[str]
) -> None:
    assert labels(see_small(lit(50, 0, 50, level=level, area=area))) == found


@pytest.mark.parametrize(("frames", "found"), [(24, 0), (25, 1)])
def test_bad_exposure_shorter_than_a_second_is_let_pass(frames: int, found: int) -> None:
    assert len(events(see_small(lit(60, 20, 20 + frames, level=0.98, area=0.5)))) == found


def test_borders_do_not_count_as_darkness() -> None:
    frames = moving(50)
    inside = frames[..., 31:59, 56:104].copy()
    frames[:] = 0
    frames[..., 31:59, 56:104] = inside

    assert labels(see_small(frames)) == {"letterbox", "pillarbox"}


def test_mean_brightness_is_told_twice_a_second() -> None:
    frames = moving(50)
    frames[:, 0] += (np.arange(50, dtype=np.float32) // 12.5 * 0.1)[:, None, None]
    means = frames[:, 0].mean(axis=(1, 2))

    told = curve(see_small(frames), "luma_mean")

    expected = [means[a:b].mean() for a, b in ((0, 13), (13, 25), (25, 38), (38, 50))]
    assert told == pytest.approx(expected, abs=1e-4)


# --- levels --------------------------------------------------------------------------------


def coded(code: int, *, percent: float, bits: int = 8) -> Codes:
    """Return native luma of a gradient of which the upper part has one code, 100 x 400 blocks."""
    picture = np.zeros((400, 1600), np.uint8 if bits == 8 else np.uint16)
    picture[:] = np.linspace(60, 200, 1600) * 2 ** (bits - 8)
    blocks = picture.reshape(100, 4, 400, 4).swapaxes(1, 2).reshape(-1, 4, 4)
    blocks[: round(percent / 100 * len(blocks))] = code
    return np.ascontiguousarray(blocks.reshape(100, 400, 4, 4).swapaxes(1, 2).reshape(400, 1600))


@pytest.mark.parametrize(
    ("code", "bits", "found"),
    [
        (5, 8, set()),
        (4, 8, {"levels"}),
        (246, 8, set()),
        (247, 8, {"levels"}),
        (20, 10, set()),
        (19, 10, {"levels"}),
        (984, 10, set()),
        (985, 10, {"levels"}),
    ],
)
def test_codes_outside_ebu_r_103_are_found(code: int, bits: int, found: set[str]) -> None:
    pictures = [coded(code, percent=1.5, bits=bits)] * 4

    shown = see_native(pictures, of=video(colour=Colour(bit_depth=bits)))

    assert labels(shown) & {"levels"} == found
    assert curve(shown, "levels_out_percent") == pytest.approx([1.5 if found else 0.0] * 4)


@pytest.mark.parametrize(("percent", "found"), [(0.95, 0), (1.05, 1)])
def test_one_per_cent_of_the_picture_is_tolerated(percent: float, found: int) -> None:
    assert len(events(see_native([coded(250, percent=percent)] * 4), "levels")) == found


def test_full_range_has_no_codes_outside() -> None:
    shown = see_native([coded(255, percent=3)] * 4, of=video(colour=Colour(full_range=True)))

    assert events(shown, "levels") == []


def test_levels_are_found_to_the_sample() -> None:
    pictures = [coded(252 if 4 <= n < 9 else 200, percent=5) for n in range(12)]

    (found,) = events(see_native(pictures), "levels")

    assert edges(found) == (Fraction(4), Fraction(9))
    assert (found.score, found.unit) == (5.0, "%")


@pytest.mark.parametrize(("cr", "found"), [(0.10, 0), (0.20, 1)])
def test_colours_outside_the_range_count_too(cr: float, found: int) -> None:
    """Y' of 0.8 and Cr of 0.2 are R' of 1.11 in BT.709; R 103 ends at 1.05."""
    frames = moving(50)
    frames[:, 1:] = 0
    frames[:, 0, :10], frames[:, 2, :10] = 0.8, cr
    native = np.full((90, 160), 120, np.uint8)

    shown = see_both(frames, [native] * 4)

    assert len(events(shown, "levels")) == found


# --- borders -------------------------------------------------------------------------------


def boxed(index: int, *, top: int = 0, bottom: int = 0, left: int = 0, right: int = 0) -> Codes:
    """Return RGB picture ``index`` of 640 x 360 px with black borders."""
    picture = scene(index, width_px=640, height_px=360)
    picture[:top] = picture[360 - bottom :] = 0
    picture[:, :left] = picture[:, 640 - right :] = 0
    return picture


@pytest.mark.parametrize("recipe", [LOSSLESS, H264], ids=["lossless", "h264"])
@pytest.mark.parametrize(
    ("label", "sides", "shape"),
    [
        ("letterbox", {"top": 46, "bottom": 46}, "2.39:1 picture in 16:9 frame"),
        ("pillarbox", {"left": 80, "right": 80}, "4:3 picture in 16:9 frame"),
    ],
)
def test_borders_are_placed_to_the_pixel(
    label: str, sides: dict[str, int], shape: str, recipe: Recipe, tmp_path: Path
) -> None:
    frames = ((boxed(n, **sides), n) for n in range(40))
    path = write_video(tmp_path / "clip", frames, recipe)

    (found,) = events(watched(path, DefectsAnalyzer()))

    assert (found.label, found.note) == (label, shape)
    assert edges(found) == (Fraction(0), Fraction(40, 25))
    place = found.place
    assert place is not None
    left, top = sides.get("left", 0), sides.get("top", 0)
    wide, tall = 640 - 2 * left, 360 - 2 * top
    assert (place.x * 640, place.y * 360) == pytest.approx((left, top), abs=1)
    assert (place.width * 640, place.height * 360) == pytest.approx((wide, tall), abs=2)


def test_borders_of_a_rotated_video_are_told_upright(tmp_path: Path) -> None:
    recipe = replace(H264, rotation_degrees=90)
    frames = ((boxed(n, left=80, right=80), n) for n in range(40))

    (found,) = events(watched(write_video(tmp_path / "clip", frames, recipe), DefectsAnalyzer()))

    assert found.label == "letterbox"
    assert found.place is not None
    assert (found.place.y, found.place.height) == pytest.approx((1 / 8, 3 / 4), abs=0.005)


def small_boxed(count: int, first: int, last: int, *, rows: int) -> Floats:
    """Return moving frames with letterbox of so many rows from ``first`` to ``last``."""
    frames = moving(count)
    frames[first:last, :, :rows] = 0
    if rows:
        frames[first:last, :, -rows:] = 0
    return frames


@pytest.mark.parametrize(("rows", "found"), [(1, 0), (2, 1), (12, 1)])
def test_the_thinnest_border_has_two_per_cent(rows: int, found: int) -> None:
    assert len(events(see_small(small_boxed(50, 0, 50, rows=rows)), "letterbox")) == found


@pytest.mark.parametrize("rate_fps", [PAL, NTSC], ids=str)
def test_a_change_of_borders_is_found_to_the_frame(rate_fps: Fraction) -> None:
    shown = see_small(small_boxed(150, 60, 150, rows=11), rate_fps)

    (box,) = events(shown, "letterbox")
    (change,) = events(shown, "border_change")
    assert edges(box) == (60 / rate_fps, 150 / rate_fps)
    assert change.span.start == 60 / rate_fps
    assert change.score == pytest.approx(68 / 90, abs=1e-4)
    assert labels(shown) == {"letterbox", "border_change"}


@pytest.mark.parametrize(("frames", "found"), [(24, 0), (25, 1)])
def test_borders_are_believed_after_a_second(frames: int, found: int) -> None:
    shown = see_small(small_boxed(120, 40, 40 + frames, rows=11))

    assert len(events(shown, "letterbox")) == found


def test_a_dark_scene_does_not_end_a_letterbox() -> None:
    frames = small_boxed(120, 0, 120, rows=11)
    frames[40:80, 0] *= 0.05

    (box,) = events(see_small(frames), "letterbox")

    assert edges(box) == (Fraction(0), Fraction(120, 25))


def test_what_is_dark_on_one_side_or_has_no_straight_edge_is_no_border() -> None:
    one_sided = moving(50)
    one_sided[:, :, :15] = 0
    lamp = np.zeros((50, 3, HEIGHT, WIDTH), np.float32)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    lamp[:, 0, np.hypot(rows - 45, columns - 80) < 30] = 0.7

    kinds = ("letterbox", "pillarbox", "border_change")
    assert events(see_small(one_sided), *kinds) == []
    assert events(see_small(lamp), *kinds) == []
