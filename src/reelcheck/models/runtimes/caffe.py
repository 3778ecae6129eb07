"""Caffe's prototxt and caffemodel through OpenCV's dnn, on the CPU, one thread.

Both files are checked, then loaded from memory: what was checked is what runs. Limits: networks
that look at one picture at a time; OpenCV 5 has dropped Caffe, so the extra pins an older one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelcheck.errors import MissingExtraError, ModelError
from reelcheck.models.card import Card
from reelcheck.models.runtimes.optional import load_optional
from reelcheck.models.store import read_parts


class CaffeSession:
    """A Caffe model in OpenCV."""

    def __init__(self, card: Card, *, folder: Path | None = None) -> None:
        """Load prototxt and caffemodel.

        Raises:
            ModelError: a file is missing, not that of the card, or cannot be loaded.
            MissingExtraError: OpenCV is not installed, or has no Caffe any more.
        """
        parts = read_parts(card, folder=folder)
        self.sha256 = parts.sha256
        needed_by = f"model {card.name!r}"
        cv2 = load_optional("cv2", extra="caffe", needed_by=needed_by)
        read = getattr(cv2.dnn, "readNetFromCaffe", None)
        if read is None:
            raise MissingExtraError(extra="caffe", needed_by=needed_by)
        cv2.setNumThreads(1)
        names = (card.weights.structure, card.weights.file)
        try:
            self._net = read(*(np.frombuffer(parts.content[name], np.uint8) for name in names))
        except (cv2.error, SystemError) as error:
            reason = getattr(error, "err", "") or "it is damaged"
            raise ModelError(
                f"OpenCV cannot load model {card.name!r}: {reason}", code="E_MODEL_INTEGRITY"
            ) from error
        self._card = card

    def run(
        self, tensor: NDArray[Any], extra: Mapping[str, NDArray[Any]] | None = None
    ) -> NDArray[np.float32]:
        """Return the output named in the card; a clip of one picture counts as a picture."""
        for name, value in (extra or {}).items():
            self._net.setInput(np.ascontiguousarray(value), name)
        pictures = np.ascontiguousarray(tensor).reshape(len(tensor), *tensor.shape[-3:])
        self._net.setInput(pictures, self._card.input.name)
        # A copy, for OpenCV writes the next result into the same memory.
        return np.array(self._net.forward(self._card.output.name), dtype=np.float32)
