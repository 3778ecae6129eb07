"""Changed videos through the real gate: what each may come to, and the small files they are of."""

import functools
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import fuzz_parts as walk
from bad_input_case import VALID
from fuzz_changes import changed
from planted import H264, tone
from reelcheck.errors import ERROR_CODES, ReelcheckError
from reelcheck.exporters.json import JsonExporter
from reelcheck.media.synth import Recipe, textured, write_video
from reelcheck.pipeline import watch
from reelcheck.verdict.judge import judge
from reelcheck.verdict.policy import Policy, load_policy

HANG_SECONDS: Final = 15.0
_OUR_FAULTS: Final = frozenset({"E_INTERNAL", "E_ANALYZER"})
_CONTAINED: Final = frozenset({"E_DECODER_CRASH", "E_STALLED", "E_TIMEOUT"})
"""Typed, and the parent lives; the file is kept all the same, for whoever mends the decoder."""
_FRAMES: Final = 8


@dataclass(frozen=True, slots=True)
class Seed:
    """A small valid file, and how its parts are found."""

    recipe: Recipe
    extension: str
    walker: walk.Walker


SEEDS: Final[dict[str, Seed]] = {
    "mp4": Seed(VALID["mp4"], ".mp4", walk.boxes),
    "fragmented": Seed(VALID["fragmented"], ".mp4", walk.boxes),
    "sound": Seed(replace(H264, tone=tone(0.3)), ".mp4", walk.boxes),
    "mov": Seed(
        Recipe(codec="mjpeg", pixel_format="yuvj420p", container="mov"), ".mov", walk.boxes
    ),
    "hevc": Seed(
        replace(
            H264,
            codec="libx265",
            options={"preset": "ultrafast", "x265-params": "log-level=none:pools=none"},
        ),
        ".mp4",
        walk.boxes,
    ),
    "mkv": Seed(replace(VALID["mkv"], tone=tone(0.3)), ".mkv", walk.elements),
    "ffv1": Seed(VALID["ffv1"], ".mkv", walk.elements),
    "webm": Seed(VALID["webm"], ".webm", walk.elements),
    "ts": Seed(VALID["ts"], ".ts", walk.packets),
    "ts-mpeg2": Seed(
        Recipe(codec="mpeg2video", pixel_format="yuv420p", container="mpegts", tone=tone(0.3)),
        ".ts",
        walk.packets,
    ),
    "avi": Seed(VALID["avi"], ".avi", walk.chunks),
    "avi-mjpeg": Seed(
        Recipe(codec="mjpeg", pixel_format="yuvj420p", container="avi"), ".avi", walk.chunks
    ),
    "webp": Seed(VALID["webp"], ".webp", walk.chunks),
    "flv": Seed(VALID["flv"], ".flv", walk.tags),
    "apng": Seed(VALID["apng"], ".png", walk.picture_chunks),
    "gif": Seed(VALID["gif"], ".gif", walk.none),
    "mpeg": Seed(VALID["mpeg"], ".mpg", walk.units),
    "h264": Seed(VALID["h264"], ".h264", walk.units),
    "wmv": Seed(
        Recipe(codec="wmv2", pixel_format="yuv420p", container="asf"), ".wmv", walk.objects
    ),
    "mxf": Seed(
        Recipe(codec="mpeg2video", pixel_format="yuv420p", container="mxf"), ".mxf", walk.none
    ),
    "ogg": Seed(replace(VALID["webm"], codec="libvpx", container="ogg"), ".ogv", walk.pages),
    "ivf": Seed(replace(VALID["webm"], codec="libvpx", container="ivf"), ".ivf", walk.none),
    "y4m": Seed(
        Recipe(codec="wrapped_avframe", pixel_format="yuv420p", container="yuv4mpegpipe"),
        ".y4m",
        walk.none,
    ),
}
"""One kind of container after the other, with another codec where that opens other doors."""


@functools.cache
def seed_bytes(name: str) -> bytes:
    """Return a small valid file: a third of a second, 64 x 48."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip"
        pictures = ((textured(i, width_px=64, height_px=48), i) for i in range(_FRAMES))
        write_video(path, pictures, SEEDS[name].recipe)
        return path.read_bytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How one changed file ended."""

    outcome: str
    """``ok: PASS``, the code of a typed error, or what is neither."""
    fault: str = ""
    """Why this is a fault of ours; empty when it is none."""
    contained: bool = False
    """The decoder was stopped: a fault of FFmpeg that did no harm."""
    seconds: float = 0.0
    peak_mib: float = 0.0


def changed_video(seed: int, number: int) -> tuple[bytes, str, str]:
    """Return changed file ``number`` of a run, its extension, and what was done to what."""
    chance = random.Random(f"{seed}:{number}")
    names = list(SEEDS)
    name = names[number % len(names)]
    data, told = changed(seed_bytes(name), SEEDS[name].walker, chance)
    return data, SEEDS[name].extension, f"{name}: {told}"


@functools.cache
def _policy() -> Policy:
    return load_policy("default")


def end_of(path: Path) -> Ended:
    """Watch a file as the command does; return how that ends."""
    started = time.monotonic()
    peak = 0.0
    try:
        timeline = watch(path, only=["flashes"], threads=1)
        peak = timeline.timings["decoder_peak_mib"]
        report = judge(timeline, _policy())
        JsonExporter().render(report)
        codes = {failure.code for failure in timeline.failures}
        outcome = f"ok: {report.verdict.decision}"
    except ReelcheckError as error:
        codes, outcome = {error.code}, error.code
        words = str(error)
    except Exception as error:  # noqa: BLE001 - it is what is looked for
        codes, outcome = {"E_INTERNAL"}, f"{type(error).__name__}: {error}"
    else:
        words = "; ".join(f"{failure.code}: {failure.message}" for failure in timeline.failures)
    seconds = time.monotonic() - started
    return Ended(
        outcome=outcome,
        fault="; ".join(_faults(codes, seconds, locals().get("words", outcome))),
        contained=bool(codes & _CONTAINED),
        seconds=seconds,
        peak_mib=peak,
    )


def _faults(codes: set[str], seconds: float, words: str) -> Iterator[str]:
    if codes & _OUR_FAULTS or not codes <= set(ERROR_CODES):
        yield f"a fault of ours: {words}"
    if seconds > HANG_SECONDS:
        yield f"it took {seconds:.0f} s"
