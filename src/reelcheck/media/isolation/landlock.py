"""Which files the child may open by name (Landlock): the code of Python and its libraries, to read.

Python and PyAV import parts when they are first needed, and glibc loads a library when a thread
ends; nothing else is opened by name, for the video is an open descriptor by then. Where the kernel
can, TCP, abstract sockets and signals to other processes are taken away too.

Source: Linux ``Documentation/userspace-api/landlock.rst``; rights by version of the interface as
listed there. Limits: what is open already stays open; names can still be looked up (``stat``).
"""

import ctypes
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from reelcheck.media.isolation.kernel import Unavailable, call

_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_ASK_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3
_FILE_RIGHTS: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP: Final = 0b11
_TCP_SINCE: Final = 4
_SCOPES: Final = 0b11
_SCOPES_SINCE: Final = 6
_DEVICES: Final = ("/dev/null", "/dev/urandom", "/dev/zero")
NETWORK_FILES: Final = (
    *("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/ssl"),
    *("/etc/pki", "/usr/share/ca-certificates", "/run/systemd/resolve"),
)
"""What it takes to find a server by name and to check its certificate."""


def shut_files(readable: Iterable[Path], *, network: bool) -> None:
    """Leave this thread, and those it starts, only these places to read. For good.

    Args:
        readable: Files and folders with all that lies in them.
        network: Leave TCP open, for a model that is asked over the network.

    Raises:
        Unavailable: this kernel has no Landlock, or it is switched off.
    """
    version = call("Landlock", _CREATE_RULESET, None, 0, _ASK_VERSION)
    rights = _FILE_RIGHTS[max(one for one in _FILE_RIGHTS if one <= version)]
    handled = struct.pack(
        "=QQQ",
        rights,
        _TCP if version >= _TCP_SINCE and not network else 0,
        _SCOPES if version >= _SCOPES_SINCE else 0,
    )
    size = 24 if version >= _SCOPES_SINCE else 16 if version >= _TCP_SINCE else 8
    ruleset = call("Landlock", _CREATE_RULESET, _buffer(handled), size, 0)
    try:
        for path in readable:
            _allow(ruleset, path)
        call("Landlock", _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there need not be allowed
    try:
        rights = _READ_FILE | (_READ_DIR if path.is_dir() else 0)
        rule = _buffer(struct.pack("=Qi", rights, place))
        call("Landlock", _ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(place)


def _buffer(data: bytes) -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(data, len(data))


def places_of_code(search: Iterable[str], packages: Iterable[str]) -> Iterator[Path]:
    """Yield where code may still be imported or loaded from.

    Args:
        search: ``sys.path``. The server is started so that the working folder is not on it.
        packages: Folders of packages that are imported already.
    """
    for text in (*search, *packages, *_libraries()):
        path = Path(text)
        if path.is_absolute() and path != Path(path.anchor):
            yield path
    yield from (Path(one) for one in _DEVICES)


def _libraries() -> Iterator[str]:
    """Yield the folders of the shared libraries that are loaded."""
    seen = set[str]()
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError as error:
        raise Unavailable(f"cannot tell where libraries lie: {error.strerror}") from error
    for line in maps.splitlines():
        name = line.partition("/")[2]
        if ".so" in name:
            seen.add(os.path.dirname(f"/{name}"))  # noqa: PTH120 - text in, text out
    yield from sorted(seen)
