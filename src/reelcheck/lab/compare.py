"""Every network side by side: size, cost, speed and memory on one machine in one run."""

import resource
import time
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from reelcheck.lab.networks import build, table
from reelcheck.lab.networks.layers import count_macs, count_parameters

_RUNS: Final = 3
_CLASSES: Final = 10
_INTERVALS: Final = 20
"""Of a stream of 5 s, DeepSense's window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One network."""

    name: str
    kind: str
    parameters: int
    macs: int
    milliseconds: float
    """Of one forward pass with a batch of one: the best of three, on the threads that are set."""
    memory_mib: float
    """By how much the peak of the process grew; 0 when an earlier network needed more."""


def compare(*, frames: int, size_px: int) -> list[Row]:
    """Measure every network on random input.

    Args:
        frames: Pictures of a clip.
        size_px: Side of the pictures; Inception gets 299, at least 75 is needed.
    """
    rows = []
    for name in sorted(table()):
        network = build(name, outputs=_CLASSES).eval()
        inputs = _inputs(str(network.kind), frames=frames, size_px=size_px)
        before = _peak_mib()
        rows.append(
            Row(
                name=name,
                kind=str(network.kind),
                parameters=count_parameters(network),
                macs=count_macs(network, inputs),
                milliseconds=1000 * min(_seconds(network, inputs) for _ in range(_RUNS)),
                memory_mib=_peak_mib() - before,
            )
        )
    return rows


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
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def to_text(rows: list[Row]) -> str:
    """Return a table for people."""
    head = f"{'NETWORK':20} {'KIND':8} {'PARAMETERS':>12} {'GMAC':>8} {'MS':>9} {'MIB':>7}"
    lines = [
        f"{row.name:20} {row.kind:8} {row.parameters:12,} {row.macs / 1e9:8.3f} "
        f"{row.milliseconds:9.1f} {row.memory_mib:7.0f}"
        for row in rows
    ]
    return "\n".join([head, *lines])
