"""Cases 34 to 62: time, pixels and colour."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from bad_input_case import NOT_PASS, SEEN, TB, VALID, Case, coded, damaged, made, patched, valid
from planted import H264, tone
from reelcheck.media.synth import LOSSLESS, Recipe, textured, write_video

VFR = replace(LOSSLESS, time_base=Fraction(1, 600), rate_fps=Fraction(25))
X265_HDR = "hdr10=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:log-level=none:pools=1"


def gap_of_an_hour(folder: Path) -> Path:
    ticks = [*range(25), *range(90025, 90050)]
    return coded("a.mkv", LOSSLESS, ticks)(folder)


def longer_sound(folder: Path) -> Path:
    return coded("a.mp4", replace(H264, tone=tone(3.0)))(folder)


def shorter_sound(folder: Path) -> Path:
    return coded("a.mp4", replace(H264, tone=tone(0.3)))(folder)


def tagged(folder: Path, **tags: int) -> Path:
    path = folder / "a.mkv"
    with av.open(path, "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for tick in range(25):
            frame = av.VideoFrame.from_ndarray(textured(tick), format="rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = tick, TB
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def with_aspect(folder: Path) -> Path:
    path = folder / "a.mkv"
    with av.open(path, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(64, 45)
        for tick in range(25):
            frame = av.VideoFrame.from_ndarray(textured(tick), format="rgb24")
            frame.pts, frame.time_base = tick, TB
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def two_sizes(folder: Path) -> Path:
    parts = []
    for number, (width, height) in enumerate(((96, 64), (160, 120))):
        frames = (
            (textured(i, width_px=width, height_px=height), 25 * number + i) for i in range(25)
        )
        part = write_video(folder / f"{number}.ts", frames, VALID["ts"])
        parts.append(part.read_bytes())
        part.unlink()
    path = folder / "a.ts"
    path.write_bytes(b"".join(parts))
    return path


def two_formats(folder: Path) -> Path:
    parts = [
        coded(f"{i}.h264", replace(VALID["h264"], pixel_format=name))(folder).read_bytes()
        for i, name in enumerate(("yuv420p", "yuv444p"))
    ]
    path = folder / "a.h264"
    path.write_bytes(b"".join(parts))
    return path


def rgba(folder: Path) -> Path:
    path = folder / "a.mov"
    with av.open(path, "w", format="mov") as container:
        stream = container.add_stream("png", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 160, 96, "rgba"
        for tick in range(25):
            picture = np.dstack([textured(tick), np.zeros((96, 160), np.uint8)])
            frame = av.VideoFrame.from_ndarray(picture, format="rgba")
            frame.pts, frame.time_base = tick, TB
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def vp9_alpha(folder: Path) -> Path:
    path = folder / "a.webm"
    with av.open(path, "w", format="webm") as container:
        stream = container.add_stream(
            "libvpx-vp9", rate=Fraction(25), options={"deadline": "realtime", "cpu-used": "8"}
        )
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuva420p"
        stream.metadata["alpha_mode"] = "1"
        for tick in range(10):
            picture = np.dstack([textured(tick), np.full((96, 160), 128, np.uint8)])
            frame = av.VideoFrame.from_ndarray(picture, format="rgba")
            frame.pts, frame.time_base = tick, TB
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def telecine(folder: Path) -> Path:
    """Write 24 pictures a second as 30 frames, by 3:2 pulldown: two of five mix two pictures."""
    frames = []
    for index in range(0, 32, 4):
        a, b, c, d = (textured(index + one) for one in range(4))
        for picture, lines in ((b.copy(), c), (c.copy(), d)):
            picture[1::2] = lines[1::2]
            frames.append(picture)
        frames[-2:] = [a, b, *frames[-2:], d]
    recipe = replace(LOSSLESS, rate_fps=Fraction(30), time_base=Fraction(1, 30))
    return write_video(folder / "a.mkv", ((one, tick) for tick, one in enumerate(frames)), recipe)


def one_frame_insert(folder: Path) -> Path:
    frames = ((textured(i, seed=3 if i == 100 else 0), i) for i in range(200))
    return write_video(folder / "a.mkv", frames)


TIME = [
    Case(
        number=34,
        title="variable rate",
        make=coded("a.mkv", VFR, [i * i for i in range(1, 60)]),
        outcome=SEEN,
        warnings=frozenset({"W_VFR"}),
    ),
    Case(number=35, title="a gap of an hour", make=gap_of_an_hour, outcome="INCONCLUSIVE"),
    Case(
        number=36,
        title="negative start",
        make=coded("a.mp4", H264, [i - 10 for i in range(24)]),
        outcome=SEEN,
        warnings=frozenset({"W_HEADER_DISAGREES"}),
    ),
    Case(
        number=37,
        title="start at 3600 s",
        make=coded("a.ts", VALID["ts"], [90000 + i for i in range(25)]),
        outcome=SEEN,
    ),
    Case(
        number=38,
        title="no times at all",
        make=made("a.h264", valid("h264")),
        outcome=NOT_PASS,
        warnings=frozenset({"W_NO_TIMESTAMPS"}),
    ),
    Case(
        number=39,
        title="all frames at one time",
        make=damaged("a.mp4", "mp4", patched(b"stts", bytes(4), offset=16)),
        outcome=frozenset({"PASS", "WARN", "INCONCLUSIVE"}),
        warnings=frozenset({"W_TIMESTAMPS_REPAIRED"}),
    ),
    Case(
        number=40,
        title="the 33-bit clock wraps",
        make=coded(
            "a.ts",
            replace(VALID["ts"], time_base=Fraction(1, 90000)),
            [2**33 - 200000 + 3600 * i for i in range(60)],
        ),
        outcome=SEEN,
    ),
    Case(
        number=41,
        title="B-frames and open GOPs",
        make=coded(
            "a.mp4",
            replace(H264, options={"x264-params": "open-gop=1:keyint=12:bframes=3"}),
            list(range(60)),
        ),
        outcome=SEEN,
    ),
    Case(
        number=42,
        title="intra refresh",
        make=coded("a.mp4", replace(H264, options={"x264-params": "intra-refresh=1"})),
        outcome=SEEN,
    ),
    Case(
        number=43,
        title="header counts too few frames",
        make=damaged("a.avi", "avi", patched(b"avih", (3).to_bytes(4, "little"), offset=24)),
        outcome=SEEN,
    ),
    Case(number=44, title="sound longer than picture", make=longer_sound, outcome=SEEN),
    Case(number=44, title="picture longer than sound", make=shorter_sound, outcome=SEEN),
    Case(
        number=45,
        title="absurd claim of the rate",
        make=coded("a.mkv", replace(LOSSLESS, rate_fps=Fraction(90000))),
        outcome=SEEN,
    ),
    Case(
        number=46,
        title="hidden reference frames",
        make=coded(
            "a.webm",
            Recipe(
                codec="libvpx",
                pixel_format="yuv420p",
                container="webm",
                options={"auto-alt-ref": "1", "lag-in-frames": "10"},
            ),
            list(range(60)),
        ),
        outcome=SEEN,
    ),
]

PIXELS = [
    Case(
        number=47,
        title="rotated",
        make=coded("a.mp4", replace(H264, rotation_degrees=90)),
        outcome=SEEN,
        warnings=frozenset({"W_ROTATED"}),
    ),
    Case(
        number=48,
        title="rotated by 45 degrees",
        make=coded("a.mp4", replace(H264, rotation_degrees=45)),
        outcome=SEEN,
        warnings=frozenset({"W_ROTATED"}),
    ),
    Case(
        number=49,
        title="pixels of 64:45",
        make=with_aspect,
        outcome=SEEN,
        warnings=frozenset({"W_SAR"}),
    ),
    Case(
        number=50,
        title="HDR10",
        make=coded(
            "a.mp4",
            replace(
                H264,
                codec="libx265",
                pixel_format="yuv420p10le",
                options={"x265-params": X265_HDR, "preset": "ultrafast"},
            ),
        ),
        outcome=SEEN,
        warnings=frozenset({"W_HDR"}),
    ),
    Case(
        number=51,
        title="HLG",
        make=lambda folder: tagged(folder, color_trc=18, color_primaries=9, colorspace=9),
        outcome=SEEN,
        warnings=frozenset({"W_HDR"}),
    ),
    *(
        Case(
            number=52,
            title=name,
            make=coded("a.mkv", replace(LOSSLESS, pixel_format=name)),
            outcome=SEEN,
        )
        for name in ("yuv420p12le", "gray", "gray16le", "yuv444p", "gbrp10le", "yuv422p10le")
    ),
    Case(
        number=53,
        title="VP9 with alpha",
        make=vp9_alpha,
        outcome=SEEN,
        warnings=frozenset({"W_ALPHA_IGNORED"}),
    ),
    Case(
        number=54,
        title="a picture under full transparency",
        make=rgba,
        outcome=SEEN,
        warnings=frozenset({"W_ALPHA_IGNORED"}),
    ),
    Case(
        number=55,
        title="full range",
        make=coded("a.avi", Recipe(codec="mjpeg", pixel_format="yuvj420p", container="avi")),
        outcome=SEEN,
    ),
    Case(
        number=56,
        title="colour tags that contradict each other",
        make=lambda folder: tagged(folder, color_trc=2, color_primaries=9, colorspace=5),
        outcome=SEEN,
    ),
    Case(
        number=57,
        title="interlaced",
        make=coded(
            "a.ts",
            replace(VALID["ts"], options={"x264-params": "tff=1"}),
        ),
        outcome=SEEN,
        warnings=frozenset({"W_INTERLACED"}),
    ),
    Case(
        number=58,
        title="telecine",
        make=telecine,
        outcome=SEEN,
    ),
    Case(
        number=59,
        title="the size changes",
        make=two_sizes,
        outcome=frozenset({"PASS", "WARN", "INCONCLUSIVE"}),
        warnings=frozenset({"W_RES_CHANGE"}),
    ),
    Case(
        number=60,
        title="the pixel format changes",
        make=two_formats,
        outcome=frozenset({"PASS", "WARN", "INCONCLUSIVE"}),
    ),
    Case(
        number=61,
        title="letterbox comes and goes",
        make=None,
        outcome="",
        why_not="a matter of the analyzer defects: tests of its borders",
    ),
    Case(number=62, title="a single strange frame", make=one_frame_insert, outcome=SEEN),
]

CASES = [*TIME, *PIXELS]
