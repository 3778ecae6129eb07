"""Cases 90 and 91 of the table of bad inputs: no room, and no right to write."""

import subprocess
import sys
from pathlib import Path

import pytest

from bad_input_case import valid

COMMANDS = {
    "report": ["analyze", "a.mp4", "--only", "flashes", "-q", "--out"],
    "bill": ["sbom", "--out"],
}


def limited(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command where no file may have more than 1,024 bytes, as on a disk that is full."""
    command = ["bash", "-c", 'ulimit -f 1; exec "$@"', "bash", sys.executable, "-m", "reelcheck"]
    return subprocess.run(
        [*command, *words], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_without_room_there_is_a_typed_error_and_no_half_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(valid("mp4"))

    done = limited([*COMMANDS[name], "made"], tmp_path)

    assert done.returncode == 3, done.stderr
    assert "[E_STORAGE_FULL]" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.mp4"]


@pytest.mark.parametrize("name", COMMANDS)
def test_where_nothing_may_be_written_there_is_a_typed_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(valid("mp4"))
    done = subprocess.run(
        [sys.executable, "-m", "reelcheck", *COMMANDS[name], "/proc/nowhere/made"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 3, done.stderr
    assert "[E_STORAGE_READONLY]" in done.stderr
    assert "Traceback" not in done.stderr
