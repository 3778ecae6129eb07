"""A PyTorch checkpoint as safetensors: looked through and read in a child that can do nothing else.

The child is that in which videos are decoded (``reelcheck.media.guard``): limited in memory and
time, without files to write, and shut off as far as the machine can. It sends a table of what there
is, then the numbers; the parent checks lengths against the table and writes. So a fault in the
reader of a hostile file harms a process that has nothing.
"""

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reelcheck.errors import OutputError, VideoError
from reelcheck.media import guard
from reelcheck.media.channel import Channel
from reelcheck.models.protect.checkpoint import Checkpoint, read_checkpoint
from reelcheck.models.protect.folder import refusal
from reelcheck.settings import Limits

ENTRY: Final = "reelcheck.models.protect.converting:convert_in_child"
_PART_BYTES: Final = 4 << 20
_PARTS_PER_ITEM: Final = 2000
"""Tensors that one message names."""
_LIMITS: Final = Limits(file_bytes=3 << 30, address_space_bytes=16 << 30, resident_bytes=8 << 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What was written."""

    tensors: int
    size_bytes: int
    left_out: int
    """Values beside the tensors, such as the number of the epoch."""
    sha256: str


def convert_in_child(job: dict[str, Any], fd: int, channel: Channel) -> None:
    """Read a checkpoint and send its tensors; runs in the child.

    Raises:
        ModelError: it would do more than build tensors, or is damaged.
    """
    checkpoint = read_checkpoint(_whole(fd), where=job["name"])
    channel.send({"kind": "opened", "seconds": 0.0})
    rows = [[name, one.kind, list(one.shape)] for name, one in checkpoint.tensors.items()]
    for start in range(0, len(rows), _PARTS_PER_ITEM):
        channel.send({"kind": "rows", "rows": rows[start : start + _PARTS_PER_ITEM]})
    for part in _parts(checkpoint):
        channel.send({"kind": "numbers", "base64": base64.b64encode(part).decode()})
    channel.send({"kind": "done", "left_out": checkpoint.left_out})


def _whole(fd: int) -> bytes:
    with os.fdopen(os.dup(fd), "rb") as file:
        file.seek(0)
        return file.read(_LIMITS.file_bytes)


def _parts(checkpoint: Checkpoint) -> Iterator[bytes]:
    for name in checkpoint.tensors:
        numbers = checkpoint.numbers(name)
        for start in range(0, len(numbers), _PART_BYTES):
            yield numbers[start : start + _PART_BYTES]


_WIDTHS: Final = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}


def convert(path: Path, out: Path) -> Converted:
    """Write the tensors of a checkpoint as safetensors; return what was written.

    Args:
        path: As ``torch.save`` writes it, with a table of named tensors.
        out: File to write; nothing is overwritten.

    Raises:
        VideoError: the file cannot be opened, or the child died or took too long.
        ModelError: it would do more than build tensors, or is damaged. The message names the
            instruction or the call.
        OutputError: there is a file of that name, or none can be written.
    """
    fd, _ = guard.open_video(path, limits=_LIMITS)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        if out.exists():
            raise OutputError(f"cannot write {out}: it exists", code="E_STORAGE_READONLY")
        with part.open("xb") as file:
            heard = _Heard(file)
            for message in guard.run(ENTRY, {"name": path.name}, fd, limits=_LIMITS):
                heard.take(message)
            converted = heard.converted()
        part.replace(out)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"cannot write {out}: {error.strerror or error}", code="E_STORAGE_READONLY"
        ) from error
    finally:
        os.close(fd)
        part.unlink(missing_ok=True)
    return converted


class _Heard:
    """What the child has told, and the file that it becomes."""

    def __init__(self, file: Any) -> None:  # noqa: ANN401 - a file open for bytes
        self._file = file
        self._rows: list[list[Any]] = []
        self._expected = -1
        self._written = 0
        self._digest = hashlib.sha256()
        self._left_out: int | None = None

    def take(self, message: dict[str, Any]) -> None:
        """Take one message.

        Raises:
            ModelError: the child refused the file, or sent what cannot be.
            VideoError: the child died, or was ended.
        """
        kind = message["kind"]
        if kind == "error":
            _raise(message)
        elif kind == "rows":
            self._rows += message["rows"]
        elif kind == "numbers":
            if self._expected < 0:
                self._begin()
            self._write(base64.b64decode(message["base64"], validate=True))
        elif kind == "done":
            self._left_out = int(message["left_out"])
            if self._expected < 0:
                self._begin()

    def converted(self) -> Converted:
        """Return what was written.

        Raises:
            ModelError: something is missing.
        """
        if self._left_out is None or self._written != self._expected:
            raise refusal("the numbers of the checkpoint did not all arrive")
        return Converted(
            tensors=len(self._rows),
            size_bytes=self._written,
            left_out=self._left_out,
            sha256=self._digest.hexdigest(),
        )

    def _begin(self) -> None:
        header: dict[str, Any] = {}
        end = 0
        for name, kind, shape in self._rows:
            size = _WIDTHS.get(kind, 1)
            for side in shape:
                size *= int(side)
            header[str(name)] = {
                "dtype": str(kind),
                "shape": [int(side) for side in shape],
                "data_offsets": [end, end + size],
            }
            end += size
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        self._expected = len(text) + 8 + end
        self._write(len(text).to_bytes(8, "little") + text)

    def _write(self, data: bytes) -> None:
        self._written += len(data)
        if self._written > self._expected:
            raise refusal("the checkpoint gave more numbers than it has")
        self._digest.update(data)
        self._file.write(data)


def _raise(message: dict[str, Any]) -> None:
    code, text = str(message["code"]), str(message["message"])
    if code == "E_MODEL_INTEGRITY":
        raise refusal(text)
    raise VideoError(text.replace("the decoder", "the reader"), code=code)
