"""A remote TensorFlow Serving, by its documented REST API.

Source: TensorFlow Serving, "RESTful API": ``GET /v1/models/NAME[/versions/V]`` for the status, and
``POST .../NAME[/versions/V]:predict`` with ``signature_name`` and ``inputs`` (the columnar form,
which names them), answered by ``outputs`` or ``error``.

The pictures of the video leave this machine, to the host of the card and no other: no proxy is
used and no redirect followed. Where such a model is used, the child process that watches a video
keeps the network, which the report tells; strict isolation refuses it.

Limits: what runs there cannot be checked from here, which is why such a card has no checksum.
"""

import http.client
import json
import math
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from reelcheck.errors import ModelError
from reelcheck.models.card import Card
from reelcheck.models.runtimes.savedmodel import SIGNATURE

TIMEOUT_SECONDS: Final = 20.0
"""For each answer; below the 30 s after which the watchdog ends a child that tells nothing."""
_MAX_ANSWER_BYTES: Final = 64 << 20
_MOST_WORDS: Final = 300
"""Characters of a server's own words."""


class ServingSession:
    """A model that another machine runs."""

    def __init__(self, card: Card, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """Ask whether the model is served.

        Raises:
            ModelError: the server cannot be reached, or does not serve the model.
        """
        self.sha256 = ""
        self._card = card
        self._timeout_seconds = timeout_seconds
        self._url = urlsplit(card.url)
        states = self._ask("GET", self._url.path).get("model_version_status")
        if not isinstance(states, list) or not any(_available(state) for state in states):
            raise self._error("no version of it is available")

    def run(
        self, tensor: NDArray[Any], extra: Mapping[str, NDArray[Any]] | None = None
    ) -> NDArray[np.float32]:
        """Return the output named in the card.

        Raises:
            ModelError: the server does not answer, or answers something else.
        """
        fed = {self._card.input.name: tensor, **(extra or {})}
        body = {
            "signature_name": SIGNATURE,
            "inputs": {name: value.tolist() for name, value in fed.items()},
        }
        answer = self._ask("POST", f"{self._url.path}:predict", body).get("outputs")
        if isinstance(answer, dict):  # of a model with several outputs
            answer = answer.get(self._card.output.name)
        try:
            values = np.asarray(answer, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise self._error("the outputs are no table of numbers") from error
        if values.ndim == 0 or len(values) != len(tensor) or math.prod(values.shape) == 0:
            raise self._error(f"outputs of shape {list(values.shape)} for {len(tensor)} inputs")
        return values

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        try:
            status, text = self._exchange(method, path, data)
        except TimeoutError as error:
            reason = f"no answer within {self._timeout_seconds:g} s"
            raise self._error(reason, code="E_TIMEOUT") from error
        except (OSError, http.client.HTTPException) as error:
            raise self._error(str(error) or type(error).__name__) from error
        answer = _table(text)
        if status != http.client.OK or "error" in (answer or {}):
            raise self._error(f"HTTP {status}: {(answer or {}).get('error', 'no reason given')}")
        if answer is None:
            raise self._error("the answer is no JSON object")
        return answer

    def _exchange(self, method: str, path: str, data: bytes | None) -> tuple[int, bytes]:
        secure = self._url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        # One connection for each question: nothing half-read can be left in the next answer.
        link = kind(self._url.hostname or "", self._url.port, timeout=self._timeout_seconds)
        try:
            link.request(method, path, data, {"Content-Type": "application/json"} if data else {})
            answer = link.getresponse()
            text = answer.read(_MAX_ANSWER_BYTES + 1)
        finally:
            link.close()
        if len(text) > _MAX_ANSWER_BYTES:
            raise http.client.HTTPException(f"an answer of more than {_MAX_ANSWER_BYTES} bytes")
        return answer.status, text

    def _error(self, reason: str, *, code: str = "E_MODEL_REMOTE") -> ModelError:
        told = " ".join(reason.split())[:_MOST_WORDS]
        return ModelError(
            f"model {self._card.name!r} at {self._card.url}: {told}",
            code=code,
            hint="is TensorFlow Serving running there, with this model?",
        )


def _table(text: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(text)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _available(state: object) -> bool:
    return isinstance(state, dict) and state.get("state") == "AVAILABLE"
