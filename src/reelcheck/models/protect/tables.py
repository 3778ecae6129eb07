"""Tables of numbers in one file, in the form of safetensors: a JSON header, then plain numbers.

Source: the safetensors format 0.x (8 bytes little-endian length of the header, JSON, data without
gaps). Nothing of it is ever run. The header carries the SHA-256 of the data, so that a damaged file
is told from a model that answers otherwise. Limits: the kinds of numbers in ``_KINDS``, whole files
of at most 64 MiB.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.models.protect.folder import refusal

_KINDS: Final = {"F32": "<f4", "F16": "<f2", "U8": "|u1", "I64": "<i8"}
_MAX_BYTES: Final = 64 << 20
_MAX_HEADER_BYTES: Final = 1 << 20
_NOTES: Final = "__metadata__"
_DIGEST: Final = "sha256_of_data"


def pack(tables: Mapping[str, NDArray[Any]], notes: Mapping[str, str]) -> bytes:
    """Return a file that holds tables and notes about them."""
    header: dict[str, Any] = {}
    parts: list[bytes] = []
    names = {dtype: name for name, dtype in _KINDS.items()}
    end = 0
    for name, table in tables.items():
        little = np.ascontiguousarray(table, table.dtype.newbyteorder("<"))
        start, end = end, end + little.nbytes
        kind = names[little.dtype.str]
        header[name] = {"dtype": kind, "shape": list(table.shape), "data_offsets": [start, end]}
        parts.append(little.tobytes())
    data = b"".join(parts)
    header[_NOTES] = {**notes, _DIGEST: hashlib.sha256(data).hexdigest()}
    text = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def unpack(file: bytes, *, what: str) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return the tables and the notes of a file.

    Args:
        file: Its bytes.
        what: Its name, for messages.

    Raises:
        ModelError: it is damaged, or too large.
    """
    try:
        length = int.from_bytes(file[:8], "little")
        if len(file) > _MAX_BYTES or not 2 <= length <= min(_MAX_HEADER_BYTES, len(file) - 8):  # noqa: PLR2004 - {}
            raise ValueError("it is too large or too small")  # noqa: TRY301 - for below
        header = json.loads(file[8 : 8 + length])
        notes = header.pop(_NOTES)
        data = memoryview(file)[8 + length :]
        if notes.pop(_DIGEST) != hashlib.sha256(data).hexdigest():
            raise ValueError("its numbers were changed")  # noqa: TRY301 - for below
        tables = {str(name): _table(data, **one) for name, one in header.items()}
        told = {str(key): str(value) for key, value in notes.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise refusal(f"{what} is damaged: {error}") from error
    return tables, told


def _table(
    data: memoryview, *, dtype: str, shape: list[int], data_offsets: list[int]
) -> NDArray[Any]:
    start, end = data_offsets
    kind = np.dtype(_KINDS[dtype])
    sizes = [int(size) for size in shape]
    fits = 0 <= start <= end <= len(data) and min(sizes, default=0) >= 0
    if not fits or math.prod(sizes) * kind.itemsize != end - start:
        raise ValueError("a table is not as large as it says")
    return np.frombuffer(data[start:end], kind).reshape(sizes)
