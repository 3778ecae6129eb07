"""Fuzzing: changed videos through the real gate, and changed files through every loader.

    make fuzz                                                   two minutes
    python tools/fuzz.py --files 20000 --inputs 20000           the long run
    python tools/fuzz.py --seed 7 --seconds 600
    python tools/fuzz.py --replay FILE                          one file again

Every input follows from the seed and its number. Those that end in anything but a report or a typed
error are kept, outside of the repository, each with the line that replays it; so are those that
stopped the decoder. Exit code 1 when a fault of ours was found.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from fuzz_loaders import NAMES, changed_input, end_of_input
from fuzz_videos import Ended, changed_video, end_of

_TOLD_EVERY_SECONDS: Final = 20


@dataclass(slots=True)
class Tally:
    """What a run came to."""

    kept: Path
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: int = 0
    contained: int = 0
    slowest_seconds: float = 0.0
    peak_mib: float = 0.0

    def take(self, ended: Ended, name: str, data: bytes, told: str) -> None:
        """Count how one input ended; keep it where it should be looked at."""
        self.outcomes[ended.outcome if not ended.fault else f"FAULT {ended.outcome}"] += 1
        self.slowest_seconds = max(self.slowest_seconds, ended.seconds)
        self.peak_mib = max(self.peak_mib, ended.peak_mib)
        self.faults += bool(ended.fault)
        self.contained += ended.contained
        if not ended.fault and not ended.contained:
            return
        self.kept.mkdir(parents=True, exist_ok=True)
        path = self.kept / name
        path.write_bytes(data)
        what = f"FAULT: {ended.fault}" if ended.fault else f"contained: {ended.outcome}"
        print(f"{what}\n  {told}\n  python tools/fuzz.py --replay {path}", flush=True)

    def show(self, what: str, seconds: float) -> None:
        """Print the table."""
        total = self.outcomes.total()
        print(
            f"\n{what}: {total} in {seconds:.0f} s, {self.faults} faults of ours, "
            f"{self.contained} times the decoder was stopped, slowest "
            f"{self.slowest_seconds:.1f} s, peak of a decoder {self.peak_mib:.0f} MiB"
        )
        for outcome, number in self.outcomes.most_common():
            print(f"  {number:6}  {outcome}")
        sys.stdout.flush()


def main() -> int:
    """Run; return the exit code."""
    asked = _asked()
    if asked.replay:
        return _replay(asked.replay)
    kept = asked.keep or Path(tempfile.gettempdir()) / "reelcheck-fuzz"
    print(f"seed {asked.seed}; what fails is kept in {kept}", flush=True)
    videos = _fuzz_videos(asked, Tally(kept))
    loaders = _fuzz_loaders(asked, Tally(kept))
    return 1 if videos.faults or loaders.faults else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="default: the clock")
    parser.add_argument("--files", type=int, help="changed videos; default: until time is over")
    parser.add_argument("--inputs", type=int, help="changed inputs of loaders; default: the same")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each, without a number")
    parser.add_argument("--jobs", type=int, default=2, help="videos at once")
    parser.add_argument("--first", type=int, default=0, help="number of the first video")
    parser.add_argument("--keep", type=Path, help="folder for what fails")
    parser.add_argument("--replay", type=Path, help="a file that was kept")
    return parser.parse_args()


def _replay(path: Path) -> int:
    name = path.name.partition("-")[0]
    ended = end_of_input(name, path.read_bytes()) if name in NAMES else end_of(path)
    print(ended)
    return 1 if ended.fault else 0


def _numbers(most: int | None, seconds: float, *, first: int = 0) -> Iterator[int]:
    if most is not None:
        yield from range(first, first + most)
        return
    until = time.monotonic() + seconds
    for number in count(first):
        if time.monotonic() > until:
            return
        yield number


def _fuzz_videos(asked: argparse.Namespace, tally: Tally) -> Tally:
    started = told = time.monotonic()
    numbers = _numbers(asked.files, asked.seconds, first=asked.first)
    with (
        tempfile.TemporaryDirectory() as folder,
        ThreadPoolExecutor(max_workers=asked.jobs) as pool,
    ):
        while some := list(islice(numbers, 16 * asked.jobs)):
            made = [(number, *changed_video(asked.seed, number)) for number in some]
            runs = [
                pool.submit(_watch, Path(folder) / f"video-{number}{extension}", data)
                for number, data, extension, _ in made
            ]
            for (number, data, extension, words), run in zip(made, runs, strict=True):
                tally.take(run.result(), f"video-{asked.seed}-{number}{extension}", data, words)
            if time.monotonic() - told > _TOLD_EVERY_SECONDS:
                told = time.monotonic()
                print(f"{tally.outcomes.total()} videos, {told - started:.0f} s", flush=True)
    tally.show("videos", time.monotonic() - started)
    return tally


def _watch(path: Path, data: bytes) -> Ended:
    path.write_bytes(data)
    try:
        return end_of(path)
    finally:
        path.unlink()


def _fuzz_loaders(asked: argparse.Namespace, tally: Tally) -> Tally:
    started = time.monotonic()
    for number in _numbers(asked.inputs, asked.seconds):
        name, data, words = changed_input(asked.seed, number)
        tally.take(end_of_input(name, data), f"{name}-{asked.seed}-{number}", data, words)
    tally.show("inputs of loaders", time.monotonic() - started)
    return tally


if __name__ == "__main__":
    sys.exit(main())
