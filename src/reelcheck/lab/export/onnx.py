"""ONNX with a free batch size, checked against the network that it came from."""

from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from reelcheck.lab.errors import TrainingError

TOLERANCE: Final = 1e-4
"""Largest difference of any output between PyTorch and ONNX Runtime."""
_OPSET: Final = 18
_BATCHES: Final = (1, 3)


def export_onnx(network: nn.Module, example: Tensor, path: Path) -> float:
    """Write a network as ONNX; return the largest difference that was found.

    Args:
        network: Takes one tensor; is put into evaluation mode.
        example: One batch, shape [N, ...].
        path: Where to write.

    Raises:
        TrainingError: the two disagree by more than ``TOLERANCE``.
    """
    network.eval()
    free_batch = {0: torch.export.Dim("batch")}
    torch.onnx.export(
        network,
        (example,),
        str(path),
        opset_version=_OPSET,
        dynamo=True,
        external_data=False,
        dynamic_shapes=(free_batch,),
        input_names=["clip"],
        output_names=["logits"],
        verbose=False,
    )
    worst = max(difference(network, path, example, count) for count in _BATCHES)
    if worst > TOLERANCE:
        raise TrainingError(f"ONNX differs from PyTorch by {worst:.2g}, more than {TOLERANCE:g}")
    return worst


def difference(network: nn.Module, path: Path, example: Tensor, count: int) -> float:
    """Return the largest difference on a batch of ``count``, random and of the example's shape."""
    rng = torch.Generator().manual_seed(count)
    batch = torch.randn((count, *example.shape[1:]), generator=rng)
    with torch.inference_mode():
        expected = network(batch).numpy()
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    told = session.run(None, {"clip": batch.numpy()})[0]
    return float(np.abs(told - expected).max())
