"""Reading TensorFlow.js layers models: topology and weights, also from the modules of nsfwjs.

Source: the format of tfjs-converter ("weightsManifest", with weights of float32 or affinely
quantised to 8 or 16 bits, or float16). The package nsfwjs wraps ``model.json`` and the shards in
minified JavaScript modules: the model is an object literal, each shard a base64 text. No JavaScript
is run; the literal is read as JSON whose keys need no quotes and whose booleans are ``!0``, ``!1``.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from reelcheck.errors import ModelError

_EXPORT: Final = ".exports="
_TOKEN: Final = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*")|(?P<key>[A-Za-z_$][\w$]*)(?=:)|(?P<flag>![01])|null"""
    r"""|(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<mark>[{}\[\]:,])|\s+"""
)
_WHOLE: Final = re.compile(r"-?\d+")
_STORED: Final = {"uint8": "u1", "uint16": "<u2", "float16": "<f2", "float32": "<f4"}


def refuse(reason: str) -> NoReturn:
    """Refuse a model that cannot be converted.

    Raises:
        ModelError: always.
    """
    raise ModelError(f"the model cannot be converted: {reason}", code="E_MODEL_INTEGRITY")


def read_tfjs(
    model: bytes, shards: Sequence[bytes]
) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    """Return the Keras configuration of a layers model, and its weights by name.

    Args:
        model: ``model.json``, or a module that exports it.
        shards: The files of the weights in order, plain or as modules that export base64.

    Raises:
        ModelError: the texts cannot be read, or the shards do not hold all weights.
    """
    try:
        described = _literal(model)
        topology = cast("dict[str, Any]", described["modelTopology"])
        stored = b"".join(_shard(one) for one in shards)
        weights = dict(_weights(described["weightsManifest"], stored))
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        refuse(f"it is no TensorFlow.js layers model ({error})")
    return topology.get("model_config", topology), weights


def _literal(model: bytes) -> Mapping[str, Any]:
    text = model.decode()
    if text.lstrip().startswith("{"):
        return cast("Mapping[str, Any]", json.loads(text))
    at = text.rindex(_EXPORT) + len(_EXPORT)
    return cast("Mapping[str, Any]", json.loads("".join(_as_json(text, at))))


def _as_json(text: str, at: int) -> Iterator[str]:
    """Yield the JSON of the literal that starts at ``at``, token by token."""
    depth = 0
    while True:
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError(f"no literal at character {at}")
        yield _token(token)
        at = token.end()
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        if depth <= 0:
            return


def _token(token: re.Match[str]) -> str:
    if token["flag"]:
        return "true" if token["flag"] == "!0" else "false"
    if token["key"]:
        return f'"{token["key"]}"'
    if token["number"] and not _WHOLE.fullmatch(token["number"]):
        return repr(float(token["number"]))
    return token[0]


def _shard(shard: bytes) -> bytes:
    at = shard.rfind(_EXPORT.encode())
    if at < 0:
        return shard
    quoted = shard[at + len(_EXPORT) :].split(b'"', 2)
    return base64.b64decode(quoted[1], validate=True)


def _weights(
    manifest: Sequence[Mapping[str, Any]], stored: bytes
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    at = 0
    for weight in (one for group in manifest for one in group["weights"]):
        shape = tuple(weight["shape"])
        count = int(np.prod(shape, dtype=np.int64))
        coded = weight.get("quantization", {})
        kind = np.dtype(_STORED[coded.get("dtype", weight["dtype"])])
        values = np.frombuffer(stored, kind, count, at).astype(np.float32).reshape(shape)
        if "scale" in coded:
            # In float32 and in this order, as TensorFlow.js does it.
            values = values * np.float32(coded["scale"]) + np.float32(coded["min"])
        yield weight["name"], values
        at += count * kind.itemsize
    if at != len(stored):
        raise ValueError(f"{len(stored)} bytes of weights, {at} expected")
