"""What a trained network takes and tells, as a graph with named inputs and one output."""

from dataclasses import dataclass
from typing import Any, Final, Literal, cast

import torch
from torch import Tensor, nn

from reelcheck.lab.errors import TrainingError
from reelcheck.lab.networks.deepsense import STREAMS, FlatStreams

Kind = Literal["classes", "boxes", "quality"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A network that takes tensors by place and gives one."""

    network: nn.Module
    sample: dict[str, Tensor]
    """One real sample by the names of the inputs, in the order of the arguments."""
    output: str
    kind: Kind

    def batch(self, count: int) -> dict[str, Tensor]:
        """Return a batch for checks: the sample with noise as strong as itself."""
        rng = torch.Generator().manual_seed(count)

        def noisy(one: Tensor) -> Tensor:
            noise = torch.randn((count, *one.shape), generator=rng)
            return one + noise * one.std().nan_to_num()

        return {name: noisy(one.float()) for name, one in self.sample.items()}

    def run(self, batch: dict[str, Tensor]) -> Tensor:
        """Return what PyTorch computes."""
        with torch.inference_mode():
            told: Tensor = self.network(*batch.values())
        return told


class RawBoxes(nn.Module):
    """A detector up to its decoded rows: suppression depends on the data and stays outside."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Return rows [N, A, 5 + K]."""
        rows: Tensor = self.network.predict(image)  # type: ignore[operator]  # detectors have it
        return rows


_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "clip": ("clip",),
    "image": ("image",),
    "boxes": ("image",),
    "streams": (*STREAMS, "present"),
    "quality": ("fragments", "glance"),
}


def interface_of(network: nn.Module, inputs: Any) -> Interface:  # noqa: ANN401 - by kind
    """Return the interface of a network, which is put into evaluation mode.

    Args:
        network: Of a kind that the lab knows.
        inputs: Of one sample: a tensor, a table of tensors, or several in a row.

    Raises:
        TrainingError: the network cannot be a graph with one output.
    """
    kind = str(network.kind)
    if kind not in _NAMES or (kind == "boxes" and not hasattr(network, "predict")):
        raise TrainingError(
            f"a {type(network).__name__} cannot be exported: what it computes depends on what it "
            "finds",
            hint="export a yolo",
        )
    graph, told, output = network, "classes", "logits"
    if kind == "streams":
        graph = FlatStreams(network)  # type: ignore[arg-type]  # of kind "streams"
    elif kind == "boxes":
        graph, told, output = RawBoxes(network), "boxes", "rows"
    elif kind == "quality":
        told, output = "quality", "quality"
    return Interface(
        network=graph.eval(),
        sample=named_inputs(kind, inputs),
        output=output,
        kind=cast("Kind", told),
    )


def named_inputs(kind: str, inputs: Any) -> dict[str, Tensor]:  # noqa: ANN401 - by kind
    """Return the inputs of a network of a kind, of a sample or a batch, by their names."""
    names = _NAMES[kind]
    if isinstance(inputs, dict):
        return {name: inputs[name] for name in names}
    tensors = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    return dict(zip(names, tensors, strict=True))
