"""No network and no privileges of root: a network namespace, and the capabilities given up.

Sources: ``network_namespaces(7)``, ``user_namespaces(7)``, ``capabilities(7)``.
"""

import ctypes
import os
import platform
import struct
from pathlib import Path
from typing import Final

from reelcheck.media.isolation.kernel import Unavailable, call, last_error, prctl, unshare

_NEW_USER: Final = 0x10000000
_NEW_NETWORK: Final = 0x40000000
_CAPSET: Final = {"x86_64": 126, "aarch64": 91}
_CAPABILITIES_VERSION: Final = 0x20080522
_DROP_FROM_BOUND: Final = 24
_LAST_CAPABILITY: Final = 63
_LOOPBACK: Final = {"lo"}


def leave_network() -> None:
    """Move to a network of one's own, which has nothing in it but a loopback that is down.

    Root does it at once; others through a user namespace, where they are allowed one. A process
    that has no network but a loopback to begin with, such as in a container without one, may stay.

    Raises:
        Unavailable: neither is allowed here.
    """
    if (os.geteuid() == 0 and unshare(_NEW_NETWORK)) or unshare(_NEW_USER | _NEW_NETWORK):
        return
    reason = last_error()
    if _interfaces() <= _LOOPBACK:
        return
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        reason = f"{reason}: {threads - 1} threads of a runtime run already"
    raise Unavailable(f"user and network namespace: {reason}")


def _interfaces() -> set[str]:
    try:
        lines = Path("/proc/self/net/dev").read_text().splitlines()
    except OSError:
        return {"unknown"}
    return {line.partition(":")[0].strip() for line in lines[2:]}


def drop_capabilities() -> None:
    """Give up what root may do beyond others, in this thread and those it starts.

    Raises:
        Unavailable: the kernel refuses.
    """
    processor = platform.machine()
    if processor not in _CAPSET:
        raise Unavailable(f"no number of the call for the processor {processor}")
    for capability in range(_LAST_CAPABILITY + 1):
        prctl(_DROP_FROM_BOUND, capability)
    head = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITIES_VERSION, 0), 8)
    none = ctypes.create_string_buffer(24)
    call("capset", _CAPSET[processor], head, none)
