"""Blur, blocks, noise, banding, combs and test pictures, both sides of each limit."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from defect_pictures import (
    Bytes,
    Codes,
    curve,
    edges,
    events,
    labels,
    luma_codes,
    scene,
    see_native,
    softened,
    video,
)
from inprocess import watched
from planted import H264
from reelcheck.analyzers.defects import DefectsAnalyzer
from reelcheck.frames import Colour
from reelcheck.media.synth import LOSSLESS, Recipe, write_video
from reelcheck.spans import Observation

Spoil = Callable[[Codes], Codes]


@cache
def sharp(index: int, bits: int = 8) -> Codes:
    return luma_codes(scene(12 * index), bits=bits)


# --- how each fault is planted -------------------------------------------------------------


def blurred(picture: Codes) -> Codes:
    return softened(picture, 3.0)


def blocked(picture: Codes, side: int = 8) -> Codes:
    """Keep the mean of each block, as a coder does at its coarsest."""
    rows, columns = picture.shape[0] // side, picture.shape[1] // side
    blocks = picture[: rows * side, : columns * side].reshape(rows, side, columns, side)
    means = blocks.mean(axis=(1, 3)).astype(picture.dtype)
    made: Codes = means.repeat(side, axis=0).repeat(side, axis=1)
    return made


def noisy(picture: Codes, sigma: float = 5.0) -> Codes:
    step = 4 if picture.dtype == np.uint16 else 1
    noise = np.random.default_rng(int(picture[0, :40].sum())).normal(0, sigma * step, picture.shape)
    return np.asarray(np.clip(picture + noise, 0, 255 * step), picture.dtype)


def gradient(step: float, *, grain: float = 0.0) -> Codes:
    """Return a sky: luma rises from 60 to 180 along the rows, in steps of ``step`` codes."""
    rows, columns = np.mgrid[0:360, 0:640]
    level = 60 + 120 * columns / 640 + 3 * np.sin(rows / 60)
    level += np.random.default_rng(3).normal(0, grain, level.shape) if grain else 0
    return np.asarray(np.floor(level / step) * step, np.uint8)


def banded(_: Codes) -> Codes:
    return gradient(4)


SPOILS = {"blur": blurred, "blockiness": blocked, "noise": noisy, "banding": banded}


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("label", ["blur", "blockiness", "noise"])
def test_spoiled_stretches_are_found_to_the_sample(label: str, bits: int) -> None:
    pictures = [sharp(n, bits) for n in range(9)]
    pictures[3:7] = [SPOILS[label](picture) for picture in pictures[3:7]]

    (found,) = events(see_native(pictures, of=video(colour=Colour(bit_depth=bits))))

    assert found.label == label
    assert edges(found) == (Fraction(3), Fraction(7))


def test_banding_is_found_to_the_sample() -> None:
    pictures = [sharp(n) if n not in range(3, 7) else banded(sharp(n)) for n in range(9)]

    (found,) = events(see_native(pictures))

    assert found.label == "banding"
    assert edges(found) == (Fraction(3), Fraction(7))


@pytest.mark.parametrize(("samples", "found"), [(1, 0), (2, 1)])
@pytest.mark.parametrize("label", list(SPOILS))
def test_one_bad_sample_is_no_event(label: str, samples: int, found: int) -> None:
    pictures = [sharp(n) for n in range(6)]
    pictures[2 : 2 + samples] = [SPOILS[label](one) for one in pictures[2 : 2 + samples]]

    assert len(events(see_native(pictures), label)) == found


@pytest.mark.parametrize("spoil", [None, *SPOILS.values()])
def test_all_curves_are_told_twice_a_second_from_0_to_1(spoil: Spoil | None) -> None:
    pictures = [spoil(sharp(n)) if spoil else sharp(n) for n in range(3)]

    found = see_native(pictures)

    for label in SPOILS:
        scores = curve(found, f"{label}_score")
        assert all(0 <= score <= 1 for score in scores)
    assert len(curve(found, "blockiness_score")) == 3


# --- blur ----------------------------------------------------------------------------------


def blur_of(picture: Codes) -> float:
    (score,) = curve(see_native([picture]), "blur_score")
    return score


@pytest.mark.parametrize(("sigma_px", "expected"), [(1.0, 0.6), (2.0, 0.8), (3.0, 0.867)])
def test_the_blur_score_follows_the_width_of_edges(sigma_px: float, expected: float) -> None:
    picture = np.full((360, 640), 60, np.uint8)
    rows, columns = np.mgrid[0:360, 0:640]
    picture[(columns // 40 + rows // 40) % 2 == 0] = 180

    assert blur_of(picture) == pytest.approx(0, abs=0.01)
    assert blur_of(softened(picture, sigma_px)) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(("sigma_px", "found"), [(0.7, 0), (2.5, 1)])
def test_soft_pictures_are_fine_and_blurred_ones_are_not(sigma_px: float, found: int) -> None:
    pictures = [softened(sharp(n), sigma_px) for n in range(3)]

    assert len(events(see_native(pictures), "blur")) == found


def test_a_soft_background_is_no_blur() -> None:
    pictures = [sharp(n).copy() for n in range(3)]
    for picture in pictures:
        picture[:, :360] = softened(picture, 4.0)[:, :360]

    assert events(see_native(pictures), "blur") == []


def test_a_logo_does_not_make_a_blurred_picture_sharp() -> None:
    pictures = [blurred(sharp(n)) for n in range(3)]
    for picture in pictures:
        picture[20:50:3, 20:90] = 230

    assert len(events(see_native(pictures), "blur")) == 1


# --- blocks --------------------------------------------------------------------------------


def enlarged(picture: Codes, ratio: float) -> Codes:
    """Return a picture scaled up, linear between pixels."""
    made = picture.astype(np.float64)
    for axis in (0, 1):
        at = np.arange(round(made.shape[axis] * ratio)) / ratio
        low = np.minimum(at.astype(int), made.shape[axis] - 2)
        part = np.expand_dims(at - low, 1 - axis)
        made = np.take(made, low, axis) * (1 - part) + np.take(made, low + 1, axis) * part
    return np.asarray(np.round(made), np.uint8)


@pytest.mark.parametrize("side", [4, 8, 16])
def test_blocks_of_each_size_are_found(side: int) -> None:
    pictures = [blocked(sharp(n), side) for n in range(3)]

    assert len(events(see_native(pictures), "blockiness")) == 1


@pytest.mark.parametrize("ratio", [1.5, 2.25])
def test_blocks_are_found_after_enlarging(ratio: float) -> None:
    plain_score, blocked_score = (
        curve(see_native([enlarged(picture, ratio)]), "blockiness_score")[0]
        for picture in (sharp(0), blocked(sharp(0)))
    )

    assert plain_score < 0.1
    assert blocked_score > 3 * plain_score
    assert blocked_score > 0.3


@pytest.mark.parametrize(("visible", "found"), [(0.05, 0), (0.9, 1)])
def test_faint_blocks_are_let_pass(visible: float, found: int) -> None:
    pictures = []
    for n in range(3):
        clean = sharp(n).astype(float)
        mixed = clean * (1 - visible) + blocked(sharp(n)) * visible
        pictures.append(np.asarray(mixed, np.uint8))

    assert len(events(see_native(pictures), "blockiness")) == found


def test_a_fence_is_no_block() -> None:
    fence = sharp(0).copy()
    fence[:, ::8] = 200

    assert events(see_native([fence] * 3), "blockiness") == []


# --- noise ---------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [2.0, 4.0, 8.0])
def test_the_noise_score_is_a_tenth_of_the_standard_deviation(sigma: float) -> None:
    flat = np.asarray(gradient(1), np.uint8)

    (score,) = curve(see_native([noisy(flat, sigma)]), "noise_score")

    assert score == pytest.approx(sigma / 10, rel=0.12)


@pytest.mark.parametrize(("sigma", "found"), [(2.3, 0), (4.0, 1)])
def test_noise_has_a_limit(sigma: float, found: int) -> None:
    pictures = [noisy(sharp(n), sigma) for n in range(3)]

    assert len(events(see_native(pictures), "noise")) == found


# --- banding -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "grain", "found"), [(1, 0, 0), (3, 0, 1), (4, 0, 1), (6, 0, 1), (4, 4, 0), (16, 0, 0)]
)
def test_steps_of_three_to_eight_are_banding(step: float, grain: float, found: int) -> None:
    pictures = [gradient(step, grain=grain)] * 3

    assert len(events(see_native(pictures), "banding")) == found


# --- combs ---------------------------------------------------------------------------------


def panning(index: int) -> Codes:
    """Return field ``index`` of a picture that pans by 5 px a field."""
    return np.roll(sharp(0), 5 * index, axis=1)


def woven(index: int) -> Codes:
    picture = panning(2 * index).copy()
    picture[1::2] = panning(2 * index + 1)[1::2]
    return picture


def test_combs_are_found_to_the_sample() -> None:
    pictures = [woven(n) if n in range(3, 7) else panning(2 * n) for n in range(10)]

    (found,) = events(see_native(pictures))

    assert found.label == "combing"
    assert edges(found) == (Fraction(3), Fraction(7))


def test_fine_lines_that_stand_still_are_no_combs() -> None:
    lined = sharp(0).copy()
    lined[:, 200:400] = 60
    lined[::2, 200:400] = 160

    assert events(see_native([lined] * 4), "combing") == []


@pytest.mark.parametrize("interlaced", [True, False])
def test_interlaced_streams_are_named(*, interlaced: bool) -> None:
    found = events(see_native([sharp(n) for n in range(3)], of=video(interlaced=interlaced)))

    assert [one.label for one in found] == (["interlaced"] if interlaced else [])
    assert all(one.span.start == 0 for one in found)


# --- test pictures -------------------------------------------------------------------------

COLOUR = {
    "W": (1, 1, 1), "Y": (1, 1, 0), "C": (0, 1, 1), "G": (0, 1, 0),
    "M": (1, 0, 1), "R": (1, 0, 0), "B": (0, 0, 1), "K": (0, 0, 0),
}  # fmt: skip


def bars(order: str, level: float, *, white: float | None = None, lower: bool = False) -> Bytes:
    """Return bars of equal width; with other things in the lower third if wished."""
    picture = np.zeros((180, 320, 3), np.uint8)
    edge = np.linspace(0, 320, len(order) + 1).round().astype(int)
    for name, first, last in zip(order, edge[:-1], edge[1:], strict=True):
        height = white if white and name == "W" else level
        picture[:, first:last] = np.round(255 * height * np.array(COLOUR[name]))
    if lower:
        picture[120:] = np.linspace(0, 255, 320).astype(np.uint8)[:, np.newaxis]
    return picture


def shown(picture: Bytes, recipe: Recipe, path: Path) -> list[Observation]:
    """Return the events of a clip that shows ``picture`` from frame 10 to frame 20 of 30."""

    def frames() -> Iterator[tuple[Bytes, int]]:
        for n in range(30):
            yield (picture if 10 <= n < 20 else scene(n, width_px=320, height_px=180)), n

    return events(watched(write_video(path, frames(), recipe), DefectsAnalyzer()))


@pytest.mark.parametrize("recipe", [LOSSLESS, H264], ids=["lossless", "h264"])
@pytest.mark.parametrize(
    "picture",
    [
        bars("WYCGMRBK", 1.0),
        bars("WYCGMRBK", 0.75),
        bars("WYCGMRBK", 0.75, white=1.0),
        bars("WYCGMRB", 0.75, lower=True),
        bars("WYCGMRB", 1.0),
    ],
    ids=["100/0/100/0", "75/0/75/0", "100/0/75/0", "SMPTE", "seven of 100 %"],
)
def test_colour_bars_are_found_to_the_frame(picture: Bytes, recipe: Recipe, tmp_path: Path) -> None:
    (found,) = shown(picture, recipe, tmp_path / "clip")

    assert found.label == "test_picture"
    assert edges(found) == (Fraction(10, 25), Fraction(20, 25))


@pytest.mark.parametrize(
    "picture",
    [bars("WYCGMBRK", 0.75), bars("WYCGK", 0.75), bars("WYCGMRBK", 0.5)],
    ids=["wrong order", "five bars", "50 %"],
)
def test_other_stripes_are_no_test_picture(picture: Bytes, tmp_path: Path) -> None:
    assert "test_picture" not in labels(shown(picture, LOSSLESS, tmp_path / "clip"))
