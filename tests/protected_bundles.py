"""Bundles and keys for the tests of protection: a network of known weights, made here."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from reelcheck.models.card import Card
from reelcheck.models.converting.onnxfile import GraphWriter, Value
from reelcheck.models.protect.keys import Kind, PrivateKey, read_private_key, write_keys
from reelcheck.models.protect.signing import sign_folder
from reelcheck.models.runtimes.protobuf import Fields

CARD = """
name = "{name}"
version = "{version}"
task = "picture classification"
summary = "A test."
licence = "Apache-2.0"
source = "made here"
{more}
[weights]
file = "model.onnx"
[input]
name = "image"
layout = "NCHW"
channels = "RGB"
resize_px = [24, 16]
mean = [120.0, 110.0, 100.0]
scale = [60.0, 62.0, 64.0]
[output]
name = "logits"
labels = ["calm", "wild", "none"]
[training]
data = "none"
[figures]
none = "not measured"
"""


def weights(seed: int = 0) -> NDArray[np.float32]:
    """Return the one matrix of the network, shape [3 * 16 * 24, 3]."""
    rng = np.random.default_rng(seed)
    return rng.normal(scale=0.05, size=(3 * 16 * 24, 3)).astype(np.float32)


def network(matrix: NDArray[np.float32]) -> bytes:
    """Return the network: the picture, flat, times the matrix."""
    graph = GraphWriter("test")
    flat = graph.node("Flatten", "image", axis=1)
    told = graph.node("MatMul", flat, graph.constant(matrix))
    given = Value(name="image", shape=(0, 3, 16, 24))
    return graph.model(given=given, gives=Value(name="logits", shape=(0, 3)), source=told)


def write_bundle(
    folder: Path, *, name: str = "mine", version: str = "1.2", more: str = "", model: bytes = b""
) -> Path:
    """Write an unsigned bundle of card, network, licence and a file in a folder."""
    (folder / "notes").mkdir(parents=True)
    text = CARD.format(name=name, version=version, more=more)
    (folder / "card.toml").write_text(text)
    (folder / "model.onnx").write_bytes(model or network(weights()))
    (folder / "LICENSE").write_text("Apache License, Version 2.0\n")
    (folder / "notes" / "origin.txt").write_text("made by a test\n")
    return folder


def make_key(folder: Path, *, kind: Kind = "p256", name: str = "release") -> Path:
    """Write a pair of keys; return the path of the secret one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.pem"
    write_keys(path, kind=kind)
    return path


def sign(folder: Path, key: Path) -> PrivateKey:
    """Sign a bundle; return the key."""
    found = read_private_key(key)
    sign_folder(folder, found)
    return found


def changed_weights(model: bytes, change: Callable[[NDArray[np.float32]], NDArray[Any]]) -> bytes:
    """Return an ONNX file whose weights went through a function, tensor by tensor."""
    data = bytearray(model)
    for graph in Fields.of(memoryview(data)).messages(7):
        inside = [part.messages(5) for node in graph.messages(1) for part in node.messages(5)]
        for tensor in [*graph.messages(5), *(one for part in inside for one in part)]:
            raw = tensor.data(9)
            kind = {1: "<f4", 10: "<f2"}.get(tensor.ints(2)[0])
            if raw is not None and kind:
                values = np.frombuffer(raw, kind).astype(np.float32)
                raw[:] = change(values).astype(kind).tobytes()
    return bytes(data)


class Direct:
    """A model in ONNX Runtime with other threads than ours, and without its checks."""

    sha256 = ""

    def __init__(self, model: bytes, card: Card, *, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._card = card
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    def run(
        self, tensor: NDArray[Any], extra: Mapping[str, NDArray[Any]] | None = None
    ) -> NDArray[np.float32]:
        """Return the output named in the card."""
        fed = {self._card.input.name: tensor, **(extra or {})}
        told: NDArray[np.float32] = self._session.run([self._card.output.name], fed)[0]
        return told
