"""Calls of the Linux kernel that Python has no name for, through ctypes."""

import ctypes
import os
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_NO_NEW_PRIVS: Final = 38


class Unavailable(Exception):  # noqa: N818 - it is no error, the layer is just not to be had
    """A layer cannot be put on here. The words say why, for a person."""


def prctl(option: int, value: int) -> bool:
    """Call ``prctl``; return False where it fails or there is none."""
    try:
        return bool(_library().prctl(option, value, 0, 0, 0) == 0)
    except (OSError, AttributeError, Unavailable):
        return False


def call(what: str, number: int, *arguments: int | ctypes.Array[ctypes.c_char] | None) -> int:
    """Call the kernel by number; return what it answers.

    Args:
        what: Its name, for the message.
        number: Of the call.
        arguments: Whole numbers, and buffers, of which the address is given.

    Raises:
        Unavailable: the kernel refuses.
    """
    library = _library()
    typed = [
        ctypes.c_ulong(one & (2**64 - 1)) if isinstance(one, int) else one for one in arguments
    ]
    answer = int(library.syscall(ctypes.c_long(number), *typed))
    if answer == -1:
        raise Unavailable(f"{what}: {os.strerror(ctypes.get_errno())}")
    return answer


def unshare(flags: int) -> bool:
    """Call ``unshare``; return whether it worked."""
    return bool(_library().unshare(ctypes.c_int(flags)) == 0)


def last_error() -> str:
    """Return the words for what the last call failed of."""
    return os.strerror(ctypes.get_errno())


def _library() -> ctypes.CDLL:
    if sys.platform != "linux":
        raise Unavailable(f"only Linux has it, this is {sys.platform}")
    return ctypes.CDLL(None, use_errno=True)
