"""ONNX Runtime, one thread: parallelism is over analyzers.

Every file passes ``onnx_checks`` first, then ONNX Runtime gets its bytes, never a path.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from reelcheck.errors import ModelError
from reelcheck.models.card import Card
from reelcheck.models.runtimes.onnx_checks import refuse_unsafe
from reelcheck.models.store import read_parts


class OnnxSession:
    """A model in ONNX Runtime on the CPU."""

    def __init__(self, card: Card, *, folder: Path | None = None) -> None:
        """Load the checked bytes: ONNX Runtime never sees a path, so no other file can be read.

        Raises:
            ModelError: they are missing, not those of the card, unsafe or no model.
        """
        parts = read_parts(card, folder=folder)
        model = parts.content[card.weights.file]
        refuse_unsafe(model)
        self.sha256 = parts.sha256
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        # Without the arena a large activation is given back after every run: flat memory.
        options.enable_cpu_mem_arena = False
        # Otherwise it looks at the bytes and decides by itself what they are.
        options.add_session_config_entry("session.load_model_format", "ONNX")
        self._card = card
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises kinds of its own, and bare ones
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(
                f"ONNX Runtime cannot load model {card.name!r}: {first[:300]}",
                code="E_MODEL_INTEGRITY",
            ) from error

    def run(
        self, tensor: NDArray[Any], extra: Mapping[str, NDArray[Any]] | None = None
    ) -> NDArray[np.float32]:
        """Return the output named in the card."""
        fed = {self._card.input.name: tensor, **(extra or {})}
        outputs = self._session.run([self._card.output.name], fed)
        return cast("NDArray[np.float32]", outputs[0])
