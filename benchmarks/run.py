"""Speed and memory of reelcheck beside the tools it replaces. ``make bench`` runs it."""

import os
import sys
from pathlib import Path

import peers
from clips import minutes, one_minute
from measure import Cost, cost_of, python

HERE = Path(__file__).parent
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
LONG_MINUTES = int(os.environ.get("BENCH_MINUTES", "20"))


def main() -> None:
    """Print every figure that the goals speak of, with the load of the machine."""
    video = str(one_minute())
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(
        f"machine: {os.cpu_count()} cores, load {load}; medians of {RUNS} runs; clip: {video[-40:]}"
    )
    decode = show("PyAV decodes and does nothing", cost_of(peer("decode", video), runs=RUNS))
    show("the same in one thread", cost_of(peer("decode1", video), runs=RUNS), decode)
    balanced = show("reelcheck, balanced", cost_of(reelcheck(video), runs=RUNS), decode)
    fast = show(
        "reelcheck, fast", cost_of(reelcheck(video, "--profile", "fast"), runs=RUNS), decode
    )
    total = peers_total(video, decode)
    print()
    goal("CPU, balanced / decoding", balanced.cpu_seconds / decode.cpu_seconds, 1.9)
    goal("CPU, fast / decoding", fast.cpu_seconds / decode.cpu_seconds, 0.5)
    if total is not None:
        goal("CPU, balanced / peers", balanced.cpu_seconds / total.cpu_seconds, 0.5)
        goal("wall, balanced / peers", balanced.wall_seconds / total.wall_seconds, 0.5)
    goal("wall, balanced / length (4 times real time)", balanced.wall_seconds / 60, 1 / 4)
    goal("wall, fast / length (15 times real time)", fast.wall_seconds / 60, 1 / 15)
    goal("peak memory in MiB", balanced.peak_mib, 600)
    start_up()
    long_run(balanced)


def peer(name: str, video: str) -> list[str]:
    """Return the command of a peer in ``peers.py``."""
    return python(str(HERE / "peers.py"), name, video)


def reelcheck(video: str, *more: str) -> list[str]:
    """Return the command that analyses a video and prints JSON."""
    return python("-m", "reelcheck", "analyze", video, "--format", "json", *more)


def peers_total(video: str, decode: Cost) -> Cost | None:
    """Measure the peers; return their sum, or ``None`` when one is missing."""
    commands = {
        "opennsfw wheel at 1 fps": peer("opennsfw", video),
        "PySceneDetect detect-content": peers.scenedetect_command(video),
        "ffmpeg black, freeze, silence, loudness": peers.ffmpeg_command(video),
    }
    costs = []
    for name, command in commands.items():
        if command is None:
            print(f"{name}: not installed")
            return None
        costs.append(show(name, cost_of(command, runs=RUNS), decode))
    total = Cost(
        sum(cost.cpu_seconds for cost in costs),
        sum(cost.wall_seconds for cost in costs),
        max(cost.peak_mib for cost in costs),
    )
    return show("the three one after the other", total, decode)


def show(name: str, cost: Cost, decode: Cost | None = None) -> Cost:
    """Print one row; return the cost."""
    ratio = f"{cost.cpu_seconds / decode.cpu_seconds:6.2f}x" if decode else " " * 7
    print(
        f"{name:<42} CPU {cost.cpu_seconds:7.2f} s {ratio}  wall {cost.wall_seconds:7.2f} s"
        f"  memory {cost.peak_mib:6.0f} MiB",
        flush=True,
    )
    return cost


def goal(name: str, value: float, limit: float) -> None:
    """Print a ratio beside its goal."""
    print(
        f"{'met   ' if value <= limit else 'MISSED'}  {name:<46} {value:8.3f}  (goal {limit:.3f})"
    )


def start_up() -> None:
    """Measure what nobody wants to wait for."""
    bare = cost_of(python("-c", "pass"), runs=5).cpu_seconds
    goal(
        "import reelcheck, CPU s",
        cost_of(python("-c", "import reelcheck"), runs=5).cpu_seconds - bare,
        0.15,
    )
    program = str(Path(sys.executable).with_name("reelcheck"))
    goal("reelcheck --help, CPU s", cost_of([program, "--help"], runs=5).cpu_seconds, 0.4)


def long_run(short: Cost) -> None:
    """Compare a long video with a short one: memory flat, cost in proportion."""
    cost = show(
        f"reelcheck, {LONG_MINUTES} minutes", cost_of(reelcheck(str(minutes(LONG_MINUTES))), runs=1)
    )
    goal(f"memory, {LONG_MINUTES} minutes / 1 minute", cost.peak_mib / short.peak_mib, 1.05)
    goal(
        f"CPU per minute, {LONG_MINUTES} minutes / 1 minute",
        cost.cpu_seconds / LONG_MINUTES / short.cpu_seconds,
        1.1,
    )


if __name__ == "__main__":
    main()
