"""What a worker of the guard may do wrong; run in the child by tests of the guard."""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reelcheck.media.channel import Channel


def crash(job: Mapping[str, Any], fd: int, channel: Channel) -> None:
    channel.send({"kind": "progress", "seconds": 1.0})
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(job: Mapping[str, Any], fd: int, channel: Channel) -> None:
    channel.send({"kind": "opened", "seconds": 1.0})
    time.sleep(60)


def hang_before_opening(job: Mapping[str, Any], fd: int, channel: Channel) -> None:
    time.sleep(60)


def chatter(job: Mapping[str, Any], fd: int, channel: Channel) -> None:
    channel.send({"kind": "opened", "seconds": 0.0})
    while True:
        channel.send({"kind": "progress", "seconds": 0.0})
        time.sleep(0.01)


def eat_memory(job: Mapping[str, Any], fd: int, channel: Channel) -> None:
    channel.send({"kind": "opened", "seconds": 1.0})
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1 << 20) * 16))


def raise_strange(job: Mapping[str, Any], fd: int, channel: Channel) -> None:
    raise KeyError(job["entry"])


def report_surroundings(job: Mapping[str, Any], fd: int, channel: Channel) -> None:
    beside = Path(job["folder"]) / "written"
    try:
        beside.write_bytes(b"x")
        writing = "worked"
    except OSError as error:
        writing = type(error).__name__
    descriptors = sum(_is_open(number) for number in range(256))
    channel.send(
        {
            "kind": "surroundings",
            "environment": dict(os.environ),
            "writing": writing,
            "descriptors": descriptors,
        }
    )


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
