"""Cases 1 to 33: truncated and damaged files, geometry and resources."""

import random
import struct
import zlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from bad_input_case import (
    NOT_PASS,
    SEEN,
    VALID,
    Case,
    coded,
    cut,
    damaged,
    made,
    patched,
)
from planted import H264
from reelcheck.media.synth import LOSSLESS, Recipe, plain, textured, write_video


def noisy_packets(data: bytes) -> bytes:
    """Overwrite the payload of 15 % of the TS packets after the tables with noise."""
    rnd, packets = random.Random(4), [data[at : at + 188] for at in range(0, len(data), 188)]
    for index in range(20, len(packets)):
        if rnd.random() < 0.15:
            packets[index] = packets[index][:4] + rnd.randbytes(184)
    return b"".join(packets)


def without_first_key_frame(data: bytes) -> bytes:
    """Remove the IDR slices of a bare H.264 stream, keep its parameter sets."""
    units = data.split(b"\x00\x00\x01")
    kept = [units[0]] + [unit for unit in units[1:] if unit[0] & 0x1F != 5]
    return b"\x00\x00\x01".join(kept)


def flipped(bits: int) -> object:
    def damage(data: bytes) -> bytes:
        rnd, copy = random.Random(bits), bytearray(data)
        for _ in range(bits):
            copy[rnd.randrange(len(copy))] ^= 1 << rnd.randrange(8)
        return bytes(copy)

    return damage


def swapped(data: bytes) -> bytes:
    third = len(data) // 3
    return data[:third] + data[2 * third :] + data[third : 2 * third]


def sized(name: str, width: int, height: int, recipe: Recipe = LOSSLESS) -> object:
    def make(folder: Path) -> Path:
        frames = ((textured(i, width_px=width, height_px=height), i) for i in range(24))
        return write_video(folder / name, frames, recipe)

    return make


def flat_h264(folder: Path) -> Path:
    picture = plain((90, 90, 90), width_px=8192, height_px=8192)
    return write_video(folder / "big.mp4", ((picture, i) for i in range(3)), H264)


def png_bomb(folder: Path) -> Path:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1 << 22), 9)
    path = folder / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"acTL", bytes(8))
        + chunk(b"IDAT", body)
        + chunk(b"IEND", b"")
    )
    return path


def many_streams(folder: Path) -> Path:
    path = folder / "many.mkv"
    with av.open(path, "w", format="matroska") as container:
        streams = []
        for _ in range(70):
            stream = container.add_stream("ffv1", rate=Fraction(25))
            stream.width, stream.height, stream.pix_fmt = 16, 16, "bgr0"
            streams.append(stream)
        for stream in streams:
            frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = 0, Fraction(1, 25)
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def long_metadata(folder: Path) -> Path:
    path = folder / "tags.mkv"
    with av.open(path, "w", format="matroska") as container:
        container.metadata.update({f"tag{i}": "x" for i in range(2000)})
        container.metadata["title"] = "A" * 200_000
        stream = container.add_stream("ffv1", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 32, 32, "bgr0"
        for tick in range(10):
            picture = textured(tick, width_px=32, height_px=32)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def ten_hours(folder: Path) -> Path:
    picture = plain((0, 0, 0))
    recipe = replace(H264, time_base=Fraction(1), rate_fps=Fraction(1))
    return write_video(folder / "long.mp4", ((picture, 100 * i) for i in range(360)), recipe)


def claims_ages(data: bytes) -> bytes:
    at = data.index(b"\x44\x89\x88") + 3
    return data[:at] + struct.pack(">d", 1e15) + data[at + 8 :]


ONE_A_MINUTE = replace(LOSSLESS, time_base=Fraction(1), rate_fps=Fraction(1))
THOUSAND = replace(LOSSLESS, time_base=Fraction(1, 1000), rate_fps=Fraction(1000))

CASES = [
    Case(number=1, title="no bytes", make=made("a.mp4", b""), outcome="E_EMPTY"),
    Case(
        number=2,
        title="a mebibyte of zeros",
        make=made("a.mp4", bytes(1 << 20)),
        outcome="E_FORMAT_NOT_ALLOWED",
    ),
    Case(
        number=3,
        title="a program named .mp4",
        make=made("a.mp4", b"MZ" + random.Random(3).randbytes(5000)),
        outcome="E_FORMAT_NOT_ALLOWED",
    ),
    Case(
        number=4,
        title="MP4 with its index at the end, cut",
        make=damaged("a.mp4", "moov_last", cut(0.5)),
        outcome="E_OPEN_FAILED",
    ),
    Case(
        number=5,
        title="faststart MP4, cut",
        make=damaged("a.mp4", "mp4", cut(0.5)),
        outcome=NOT_PASS,
        warnings=frozenset({"W_PARTIAL"}),
    ),
    Case(
        number=6,
        title="fragmented MP4, cut",
        make=damaged("a.mp4", "fragmented", cut(0.6)),
        outcome=NOT_PASS,
        warnings=frozenset({"W_PARTIAL"}),
    ),
    Case(
        number=7,
        title="cut inside the first coded frame",
        make=damaged("a.mkv", "mkv", lambda data: data[:1200]),
        outcome=frozenset({"E_NO_FRAMES", "E_OPEN_FAILED"}),
    ),
    Case(
        number=8,
        title="Matroska, cut",
        make=damaged("a.mkv", "mkv", cut(0.5)),
        outcome=NOT_PASS,
        warnings=frozenset({"W_PARTIAL"}),
    ),
    Case(
        number=9,
        title="transport stream with a zeroed tail",
        make=damaged("a.ts", "ts", lambda d: d[: int(len(d) * 0.6)] + bytes(len(d) * 4 // 10)),
        outcome=NOT_PASS,
    ),
    Case(
        number=10,
        title="transport stream with noise in 15 % of its packets",
        make=damaged("a.ts", "ts", noisy_packets),
        outcome=NOT_PASS,
        warnings=frozenset({"W_DECODE_ERRORS"}),
    ),
    Case(
        number=11,
        title="transport stream that starts between key frames",
        make=damaged("a.ts", "ts", lambda data: data[188 * 40 :]),
        outcome=frozenset({"E_NO_FRAMES", "E_NO_VIDEO", "E_OPEN_FAILED", "INCONCLUSIVE"}),
    ),
    Case(
        number=12,
        title="bare H.264 without its key frame",
        make=damaged("a.h264", "h264", without_first_key_frame),
        outcome=frozenset({"E_NO_FRAMES", "E_FORMAT_NOT_ALLOWED", "INCONCLUSIVE"}),
    ),
    *(
        Case(
            number=13,
            title=f"{bits} flipped bits",
            make=damaged("a.mkv", "mkv", flipped(bits)),  # type: ignore[arg-type]
            outcome=frozenset({"INCONCLUSIVE", "PASS", "E_OPEN_FAILED", "E_NO_FRAMES"}),
        )
        for bits in (1, 4, 32, 256)
    ),
    Case(
        number=14,
        title="blocks swapped",
        make=damaged("a.mkv", "mkv", swapped),
        outcome=frozenset({"INCONCLUSIVE", "E_OPEN_FAILED", "E_NO_FRAMES"}),
    ),
    Case(
        number=15,
        title="junk before an MP4",
        make=damaged("a.mp4", "mp4", lambda d: random.Random(5).randbytes(777) + d),
        outcome="E_OPEN_FAILED",
    ),
    Case(
        number=16,
        title="a ZIP after an MP4",
        make=damaged("a.mp4", "mp4", lambda d: d + b"PK\x03\x04\x14\x00" + bytes(600)),
        outcome=SEEN,
        warnings=frozenset({"W_TRAILING_DATA"}),
    ),
    Case(
        number=16,
        title="a second MP4 after an MP4",
        make=damaged("a.mp4", "mp4", lambda d: d + d),
        outcome=SEEN,
        warnings=frozenset({"W_TRAILING_DATA"}),
    ),
    Case(
        number=17,
        title="an index that claims 2147483647 frames",
        make=damaged("a.mp4", "mp4", patched(b"stts", b"\x7f\xff\xff\xff", offset=12)),
        outcome=frozenset({"INCONCLUSIVE", "PASS", "WARN", "E_NO_FRAMES", "E_OPEN_FAILED"}),
    ),
    Case(
        number=17,
        title="an index that claims a frame of 256 MB",
        make=damaged("a.mp4", "mp4", patched(b"stsz", b"\x0f\xff\xff\xff", offset=8)),
        outcome=frozenset({"INCONCLUSIVE", "E_NO_FRAMES", "E_OPEN_FAILED"}),
    ),
    Case(
        number=18,
        title="a timescale of 0",
        make=damaged("a.mp4", "mp4", patched(b"mdhd", bytes(4), offset=16)),
        outcome=frozenset({"E_NO_FRAMES", "INCONCLUSIVE"}),
    ),
    Case(number=19, title="1 x 1", make=sized("a.mkv", 1, 1), outcome=SEEN),  # type: ignore[arg-type]
    Case(number=20, title="97 x 63", make=sized("a.mkv", 97, 63), outcome=SEEN),  # type: ignore[arg-type]
    *(
        Case(
            number=21,
            title=f"{width} x {height}",
            make=sized("a.png", width, height, VALID["apng"]),  # type: ignore[arg-type]
            outcome=frozenset({"PASS", "WARN", "E_DIMENSIONS"}),
        )
        for width, height in ((1, 2000), (2000, 1))
    ),
    Case(
        number=22,
        title="GIF that claims 16000 x 16000",
        make=damaged("a.gif", "gif", lambda d: d[:6] + struct.pack("<HH", 16000, 16000) + d[10:]),
        outcome="E_PIXEL_BUDGET",
    ),
    Case(
        number=23,
        title="GIF that claims 65535 x 65535",
        make=damaged("a.gif", "gif", lambda d: d[:6] + b"\xff\xff\xff\xff" + d[10:]),
        outcome="E_DIMENSIONS",
    ),
    Case(number=24, title="H.264 of 8192 x 8192", make=flat_h264, outcome="E_PIXEL_BUDGET"),
    Case(
        number=25,
        title="container claims 16384 x 16384, the stream is small",
        make=damaged(
            "a.mp4",
            "mp4",
            patched(b"tkhd", struct.pack(">II", 16384 << 16, 16384 << 16), offset=80),
        ),
        outcome=SEEN,
    ),
    Case(
        number=26,
        title="stream larger than its container claims",
        make=damaged("a.mp4", "mp4", patched(b"avc1", struct.pack(">HH", 16, 16), offset=28)),
        outcome=SEEN,
    ),
    Case(
        number=27,
        title="PNG bomb of 20000 x 20000",
        make=png_bomb,
        outcome=frozenset({"E_PIXEL_BUDGET", "E_DIMENSIONS"}),
    ),
    Case(
        number=28,
        title="Matroska that claims 31,700 years",
        make=damaged("a.mkv", "ffv1", claims_ages),
        outcome=frozenset({"PASS", "WARN", "INCONCLUSIVE"}),
        warnings=frozenset({"W_HEADER_DISAGREES"}),
    ),
    Case(
        number=29,
        title="one frame a minute",
        make=coded("a.mkv", ONE_A_MINUTE, [60 * i for i in range(10)]),
        outcome=SEEN,
    ),
    Case(number=29, title="1000 frames a second", make=coded("a.mkv", THOUSAND), outcome=SEEN),
    Case(number=29, title="a single frame", make=coded("a.mkv", LOSSLESS, [0]), outcome=SEEN),
    Case(number=30, title="70 streams", make=many_streams, outcome="E_STREAM_LIMIT"),
    Case(
        number=31,
        title="200 KB of one tag, 2,000 tags",
        make=long_metadata,
        outcome=SEEN,
        warnings=frozenset({"W_METADATA_ENCODING"}),
    ),
    Case(
        number=32,
        title="ten hours of black",
        make=ten_hours,
        outcome="INCONCLUSIVE",
        warnings=frozenset({"E_DURATION_LIMIT"}),
    ),
    Case(
        number=33,
        title="very many tiny files",
        make=None,
        outcome="",
        why_not="a quota of a server, which is not built yet; one file after another costs little",
    ),
]
