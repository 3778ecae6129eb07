"""What eight bits change: size, time, outputs, and the figures on the test part."""

import json
import statistics
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from reelcheck.lab.data.sources import Data
from reelcheck.lab.evaluation.against import Comparison, compare
from reelcheck.lab.evaluation.figures import evaluate, main_figure
from reelcheck.lab.evaluation.rows import ClassRows, QualityRows, Tell, gather
from reelcheck.lab.export.interface import named_inputs
from reelcheck.models.session import Runner

MOST_DISAGREEMENT: Final = 0.02
"""Share of the test samples with another top class from which there is a warning; the issue's."""
_RUNS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Int8 against float, on the same samples of the test part."""

    samples: int
    float_bytes: int
    int8_bytes: int
    float_milliseconds: float
    """Of one sample on one thread: median of twenty, taken in turns with the other."""
    int8_milliseconds: float
    largest_difference: float
    """Of any output (logit, or quality)."""
    mean_difference: float
    agreement: float | None
    """Share of samples with the same top class; ``None`` for quality."""
    main_figure: str
    comparison: Comparison
    """Int8 is "this", float "the other"."""

    @property
    def warning(self) -> str:
        """One line when too many samples get another class, else empty."""
        if self.agreement is None or self.agreement >= 1 - MOST_DISAGREEMENT:
            return ""
        return (
            f"warning: int8 tells another class for {1 - self.agreement:.1%} of the test samples "
            f"(more than {MOST_DISAGREEMENT:.0%})"
        )

    def figures(self) -> dict[str, str]:
        """Return the figures of the int8 network, for its card."""
        return {name: str(one) for name, one in self.comparison.this.items()}

    def to_text(self) -> str:
        """Return what changed, for a terminal."""
        name, both = self.main_figure, self.comparison
        size = self.int8_bytes / self.float_bytes
        speed = self.int8_milliseconds / self.float_milliseconds
        lines = [
            f"int8 against float on {self.samples} test samples",
            f"size        {self.int8_bytes:,} bytes, {size:.2f} of float",
            f"latency     {self.int8_milliseconds:.2f} ms, {speed:.2f} of float",
            f"difference  largest {self.largest_difference:.3g}, mean {self.mean_difference:.3g}",
        ]
        if self.agreement is not None:
            lines.append(f"same class  {self.agreement:.1%}")
        if name in both.differences:
            lines.append(
                f"{name:11} {both.this[name]}, float {both.other[name]}, "
                f"difference {both.differences[name]}"
            )
        return "\n".join([*lines, both.conclusion, *([self.warning] if self.warning else [])])


def measure_drift(
    network: nn.Module,
    data: Data,
    *,
    floats: Runner,
    ints: Runner,
    files: tuple[Path, Path],
    batch: int,
) -> Drift:
    """Run both on the test part.

    Args:
        network: The trained network, for its kind.
        data: Of its recipe.
        floats: The float model.
        ints: The int8 model.
        files: Of float and int8.
        batch: Samples at a time.
    """
    kind = str(network.kind)
    rows = [gather(_teller(one, kind), data.test, kind=kind, batch=batch) for one in (floats, ints)]
    before, after = (_outputs(one) for one in rows)
    judged = [_judged(one) for one in rows]
    sample = named_inputs(kind, data.test[0][0])
    times = _milliseconds(floats, ints, {name: one[None] for name, one in sample.items()})
    agreement = None
    if isinstance(rows[0], ClassRows):
        agreement = float((before.argmax(1) == after.argmax(1)).mean())
    return Drift(
        samples=len(before),
        float_bytes=files[0].stat().st_size,
        int8_bytes=files[1].stat().st_size,
        float_milliseconds=times[0],
        int8_milliseconds=times[1],
        largest_difference=float(np.abs(after - before).max()),
        mean_difference=float(np.abs(after - before).mean()),
        agreement=agreement,
        main_figure=main_figure(judged[1]),
        comparison=compare(evaluate(judged[1], data.classes), judged[0], name="float"),
    )


def _run(session: Runner, inputs: dict[str, torch.Tensor]) -> NDArray[np.float32]:
    first, *others = inputs
    extra = {name: inputs[name].float().numpy() for name in others}
    return session.run(inputs[first].float().numpy(), extra)


def _teller(session: Runner, kind: str) -> Tell:
    def tell(inputs: Any) -> list[Any]:  # noqa: ANN401 - by kind
        return list(_run(session, named_inputs(kind, inputs)).astype(np.float64))

    return tell


def _outputs(rows: ClassRows | QualityRows) -> NDArray[np.float64]:
    return rows.probabilities if isinstance(rows, ClassRows) else rows.scores


def _judged(rows: Any) -> Any:  # noqa: ANN401 - rows by kind
    """Return rows as they are measured: logits become probabilities."""
    if not isinstance(rows, ClassRows):
        return rows
    shares = torch.from_numpy(rows.probabilities).softmax(dim=1).numpy()
    return replace(rows, probabilities=shares)


def _milliseconds(
    floats: Runner, ints: Runner, sample: dict[str, torch.Tensor]
) -> tuple[float, float]:
    taken: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(_RUNS):
        for place, session in enumerate((floats, ints)):
            started = time.perf_counter()
            _run(session, sample)
            taken[place].append(1000 * (time.perf_counter() - started))
    return statistics.median(taken[0]), statistics.median(taken[1])


def write_drift(drift: Drift, path: Path) -> None:
    """Write everything as JSON."""
    values = {**asdict(drift), "warning": drift.warning}
    path.write_text(json.dumps(values, indent=2) + "\n", "utf-8")
