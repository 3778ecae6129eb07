"""Reading the folder of a bundle into memory, once and with nothing in it that leads elsewhere."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from reelcheck.errors import ModelError

_MAX_BYTES: Final = 4 << 30
"""Of all files. Ours: twice the 2 GiB that one ONNX file can have."""
_MAX_FILES: Final = 4096
_MAX_DEPTH: Final = 16


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder by their relative names, sorted.

    Raises:
        ModelError: one of them is a link, a pipe or a device, or there is too much.
    """
    content: dict[str, bytes] = {}
    left = _MAX_BYTES
    for path in sorted(_files(folder, depth=0)):
        if len(content) == _MAX_FILES:
            raise refusal(f"{folder} holds more than {_MAX_FILES} files")
        data = _read(path, most=left)
        left -= len(data)
        content[path.relative_to(folder).as_posix()] = data
    return content


def refusal(message: str, *, hint: str = "") -> ModelError:
    """Return the error for a bundle that is not what it should be."""
    return ModelError(message, code="E_MODEL_INTEGRITY", hint=hint)


def _files(folder: Path, *, depth: int) -> Iterator[Path]:
    if depth > _MAX_DEPTH:
        raise refusal(f"{folder} lies more than {_MAX_DEPTH} folders deep")
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except OSError as error:
        raise refusal(f"{folder} cannot be read: {error.strerror}") from error
    for entry in found:
        path = folder / entry.name
        if entry.is_symlink():
            raise refusal(f"{path} is a link", hint="put the file itself there")
        if entry.is_dir(follow_symlinks=False):
            yield from _files(path, depth=depth + 1)
        elif not entry.name.isprintable() or "\\" in entry.name:
            raise refusal(f"a file in {folder} has the odd name {ascii(entry.name)[:80]}")
        else:
            yield path


def _read(path: Path, *, most: int) -> bytes:
    try:
        # Neither follow a link that was put there meanwhile nor wait for the other end of a pipe.
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(opened, "rb") as file:
            found = os.fstat(opened)
            if not stat.S_ISREG(found.st_mode):
                raise refusal(f"{path} is no regular file")
            if found.st_size > most:
                raise refusal(f"{path} makes the bundle larger than {_MAX_BYTES >> 30} GiB")
            return file.read(found.st_size)
    except OSError as error:
        raise refusal(f"{path} cannot be read: {error.strerror}") from error
