"""Cases 86 to 89 of the table of bad inputs: the file changes while it is read."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import reelcheck
from bad_input_case import VALID
from reelcheck.media.synth import textured, write_video
from reelcheck.pipeline import Progress


@pytest.fixture(scope="module")
def slow_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a file that takes about a second to decode."""
    path = tmp_path_factory.mktemp("slow") / "clip.mkv"
    pictures = [textured(i, width_px=640, height_px=480) for i in range(12)]
    frames = ((np.roll(pictures[i % 12], i, axis=1), i) for i in range(150))
    write_video(path, frames, VALID["ffv1"])
    return path.read_bytes()


def watched_while(path: Path, change: Callable[[Path], None]) -> tuple[str, set[str]]:
    """Change the file at the first sign of progress; return the decision and the failures."""
    waiting = [change]

    def on_progress(_: Progress) -> None:
        if waiting:
            waiting.pop()(path)

    report = reelcheck.analyze(path, only=["flashes"], on_progress=on_progress)

    assert not waiting, "the change never happened"
    return report.verdict.decision, {failure.code for failure in report.failures}


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(bytes(1000))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 6 // 10)


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(bytes(path.stat().st_size // 3))


@pytest.mark.parametrize("change", [grow, truncate, overwrite])
def test_a_file_that_changes_is_never_passed(
    tmp_path: Path, slow_file: bytes, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "clip.mkv"
    path.write_bytes(slow_file)

    decision, failures = watched_while(path, change)

    assert decision == "INCONCLUSIVE"
    assert "E_INPUT_CHANGED" in failures


def test_a_file_that_is_deleted_is_read_to_its_end(tmp_path: Path, slow_file: bytes) -> None:
    path = tmp_path / "clip.mkv"
    path.write_bytes(slow_file)

    decision, failures = watched_while(path, Path.unlink)

    assert (decision, failures) == ("PASS", set())
