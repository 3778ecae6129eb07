"""Pictures that were decoded once, kept on disk up to a limit.

One file per entry, ``SHA-256 of its key.npy``: the array as NumPy writes it, and a checksum. What
was used longest ago is removed first. Any number of processes may share a folder: files appear
whole or not at all, and each process makes room before it writes, so that the limit is exceeded by
at most one entry per process. Whatever goes wrong on disk costs time, never a training.
"""

import hashlib
import io
import os
import tempfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SUM_BYTES: Final = 4
_VERSION: Final = "1"
"""Part of every key: a change of decoding or of this layout takes a new one."""


class PictureCache:
    """A folder of arrays."""

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        """``limit_bytes`` of 0 keeps nothing."""
        self._folder = folder
        self._limit_bytes = limit_bytes

    def get(self, key: str) -> NDArray[np.generic] | None:
        """Return what was kept under a key; ``None`` if there is nothing, or it is damaged."""
        if not self._limit_bytes:
            return None
        path = self._path(key)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        body, told = content[:-_SUM_BYTES], content[-_SUM_BYTES:]
        if zlib.crc32(body).to_bytes(_SUM_BYTES) == told:
            with suppress(ValueError, EOFError):
                kept: NDArray[np.generic] = np.load(io.BytesIO(body), allow_pickle=False)
                return kept
        with suppress(OSError):
            path.unlink()
        return None

    def put(self, key: str, array: NDArray[np.generic]) -> None:
        """Keep an array under a key, if it fits and the disk takes it."""
        if array.nbytes >= self._limit_bytes:
            return
        with io.BytesIO() as file:
            np.save(file, array, allow_pickle=False)
            body = file.getvalue()
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room(len(body) + _SUM_BYTES)
            self._write(self._path(key), body)

    def _path(self, key: str) -> Path:
        digest = hashlib.sha256(f"{_VERSION} {key}".encode()).hexdigest()
        return self._folder / f"{digest}.npy"

    def _make_room(self, wanted_bytes: int) -> None:
        """Remove what was used longest ago, and what a killed process left half written."""
        entries = []
        with os.scandir(self._folder) as found:
            for one in found:
                with suppress(OSError):  # removed by another process meanwhile
                    entries.append((one.stat().st_mtime_ns, one.stat().st_size, one.path))
        total = sum(size for _, size, _ in entries) + wanted_bytes
        for _, size, path in sorted(entries):
            if total <= self._limit_bytes:
                return
            if path.endswith((".npy", ".part")):
                with suppress(FileNotFoundError):
                    os.unlink(path)  # noqa: PTH108 - scandir gives text
                total -= size

    def _write(self, path: Path, body: bytes) -> None:
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(body)
                file.write(zlib.crc32(body).to_bytes(_SUM_BYTES))
            Path(name).replace(path)
        except OSError:
            with suppress(OSError):
                Path(name).unlink()
            raise


def identity(path: Path) -> str:
    """Return what tells one state of a file from another: its place, size and time of change.

    Raises:
        OSError: there is no such file.
    """
    found = path.stat()
    return f"{path.resolve()} {found.st_size} {found.st_mtime_ns}"
