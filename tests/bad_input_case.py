"""What one case of the table of bad inputs is, and small valid files to damage."""

import functools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from planted import H264, tone
from reelcheck.media.synth import LOSSLESS, Recipe, textured, write_video

NOT_PASS = frozenset({"INCONCLUSIVE", "FAIL"})
SEEN = frozenset({"PASS", "WARN"})


@dataclass(frozen=True, kw_only=True)
class Case:
    """One line of the table. ``make`` writes the file into a folder and returns its path."""

    number: int
    title: str
    make: Callable[[Path], Path] | None
    outcome: frozenset[str] | str
    """Decision or error code, or a set of which one must come true."""
    warnings: frozenset[str] = field(default_factory=frozenset)
    """Codes that must be among the warnings (or the code of a failure)."""
    why_not: str = ""
    """Why a case is not made here; then ``make`` is ``None``."""

    @property
    def allowed(self) -> frozenset[str]:
        return frozenset({self.outcome}) if isinstance(self.outcome, str) else self.outcome


VALID = {
    "mp4": H264,
    "fragmented": replace(
        H264, container_options={"movflags": "frag_keyframe+empty_moov"}, options={"g": "6"}
    ),
    "moov_last": replace(H264, container_options={}),
    "mkv": replace(H264, container="matroska", container_options={}),
    "ts": replace(H264, container="mpegts", container_options={}),
    "h264": replace(H264, container="h264", container_options={}),
    "ffv1": LOSSLESS,
    "gif": Recipe(codec="gif", pixel_format="rgb8", container="gif"),
    "apng": Recipe(codec="apng", pixel_format="rgb24", container="apng"),
    "webp": Recipe(codec="libwebp_anim", pixel_format="yuv420p", container="webp"),
    "webm": Recipe(
        codec="libvpx-vp9",
        pixel_format="yuv420p",
        container="webm",
        options={"deadline": "realtime", "cpu-used": "8"},
    ),
    "avi": Recipe(codec="mpeg4", pixel_format="yuv420p", container="avi"),
    "flv": replace(H264, container="flv", container_options={}),
    "mpeg": Recipe(codec="mpeg2video", pixel_format="yuv420p", container="mpeg"),
    "with_sound": replace(H264, tone=tone(1.0)),
}


@functools.cache
def valid(name: str, *, count: int = 25) -> bytes:
    """Return a small valid file: one second of texture, 160 x 96."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip"
        write_video(path, ((textured(i), i) for i in range(count)), VALID[name])
        return path.read_bytes()


def made(name: str, data: bytes) -> Callable[[Path], Path]:
    """Return a maker of a file with these bytes."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data)
        return path

    return make


def damaged(name: str, kind: str, damage: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    """Return a maker of a damaged copy of a valid file."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(damage(valid(kind)))
        return path

    return make


def coded(name: str, recipe: Recipe, ticks: list[int] | None = None) -> Callable[[Path], Path]:
    """Return a maker of a valid file of one's own recipe."""

    def make(folder: Path) -> Path:
        chosen = ticks if ticks is not None else list(range(25))
        frames = ((textured(index), tick) for index, tick in enumerate(chosen))
        return write_video(folder / name, frames, recipe)

    return make


def cut(ratio: float) -> Callable[[bytes], bytes]:
    """Return the damage of keeping only the first part."""
    return lambda data: data[: int(len(data) * ratio)]


def patched(old: bytes, new: bytes, *, offset: int = 0) -> Callable[[bytes], bytes]:
    """Return the damage of overwriting bytes at ``offset`` after the first ``old``."""

    def patch(data: bytes) -> bytes:
        at = data.index(old) + offset
        return data[:at] + new + data[at + len(new) :]

    return patch


TB = Fraction(1, 25)
