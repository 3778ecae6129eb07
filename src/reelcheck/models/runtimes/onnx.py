"""ONNX Runtime, one thread: parallelism is over analyzers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from reelcheck.models.card import Card
from reelcheck.models.store import read_parts


class OnnxSession:
    """A model in ONNX Runtime on the CPU."""

    def __init__(self, card: Card, *, folder: Path | None = None) -> None:
        """Load the checked bytes: ONNX Runtime never sees a path, so no other file can be read."""
        parts = read_parts(card, folder=folder)
        self.sha256 = parts.sha256
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        # Without the arena a large activation is given back after every run: flat memory.
        options.enable_cpu_mem_arena = False
        self._card = card
        self._session = onnxruntime.InferenceSession(
            parts.content[card.weights.file], options, providers=["CPUExecutionProvider"]
        )

    def run(
        self, tensor: NDArray[Any], extra: Mapping[str, NDArray[Any]] | None = None
    ) -> NDArray[np.float32]:
        """Return the output named in the card."""
        fed = {self._card.input.name: tensor, **(extra or {})}
        outputs = self._session.run([self._card.output.name], fed)
        return cast("NDArray[np.float32]", outputs[0])
