"""Running a model by its card, on the runtime that the card names."""

import threading
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from reelcheck.errors import ReelcheckError
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


class _Taking:
    """A model that several analyzers share: one asks at a time, for not all runtimes can more."""

    def __init__(self, runner: Runner) -> None:
        self.sha256 = runner.sha256
        self._runner = runner
        self._lock = threading.Lock()

    def run(
        self, tensor: NDArray[Any], extra: Mapping[str, NDArray[Any]] | None = None
    ) -> NDArray[np.float32]:
        """Return the output named in the card."""
        with self._lock:
            return self._runner.run(tensor, extra)


_EARLY: Final[dict[str, Runner | ReelcheckError]] = {}
"""Of this process, by the name of the model: loaded, or why not."""


def load_early(card: Card) -> None:
    """Load a model now, so that ``open_session`` finds it when files can no longer be opened.

    A model that cannot be loaded is no error here: ``open_session`` raises it.
    """
    if card.name in _EARLY:
        return
    try:
        _EARLY[card.name] = _Taking(open_session(card))
    except ReelcheckError as error:
        _EARLY[card.name] = error


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
    early = _EARLY.get(card.name) if folder is None else None
    if isinstance(early, ReelcheckError):
        raise early
    if early is not None:
        return early
    module, _, name = _RUNTIMES[card.runtime].partition(":")
    kind = getattr(import_module(module), name)
    where = {} if card.runtime == "serving" else {"folder": folder}
    runner = cast("Runner", kind(card, **where))
    if folder is None and model_settings().mode == "strict":
        probes = read_probes(card)
        if probes is not None:
            refuse_other_answers(probes, card, runner)
    return runner
