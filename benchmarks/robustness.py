"""Truncated and mutated files by the thousand through the real gate.

    python benchmarks/robustness.py truncate 200     # cuts per container
    python benchmarks/robustness.py mutate 2000      # files in all

Fails when a cut file passes, an outcome has no code, a run hangs, a child takes too much memory, or
an address that was planted in a file is asked for.
"""

import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from bad_input_case import valid
from reelcheck.errors import ReelcheckError
from reelcheck.pipeline import watch
from reelcheck.verdict.judge import judge
from reelcheck.verdict.policy import load_policy

CONTAINERS = ("mp4", "fragmented", "with_sound", "mkv", "webm", "ts", "avi", "flv", "mpeg", "gif")
MAX_SECONDS = 15
MAX_MIB = 512
WORKERS = 2
SEED = 20261125


@dataclass(frozen=True)
class Outcome:
    """How one file ended."""

    name: str
    verdict: str
    seconds: float
    mib: float


def outcome_of(name: str, data: bytes) -> Outcome:
    """Send one file through the gate."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip"
        path.write_bytes(data)
        try:
            timeline = watch(path, only=["flashes"])
        except ReelcheckError as error:
            return Outcome(name, error.code, time.monotonic() - started, 0.0)
    verdict = judge(timeline, load_policy("default")).verdict.decision
    mib = timeline.timings["decoder_peak_mib"]
    return Outcome(name, verdict, time.monotonic() - started, mib)


def truncated(count: int) -> Iterator[tuple[str, bytes]]:
    """Yield every container cut at random places."""
    for container in CONTAINERS:
        data, rnd = valid(container), random.Random(f"{SEED}{container}")
        for _ in range(count):
            at = rnd.randrange(1, len(data))
            yield f"{container} cut at {at} of {len(data)}", data[:at]


def _flip(data: bytearray, rnd: random.Random) -> None:
    for _ in range(rnd.choice((1, 4, 32, 256))):
        data[rnd.randrange(len(data))] ^= 1 << rnd.randrange(8)


def _noise(data: bytearray, rnd: random.Random) -> None:
    at, count = rnd.randrange(len(data)), rnd.choice((1, 16, 300))
    data[at : at + count] = rnd.randbytes(count)


def _zero(data: bytearray, rnd: random.Random) -> None:
    at, count = rnd.randrange(len(data)), rnd.choice((4, 200, 5000))
    data[at : at + count] = bytes(len(data[at : at + count]))


def _delete(data: bytearray, rnd: random.Random) -> None:
    at = rnd.randrange(len(data))
    del data[at : at + rnd.choice((1, 7, 188, 3000))]


def _repeat(data: bytearray, rnd: random.Random) -> None:
    at = rnd.randrange(len(data))
    data[at:at] = data[at : at + rnd.choice((1, 64, 2000))]


def _swap(data: bytearray, rnd: random.Random) -> None:
    a, b = sorted(rnd.randrange(len(data)) for _ in range(2))
    data[:] = data[:a] + data[b:] + data[a:b]


def _big(data: bytearray, rnd: random.Random) -> None:
    at = rnd.randrange(max(1, min(len(data), 4096) - 4))
    data[at : at + 4] = rnd.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00" * 4))


def _cut(data: bytearray, rnd: random.Random) -> None:
    del data[rnd.randrange(1, len(data)) :]


def _head(data: bytearray, rnd: random.Random) -> None:
    del data[: rnd.choice((1, 16, 700))]


class Canary:
    """A server that nobody must ever reach: its address is planted in files."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.hits = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        port = self._socket.getsockname()[1]
        self.texts = [
            f"http://127.0.0.1:{port}/x",
            f"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:{port}/x.ts\n",
            f"ffconcat version 1.0\nfile http://127.0.0.1:{port}/x\n",
            f"tcp://127.0.0.1:{port}",
        ]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            self._socket.accept()[0].close()
            self.hits += 1


CANARY = Canary()


def _address(data: bytearray, rnd: random.Random) -> None:
    text = rnd.choice(CANARY.texts).encode()
    at = rnd.choice((0, rnd.randrange(len(data))))
    data[at : at + rnd.choice((0, len(text)))] = text


MUTATORS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    *(_flip, _noise, _zero, _delete, _repeat, _swap, _big, _cut, _head, _address),
)


def mutated(count: int) -> Iterator[tuple[str, bytes]]:
    """Yield files damaged in ten ways, in turn."""
    kinds = [*CONTAINERS, "ffv1", "apng", "webp", "h264"]
    rnd = random.Random(SEED)
    for index in range(count):
        kind, mutator = kinds[index % len(kinds)], MUTATORS[index // len(kinds) % len(MUTATORS)]
        data = bytearray(valid(kind))
        mutator(data, rnd)
        yield f"{kind} {mutator.__name__.strip('_')} #{index}", bytes(data)


def main(kind: str, count: int) -> int:
    """Run one of the two; print the outcomes; return the exit code."""
    files = truncated(count) if kind == "truncate" else mutated(count)
    started = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as pool:
        outcomes = list(pool.map(lambda one: outcome_of(*one), files))
    took = time.monotonic() - started
    print(f"{len(outcomes)} files in {took:.0f} s, {len(outcomes) / took:.1f} a second")
    for verdict, number in Counter(one.verdict for one in outcomes).most_common():
        print(f"  {verdict:<24}{number:>6}")
    slowest = max(outcomes, key=lambda one: one.seconds)
    print(f"  longest {slowest.seconds:.1f} s ({slowest.name}: {slowest.verdict})", end=", ")
    print(f"largest child {max(one.mib for one in outcomes):.0f} MiB", end=", ")
    print(f"{CANARY.hits} canary hits")
    bad = [one for one in outcomes if is_bad(one, kind)]
    for one in bad:
        print(f"BAD {one.name}: {one.verdict}, {one.seconds:.1f} s, {one.mib:.0f} MiB")
    return 1 if bad or CANARY.hits else 0


def is_bad(outcome: Outcome, kind: str) -> bool:
    """Return whether an outcome breaks a promise."""
    passed = kind == "truncate" and outcome.verdict in {"PASS", "WARN"}
    fault = outcome.verdict in {"E_INTERNAL", "E_ANALYZER"}
    return passed or fault or outcome.seconds > MAX_SECONDS or outcome.mib > MAX_MIB


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
