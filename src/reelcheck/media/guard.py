"""The parent's side of a decoder that may crash, hang or eat memory: it is watched and killed.

What the child found before it died is kept: its messages have already arrived.
"""

import atexit
import contextlib
import errno
import json
import os
import selectors
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from reelcheck.errors import VideoError
from reelcheck.media.channel import Channel
from reelcheck.settings import Isolation, Limits, isolation_from

_POLL_SECONDS: Final = 0.5
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells whether a file changed while it was read."""

    device: int
    inode: int
    size: int
    modified_ns: int


def open_video(path: str | os.PathLike[str], *, limits: Limits) -> tuple[int, Identity]:
    """Open a file once, so that what was checked is what is read.

    Raises:
        VideoError: it does not exist, is no regular file, is empty or too large.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise VideoError("there is no such file", code="E_NOT_FOUND") from error
    except PermissionError as error:
        raise VideoError("the file may not be read", code="E_NOT_FOUND") from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise VideoError("the name is too long", code="E_NOT_FOUND") from error
        hint = "give the file that the link points to" if error.errno == errno.ELOOP else ""
        raise VideoError(
            f"this is not a regular file ({error.strerror})", code="E_NOT_REGULAR", hint=hint
        ) from error
    try:
        identity = identify(fd)
        _check_file(fd, limits)
    except BaseException:
        os.close(fd)
        raise
    return fd, identity


def identify(fd: int) -> Identity:
    """Return what tells whether the open file changed."""
    state = os.fstat(fd)
    return Identity(state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)


def _check_file(fd: int, limits: Limits) -> None:
    state = os.fstat(fd)
    if not stat.S_ISREG(state.st_mode):
        raise VideoError("this is not a regular file", code="E_NOT_REGULAR")
    if not state.st_size:
        raise VideoError("the file is empty", code="E_EMPTY")
    if state.st_size > limits.file_bytes:
        raise VideoError(
            f"the file has {state.st_size} bytes, the limit is {limits.file_bytes}",
            code="E_TOO_LARGE",
        )


class _Server:
    """The warm process, started at the first job and shared by all jobs of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def submit(self, job: dict[str, Any], file: int, end: int) -> None:
        """Hand a job and its two descriptors to the server."""
        body = json.dumps(job).encode()
        with self._lock:
            # A fork of this process must not share its parent's server.
            if (
                self._process is None
                or self._process.poll() is not None
                or (self._owner != os.getpid())
            ):
                self._start()
            if self._control is not None:
                socket.send_fds(self._control, [body], [file, end])

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            # -P: never import from the working folder, where the video may lie beside an av.py.
            [sys.executable, "-P", "-m", "reelcheck.media.forkserver", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=environment,
        )
        theirs.close()
        self._control = ours
        self._owner = os.getpid()

    def stop(self) -> None:
        """End the server; the next job starts a new one."""
        with self._lock:
            if self._control is not None:
                self._control.close()
            if self._process is not None and self._owner == os.getpid():
                self._process.wait()
            self._control = self._process = None


_SERVER = _Server()
# Waited for, the CPU time of the server counts as that of the command: `time` tells the truth.
atexit.register(_SERVER.stop)


def stop_server() -> None:
    """End the warm process of this process, if there is one. The next job starts a new one."""
    _SERVER.stop()


def run(
    entry: str,
    job: dict[str, Any],
    fd: int,
    *,
    limits: Limits,
    isolation: str = Isolation.AUTO,
) -> Iterator[dict[str, Any]]:
    """Run ``entry`` on an open file in a limited child; yield its messages as they come.

    The last message is ``{"kind": "ended", "status": ...}`` or, when the guard had to kill,
    ``{"kind": "error", "code": ..., "message": ...}``.

    Args:
        entry: ``module:function``, called as ``function(job, fd, channel)`` in the child.
        job: Plain data for it.
        fd: The open file.
        limits: What it may cost.
        isolation: ``auto``, ``strict`` or ``off``, see ``reelcheck.settings.Isolation``.

    Raises:
        SettingError: the isolation is unknown.
    """
    whole = {
        **job,
        "entry": entry,
        "limits": asdict(limits),
        "isolation": isolation_from(isolation),
    }
    ours, theirs = socket.socketpair()
    _SERVER.submit(whole, fd, theirs.fileno())
    theirs.close()
    watch = _Watchdog(limits)
    channel = Channel(ours)
    try:
        yield from _listen(channel, watch)
    finally:
        watch.kill()
        channel.close()


def _listen(channel: Channel, watch: "_Watchdog") -> Iterator[dict[str, Any]]:
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        while True:
            ready = selector.select(_POLL_SECONDS)
            try:
                messages = channel.receive() if ready else []
            except (ValueError, TypeError) as error:
                yield _error("E_DECODER_CRASH", f"the decoder sent nonsense: {error}")
                return
            if messages is None:
                yield _error("E_DECODER_CRASH", "the decoder process vanished")
                return
            for message in messages:
                watch.note(message)
                yield message
                if message["kind"] == "ended":
                    yield from _explain(message["status"])
                    return
            overdue = watch.overdue()
            if overdue:
                watch.kill()
                yield overdue
                return


def _explain(status: int) -> Iterator[dict[str, Any]]:
    if status < 0:
        name = signal.Signals(-status).name
        yield _error("E_DECODER_CRASH", f"the decoder process died of {name}")


def _error(code: str, message: str) -> dict[str, Any]:
    return {"kind": "error", "code": code, "message": message}


class _Watchdog:
    """Clocks and memory of one worker."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._started = self._progressed = time.monotonic()
        self._measured = 0.0
        self._opened = False
        self._pid = 0
        self._wall_seconds = limits.wall_base_seconds

    def note(self, message: dict[str, Any]) -> None:
        """Take note of one message of the worker."""
        kind = message["kind"]
        if kind == "started":
            self._pid = int(message["pid"])
            self._started = self._progressed = time.monotonic()
        elif kind == "opened":
            self._opened = True
            claimed = min(message.get("seconds") or 0.0, self._limits.duration_seconds)
            self._wall_seconds += claimed * self._limits.wall_per_second
        elif kind == "ended":
            self._pid = 0
        self._progressed = time.monotonic()

    def overdue(self) -> dict[str, Any] | None:
        """Return the error that ends the run, or ``None`` while all is well."""
        now = time.monotonic()
        quiet = now - self._progressed
        if not self._opened and quiet > self._limits.open_seconds:
            return _error("E_STALLED", f"opening took more than {self._limits.open_seconds:g} s")
        if quiet > self._limits.no_progress_seconds:
            return _error("E_STALLED", f"no progress for {quiet:.0f} s")
        if now - self._started > self._wall_seconds:
            return _error("E_TIMEOUT", f"not done after {self._wall_seconds:.0f} s")
        if now - self._measured < _POLL_SECONDS:
            return None
        self._measured = now
        resident = self._resident_bytes()
        if resident > self._limits.resident_bytes:
            return _error("E_MEMORY", f"the decoder used {resident >> 20} MiB")
        return None

    def _resident_bytes(self) -> int:
        if not self._pid:
            return 0
        try:
            fields = Path(f"/proc/{self._pid}/statm").read_text().split()
        except OSError:
            return 0
        return int(fields[1]) * _PAGE_BYTES

    def kill(self) -> None:
        """Kill the worker if it still runs."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self._pid, signal.SIGKILL)
            self._pid = 0
