"""Full-reference mode compares pictures of other sizes, formats, ranges, turns and bars fairly."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Interpolation

from reelcheck.frames import Colour, Matrix
from reelcheck.media.fidelity import mean_squared_error, psnr_db
from reelcheck.media.fitting import Crop, Fitter, Target, comparison_format, planes_of
from reelcheck.verdict.reference import AlignmentError, ReferenceReport
from reference_clips import Planes, compared, moving, write

COUNT = 25
WIDE = {"width_px": 320, "height_px": 180}
TARGET = Target(width_px=320, height_px=180, format_name="yuv420p", bit_depth=8, colour=Colour())


def wide(index: int) -> Planes:
    return moving(index, **WIDE)


def framed(planes: Planes) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    return frame


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wide") / "original.mkv"
    return write(path, (wide(i) for i in range(COUNT)))


def errors_db(ours: av.VideoFrame, theirs: av.VideoFrame) -> list[float]:
    planes = zip(planes_of(ours), planes_of(theirs), strict=True)
    return [psnr_db(mean_squared_error(a, b), bit_depth=8) or 99.0 for a, b in planes]


def worst(report: ReferenceReport) -> float:
    return min(99.0 if value is None else value for value in report.frames.psnr_yuv)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("yuv420p", ("yuv420p", 8)),
        ("yuvj422p", ("yuv422p", 8)),
        ("yuv420p10le", ("yuv420p10le", 10)),
        ("yuv422p9le", ("yuv422p10le", 10)),
        ("yuv444p14le", ("yuv444p16le", 16)),
        ("gray", ("yuv444p", 8)),
        ("yuv411p", ("yuv444p", 8)),
    ],
)
def test_the_comparison_keeps_the_planes_of_the_reference(
    name: str, expected: tuple[str, int]
) -> None:
    assert comparison_format(av.VideoFormat(name)) == expected


@pytest.mark.parametrize("quarter_turns", [0, 1, 2, 3])
def test_a_turned_picture_is_turned_back_exactly(quarter_turns: int) -> None:
    upright = wide(0)
    luma = np.rot90(upright[:180], quarter_turns)
    chroma = np.full((luma.shape[0] // 2, luma.shape[1]), 128, np.uint8)
    turned = framed(np.concatenate([luma, chroma]))

    fitter = Fitter(TARGET, colour=Colour(), rotation_degrees=90 * quarter_turns, crop=None)

    assert np.array_equal(planes_of(fitter.fit(turned))[0], upright[:180])


def test_bars_are_cut_exactly() -> None:
    upright = wide(0)
    luma = np.pad(upright[:180], ((30, 30), (0, 0)), constant_values=16)
    tall = framed(np.concatenate([luma, np.full((120, 320), 128, np.uint8)]))

    fitter = Fitter(
        TARGET,
        colour=Colour(),
        rotation_degrees=0,
        crop=Crop(x=0, y=30, width=320, height=180),
    )

    assert np.array_equal(planes_of(fitter.fit(tall))[0], upright[:180])


@pytest.mark.parametrize("assumed", [False, True])
def test_another_matrix_is_converted_only_when_both_files_state_theirs(*, assumed: bool) -> None:
    frame = framed(wide(0))
    colour = Colour(matrix=Matrix.BT601, assumed=assumed)

    fitted = Fitter(TARGET, colour=colour, rotation_degrees=0, crop=None).fit(frame)

    assert (errors_db(fitted, frame) == [99.0, 99.0, 99.0]) == assumed


def test_full_range_is_brought_to_limited_range(original: Path, tmp_path: Path) -> None:
    def to_full(frame: av.VideoFrame) -> av.VideoFrame:
        return frame.reformat(
            format="yuvj420p", src_color_range=ColorRange.MPEG, dst_color_range=ColorRange.JPEG
        )

    full = write(
        tmp_path / "full.mp4",
        (wide(i) for i in range(COUNT)),
        change=to_full,
        codec="libx264",
        options={"crf": "0", "preset": "ultrafast"},
    )

    assert worst(compared(original, full)) > 50
    assert worst(compared(full, original)) > 48


@pytest.mark.parametrize("format_", ["yuv444p", "yuv422p10le", "yuv420p10le", "bgr0"])
def test_another_pixel_format_costs_little(original: Path, tmp_path: Path, format_: str) -> None:
    def changed(frame: av.VideoFrame) -> av.VideoFrame:
        return frame.reformat(format=format_)

    other = write(tmp_path / "other.mkv", (wide(i) for i in range(COUNT)), change=changed)

    report = compared(original, other)

    assert report.alignment.format == "yuv420p"
    assert min(v or 99.0 for v in report.frames.psnr_y) > 45
    assert compared(other, original).alignment.frames_compared == COUNT


def test_a_deep_reference_is_compared_in_its_own_depth(tmp_path: Path) -> None:
    def deep(frame: av.VideoFrame) -> av.VideoFrame:
        return frame.reformat(format="yuv420p10le")

    paths = [
        write(tmp_path / f"{name}.mkv", (wide(i) for i in range(5)), change=deep)
        for name in ("a", "b")
    ]

    report = compared(*paths)

    assert report.alignment.format == "yuv420p10le"
    assert report.alignment.ceiling_db == 72
    assert report.measures["psnr_yuv"].pooled is None


def test_a_smaller_file_is_scaled_to_the_reference(original: Path, tmp_path: Path) -> None:
    def half(frame: av.VideoFrame) -> av.VideoFrame:
        return frame.reformat(width=160, height=90, interpolation=Interpolation.AREA)

    small = write(tmp_path / "small.mkv", (wide(i) for i in range(COUNT)), change=half)

    report = compared(original, small)

    assert (report.alignment.width_px, report.alignment.height_px) == (320, 180)
    assert report.alignment.scaling == "bicubic"
    assert "scaled from 160 x 90 to 320 x 180, bicubic" in report.alignment.words
    assert 15 < worst(report) < 40
    back = compared(small, original)
    assert (back.alignment.width_px, back.alignment.height_px) == (160, 90)


def test_rotation_metadata_is_followed(original: Path, tmp_path: Path) -> None:
    def turned(planes: Planes) -> Planes:
        luma = np.rot90(planes[:180])
        chroma = planes[180:].reshape(2, 90, 160)
        return np.concatenate([luma.ravel(), *(np.rot90(part).ravel() for part in chroma)]).reshape(
            480, 180
        )

    side = write(
        tmp_path / "side.mp4",
        (turned(wide(i)) for i in range(COUNT)),
        codec="libx264",
        options={"crf": "0", "preset": "ultrafast"},
        rotation_degrees=-90,
    )

    report = compared(original, side)

    assert (report.distorted.width_px, report.distorted.height_px) == (320, 180)
    assert worst(report) > 50


def test_bars_of_one_file_are_cut_away(original: Path, tmp_path: Path) -> None:
    def barred(planes: Planes) -> Planes:
        luma = np.pad(planes[:180], ((30, 30), (0, 0)), constant_values=16)
        chroma = planes[180:].reshape(2, 90, 160)
        padded = [np.pad(p, ((15, 15), (0, 0)), constant_values=128).ravel() for p in chroma]
        return np.concatenate([luma.ravel(), *padded]).reshape(360, 320)

    boxed = write(tmp_path / "boxed.mkv", (barred(wide(i)) for i in range(COUNT)))

    report = compared(original, boxed)

    assert report.distorted.compared_picture == (0, 30, 320, 180)
    assert report.reference.compared_picture is None
    assert report.measures["psnr_y"].pooled is None
    assert compared(boxed, original).measures["psnr_y"].pooled is None
    assert compared(boxed, boxed).distorted.compared_picture is None


def test_hdr_against_sdr_is_refused(original: Path, tmp_path: Path) -> None:
    def tagged(transfer: int) -> Path:
        def tag(frame: av.VideoFrame) -> av.VideoFrame:
            frame.color_trc = transfer
            return frame

        path = tmp_path / f"trc{transfer}.mp4"
        with av.open(path, "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
            stream.codec_context.color_trc = transfer
            for i in range(5):
                frame = tag(framed(wide(i)))
                frame.pts = i
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    with pytest.raises(AlignmentError, match="pq light"):
        compared(tagged(16), tagged(1))
