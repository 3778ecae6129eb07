"""Cases 63 to 92: streams and containers, names and special files."""

import os
import shutil
import socket
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from bad_input_case import NOT_PASS, SEEN, TB, VALID, Case, coded, damaged, made, patched, valid
from planted import H264, tone, write_two_streams
from reelcheck.media.synth import textured

HLS = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n%s\n#EXT-X-ENDLIST\n"
SDP = b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n"


def audio_only(folder: Path) -> Path:
    path = folder / "a.mp4"
    with av.open(path, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        samples = tone(1.0)
        for at in range(0, samples.shape[1], 1024):
            block = np.ascontiguousarray(samples[:, at : at + 1024])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, at, Fraction(1, 48000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def cover_art(folder: Path, *, video: bool) -> Path:
    path = folder / "a.mp4"
    with av.open(path, "w", format="mp4") as container:
        streams = []
        if video:
            streams.append(container.add_stream("libx264", rate=Fraction(25)))
        streams.append(container.add_stream("png", rate=Fraction(25)))
        streams[-1].disposition = Disposition.attached_pic
        for stream in streams:
            stream.width, stream.height = 160, 96
            stream.pix_fmt = "rgb24" if stream is streams[-1] else "yuv420p"
        for stream in streams:
            for tick in range(1 if stream is streams[-1] else 25):
                frame = av.VideoFrame.from_ndarray(textured(tick), format="rgb24")
                frame.pts, frame.time_base = tick, TB
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def literal_pattern(folder: Path) -> Path:
    for index in range(3):
        coded(f"im{index:03d}.gif", VALID["gif"], [0])(folder)
    return coded("im%03d.gif", VALID["gif"])(folder)


def encrypted(folder: Path) -> Path:
    recipe = replace(
        H264,
        container_options={
            "encryption_scheme": "cenc-aes-ctr",
            "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
            "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
        },
    )
    return coded("a.mp4", recipe)(folder)


def hostile_tags(folder: Path) -> Path:
    path = folder / "a.mkv"
    with av.open(path, "w", format="matroska") as container:
        container.metadata["title"] = "<img src=x onerror=alert(1)>\u202egnp.exe\x1b[2J"
        container.metadata["comment"] = "=cmd|'/c calc'!A1"
        container.metadata["artist"] = "ZZZZZZZZ"
        stream = container.add_stream("ffv1", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 32, 32, "bgr0"
        for tick in range(10):
            picture = textured(tick, width_px=32, height_px=32)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = tick, TB
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes().replace(b"ZZZZZZZZ", b"\xff\xfe\x80\x81ZZZZ"))
    return path


def named(name: bytes) -> object:
    def make(folder: Path) -> Path:
        path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
        path.write_bytes(valid("mp4"))
        return path

    return make


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.mp4")
    return folder / "pipe.mp4"


def unix_socket(folder: Path) -> Path:
    path = folder / "s.mp4"
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(path))
    return path


def linked(folder: Path, *, target: str) -> Path:
    made("real.mp4", valid("mp4"))(folder)
    (folder / "link.mp4").symlink_to(target)
    return folder / "link.mp4"


def hard_link(folder: Path) -> Path:
    made("real.mp4", valid("mp4"))(folder)
    os.link(folder / "real.mp4", folder / "hard.mp4")
    return folder / "hard.mp4"


def text_copy(folder: Path) -> Path:
    shutil.copy("/etc/passwd", folder / "a.txt")
    return folder / "a.txt"


def polyglot(data: bytes) -> bytes:
    box = b"<html><script>alert(1)</script></html>"
    return data + (len(box) + 8).to_bytes(4, "big") + b"free" + box


REJECTED = frozenset({"E_FORMAT_NOT_ALLOWED", "E_NETWORK_REFERENCE"})

CONTAINERS = [
    Case(number=63, title="only sound", make=audio_only, outcome="E_NO_VIDEO"),
    Case(
        number=64,
        title="only cover art",
        make=lambda folder: cover_art(folder, video=False),
        outcome="E_NO_VIDEO",
    ),
    Case(
        number=64,
        title="cover art beside video",
        make=lambda folder: cover_art(folder, video=True),
        outcome=SEEN,
        warnings=frozenset({"W_COVER_ART"}),
    ),
    Case(
        number=65,
        title="two video streams",
        make=lambda folder: write_two_streams(folder / "a.mkv", event_in_second=True),
        outcome=NOT_PASS,
        warnings=frozenset({"W_EXTRA_STREAMS"}),
    ),
    Case(
        number=66,
        title="only subtitles",
        make=made("a.srt", b"1\n00:00:00,000 --> 00:00:01,000\nhello\n"),
        outcome="E_NO_VIDEO",
    ),
    *(
        Case(
            number=67,
            title=f"{kind} named .mp4",
            make=made("a.mp4", valid(kind)),
            outcome=SEEN,
            warnings=frozenset({"W_EXTENSION_MISMATCH"}),
        )
        for kind in ("mkv", "apng", "ts")
    ),
    *(
        Case(number=68, title=kind, make=made(f"a.{kind}", valid(kind)), outcome=SEEN)
        for kind in ("gif", "apng", "webp")
    ),
    *(
        Case(
            number=69,
            title=f"a still {name}",
            make=made(f"a.{name}", magic + bytes(500)),
            outcome="E_FORMAT_NOT_ALLOWED",
        )
        for name, magic in (("jpg", b"\xff\xd8\xff\xe0"), ("png", b"\x89PNG\r\n\x1a\n"))
    ),
    Case(number=70, title="a name that is a pattern", make=literal_pattern, outcome=SEEN),
    Case(number=71, title="encrypted", make=encrypted, outcome="E_ENCRYPTED"),
    Case(
        number=72,
        title="HLS with a local file",
        make=made("a.m3u8", HLS % b"file:///etc/passwd"),
        outcome=REJECTED,
    ),
    Case(
        number=73,
        title="HLS with a remote file",
        make=made("a.m3u8", HLS % b"http://127.0.0.1:9/x.ts"),
        outcome="E_NETWORK_REFERENCE",
    ),
    Case(
        number=74,
        title="HLS named .mp4",
        make=made("a.mp4", HLS % b"x.ts"),
        outcome="E_FORMAT_NOT_ALLOWED",
    ),
    Case(
        number=75,
        title="ffconcat with a neighbour",
        make=made("a.ffconcat", b"ffconcat version 1.0\nfile b.mp4\n"),
        outcome="E_FORMAT_NOT_ALLOWED",
    ),
    Case(
        number=76,
        title="ffconcat with a remote file",
        make=made("a.mp4", b"ffconcat version 1.0\nfile http://127.0.0.1:9/b.mp4\n"),
        outcome="E_NETWORK_REFERENCE",
    ),
    Case(
        number=77,
        title="DASH",
        make=made(
            "a.mpd", b"<?xml version='1.0'?><MPD><BaseURL>http://127.0.0.1:9/</BaseURL></MPD>"
        ),
        outcome=REJECTED,
    ),
    Case(number=78, title="SDP", make=made("a.sdp", SDP), outcome=REJECTED),
    Case(number=79, title="a text file", make=text_copy, outcome="E_FORMAT_NOT_ALLOWED"),
    Case(
        number=80,
        title="MP4 whose data lies in another file",
        make=damaged("a.mp4", "mp4", patched(b"url \x00\x00\x00\x01", bytes(1), offset=7)),
        outcome=frozenset({"PASS", "INCONCLUSIVE", "E_OPEN_FAILED", "E_NO_FRAMES"}),
    ),
    Case(
        number=81,
        title="MP4 that is HTML too",
        make=damaged("a.mp4", "mp4", polyglot),
        outcome=frozenset({"PASS", "WARN", "E_OPEN_FAILED"}),
    ),
    Case(
        number=82,
        title="hostile metadata",
        make=hostile_tags,
        outcome=SEEN,
        warnings=frozenset({"W_METADATA_ENCODING"}),
    ),
]

NAMES = [
    b"a\nb.mp4",
    b"-rf.mp4",
    "🎬".encode() * 60,
    b"x" * 251 + b".mp4",
    b"\xff\xfe.mp4",
    "\u202egpm.mp4".encode(),
    b"..%2f.mp4",
    b"http:x.mp4",
    b"concat:a|b.mp4",
    b"subfile,,start,0,end,9,,:a.mp4",
]

FILES = [
    *(
        Case(number=83, title=f"name {name[:20]!r}", make=named(name), outcome=SEEN)  # type: ignore[arg-type]
        for name in NAMES
    ),
    Case(
        number=83,
        title="a name with NUL",
        make=lambda folder: folder / "a\0b.mp4",
        outcome="E_NOT_FOUND",
    ),
    Case(
        number=83,
        title="a name that is too long",
        make=lambda folder: folder / ("x" * 5000),
        outcome=frozenset({"E_NOT_FOUND", "E_NOT_REGULAR"}),
    ),
    Case(number=84, title="a FIFO", make=fifo, outcome="E_NOT_REGULAR"),
    Case(number=84, title="a socket", make=unix_socket, outcome="E_NOT_REGULAR"),
    Case(number=84, title="a folder", make=lambda folder: folder, outcome="E_NOT_REGULAR"),
    Case(number=84, title="a device", make=lambda _: Path("/dev/zero"), outcome="E_NOT_REGULAR"),
    Case(
        number=84,
        title="the memory of a process",
        make=lambda _: Path("/proc/self/mem"),
        outcome=frozenset({"E_EMPTY", "E_NOT_REGULAR", "E_NOT_FOUND"}),
    ),
    *(
        Case(
            number=85,
            title=f"a link to {target}",
            make=lambda folder, target=target: linked(folder, target=target),  # type: ignore[misc]
            outcome="E_NOT_REGULAR",
        )
        for target in ("real.mp4", "nowhere", "link.mp4")
    ),
    Case(number=85, title="a hard link", make=hard_link, outcome=SEEN),
    *(
        Case(
            number=number,
            title=title,
            make=None,
            outcome="",
            why_not="made while the gate reads: tests/test_changing_files.py",
        )
        for number, title in (
            (86, "grows while read"),
            (87, "truncated while read"),
            (88, "overwritten while read"),
            (89, "deleted while read"),
        )
    ),
    *(
        Case(number=number, title=title, make=None, outcome="", why_not=why)
        for number, title, why in (
            (90, "disk full", "E_STORAGE_FULL, no half report: tests/test_storage.py"),
            (91, "read-only disk", "E_STORAGE_READONLY: tests/test_storage.py, tests/test_cli.py"),
            (
                92,
                "a worker killed, a model file altered",
                "tests/test_guard.py; E_MODEL_INTEGRITY: tests/test_protect_signing.py",
            ),
        )
    ),
]

CASES = [*CONTAINERS, *FILES]
