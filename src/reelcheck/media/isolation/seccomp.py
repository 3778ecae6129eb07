"""A filter on what the child may ask of the kernel (seccomp, mode 2).

An allow-list: what is not on it fails with EPERM, or with ENOSYS where the call is so new (number
424 and above, Linux 5.1) that programs fall back when it is missing. ``clone3`` is among those:
its flags lie in memory, where a filter cannot read them, and glibc then uses ``clone``.

Sources: Linux ``Documentation/userspace-api/seccomp_filter.rst``; ``linux/filter.h`` for the
instructions. Limits: only calls are seen, not what a pointer points to, so a name of a file is not;
for those there is ``landlock``.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterable, Sequence
from typing import Final

from reelcheck.media.isolation.kernel import Unavailable, call
from reelcheck.media.isolation.syscalls import plain, watched

_SECCOMP_CALL: Final = {"x86_64": 317, "aarch64": 277}
_AUDIT_ARCH: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SET_MODE_FILTER: Final = 1
_ALL_THREADS: Final = 1
_KILL: Final = 0x80000000
_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000
_LOAD: Final = 0x20
_EQUAL: Final = 0x15
_AT_LEAST: Final = 0x35
_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06
_NUMBER_AT: Final = 0
_ARCH_AT: Final = 4
_FIRST_NEW_CALL: Final = 424
_X32_BIT: Final = 0x40000000

_CLONE_VM: Final = 0x100
_CLONE_THREAD: Final = 0x10000
_NAMESPACES: Final = 0x7E020000
"""CLONE_NEW* of all kinds."""
_IOCTLS: Final = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: they ask, or mark a descriptor."""
_PRCTLS: Final = (15, 16, 0x53564D41)
"""PR_SET_NAME and PR_GET_NAME, for threads of FFmpeg, and PR_SET_VMA, a name for memory."""

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, value."""


def filter_calls(*, network: bool) -> None:
    """Put the filter on all threads of this process, for good.

    Args:
        network: Leave sockets open, for a model that is asked over the network.

    Raises:
        Unavailable: this kernel or processor has none.
    """
    processor = platform.machine()
    if processor not in _AUDIT_ARCH:
        raise Unavailable(f"no table of calls for the processor {processor}")
    install(program(processor, os.getpid(), network=network))


def install(lines: Iterable[Instruction]) -> None:
    """Put a filter on all threads of this process, which must have given up new privileges.

    Raises:
        Unavailable: the kernel refuses it.
    """
    packed = b"".join(struct.pack("=HBBI", *one) for one in lines)
    code = ctypes.create_string_buffer(packed, len(packed))
    head = struct.pack("@HP", len(packed) // 8, ctypes.addressof(code))
    box = ctypes.create_string_buffer(head, len(head))
    number = _SECCOMP_CALL[platform.machine()]
    refused = call("seccomp", number, _SET_MODE_FILTER, _ALL_THREADS, box)
    if refused:
        raise Unavailable(f"seccomp: thread {refused} has a filter of its own")


def program(processor: str, pid: int, *, network: bool) -> list[Instruction]:
    """Return the filter for a process on a processor."""
    lines: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH_AT),
        (_EQUAL, 1, 0, _AUDIT_ARCH[processor]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
    ]
    for number in plain(processor, network=network):
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    rules = _rules(pid)
    for name, number in watched(processor).items():
        lines += [(_EQUAL, 0, len(rules[name]), number), *rules[name]]
    return [
        *lines,
        (_AT_LEAST, 0, 1, _FIRST_NEW_CALL),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
    ]


def _rules(pid: int) -> dict[str, list[Instruction]]:
    """Return what decides on each call whose arguments matter."""
    reading = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | (1 << 22)
    return {
        "clone": [
            *_load(0),
            (_ANY_BIT, 0, 1, _NAMESPACES),
            (_RETURN, 0, 0, _ERRNO | errno.EPERM),
            (_ANY_BIT, 1, 0, _CLONE_THREAD),
            (_RETURN, 0, 0, _ERRNO | errno.EPERM),
            (_ANY_BIT, 1, 0, _CLONE_VM),
            (_RETURN, 0, 0, _ERRNO | errno.EPERM),
            (_RETURN, 0, 0, _ALLOW),
        ],
        "open": _without_bits(1, reading),
        "openat": _without_bits(2, reading),
        "kill": _one_of(0, [pid], otherwise=errno.EPERM),
        "tgkill": _one_of(0, [pid], otherwise=errno.EPERM),
        "prctl": _one_of(0, _PRCTLS, otherwise=errno.EPERM),
        "ioctl": _one_of(1, _IOCTLS, otherwise=errno.ENOTTY),
        # A pointer to new limits; without one the call only asks.
        "prlimit64": [
            *_load(2),
            (_EQUAL, 1, 0, 0),
            (_RETURN, 0, 0, _ERRNO | errno.EPERM),
            *_load(2, high=True),
            (_EQUAL, 1, 0, 0),
            (_RETURN, 0, 0, _ERRNO | errno.EPERM),
            (_RETURN, 0, 0, _ALLOW),
        ],
    }


def _load(argument: int, *, high: bool = False) -> list[Instruction]:
    """Load half of an argument; both processors are little-endian."""
    return [(_LOAD, 0, 0, 16 + 8 * argument + 4 * high)]


def _without_bits(argument: int, bits: int) -> list[Instruction]:
    return [
        *_load(argument),
        (_ANY_BIT, 0, 1, bits),
        (_RETURN, 0, 0, _ERRNO | errno.EACCES),
        (_RETURN, 0, 0, _ALLOW),
    ]


def _one_of(argument: int, values: Sequence[int], *, otherwise: int) -> list[Instruction]:
    lines: Iterable[Instruction] = (
        line for value in values for line in ((_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW))
    )
    return [*_load(argument), *lines, (_RETURN, 0, 0, _ERRNO | otherwise)]
