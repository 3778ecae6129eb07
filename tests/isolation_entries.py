"""What a decoder that was taken over would try; run in the child by tests of its isolation.

Each attempt ends with what it got: ``worked``, or the name of the error that stopped it.
"""

import ctypes
import os
import platform
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reelcheck.media.channel import Channel

_PTRACE = {"x86_64": 101, "aarch64": 117}
_PROCESS_VM_READV = {"x86_64": 310, "aarch64": 270}
_SEIZE = 0x4206
"""As attaching, but the other process is not stopped: it is the one that runs the tests."""


def attempts(job: Mapping[str, Any]) -> dict[str, Callable[[], object]]:
    """Return the attempts by name. ``job`` holds a folder, a port and the parent's process."""
    folder, parent = Path(job["folder"]), int(job["parent"])
    return {
        "read another video": (folder / "secret.mp4").read_bytes,
        "read the list of users": lambda: Path("/etc/passwd").read_bytes(),
        "list a folder": lambda: list(folder.iterdir()),
        "write a file": lambda: (folder / "written").write_bytes(b"x"),
        "make an empty file": (folder / "made").touch,
        "change a file": lambda: os.truncate(folder / "secret.mp4", 1),
        "delete a file": (folder / "victim").unlink,
        "rename a file": lambda: (folder / "victim2").rename(folder / "renamed"),
        "make a folder": (folder / "new").mkdir,
        "make a link": lambda: (folder / "link").symlink_to("/etc/passwd"),
        "open a socket": lambda: socket.socket().close(),
        "open a local socket": lambda: socket.socket(socket.AF_UNIX).close(),
        "connect": lambda: socket.create_connection(("127.0.0.1", job["port"]), 2).close(),
        "look up a name": lambda: socket.getaddrinfo("localhost", 80),
        "run a program": lambda: subprocess.run([sys.executable, "-c", ""], check=True),
        "replace itself": _replace_itself,
        "start a process": _fork,
        "attach to the parent": lambda: _kernel(_PTRACE, _SEIZE, parent, 0, 0),
        "read the parent's memory": lambda: _read_memory(f"/proc/{parent}/mem"),
        "read its memory by a call": lambda: _read_by_call(parent),
        "read its environment": lambda: Path(f"/proc/{parent}/environ").read_bytes(),
        "signal the parent": lambda: os.kill(parent, 0),
        "stop the parent": lambda: os.kill(parent, signal.SIGCONT),
        "change a limit": _lower_limit,
        "change the root": lambda: os.chroot(folder),
        "become another user": lambda: os.setuid(65534),
    }


def _replace_itself() -> None:
    try:
        os.execv("/nowhere/program", ["x"])  # noqa: S606 - it is the attempt
    except FileNotFoundError:  # it was allowed to look
        return


def _fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _kernel(numbers: Mapping[str, int], *arguments: int) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    typed = [ctypes.c_ulong(one) for one in arguments]
    answer = int(library.syscall(ctypes.c_long(numbers[platform.machine()]), *typed))
    if answer == -1:
        raise OSError(ctypes.get_errno(), "refused")
    return answer


def _read_memory(path: str) -> None:
    with Path(path).open("rb"):
        pass


def _read_by_call(pid: int) -> None:
    # No address: an allowed caller is told that nothing was read, not that it may not.
    _kernel(_PROCESS_VM_READV, pid, 0, 0, 0, 0, 0)


def _lower_limit() -> None:
    import resource  # noqa: PLC0415 - not on every system

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))


def attack(job: Mapping[str, Any], fd: int, channel: Channel) -> None:
    """Try everything; tell what came of it."""
    told = {}
    for name, attempt in attempts(job).items():
        try:
            attempt()
            told[name] = "worked"
        except (OSError, ValueError) as error:
            told[name] = type(error).__name__
    channel.send({"kind": "attempts", "told": told})


def decode_like(job: Mapping[str, Any], fd: int, channel: Channel) -> None:
    """Do what decoding does: threads, memory, time, randomness, late imports."""
    import threading  # noqa: PLC0415 - beside the late ones
    import time  # noqa: PLC0415 - beside it

    done: list[int] = []
    threads = [threading.Thread(target=done.append, args=(n,), name=f"t{n}") for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    import colorsys  # noqa: PLC0415 - a module that nobody has imported yet

    time.sleep(0.001)
    big = bytearray(64 << 20)
    channel.send(
        {
            "kind": "alive",
            "threads": sorted(done),
            "module": colorsys.__name__,
            "random": len(os.urandom(8)),
            "memory": len(big),
            "byte": os.pread(fd, 1, 0).decode(),
        }
    )
