"""A decoder that was taken over can do nothing here: every attempt is made, in the real child."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import isolation_entries
import reelcheck
from bad_input_case import valid
from reelcheck.errors import SettingError
from reelcheck.media import guard
from reelcheck.media.isolation import DOORS
from reelcheck.media.isolation.seccomp import program
from reelcheck.media.isolation.syscalls import names
from reelcheck.settings import ISOLATION_VARIABLE, Limits, isolation_from

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the layers are those of Linux")
ATTEMPTS = sorted(isolation_entries.attempts({"folder": "/", "parent": 1, "port": 1}))


@pytest.fixture(scope="module", autouse=True)
def _server_that_knows_the_entries() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", str(Path(__file__).parent))
    guard.stop_server()
    yield
    guard.stop_server()
    patch.undo()


def run(entry: str, folder: Path, *, isolation: str, port: int = 0) -> list[dict[str, Any]]:
    for name in ("secret.mp4", "victim", "victim2"):
        (folder / name).write_bytes(b"secret")
    fd = os.open(folder / "secret.mp4", os.O_RDONLY)
    job = {"folder": str(folder), "parent": os.getpid(), "port": port}
    try:
        entry = f"isolation_entries:{entry}"
        return list(guard.run(entry, job, fd, limits=Limits(), isolation=isolation))
    finally:
        os.close(fd)


def told_by(said: list[dict[str, Any]]) -> dict[str, str]:
    return dict(next(one["told"] for one in said if one["kind"] == "attempts"))


@pytest.fixture(scope="module", params=["auto", "off"])
def attacked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, bool], dict[str, str]]:
    """Return how it was isolated, what held, and what every attempt came to."""
    folder = tmp_path_factory.mktemp("attacked")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        said = run("attack", folder, isolation=request.param, port=port)
    layers = next(one["layers"] for one in said if one["kind"] == "isolation")
    return str(request.param), layers, told_by(said)


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_every_attempt_fails_behind_the_layers_and_shows_without_them(
    attempt: str, attacked: tuple[str, dict[str, bool], dict[str, str]]
) -> None:
    isolation, layers, told = attacked
    if isolation == "auto":
        if not all(layers[name] for name in ("seccomp", "landlock")):
            pytest.skip(f"this kernel lacks a layer: {layers}")
        assert told[attempt] != "worked"
        return
    # The control: what the layers forbid is possible without them, so that this can fail.
    possible = {
        *("read another video", "read the list of users", "list a folder", "make an empty file"),
        *("change a file", "delete a file", "rename a file", "make a folder", "make a link"),
        *("open a socket", "open a local socket", "connect", "run a program", "replace itself"),
        *(
            "start a process",
            "signal the parent",
            "stop the parent",
            "read its environment",
            "change a limit",
        ),
    }
    if attempt in possible:
        assert told[attempt] == "worked"


def test_what_decoding_needs_still_works_behind_all_layers(tmp_path: Path) -> None:
    said = run("decode_like", tmp_path, isolation="auto")

    alive = next(one for one in said if one["kind"] == "alive")
    assert alive["threads"] == [0, 1, 2, 3]
    assert (alive["module"], alive["random"], alive["memory"]) == ("colorsys", 8, 64 << 20)
    assert alive["byte"] == "s"


def test_every_report_names_the_layers_and_why_others_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(valid("mp4"))

    on = reelcheck.analyze(path, only=["flashes"])
    off = reelcheck.analyze(path, only=["flashes"], isolation="off")

    assert set(on.isolation) == {"process", "die_with_parent", "rlimit", "no_new_privs", *DOORS}
    assert set(on.isolation_missing) == {name for name, held in on.isolation.items() if not held}
    assert off.isolation_missing == dict.fromkeys(DOORS, "switched off")
    assert not any(off.isolation[name] for name in DOORS)


WITHOUT_LANDLOCK = """
import errno, sys
from reelcheck.cli import main
from reelcheck.media.isolation.kernel import PR_SET_NO_NEW_PRIVS, prctl
from reelcheck.media.isolation.seccomp import install
prctl(PR_SET_NO_NEW_PRIVS, 1)
refuse = 0x00050000 | errno.ENOSYS
install([(0x20, 0, 0, 0), (0x15, 0, 1, 444), (6, 0, 0, refuse), (6, 0, 0, 0x7FFF0000)])
main()
"""
"""A kernel without Landlock, as far as anybody in that process can tell."""


def analyze_without_landlock(video: Path, isolation: str) -> subprocess.CompletedProcess[str]:
    words = ["analyze", str(video), "--only", "flashes", "--format", "json"]
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_LANDLOCK, *words, "--isolation", isolation],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_missing_layer_is_told_and_strict_refuses_to_go_on(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(valid("mp4"))

    going_on = analyze_without_landlock(path, "auto")
    refused = analyze_without_landlock(path, "strict")

    report = json.loads(going_on.stdout)
    assert going_on.returncode == 0
    assert report["isolation_missing"]["landlock"] == "Landlock: Function not implemented"
    assert report["isolation"]["seccomp"]
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "landlock (Landlock: Function not implemented)" in refused.stderr
    assert "[E_ISOLATION]" in refused.stderr
    assert " hint: reelcheck doctor" in refused.stderr


def test_the_environment_makes_it_strict_and_never_weaker(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isolation_from("off") == "off"
    monkeypatch.setenv(ISOLATION_VARIABLE, "off")
    assert isolation_from("auto") == "auto"
    monkeypatch.setenv(ISOLATION_VARIABLE, "strict")
    assert {isolation_from(word) for word in ("auto", "off", "strict")} == {"strict"}
    monkeypatch.setenv(ISOLATION_VARIABLE, "tight")
    with pytest.raises(SettingError):
        isolation_from("auto")


def test_nothing_is_imported_from_the_folder_where_the_videos_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "av.py").write_text("raise SystemExit('taken over')")
    (tmp_path / "a.mp4").write_bytes(valid("mp4"))
    monkeypatch.chdir(tmp_path)
    guard.stop_server()

    report = reelcheck.analyze("a.mp4", only=["flashes"])

    assert report.coverage.decoded_ratio == 1
    guard.stop_server()


@pytest.mark.parametrize("processor", ["x86_64", "aarch64"])
def test_the_filter_is_a_program_that_ends(processor: str) -> None:
    lines = program(processor, 4711, network=False)

    assert len(lines) < 4096
    for at, (code, yes, no, _) in enumerate(lines):
        if code & 7 == 5:  # a jump
            assert at + 1 + max(yes, no) < len(lines)
    assert lines[-1][0] == 6


@pytest.mark.parametrize(
    ("processor", "header"),
    [
        ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        ("aarch64", "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_the_numbers_of_calls_are_those_of_the_kernel(processor: str, header: str) -> None:
    path = Path(header)
    if not path.is_file():
        pytest.skip("no headers of the kernel here")
    stated = {}
    for line in path.read_text().splitlines():
        words = line.split()
        if words[:1] == ["#define"] and len(words) == 3 and words[2].isdigit():
            stated[words[1].removeprefix("__NR3264_").removeprefix("__NR_")] = int(words[2])

    ours = names(processor)

    assert ours
    assert {name: number for name, number in ours.items() if name in stated} == {
        name: stated[name] for name in ours if name in stated
    }
    assert set(ours) - set(stated) <= {"newfstatat"}
    assert len(set(ours.values())) == len(ours)
