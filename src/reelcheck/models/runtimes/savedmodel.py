"""TensorFlow SavedModel: the signature ``serving_default``, on the CPU, one thread.

Integrity: TensorFlow loads from a path only, so the folder is read and checked before and again
after loading, and everything that the model needs is in memory then. Limits: a change that is made
and undone in between is not seen; a SavedModel is a program, which the checksum pins but does not
tame.
"""

import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelcheck.errors import ModelError
from reelcheck.models.card import Card
from reelcheck.models.runtimes.optional import load_optional
from reelcheck.models.store import read_parts

SIGNATURE = "serving_default"


def load_tensorflow(*, needed_by: str) -> Any:  # noqa: ANN401 - a module without types
    """Return TensorFlow, quiet and on one thread.

    Raises:
        MissingExtraError: it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # oneDNN sums in an order that depends on the processor.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    # Where torch's compiler is installed it goes first: both carry LLVM, and after TensorFlow it
    # crashes.
    if "tensorflow" not in sys.modules:
        with suppress(ImportError):
            import_module("triton")
    # A part of TensorFlow asks at import for a folder that can be written, which a child that
    # watches a video has not, and never uses it.
    known, tempfile.tempdir = tempfile.tempdir, tempfile.tempdir or os.curdir
    try:
        tensorflow = load_optional("tensorflow", extra="tensorflow", needed_by=needed_by)
    finally:
        tempfile.tempdir = known
    with suppress(RuntimeError):  # it has computed before: then the threads are set
        tensorflow.config.threading.set_intra_op_parallelism_threads(1)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    return tensorflow


class SavedModelSession:
    """A model in TensorFlow."""

    def __init__(self, card: Card, *, folder: Path | None = None) -> None:
        """Load a SavedModel.

        Raises:
            ModelError: it is missing, not that of the card, or cannot be loaded.
            MissingExtraError: TensorFlow is not installed.
        """
        parts = read_parts(card, folder=folder)
        self.sha256 = parts.sha256
        tensorflow = load_tensorflow(needed_by=f"model {card.name!r}")
        try:
            self._model = tensorflow.saved_model.load(str(parts.path))
            self._function = self._model.signatures[SIGNATURE]
        except Exception as error:  # TensorFlow raises whatever its parts raise
            first = str(error).strip().splitlines()[:1] or [type(error).__name__]
            raise ModelError(
                f"TensorFlow cannot load model {card.name!r}: {first[0]}",
                code="E_MODEL_INTEGRITY",
                hint=f"it needs a signature {SIGNATURE!r}",
            ) from error
        if read_parts(card, folder=folder).sha256 != self.sha256:
            raise ModelError(
                f"model {card.name!r} changed while it was loaded", code="E_MODEL_INTEGRITY"
            )
        self._constant = tensorflow.constant
        self._card = card
        self._warm_up(tensorflow)

    def _warm_up(self, tensorflow: Any) -> None:  # noqa: ANN401 - a module without types
        """Run once: the first run opens files, which a child that watches a video may not."""
        wanted = self._function.structured_input_signature[1]
        with suppress(Exception):  # what is wrong is told when it is really asked
            self._function(
                **{
                    name: tensorflow.zeros([side or 1 for side in spec.shape], spec.dtype)
                    for name, spec in wanted.items()
                }
            )

    def run(
        self, tensor: NDArray[Any], extra: Mapping[str, NDArray[Any]] | None = None
    ) -> NDArray[np.float32]:
        """Return the output named in the card."""
        fed = {self._card.input.name: tensor, **(extra or {})}
        outputs = self._function(**{name: self._constant(value) for name, value in fed.items()})
        return np.asarray(outputs[self._card.output.name].numpy(), dtype=np.float32)
