"""What a network says of every sample of a part, each counted once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

import numpy as np
import torch
import torch.distributed
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader

from reelcheck.lab.data.sources import Samples
from reelcheck.lab.errors import DataError
from reelcheck.lab.measure.detection import FoundBoxes, TruthBoxes
from reelcheck.terminal import steps

_JUDGED: Final = 3
"""Score, lower and upper; a quality network may tell causes behind them."""
Tell = Callable[[Any], list[Any]]
"""Takes the inputs of a batch, returns what the network says of each of its samples: probabilities
[K], or ``FoundBoxes``, or score, lower and upper [3]."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """One row per sample that could be measured, in the order of the samples."""

    groups: tuple[str, ...]
    numbers: tuple[int, ...]
    """Number of each sample within its part."""
    failed: dict[str, str] = field(default_factory=dict)
    """File -> why it broke while it was read; its samples have no row."""

    def __len__(self) -> int:
        """Return how many samples were measured."""
        return len(self.numbers)

    def take(self, chosen: Sequence[int]) -> Self:
        """Return some rows, by their places."""
        return replace(
            self,
            groups=tuple(self.groups[one] for one in chosen),
            numbers=tuple(self.numbers[one] for one in chosen),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassRows(Rows):
    """What a classifier says."""

    probabilities: NDArray[np.float64]
    """Shape [N, K]."""
    labels: NDArray[np.int64]
    """Shape [N]."""

    @property
    def told(self) -> NDArray[np.int64]:
        """Most likely class, shape [N]."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @property
    def own(self) -> NDArray[np.float64]:
        """Probability of the label, shape [N]."""
        return np.asarray(self.probabilities[np.arange(len(self)), self.labels])

    def take(self, chosen: Sequence[int]) -> Self:
        """Return some rows, by their places."""
        mine = super(ClassRows, self).take(chosen)
        at = list(chosen)
        return replace(mine, probabilities=self.probabilities[at], labels=self.labels[at])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoxRows(Rows):
    """What a detector says of N pictures."""

    truths: tuple[TruthBoxes, ...]
    found: tuple[FoundBoxes, ...]

    def take(self, chosen: Sequence[int]) -> Self:
        """Return some rows, by their places."""
        mine = super(BoxRows, self).take(chosen)
        return replace(
            mine,
            truths=tuple(self.truths[one] for one in chosen),
            found=tuple(self.found[one] for one in chosen),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QualityRows(Rows):
    """What a quality network says."""

    scores: NDArray[np.float64]
    """Score, lower and upper, shape [N, 3]."""
    opinions: NDArray[np.float64]
    """Shape [N]."""
    half_widths: NDArray[np.float64] | None = None
    """Of the 95 % intervals of the opinions, shape [N]; ``None`` where they are not known."""

    def take(self, chosen: Sequence[int]) -> Self:
        """Return some rows, by their places."""
        mine = super(QualityRows, self).take(chosen)
        at = list(chosen)
        widths = None if self.half_widths is None else self.half_widths[at]
        return replace(mine, scores=self.scores[at], opinions=self.opinions[at], half_widths=widths)


def predict(network: nn.Module, samples: Samples, *, batch: int) -> Any:  # noqa: ANN401 - rows by kind
    """Run a network over samples; return ``ClassRows``, ``BoxRows`` or ``QualityRows`` by its kind.

    Under ``torchrun`` every process takes its share, and all get all rows.

    Raises:
        DataError: no sample could be read.
    """
    network.eval()
    kind = str(network.kind)
    with torch.inference_mode():
        return gather(_teller(network, kind), samples, kind=kind, batch=batch)


def _teller(network: nn.Module, kind: str) -> Tell:
    device = next(network.parameters()).device

    def classes(inputs: Any) -> list[Any]:  # noqa: ANN401 - by kind
        return list(network(_to(inputs, device)).softmax(dim=1).double().cpu().numpy())

    def quality(inputs: Any) -> list[Any]:  # noqa: ANN401 - by kind
        judged = network(*_to(inputs, device))[:, :_JUDGED]
        return list(judged.double().cpu().numpy())

    def boxes(inputs: Any) -> list[Any]:  # noqa: ANN401 - by kind
        return [
            FoundBoxes(
                boxes_px=told["boxes"].double().cpu().numpy(),
                scores=told["scores"].double().cpu().numpy(),
                labels=told["labels"].cpu().numpy(),
            )
            for told in network(_to(inputs, device))
        ]

    return {"boxes": boxes, "quality": quality}.get(kind, classes)


def _to(inputs: Any, device: torch.device) -> Any:  # noqa: ANN401 - tensors in any nesting
    if isinstance(inputs, torch.Tensor):
        return inputs.to(device)
    if isinstance(inputs, dict):
        return {name: one.to(device) for name, one in inputs.items()}
    return [one.to(device) for one in inputs]


def processes() -> tuple[int, int]:
    """Return number and count of the processes that measure together."""
    if not torch.distributed.is_initialized():
        return 0, 1
    return torch.distributed.get_rank(), torch.distributed.get_world_size()


def gather(tell: Tell, samples: Samples, *, kind: str, batch: int) -> Any:  # noqa: ANN401 - rows by kind
    """Ask ``tell`` about every sample; return rows, each sample once, gathered by number.

    Raises:
        DataError: no sample could be read.
    """
    rank, world = processes()
    loader: DataLoader[Any] = DataLoader(
        samples,  # type: ignore[arg-type]  # a map-style data set by its methods
        batch_size=batch,
        sampler=range(rank, len(samples), world),
        collate_fn=getattr(samples, "collate", None),
    )
    mine: dict[int, tuple[Any, Any]] = {}
    with steps("measuring", len(loader)) as done:
        for inputs, targets, numbers in loader:
            truths = _truths(targets, kind)
            told = zip(numbers.tolist(), tell(inputs), truths, strict=True)
            mine.update({number: (said, truth) for number, said, truth in told})
            done()
    failed: dict[str, str] = dict(getattr(samples, "failed", {}))
    if world > 1:
        parts: list[Any] = [None] * world
        torch.distributed.all_gather_object(parts, (mine, failed))
        mine = {number: row for part, _ in parts for number, row in part.items()}
        failed = {name: why for _, part in parts for name, why in part.items()}
    return _joined(mine, samples, kind=kind, failed=failed)


def _truths(targets: Any, kind: str) -> list[Any]:  # noqa: ANN401 - by kind
    if kind == "quality" and targets.ndim > 1:  # the cause stands beside the score
        return list(targets[:, 0].tolist())
    if kind != "boxes":
        return list(targets.tolist())
    return [
        TruthBoxes(
            boxes_px=one["boxes"].double().cpu().numpy(),
            labels=one["labels"].cpu().numpy().astype(np.int64),
        )
        for one in targets
    ]


def _joined(
    rows: dict[int, tuple[Any, Any]], samples: Samples, *, kind: str, failed: dict[str, str]
) -> Rows:
    files = [getattr(row, "file", "") for row in getattr(samples, "rows", ())]
    numbers = tuple(n for n in range(len(samples)) if not files or files[n] not in failed)
    if not numbers:
        raise DataError("there is no sample that could be measured")
    told, truths = zip(*(rows[number] for number in numbers), strict=True)
    groups = tuple(samples.groups[number] for number in numbers)
    shared: dict[str, Any] = {"groups": groups, "numbers": numbers, "failed": failed}
    if kind == "boxes":
        return BoxRows(**shared, truths=truths, found=told)
    if kind == "quality":
        widths = getattr(samples, "half_widths", None)
        known = None if widths is None else np.array([float(widths[n]) for n in numbers])
        return QualityRows(
            **shared,
            scores=np.array(told),
            opinions=np.array(truths, dtype=np.float64),
            half_widths=known,
        )
    return ClassRows(
        **shared, probabilities=np.array(told), labels=np.array(truths, dtype=np.int64)
    )
