"""PSNR and SSIM of pictures, and what is made of them over seconds and files."""

from fractions import Fraction
from math import inf, log10
from typing import Any

import av
import numpy as np
import pytest
from av.filter import Graph
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from reelcheck.media.fidelity import (
    STEP_PX,
    ceiling_db,
    mean_squared_error,
    psnr_db,
    ssim,
    weighted_psnr_db,
)
from reelcheck.media.synth import textured
from reelcheck.verdict.measures import Measures, PairScore, percentile

CHANCE = np.random.default_rng(5)


def picture(height: int = 131, width: int = 207, *, bits: int = 8) -> NDArray[Any]:
    kind = np.uint8 if bits == 8 else np.uint16
    return CHANCE.integers(0, 1 << bits, (height, width)).astype(kind)


def direct_ssim(x: NDArray[Any], y: NDArray[Any], *, peak: float) -> float:
    """Return SSIM by the letter of Wang et al. 2004, in double precision."""
    offsets = np.arange(11) - 5
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        views = sliding_window_view(values, (11, 11))[::STEP_PX, ::STEP_PX]
        return np.asarray((views * window).sum(axis=(-2, -1)))

    a, b = x.astype(np.float64) * 255 / peak, y.astype(np.float64) * 255 / peak
    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    both = mean(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    above = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    below = (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return float((above / below).mean())


@pytest.mark.parametrize("bits", [8, 10, 16])
@pytest.mark.parametrize("shape", [(11, 11), (75, 140), (131, 207), (96, 2)])
def test_ssim_is_the_published_formula(shape: tuple[int, int], bits: int) -> None:
    x = picture(*shape, bits=bits)
    y = np.clip(x + CHANCE.normal(0, 1 << (bits - 4), shape), 0, (1 << bits) - 1).astype(x.dtype)

    found = ssim(x, y, bit_depth=bits)

    if min(shape) < 11:
        assert found is None
    else:
        assert found == pytest.approx(direct_ssim(x, y, peak=(1 << bits) - 1), abs=2e-6)


def test_ssim_of_equal_pictures_is_one_and_of_a_negative_is_below_zero() -> None:
    x = picture()

    assert ssim(x, x.copy(), bit_depth=8) == 1.0
    negative = ssim(x, 255 - x, bit_depth=8)
    assert negative is not None
    assert negative < 0


@pytest.mark.parametrize("bits", [8, 10, 16])
def test_a_known_error_gives_the_known_psnr(bits: int) -> None:
    x = np.full((40, 60), 100, dtype=np.uint8 if bits == 8 else np.uint16)
    y = x + 3
    peak = (1 << bits) - 1

    assert mean_squared_error(x, y) == mean_squared_error(y, x) == 9
    assert psnr_db(9, bit_depth=bits) == pytest.approx(20 * log10(peak / 3))


def test_the_largest_error_does_not_overflow() -> None:
    for bits in (8, 16):
        dark = np.zeros((4, 9000), dtype=np.uint8 if bits == 8 else np.uint16)

        assert mean_squared_error(dark, dark + ((1 << bits) - 1)) == ((1 << bits) - 1) ** 2


def test_no_error_is_no_number_and_one_perfect_plane_counts_as_the_ceiling() -> None:
    assert psnr_db(0, bit_depth=8) is None
    assert weighted_psnr_db((0, 0, 0), bit_depth=8) is None
    assert ceiling_db(8) == 60
    mixed = weighted_psnr_db((65.025, 0, 0), bit_depth=8)
    assert mixed == pytest.approx((6 * 30 + 60 + 60) / 8)


def filtered(name: str, x: NDArray[Any], y: NDArray[Any]) -> dict[str, str]:
    graph = Graph()
    sources = [
        graph.add_buffer(
            width=x.shape[1],
            height=x.shape[0],
            format=av.VideoFormat("gray"),
            time_base=Fraction(1, 25),
        )
        for _ in range(2)
    ]
    node, sink = graph.add(name), graph.add("buffersink")
    for place, source in enumerate(sources):
        source.link_to(node, 0, place)
    node.link_to(sink)
    graph.configure()
    for place, plane in enumerate((x, y)):
        frame = av.VideoFrame.from_ndarray(plane, format="gray")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        sources[place].push(frame)
        sources[place].push(None)
    return dict(sink.pull().metadata)


def test_ffmpeg_agrees_on_psnr_and_nearly_on_ssim() -> None:
    """FFmpeg's ssim has a box of 8 x 8 for its window, so only nearly."""
    x = textured(3, width_px=320, height_px=192)[..., 0].copy()
    y = np.clip(x + CHANCE.normal(0, 6, x.shape), 0, 255).astype(np.uint8)

    psnr, like = filtered("psnr", x, y), filtered("ssim", x, y)

    ours = psnr_db(mean_squared_error(x, y), bit_depth=8)
    assert float(psnr["lavfi.psnr.psnr.y"]) == pytest.approx(ours, abs=0.006)
    assert float(like["lavfi.ssim.Y"]) == pytest.approx(ssim(x, y, bit_depth=8), abs=0.05)


def scores(errors: list[float], *, rate: int = 10, vmaf: float | None = None) -> Measures:
    return Measures(
        scores=tuple(
            PairScore(
                start=Fraction(i, rate),
                end=Fraction(i + 1, rate),
                reference_start=Fraction(i, rate) + 2,
                squared_errors=(error, error, error),
                ssim=1 - error / 65025,
                vmaf=vmaf,
            )
            for i, error in enumerate(errors)
        ),
        bit_depth=8,
    )


def test_a_file_is_pooled_by_error_and_the_worst_second_is_found() -> None:
    measures = scores([1.0] * 10 + [100.0] * 10 + [1.0] * 5)

    summary = measures.summaries()["psnr_y"]
    seconds = measures.seconds()

    assert summary.pooled == pytest.approx(10 * log10(65025 / (1015 / 25)), abs=1e-5)
    assert summary.percentile_5 == pytest.approx(10 * log10(650.25), abs=1e-5)
    assert summary.worst_second.start_seconds == 1.0
    assert [second.frames for second in seconds] == [10, 10, 5]
    assert seconds[2].end_seconds == 2.5
    assert [worst.start_seconds for worst in measures.worst_frames()[:5]] == [
        1.0, 1.1, 1.2, 1.3, 1.4,
    ]  # fmt: skip
    assert measures.worst_frames()[0].reference_seconds == 3.0


def test_infinite_values_are_null_and_never_the_worst() -> None:
    summary = scores([0.0] * 20).summaries()["psnr_y"]
    assert summary.pooled is None
    assert summary.mean is None
    assert summary.percentile_5 is None
    assert summary.worst_second.value is None

    mixed = scores([0.0] * 19 + [65.025]).summaries()["psnr_y"]
    assert mixed.pooled == pytest.approx(30 + 10 * log10(20), abs=1e-5)
    assert mixed.mean == pytest.approx((19 * 60 + 30) / 20)
    assert mixed.percentile_5 == pytest.approx(30)


def test_vmaf_is_pooled_as_libvmaf_does() -> None:
    measures = scores([1.0, 2.0], vmaf=50.0)
    one = measures.summaries()["vmaf"]
    assert one.harmonic_mean == pytest.approx(50.0)

    assert scores([1.0]).summaries().keys() == {"psnr_y", "psnr_u", "psnr_v", "psnr_yuv", "ssim"}


@given(st.lists(st.one_of(st.none(), st.floats(0, 100)), min_size=1, max_size=300))
def test_a_twentieth_lies_at_or_below_the_5th_percentile(values: list[float | None]) -> None:
    found = percentile(values, percent=5)

    limit = inf if found is None else found
    below = sum((inf if value is None else value) <= limit for value in values)
    strictly = sum((inf if value is None else value) < limit for value in values)
    assert below >= len(values) / 20
    assert strictly < len(values) / 20
