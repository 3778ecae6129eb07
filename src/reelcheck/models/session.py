"""Running a model by its card. ONNX Runtime, one thread: parallelism is over analyzers."""

from typing import Any, Protocol, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from reelcheck.models.card import Card
from reelcheck.models.store import read_weights


class Runner(Protocol):
    """A loaded model."""

    def run(self, tensor: NDArray[Any]) -> NDArray[np.float32]:
        """Return the output named in the card for one input tensor."""
        ...


class OnnxSession:
    """A model in ONNX Runtime on the CPU."""

    def __init__(self, card: Card) -> None:
        weights, self.sha256 = read_weights(card)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        # Without the arena a large activation is given back after every run: flat memory.
        options.enable_cpu_mem_arena = False
        self._card = card
        self._session = onnxruntime.InferenceSession(
            weights, options, providers=["CPUExecutionProvider"]
        )

    def run(self, tensor: NDArray[Any]) -> NDArray[np.float32]:
        """Return the output named in the card for one input tensor."""
        outputs = self._session.run([self._card.output.name], {self._card.input.name: tensor})
        return cast("NDArray[np.float32]", outputs[0])


def open_session(card: Card) -> OnnxSession:
    """Load the model of a card.

    Raises:
        ModelError: the weights are missing, or are not those of the card.
    """
    return OnnxSession(card)
