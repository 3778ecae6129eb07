"""``reelcheck doctor``: is everything here that a trustworthy run needs?"""

import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import typer

from reelcheck import __version__
from reelcheck.errors import ReelcheckError, SetupError
from reelcheck.media.versions import FFMPEG_FLOOR, libraries, too_old
from reelcheck.models.card import card_names, load_card
from reelcheck.models.store import locate, read_weights
from reelcheck.pipeline import analyze
from reelcheck.verdict.report import Report

_OK: Final = "ok  "
_NOTE: Final = "note"
_BAD: Final = "BAD "
_EDGE_TOLERANCE_SECONDS: Final = 0.04


def run_doctor() -> int:
    """Print one line per check; return the exit code: 0, or 3 when something is missing."""
    bad = False
    for mark, text in _checks():
        typer.echo(f"{mark}  {text}")
        bad |= mark == _BAD
    return SetupError.exit_code if bad else 0


def _checks() -> Iterator[tuple[str, str]]:
    yield _OK, f"reelcheck {__version__}, Python {platform.python_version()}, {platform.machine()}"
    yield from _libraries()
    yield from _models()
    yield from _self_test()


def _libraries() -> Iterator[tuple[str, str]]:
    import av  # noqa: PLC0415 - only here does the parent touch FFmpeg
    import numpy as np  # noqa: PLC0415 - beside it
    import onnxruntime  # noqa: PLC0415 - beside it

    version, old = str(av.ffmpeg_version_info), too_old(libraries())
    yield (
        _BAD if old else _OK,
        f"FFmpeg {version} in PyAV {av.__version__} (at least {FFMPEG_FLOOR} for its fixes)",
    )
    yield from ((_BAD, words) for words in old)
    yield _OK, f"numpy {np.__version__}, ONNX Runtime {onnxruntime.__version__}"


def _models() -> Iterator[tuple[str, str]]:
    for name in card_names():
        card = load_card(name)
        if locate(card) is None:
            yield _NOTE, f"model {name}: not here; {card.summary}"
            continue
        try:
            _, digest = read_weights(card)
        except ReelcheckError as error:
            yield _BAD, str(error)
        else:
            yield _OK, f"model {name}: sha256 {digest[:12]}..., {card.licence}"


def _self_test() -> Iterator[tuple[str, str]]:
    """Watch a generated clip whose black stretch is known, through the real gate."""
    from reelcheck.media.synth import write_scenes  # noqa: PLC0415 - needs FFmpeg

    grey, black = (120, 120, 120), (0, 0, 0)
    with tempfile.TemporaryDirectory() as folder:
        video = write_scenes(Path(folder) / "self-test.mkv", [(grey, 1.0), (black, 1.0)])
        try:
            report = analyze(video, only=["defects", "shots"])
        except ReelcheckError as error:
            yield _BAD, f"self-test: {error}"
            return
    yield from _isolation(report)
    starts = [event.start_seconds for event in report.events if event.label == "black"]
    found = len(starts) == 1 and abs(starts[0] - 1.0) <= _EDGE_TOLERANCE_SECONDS
    whole = report.coverage.decoded_ratio == 1
    yield (
        _OK if found and whole else _BAD,
        f"self-test: black from 1 s found at {starts}, saw {report.coverage.decoded_ratio:.0%}",
    )


def _isolation(report: Report) -> Iterator[tuple[str, str]]:
    on = [name for name, active in sorted(report.isolation.items()) if active]
    yield _OK, f"isolation of the decoder: {', '.join(on) or 'none'}"
    for name, why in sorted(report.isolation_missing.items()):
        yield _NOTE, f"isolation layer {name} does not hold here: {why}"
