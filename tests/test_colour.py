"""Colour science against code points that the standards publish."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from reelcheck.frames import Colour, Matrix, Transfer
from reelcheck.media import colour

SDR = Colour()
PQ = Colour(matrix=Matrix.BT2020, transfer=Transfer.PQ, bit_depth=10)
HLG = Colour(matrix=Matrix.BT2020, transfer=Transfer.HLG, bit_depth=10)


def cell(luma: float, blue: float = 0.0, red: float = 0.0) -> NDArray[np.float32]:
    return np.array([luma, blue, red], dtype=np.float32).reshape(1, 3, 1, 1)


def encode(rgb: tuple[float, float, float], matrix: Matrix) -> NDArray[np.float32]:
    """Y'CbCr of R'G'B' by the definition: Y' is the weighted sum, Cb and Cr are differences."""
    kr, kb = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}[
        matrix
    ]
    red, green, blue = rgb
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    return cell(luma, (blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr)))


@pytest.mark.parametrize("matrix", list(Matrix))
@given(rgb=st.tuples(*[st.floats(0, 1)] * 3))
def test_every_matrix_gives_back_the_rgb_that_was_encoded(
    matrix: Matrix, rgb: tuple[float, float, float]
) -> None:
    back = colour.rgb(encode(rgb, matrix), Colour(matrix=matrix))

    np.testing.assert_allclose(back.ravel(), rgb, atol=2e-6)


def test_values_outside_the_nominal_range_are_clipped() -> None:
    assert colour.rgb(cell(1.1), SDR).max() == 1
    assert colour.rgb(cell(-0.1), SDR).min() == 0


@pytest.mark.parametrize(
    ("code", "relative"),
    [(0, 0.0), (10, 0.003035), (127, 0.212231), (128, 0.215861), (188, 0.502886), (255, 1.0)],
)
def test_sdr_grey_has_the_relative_luminance_of_the_srgb_table(code: int, relative: float) -> None:
    light = colour.luminance_cd_m2(cell(code / 255), SDR)

    assert light.item() == pytest.approx(200 * relative, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(
    ("signal", "cd_m2"), [(0.0, 0), (0.5081, 100), (0.5806, 203), (0.7518, 1000), (1.0, 10000)]
)
def test_pq_grey_has_its_published_light(signal: float, cd_m2: float) -> None:
    assert colour.luminance_cd_m2(cell(signal), PQ).item() == pytest.approx(cd_m2, rel=2e-3)


@pytest.mark.parametrize(("signal", "cd_m2"), [(0.0, 0), (0.38, 26), (0.75, 203), (1.0, 1000)])
def test_hlg_grey_has_its_published_light(signal: float, cd_m2: float) -> None:
    # 18 % grey is 38 % HLG and 26 cd/m2, diffuse white 75 % and 203 cd/m2 (BT.2408)
    assert colour.luminance_cd_m2(cell(signal), HLG).item() == pytest.approx(cd_m2, rel=1e-2)


@given(light=st.floats(0.001, 10_000))
def test_pq_and_its_inverse_cancel(light: float) -> None:
    back = colour.pq_to_cd_m2(colour.cd_m2_to_pq(np.array([light])))

    assert back.item() == pytest.approx(light, rel=1e-6)


@given(light=st.floats(0, 1))
def test_srgb_and_its_inverse_cancel(light: float) -> None:
    back = colour.srgb_to_relative(colour.relative_to_srgb(np.array([light])))

    # IEC 61966-2-1 rounds the two knees, so the halves meet with a step of 3e-8
    assert back.item() == pytest.approx(light, abs=1e-6)


@pytest.mark.parametrize(
    ("rgb", "uv", "luminance"),
    [
        ((1, 0, 0), (0.4507, 0.5229), 0.2126),
        ((0, 1, 0), (0.1250, 0.5625), 0.7152),
        ((0, 0, 1), (0.1754, 0.1579), 0.0722),
        ((1, 1, 1), colour.D65_UV, 1.0),
    ],
)
def test_bt709_primaries_have_their_chromaticity_and_luminance(
    rgb: tuple[float, float, float], uv: tuple[float, float], luminance: float
) -> None:
    linear = colour.linear_rgb(encode(rgb, Matrix.BT709), SDR)

    np.testing.assert_allclose(colour.chromaticity_uv(linear, SDR).ravel(), uv, atol=2e-4)
    assert colour.luminance_of(linear, SDR).item() == pytest.approx(200 * luminance, rel=1e-3)


def test_bt2020_white_is_white_and_its_red_lies_outside_bt709() -> None:
    white = colour.linear_rgb(encode((1, 1, 1), Matrix.BT2020), PQ)
    red = colour.linear_rgb(encode((1, 0, 0), Matrix.BT2020), PQ)

    np.testing.assert_allclose(colour.chromaticity_uv(white, PQ).ravel(), colour.D65_UV, atol=2e-4)
    np.testing.assert_allclose(colour.chromaticity_uv(red, PQ).ravel(), (0.5566, 0.5165), atol=2e-4)
    assert colour.red_ratio(white, PQ).item() == pytest.approx(1 / 3, abs=1e-4)
    assert colour.red_ratio(red, PQ).item() == pytest.approx(1)


def test_red_ratio_is_taken_of_linear_light_and_is_zero_for_black() -> None:
    # sRGB 255, 128, 0 is linear 1, 0.2159, 0
    orange = colour.linear_rgb(encode((1, 128 / 255, 0), Matrix.BT709), SDR)
    black = colour.linear_rgb(cell(0), SDR)

    assert colour.red_ratio(orange, SDR).item() == pytest.approx(1 / 1.2159, rel=1e-3)
    assert colour.red_ratio(black, SDR).item() == 0


def test_tables_serve_whole_batches_and_non_contiguous_views() -> None:
    rng = np.random.default_rng(7)
    grid = rng.random((5, 3, 90, 160), dtype=np.float32)
    grid[:, 1:] -= 0.5
    whole = colour.luminance_cd_m2(grid, SDR)

    assert whole.shape == (5, 90, 160)
    np.testing.assert_array_equal(whole[3:4], colour.luminance_cd_m2(grid[3:4], SDR))
    np.testing.assert_array_equal(whole[::2], colour.luminance_cd_m2(grid[::2], SDR))


def test_tone_mapping_of_sdr_only_rounds() -> None:
    codes = np.arange(256, dtype=np.float32).reshape(1, 256, 1).repeat(3, axis=2)

    np.testing.assert_array_equal(colour.tone_map(codes / np.float32(255), SDR), codes)


@pytest.mark.parametrize("hdr", [PQ, HLG])
def test_tone_mapping_keeps_greys_grey_rising_and_within_range(hdr: Colour) -> None:
    ramp = np.linspace(0, 1, 101, dtype=np.float32).reshape(1, 101, 1).repeat(3, axis=2)

    mapped = colour.tone_map(ramp, hdr).astype(int)

    assert mapped[0, 0].tolist() == [0, 0, 0]
    assert mapped[0, -1].tolist() == [255, 255, 255]
    assert (np.ptp(mapped, axis=2) <= 1).all()
    assert (np.diff(mapped[0, :, 1]) >= 0).all()


def test_tone_mapping_leaves_dim_light_alone_and_keeps_red_red() -> None:
    # 50 cd/m2 is a quarter of 200 cd/m2, which sRGB encodes as 137
    dim = np.full((1, 1, 3), colour.cd_m2_to_pq(np.array([50.0])).item(), dtype=np.float32)
    red = np.array([[[0.6, 0.0, 0.0]]], dtype=np.float32)

    assert colour.tone_map(dim, PQ).tolist() == [[[137, 137, 137]]]
    mapped = colour.tone_map(red, PQ)[0, 0].tolist()
    assert mapped[0] > 200
    assert mapped[1:] == [0, 0]
