"""The outside world of a remote model: a server with TensorFlow Serving's documented REST API.

After "RESTful API" of its documentation: model status, predict in row and columnar form, errors.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from numpy.typing import NDArray

Model = Callable[[Mapping[str, NDArray[np.float32]]], Mapping[str, NDArray[np.float32]]]
PATH = re.compile(r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+))?(?P<verb>:predict)?")


class RefusalError(Exception):
    """An answer with ``error``."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Server(ThreadingHTTPServer):
    """Serves version 1 of one model."""

    def __init__(self, model: Model, *, name: str, inputs: tuple[str, ...]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.model = model
        self.name = name
        self.inputs = inputs


class Handler(BaseHTTPRequestHandler):
    """One question."""

    server: Server

    def do_GET(self) -> None:
        self._answer(self._status)

    def do_POST(self) -> None:
        self._answer(self._predict)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        del format, args

    def _answer(self, make: Callable[[], object]) -> None:
        try:
            status, answer = 200, make()
        except RefusalError as refusal:
            status, answer = refusal.status, {"error": str(refusal)}
        data = json.dumps(answer, indent=2).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _find(self, verb: str | None) -> None:
        found = PATH.fullmatch(self.path)
        if not found or found["verb"] != verb:
            raise RefusalError(400, f"Malformed request: {self.command} {self.path}")
        name, version = found["name"], found["version"]
        if name != self.server.name or version not in {None, "1"}:
            wanted = f"Specific({name}, {version})" if version else f"Latest({name})"
            raise RefusalError(404, f"Servable not found for request: {wanted}")

    def _status(self) -> object:
        self._find(None)
        fine = {"error_code": "OK", "error_message": ""}
        return {"model_version_status": [{"version": "1", "state": "AVAILABLE", "status": fine}]}

    def _predict(self) -> object:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._find(":predict")
        asked = json.loads(body)
        signature = asked.get("signature_name", "serving_default")
        if signature != "serving_default":
            raise RefusalError(400, f"Serving signature name: {signature} not found")
        if ("instances" in asked) == ("inputs" in asked):
            raise RefusalError(400, "Request must have either 'instances' or 'inputs'")
        outputs = self.server.model(_tensors(asked, self.server.inputs))
        if "inputs" in asked:
            return {"outputs": _one_or_all({key: one.tolist() for key, one in outputs.items()})}
        rows = zip(*outputs.values(), strict=True)
        named = (zip(outputs, row, strict=True) for row in rows)
        return {
            "predictions": [_one_or_all({key: one.tolist() for key, one in row}) for row in named]
        }


def _one_or_all(tables: dict[str, object]) -> object:
    """Return the only output without its name, as TensorFlow Serving does."""
    return tables if len(tables) > 1 else next(iter(tables.values()))


@contextmanager
def serve(model: Model, *, name: str, inputs: tuple[str, ...]) -> Iterator[str]:
    """Serve a model on loopback; give its URL."""
    server = Server(model, name=name, inputs=inputs)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/models/{name}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _tensors(asked: dict[str, Any], inputs: tuple[str, ...]) -> dict[str, NDArray[np.float32]]:
    given = asked.get("inputs")
    if given is None:
        rows = asked["instances"]
        if not isinstance(rows[0], dict):
            rows = [{inputs[0]: row} for row in rows]
        given = {key: [row[key] for row in rows] for key in rows[0]}
    elif not isinstance(given, dict):
        given = {inputs[0]: given}
    if set(given) != set(inputs):
        raise RefusalError(
            400, f"Failed to process element: key: {sorted(given)}; expected: {inputs}"
        )
    try:
        return {key: np.asarray(value, dtype=np.float32) for key, value in given.items()}
    except ValueError as error:
        raise RefusalError(400, f"Failed to convert to tensor: {error}") from error
