"""The guard ends what crashes, hangs or eats memory, and keeps what was said before."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reelcheck.errors import SettingError, VideoError
from reelcheck.media import guard
from reelcheck.settings import Limits, limits_from


@pytest.fixture(scope="module", autouse=True)
def _server_that_knows_the_entries() -> Iterator[None]:
    before = os.environ.get("PYTHONPATH")
    guard.stop_server()
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    yield
    guard.stop_server()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


def messages(entry: str, tmp_path: Path, **limits: float) -> list[dict[str, Any]]:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    fd = os.open(file, os.O_RDONLY)
    job = {"folder": str(tmp_path)}
    try:
        return list(guard.run(f"guard_entries:{entry}", job, fd, limits=limits_from(limits)))
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("entry", "limits", "code"),
    [
        ("crash", {}, "E_DECODER_CRASH"),
        ("hang", {"no_progress_seconds": 0.6}, "E_STALLED"),
        ("hang_before_opening", {"open_seconds": 0.6}, "E_STALLED"),
        ("chatter", {"wall_base_seconds": 0.6}, "E_TIMEOUT"),
        ("eat_memory", {"address_space_bytes": 1 << 29}, "E_MEMORY"),
        ("eat_memory", {"resident_bytes": 200 << 20}, "E_MEMORY"),
        ("raise_strange", {}, "E_INTERNAL"),
    ],
)
def test_a_worker_that_misbehaves_ends_with_its_code(
    entry: str, limits: dict[str, Any], code: str, tmp_path: Path
) -> None:
    started = time.monotonic()

    said = messages(entry, tmp_path, **limits)

    assert [one["code"] for one in said if one["kind"] == "error"] == [code]
    assert time.monotonic() - started < 15


def test_what_was_said_before_a_crash_is_kept(tmp_path: Path) -> None:
    kinds = [one["kind"] for one in messages("crash", tmp_path)]

    assert sorted(kinds) == ["ended", "error", "isolation", "progress", "started"]
    assert kinds[-2:] == ["ended", "error"]


def test_a_killed_worker_is_gone(tmp_path: Path) -> None:
    said = messages("hang", tmp_path, no_progress_seconds=0.6)
    pid = next(one["pid"] for one in said if one["kind"] == "started")

    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)

    assert not Path(f"/proc/{pid}").exists()


def test_the_worker_can_neither_write_files_nor_see_secrets(tmp_path: Path) -> None:
    said = messages("report_surroundings", tmp_path)
    around = next(one for one in said if one["kind"] == "surroundings")

    assert "PYTHONPATH" in os.environ
    # what it takes to find and load models; the key of encrypted ones is gone by then
    assert set(around["environment"]) <= {
        "HOME",
        "ORT_DISABLE_TELEMETRY",
        "REELCHECK_CONFIG",
        "REELCHECK_MODELS",
        "REELCHECK_STRICT_MODELS",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
    }
    assert around["writing"] == "PermissionError"
    assert around["descriptors"] < 12


def test_runs_in_threads_do_not_disturb_each_other(tmp_path: Path) -> None:
    codes = list[str]()

    def run(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        said = messages("raise_strange" if number % 2 else "crash", folder)
        codes.append(next(one["code"] for one in said if one["kind"] == "error"))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(codes) == ["E_DECODER_CRASH"] * 4 + ["E_INTERNAL"] * 4


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_hundred_runs_leak_no_descriptor(tmp_path: Path) -> None:
    messages("raise_strange", tmp_path)
    before = open_descriptors()

    for _ in range(100):
        messages("raise_strange", tmp_path)

    assert open_descriptors() == before


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(bytes(100))

    with pytest.raises(VideoError) as refusal:
        guard.open_video(tmp_path / "a.mp4", limits=Limits(file_bytes=99))

    assert refusal.value.code == "E_TOO_LARGE"


@pytest.mark.parametrize("wrong", [{"file_bites": 1}, {"streams": 0}, {"open_seconds": "soon"}])
def test_wrong_limits_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        limits_from(wrong)
