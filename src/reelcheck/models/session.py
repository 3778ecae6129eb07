"""Running a model by its card, on the runtime that the card names."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from reelcheck.models.card import Card
from reelcheck.models.protect.probes import refuse_other_answers
from reelcheck.models.protect.trust import model_settings
from reelcheck.models.store import read_probes


class Runner(Protocol):
    """A loaded model."""

    sha256: str
    """Of its weights; empty when they are on another machine."""

    def run(
        self, tensor: NDArray[Any], extra: Mapping[str, NDArray[Any]] | None = None
    ) -> NDArray[np.float32]:
        """Return the output named in the card.

        Args:
            tensor: The input named in the card, batch dimension first.
            extra: The ``extra_inputs`` of the card by name, where it has some.
        """
        ...


_RUNTIMES: Final = {
    "onnx": "reelcheck.models.runtimes.onnx:OnnxSession",
    "savedmodel": "reelcheck.models.runtimes.savedmodel:SavedModelSession",
    "caffe": "reelcheck.models.runtimes.caffe:CaffeSession",
    "serving": "reelcheck.models.runtimes.serving:ServingSession",
}


def open_session(card: Card, *, folder: Path | None = None) -> Runner:
    """Load the model of a card; in strict mode, ask it its probes.

    Args:
        card: What to load, and on which runtime.
        folder: Where its bundle lies, when it is not in the store.

    Raises:
        ModelError: the weights are missing, or are not those of the card, or the server of a
            remote model does not serve it, or it does not answer its probes as it did.
        MissingExtraError: the runtime is not installed.
    """
    module, _, name = _RUNTIMES[card.runtime].partition(":")
    kind = getattr(import_module(module), name)
    where = {} if card.runtime == "serving" else {"folder": folder}
    runner = cast("Runner", kind(card, **where))
    if folder is None and model_settings().mode == "strict":
        probes = read_probes(card)
        if probes is not None:
            refuse_other_answers(probes, card, runner)
    return runner
