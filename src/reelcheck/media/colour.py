"""From code values to light: Y'CbCr grids to R'G'B', linear light, luminance, chromaticity.

Pure functions on arrays; tables replace the transfer functions where that is faster.

Sources: Y'CbCr matrices BT.601-7, BT.709-6, BT.2020-2 (non-constant luminance); SDR transfer is
the sRGB curve after WCAG 2.2 "relative luminance", on a display of 200 cd/m2 (Jordan and
Vanderheiden 2024), which makes WCAG's 0.10 and 0.80 the 20 and 160 cd/m2 of BT.1702; PQ is SMPTE
ST 2084; HLG is ARIB STD-B67 with the BT.2100 OOTF (gamma 1.2, 1,000 cd/m2); tone mapping is the
BT.2390 EETF.

Limits: a BT.2020 matrix is taken to mean BT.2020 primaries, every other matrix BT.709 primaries
(the small difference of the BT.601 primaries is ignored); values outside 0 to 1 are clipped; a
grid cell is an average of code values, so the light of a cell that mixes very different pixels is
a little below their average light.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from reelcheck.frames import Colour, Matrix, Transfer

Floats = NDArray[np.float32]
_T = TypeVar("_T", bound=np.generic)

SDR_PEAK_CD_M2: Final = 200.0
"""Display peak that SDR is mapped to (Jordan and Vanderheiden 2024)."""
PQ_PEAK_CD_M2: Final = 10_000.0
HLG_PEAK_CD_M2: Final = 1_000.0
HDR_MASTER_PEAK_CD_M2: Final = 1_000.0
"""Peak that tone mapping expects of PQ material; brighter light is clipped. Ours: the usual
mastering display, and the nominal peak of HLG."""
D65_UV: Final = (0.19783, 0.46833)
"""CIE 1976 u'v' of the white point of BT.709 and BT.2020."""

_CODE_STEPS: Final = 16_383
"""Steps of the tables over 0 to 1: 14 bit, finer than any code value that arrives here."""
_LIGHT_STEPS: Final = 4_095
"""Steps of the table over the square root of light when tone mapping to 8 bit."""
_CHUNK: Final = 8_192
"""Values looked up at once."""
_MATRIX_KR_KB: Final = {
    Matrix.BT601: (0.299, 0.114),
    Matrix.BT709: (0.2126, 0.0722),
    Matrix.BT2020: (0.2627, 0.0593),
}
_XYZ_BT709: Final = np.array(
    [[0.4123908, 0.3575843, 0.1804808], [0.2126390, 0.7151687, 0.0721923],
     [0.0193308, 0.1191948, 0.9505322]], dtype=np.float32,
)  # fmt: skip
_XYZ_BT2020: Final = np.array(
    [[0.6369580, 0.1446169, 0.1688810], [0.2627002, 0.6779981, 0.0593017],
     [0.0000000, 0.0280727, 1.0609851]], dtype=np.float32,
)  # fmt: skip
_BT2020_TO_BT709: Final = np.array(
    [[1.6604910, -0.5876411, -0.0728499], [-0.1245505, 1.1328999, -0.0083494],
     [-0.0181508, -0.1005789, 1.1187297]], dtype=np.float32,
)  # fmt: skip


def pq_to_cd_m2(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the light of PQ signal values 0 to 1, in cd/m2 (SMPTE ST 2084 EOTF)."""
    power = np.power(np.clip(signal, 0, 1), 1 / _PQ_M2)
    return PQ_PEAK_CD_M2 * np.power(
        np.maximum(power - _PQ_C1, 0) / (_PQ_C2 - _PQ_C3 * power), 1 / _PQ_M1
    )


def cd_m2_to_pq(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the PQ signal values 0 to 1 of light in cd/m2 (inverse of ``pq_to_cd_m2``)."""
    power = np.power(np.clip(light / PQ_PEAK_CD_M2, 0, 1), _PQ_M1)
    return np.power((_PQ_C1 + _PQ_C2 * power) / (1 + _PQ_C3 * power), _PQ_M2)


_PQ_M1: Final = 2610 / 16384
_PQ_M2: Final = 2523 / 4096 * 128
_PQ_C1: Final = 3424 / 4096
_PQ_C2: Final = 2413 / 4096 * 32
_PQ_C3: Final = 2392 / 4096 * 32


def hlg_to_scene(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scene light 0 to 1 of HLG signal values 0 to 1 (BT.2100 inverse OETF)."""
    clipped = np.clip(signal, 0, 1)
    low = clipped * clipped / 3
    high = (np.exp((clipped - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return np.where(clipped <= 0.5, low, high)  # noqa: PLR2004 - the knee of BT.2100


def srgb_to_relative(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the relative light 0 to 1 of sRGB values 0 to 1 (IEC 61966-2-1, WCAG 2.2)."""
    clipped = np.clip(signal, 0, 1)
    curve = np.power((clipped + 0.055) / 1.055, 2.4)
    return np.where(clipped <= 0.04045, clipped / 12.92, curve)  # noqa: PLR2004 - IEC 61966-2-1


def relative_to_srgb(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sRGB values 0 to 1 of relative light 0 to 1 (inverse of the above)."""
    clipped = np.clip(light, 0, 1)
    curve = 1.055 * np.power(clipped, 1 / 2.4) - 0.055
    return np.where(clipped <= 0.0031308, clipped * 12.92, curve)  # noqa: PLR2004 - IEC 61966-2-1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Curve:
    """A transfer function as a table over signal values 0 to 1."""

    table: Floats
    scene_referred: bool


_CURVES: Final[dict[Transfer, Callable[[NDArray[np.float64]], NDArray[np.float64]]]] = {
    Transfer.SDR: lambda signal: SDR_PEAK_CD_M2 * srgb_to_relative(signal),
    Transfer.PQ: pq_to_cd_m2,
    Transfer.HLG: hlg_to_scene,
}


@cache
def _curve(transfer: Transfer) -> _Curve:
    signal = np.linspace(0, 1, _CODE_STEPS + 1)
    table = _CURVES[transfer](signal).astype(np.float32)
    return _Curve(table=table, scene_referred=transfer is Transfer.HLG)


def _look_up(signal: Floats, table: NDArray[_T], steps: int) -> NDArray[_T]:
    """Return the entry of ``table`` nearest to each ``signal`` value, which must lie in 0 to 1."""
    out = np.empty(signal.shape, dtype=table.dtype)
    flat_signal, flat_out = signal.reshape(-1), out.reshape(-1)
    # in chunks, because the index is 8 bytes a value and a cache holds one chunk of it
    for start in range(0, flat_signal.size, _CHUNK):
        part = flat_signal[start : start + _CHUNK] * np.float32(steps)
        part += np.float32(0.5)
        chunk = flat_out[start : start + _CHUNK]
        np.take(table, part.astype(np.intp), out=chunk, mode="clip")
    return out


def rgb(grid: Floats, colour: Colour) -> Floats:
    """Return non-linear R'G'B' of Y'CbCr.

    Args:
        grid: float32 Y'CbCr, shape [N, 3, h, w], as ``Layout.GRID`` has it.
        colour: Names the matrix.

    Returns:
        float32 R'G'B', shape [N, 3, h, w], clipped to 0 to 1.
    """
    kr, kb = _MATRIX_KR_KB[colour.matrix]
    kg = 1 - kr - kb
    luma, blue, red = grid[:, 0], grid[:, 1], grid[:, 2]
    out = np.empty(grid.shape, dtype=np.float32)
    np.multiply(red, np.float32(2 * (1 - kr)), out=out[:, 0])
    np.multiply(blue, np.float32(2 * (1 - kb)), out=out[:, 2])
    # G' = (Y' - Kr R' - Kb B') / Kg, written in the differences R' - Y' and B' - Y'
    np.multiply(out[:, 0], np.float32(-kr / kg), out=out[:, 1])
    out[:, 1] += out[:, 2] * np.float32(-kb / kg)
    out += luma[:, None]
    return np.clip(out, 0, 1, out=out)


def linear_rgb(grid: Floats, colour: Colour) -> Floats:
    """Return the light that each channel of a display gives off.

    Args:
        grid: float32 Y'CbCr, shape [N, 3, h, w], as ``Layout.GRID`` has it.
        colour: Names matrix and transfer function.

    Returns:
        float32, shape [N, 3, h, w], in cd/m2: R = G = B = x is a grey of x cd/m2. Primaries are
        those of the video (BT.2020 for a BT.2020 matrix, else BT.709).
    """
    return _display_light(rgb(grid, colour), colour, axis=1)


def _display_light(signal: Floats, colour: Colour, *, axis: int) -> Floats:
    curve = _curve(colour.transfer)
    light = _look_up(signal, curve.table, _CODE_STEPS)
    if not curve.scene_referred:
        return light
    red, green, blue = np.moveaxis(light, axis, 0)
    scene = np.expand_dims(_weighted(red, green, blue, colour), axis)
    # BT.2100 OOTF: display = peak x scene luminance ^ (gamma - 1) x scene light, gamma 1.2
    gain: Floats = np.float32(HLG_PEAK_CD_M2) * np.power(scene, np.float32(0.2))
    return light * gain


def _weighted(red: Floats, green: Floats, blue: Floats, colour: Colour) -> Floats:
    of_red, of_green, of_blue = _xyz(colour)[1]
    weighted: Floats = of_red * red + of_green * green
    weighted += of_blue * blue
    return weighted


def _xyz(colour: Colour) -> Floats:
    return _XYZ_BT2020 if colour.matrix is Matrix.BT2020 else _XYZ_BT709


def luminance_of(linear: Floats, colour: Colour) -> Floats:
    """Return the luminance of what ``linear_rgb`` made, float32, shape [N, h, w], in cd/m2."""
    return _weighted(linear[:, 0], linear[:, 1], linear[:, 2], colour)


def luminance_cd_m2(grid: Floats, colour: Colour) -> Floats:
    """Return the luminance of a Y'CbCr grid, float32, shape [N, h, w], in cd/m2.

    SDR reaches 200, HLG 1,000 and PQ 10,000 cd/m2. Relative luminance as WCAG defines it is this
    over 200, for SDR.
    """
    return luminance_of(linear_rgb(grid, colour), colour)


def red_ratio(linear: Floats, colour: Colour) -> Floats:
    """Return R / (R + G + B) of BT.709 primaries, 0 for black (WCAG 2.2 "red flash").

    Args:
        linear: What ``linear_rgb`` made, shape [N, 3, h, w].
        colour: Tells which primaries these are; BT.2020 is converted, and clipped at 0.

    Returns:
        float32, shape [N, h, w], 0 to 1.
    """
    red, green, blue = linear[:, 0], linear[:, 1], linear[:, 2]
    if colour.matrix is Matrix.BT2020:
        red, green, blue = (
            np.maximum(row[0] * red + row[1] * green + row[2] * blue, 0) for row in _BT2020_TO_BT709
        )
    total = red + green
    total += blue
    ratio: Floats = red / np.maximum(total, np.float32(1e-9))
    return ratio


def chromaticity_uv(linear: Floats, colour: Colour) -> Floats:
    """Return CIE 1976 u'v', float32, shape [N, 2, h, w].

    Args:
        linear: What ``linear_rgb`` made, shape [N, 3, h, w]. Where all three are 0 the result is
            0; the caller decides what black looks like.
        colour: Tells which primaries these are.
    """
    xyz = _xyz(colour)
    red, green, blue = linear[:, 0], linear[:, 1], linear[:, 2]
    numerators = np.stack([4 * xyz[0], 9 * xyz[1], xyz[0] + 15 * xyz[1] + 3 * xyz[2]])
    out = np.empty((len(linear), 2, *linear.shape[2:]), dtype=np.float32)
    total = numerators[2, 0] * red + numerators[2, 1] * green
    total += numerators[2, 2] * blue
    scale = np.float32(1) / np.maximum(total, np.float32(1e-9))
    for row in (0, 1):
        part = numerators[row, 0] * red + numerators[row, 1] * green
        part += numerators[row, 2] * blue
        np.multiply(part, scale, out=out[:, row])
    return out


def tone_map(rgb_nonlinear: Floats, colour: Colour) -> NDArray[np.uint8]:
    """Return an SDR rendering of HDR pixels.

    Light is linearised, moved from BT.2020 to BT.709 primaries (clipped), compressed channel by
    channel with the BT.2390 EETF from a 1,000 cd/m2 master to 200 cd/m2, and sRGB-encoded. SDR
    input is only rounded.

    Limits: metadata of the master is not read; PQ above 1,000 cd/m2 is clipped; compression per
    channel makes bright saturated colours paler.

    Args:
        rgb_nonlinear: float32 R'G'B', shape [..., 3], 0 to 1 (clipped).
        colour: Names transfer function and primaries.

    Returns:
        uint8 sRGB, shape [..., 3].
    """
    signal = np.clip(rgb_nonlinear, 0, 1)
    if colour.transfer is Transfer.SDR:
        return (signal * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    light = _display_light(signal, colour, axis=-1)
    if colour.matrix is Matrix.BT2020:
        light = light @ _BT2020_TO_BT709.T
    root = np.sqrt(np.clip(light * np.float32(1 / HDR_MASTER_PEAK_CD_M2), 0, 1))
    return _look_up(root, _tone_table(), _LIGHT_STEPS)


@cache
def _tone_table() -> NDArray[np.uint8]:
    """Return sRGB code values over the square root of light, 1 being the master's peak."""
    light = HDR_MASTER_PEAK_CD_M2 * np.linspace(0, 1, _LIGHT_STEPS + 1) ** 2
    relative = _eetf(light, source_peak=HDR_MASTER_PEAK_CD_M2, target_peak=SDR_PEAK_CD_M2)
    return np.round(255 * relative_to_srgb(relative / SDR_PEAK_CD_M2)).astype(np.uint8)


def _eetf(
    light: NDArray[np.float64], *, source_peak: float, target_peak: float
) -> NDArray[np.float64]:
    """Compress light in cd/m2 to a lower peak (BT.2390-11 section 5.4.1, without black lift)."""
    source, target = cd_m2_to_pq(np.array([source_peak, target_peak]))
    signal, top = cd_m2_to_pq(light) / source, target / source
    knee = 1.5 * top - 0.5
    t = np.clip((signal - knee) / (1 - knee), 0, 1)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * top
    )
    return pq_to_cd_m2(np.where(signal < knee, signal, spline) * source)
