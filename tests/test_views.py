"""Views show the right pixels at the right times, whatever the format."""

import os
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from inprocess import decoded
from planted import H264
from reelcheck.frames import Colour, FrameBatch, FrameNeeds, Layout
from reelcheck.media.describe import describe_video, origin_of
from reelcheck.media.synth import LOSSLESS, Recipe, Timed, plain, textured, write_video
from reelcheck.media.views import Views

GRID = FrameNeeds(layout=Layout.GRID)


def views_of(path: Path, *needs: FrameNeeds) -> list[list[FrameBatch]]:
    """Return the batches of each need for a whole file."""
    source, decoder, frames = decoded(path)
    info = describe_video(decoder, frames[0].frame, None)
    batches: list[list[FrameBatch]] = [[] for _ in needs]
    views = Views(
        {one: [taken.append] for one, taken in zip(needs, batches, strict=True)},
        time_base=decoder.clock.time_base,
        origin=origin_of(source),
        colour=info.colour,
        rotation_degrees=info.rotation_degrees,
    )
    for timed in frames:
        views.see(timed)
    views.end()
    source.close()
    os.close(source.fd)
    return batches


def colours(*values: tuple[int, int, int]) -> Iterator[Timed]:
    return ((plain(value), index) for index, value in enumerate(values))


FORMATS = [
    ("ffv1", "bgr0"),
    ("ffv1", "yuv420p"),
    ("ffv1", "yuv444p"),
    ("ffv1", "yuv422p10le"),
    ("ffv1", "yuv420p12le"),
    ("ffv1", "gbrp10le"),
    ("mjpeg", "yuvj420p"),
    ("libx264", "yuv420p10le"),
]


@pytest.mark.parametrize(("codec", "pixel_format"), FORMATS)
def test_the_small_picture_means_the_same_in_every_format(
    codec: str, pixel_format: str, tmp_path: Path
) -> None:
    recipe = replace(LOSSLESS, codec=codec, pixel_format=pixel_format)
    path = write_video(
        tmp_path / "v.mkv", colours((0, 0, 0), (255, 255, 255), (128, 128, 128)), recipe
    )

    ((black, white, grey),) = [[b.pixels[0] for b in views] for views in views_of(path, GRID)]

    assert black[0].mean() == pytest.approx(0, abs=0.012)
    assert white[0].mean() == pytest.approx(1, abs=0.012)
    assert grey[0].mean() == pytest.approx(128 / 255, abs=0.012)
    assert abs(grey[1:]).max() < 0.012


@pytest.mark.parametrize(("codec", "pixel_format"), FORMATS)
def test_rgb_views_give_back_the_colours(codec: str, pixel_format: str, tmp_path: Path) -> None:
    red = (200, 40, 60)
    recipe = replace(LOSSLESS, codec=codec, pixel_format=pixel_format)
    path = write_video(tmp_path / "v.mkv", colours(red), recipe)
    needs = FrameNeeds(layout=Layout.RGB, size_px=(32, 24))

    ((batch,),) = views_of(path, needs)

    assert batch.pixels.shape == (1, 24, 32, 3)
    assert np.abs(batch.pixels[0].astype(int) - red).max() <= 6


def test_cells_average_their_pixels(tmp_path: Path) -> None:
    picture = plain((0, 0, 0), width_px=320, height_px=240)
    picture[:, ::2] = 255  # alternating columns
    path = write_video(tmp_path / "v.mkv", [(picture, 0)])

    ((batch,),) = views_of(path, GRID)

    assert batch.pixels.shape == (1, 3, 120, 160)
    assert batch.pixels[0, 0] == pytest.approx(np.full((120, 160), 0.5), abs=0.02)


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [(1, 1, (1, 1)), (97, 63, (63, 97)), (321, 7, (3, 160)), (854, 480, (90, 160))],
)
def test_any_size_has_a_small_picture(
    width: int, height: int, shape: tuple[int, int], tmp_path: Path
) -> None:
    picture = plain((90, 90, 90), width_px=width, height_px=height)
    path = write_video(tmp_path / "v.mkv", [(picture, 0)])

    ((batch,),) = views_of(path, GRID)

    assert batch.pixels.shape[2:] == shape
    assert batch.pixels[0, 0].std() < 1e-5


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_rotated_video_is_seen_upright(turn: int, tmp_path: Path) -> None:
    picture = plain((0, 0, 0), width_px=160, height_px=96)
    picture[:48, :80] = 255  # as stored: white in the upper left
    recipe = replace(H264, rotation_degrees=turn)
    path = write_video(tmp_path / "v.mp4", [(picture, 0)], recipe)
    upright = np.rot90(picture[..., 0], turn // 90)

    ((grid,), (rgb,)) = views_of(
        path, GRID, FrameNeeds(layout=Layout.RGB, size_px=(upright.shape[1], upright.shape[0]))
    )

    assert np.abs(rgb.pixels[0, ..., 0].astype(int) - upright).mean() < 8
    assert grid.pixels[0, 0].shape == upright.shape
    assert np.abs(grid.pixels[0, 0] * 255 - upright).mean() < 8


@pytest.mark.parametrize("rate", [1, 2, 4, Fraction(15, 2)])
def test_samples_come_at_their_rate_and_tile_the_time(rate: int | Fraction, tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mkv", ((textured(i), i) for i in range(100)))
    needs = FrameNeeds(layout=Layout.LUMA, rate_fps=Fraction(rate))

    (batches,) = views_of(path, needs)

    starts = [batch.start(0) for batch in batches]
    ends = [batch.end(0) for batch in batches]
    assert len(batches) == 4 * rate
    assert ends[:-1] == starts[1:]
    assert starts[0] == 0
    assert ends[-1] == 4


def test_a_sudden_change_is_sampled_at_once(tmp_path: Path) -> None:
    frames = ((textured(0, seed=5 if i == 33 else 0), i) for i in range(60))
    path = write_video(tmp_path / "v.mkv", frames)
    needs = FrameNeeds(layout=Layout.LUMA, rate_fps=Fraction(1), on_change=True)

    (batches,) = views_of(path, needs)

    assert {33, 34} <= {int(batch.ordinals[0]) for batch in batches}
    assert len(batches) < 12


def test_equal_needs_share_one_conversion(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mkv", ((textured(i), i) for i in range(4)))
    twice = FrameNeeds(layout=Layout.RGB, size_px=(16, 16))
    other = replace(twice, batch_frames=2)

    first, second = views_of(path, twice, other)

    assert len(first) == 4
    assert len(second) == 2
    assert (first[3].pixels[0] == second[1].pixels[1]).all()


def test_analyzers_cannot_change_what_others_see(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mkv", [(textured(0), 0)])

    ((batch,),) = views_of(path, GRID)

    with pytest.raises(ValueError, match="read-only"):
        batch.pixels[0] = 0


def test_batches_check_themselves() -> None:
    times = np.array([0, 0], dtype=np.int64)
    with pytest.raises(ValueError, match="increase strictly"):
        FrameBatch(
            layout=Layout.LUMA,
            pixels=np.zeros((2, 4, 4), np.uint8),
            pts=times,
            durations=times + 1,
            ordinals=times,
            changed=np.zeros(2, np.bool_),
            time_base=Fraction(1, 25),
            colour=Colour(),
        )


def test_hdr_is_tone_mapped_for_networks(tmp_path: Path) -> None:
    hdr = Recipe(
        codec="libx265",
        pixel_format="yuv420p10le",
        options={
            "preset": "ultrafast",
            "x265-params": "colorprim=9:transfer=16:colormatrix=9:log-level=none:pools=1",
        },
    )
    path = write_video(tmp_path / "v.mkv", colours(*[(128, 128, 128)] * 3), hdr)
    needs = FrameNeeds(layout=Layout.RGB, size_px=(16, 16))

    (batches,) = views_of(path, needs)

    # PQ code 0.5 is 92 cd/m2: in SDR with a peak of 200 clearly brighter than mid grey code.
    assert batches[0].pixels.mean() > 140
