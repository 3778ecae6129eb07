"""Every network side by side: size, cost, speed, memory and what it learns, on one machine."""

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from reelcheck.lab.networks import build, table
from reelcheck.lab.networks.layers import count_macs, count_parameters
from reelcheck.lab.trials import Trial, run_trial

_RUNS: Final = 3
_CLASSES: Final = 10
_INTERVALS: Final = 20
"""Of a stream of 5 s, DeepSense's window."""
HEAD: Final = (
    f"{'NETWORK':20} {'KIND':8} {'PARAMETERS':>12} {'GMAC':>8} {'MS':>9} {'MIB':>7}  SCORE"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One network."""

    name: str
    kind: str
    parameters: int
    macs: int
    milliseconds: float
    """Of one forward pass with a batch of one, on one thread: the best of three."""
    memory_mib: float
    """By how much the peak of a fresh process grew: weights and one forward pass."""
    trial: Trial | None = None

    def __str__(self) -> str:
        """Return a line of the table below ``HEAD``."""
        cost = (
            f"{self.name:20} {self.kind:8} {self.parameters:12,} {self.macs / 1e9:8.3f} "
            f"{self.milliseconds:9.1f} {self.memory_mib:7.0f}"
        )
        if self.trial is None:
            return cost
        trial = self.trial
        return f"{cost}  {trial.task} {trial.figure} {trial.score} in {trial.seconds:.0f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What ``--score`` trains on; 0 epochs for no training."""

    samples: int
    epochs: int


def compare(*, frames: int, size_px: int, task: Task) -> Iterator[Row]:
    """Measure every network on random input, each in a process of its own.

    Args:
        frames: Pictures of a clip.
        size_px: Side of the pictures; at least 75 for Inception.
        task: How long each is trained by the one recipe of ``trials``, in its small form.
    """
    for name in sorted(table()):
        with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
            yield pool.submit(measure_one, name, frames, size_px, task).result()


def measure_one(name: str, frames: int, size_px: int, task: Task) -> Row:
    """Measure one network in this process, which should be fresh."""
    torch.set_num_threads(1)
    _forget_peak()
    before = _peak_mib()
    network = build(name, outputs=_CLASSES).eval()
    kind = str(network.kind)
    inputs = _inputs(kind, frames=frames, size_px=size_px)
    milliseconds = 1000 * min(_seconds(network, inputs) for _ in range(_RUNS))
    memory_mib = _peak_mib() - before
    trial = None
    if task.epochs:
        trial = run_trial(name, kind, samples=task.samples, epochs=task.epochs)
    return Row(
        name=name,
        kind=kind,
        parameters=count_parameters(network),
        macs=count_macs(network, inputs),
        milliseconds=milliseconds,
        memory_mib=memory_mib,
        trial=trial,
    )


def _inputs(kind: str, *, frames: int, size_px: int) -> Any:  # noqa: ANN401 - by kind
    picture = torch.rand(1, 3, size_px, size_px)
    clip = torch.rand(1, frames, 3, size_px, size_px)
    streams: dict[str, Tensor] = {
        "rgb": torch.rand(1, _INTERVALS, 3, 32, 32),
        "motion": torch.rand(1, _INTERVALS, 16),
        "audio": torch.rand(1, _INTERVALS, 64),
        "present": torch.ones(1, 3),
    }
    small = torch.rand(1, 3, 128, 128)
    inputs = {"image": picture, "clip": clip, "boxes": picture, "streams": streams}
    return inputs.get(kind, (clip, small))


def _seconds(network: nn.Module, inputs: Any) -> float:  # noqa: ANN401 - by kind
    started = time.perf_counter()
    with torch.inference_mode():
        if isinstance(inputs, tuple):
            network(*inputs)
        else:
            network(inputs)
    return time.perf_counter() - started


def _peak_mib() -> float:
    """Return the peak since ``_forget_peak``."""
    text = Path("/proc/self/status").read_text("ascii")
    return int(text.split("VmHWM:")[1].split()[0]) / 1024


def _forget_peak() -> None:
    """Let Linux count the peak from now on (proc_pid_clear_refs(5), value 5)."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")
