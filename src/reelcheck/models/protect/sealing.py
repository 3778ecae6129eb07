"""Encryption at rest: AES-256-GCM (NIST SP 800-38D) in chunks, an envelope for each file.

A sealed file is, in order:

    8 bytes    ``RCSEAL1`` and a line feed
    4 bytes    length of the header, little-endian
    header     canonical JSON: name, version and licence of the model, name and size of the file,
               size of a chunk, the file's own key, wrapped
    chunks     each as long as the header says, the last one shorter, each followed by its tag

Each file has a random key of its own, wrapped with the user's key; the rest of the header is the
associated data of the wrapping. The nonce of a chunk is its index, which is safe since a key seals
one file once. Associated data of a chunk: SHA-256 of the header, index, and whether it is the last;
so chunks cannot be swapped, left out or cut off, and a file cannot pass as one of another model.
The size of a file is not hidden. Limits: about 2^32 files for one user's key (random nonces).
"""

import hashlib
import json
import os
import struct
from collections.abc import Iterator
from typing import Any, Final

from reelcheck.errors import ModelError
from reelcheck.models.protect.folder import refusal
from reelcheck.models.protect.manifest import canonical
from reelcheck.models.protect.optional import load_cryptography

SUFFIX: Final = ".sealed"
_MAGIC: Final = b"RCSEAL1\n"
_CHUNK_BYTES: Final = 1 << 20
_SMALLEST_CHUNK: Final = 1 << 10
_LARGEST_CHUNK: Final = 4 << 20
_TAG_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_MAX_HEADER_BYTES: Final = 64 << 10
_WRAPPED_BYTES: Final = _NONCE_BYTES + 32 + _TAG_BYTES
_WRAPPING: Final = b"reelcheck key 1\n"


def seal(data: bytes, key: bytes, about: dict[str, str], *, chunk: int = _CHUNK_BYTES) -> bytes:
    """Return a file, sealed.

    Args:
        data: Of the file.
        key: The user's, 32 bytes.
        about: ``name``, ``version`` and ``licence`` of the model and ``file``, bound to it.
        chunk: Bytes of a chunk.
    """
    (aead,) = load_cryptography("hazmat.primitives.ciphers.aead")
    said = {**about, "bytes": len(data), "chunk_bytes": chunk}
    own, nonce = os.urandom(32), os.urandom(_NONCE_BYTES)
    wrapped = nonce + aead.AESGCM(key).encrypt(nonce, own, _WRAPPING + canonical(said))
    header = canonical({**said, "key": wrapped.hex()})
    cipher, start = aead.AESGCM(own), hashlib.sha256(header).digest()
    parts = [_MAGIC, struct.pack("<I", len(header)), header]
    view = memoryview(data)
    for index, size, last in _chunks(len(data), chunk):
        piece = view[index * chunk : index * chunk + size]
        parts.append(cipher.encrypt(_nonce(index), piece, _bound(start, index, last=last)))
    return b"".join(parts)


def unseal(sealed: bytes, key: bytes, about: dict[str, str]) -> bytes:
    """Return what was sealed.

    Args:
        sealed: The whole file.
        key: The user's, 32 bytes.
        about: As when it was sealed.

    Raises:
        ModelError: the key is another one, a byte was changed, or it is a file of another model.
    """
    place = f"{about['file']}{SUFFIX}"
    header, raw = _header(sealed, place)
    for word, expected in about.items():
        if header.get(word) != expected:
            raise refusal(f"{place} was sealed with {word} {header.get(word)!r}, not {expected!r}")
    own = _unwrapped(header, key, place)
    body = memoryview(sealed)[len(_MAGIC) + 4 + len(raw) :]
    total, chunk = header["bytes"], header["chunk_bytes"]
    count = max(1, -(-total // chunk))
    if len(body) != total + count * _TAG_BYTES:
        raise refusal(f"{place} was cut off or made longer")
    aead, exceptions = load_cryptography("hazmat.primitives.ciphers.aead", "exceptions")
    cipher, start = aead.AESGCM(own), hashlib.sha256(raw).digest()
    plain, at = [], 0
    for index, size, last in _chunks(total, chunk):
        piece = body[at : at + size + _TAG_BYTES]
        at += len(piece)
        try:
            plain.append(cipher.decrypt(_nonce(index), piece, _bound(start, index, last=last)))
        except exceptions.InvalidTag as error:
            raise refusal(f"{place} was changed in chunk {index}") from error
    return b"".join(plain)


def _chunks(total: int, chunk: int) -> Iterator[tuple[int, int, bool]]:
    """Yield index, size and whether it is the last of every chunk; an empty file has one."""
    count = max(1, -(-total // chunk))
    for index in range(count):
        yield index, min(chunk, total - index * chunk), index == count - 1


def _nonce(index: int) -> bytes:
    return index.to_bytes(_NONCE_BYTES, "big")


def _bound(start: bytes, index: int, *, last: bool) -> bytes:
    return start + struct.pack("<Q?", index, last)


def _header(sealed: bytes, place: str) -> tuple[dict[str, Any], bytes]:
    """Return the header, and its bytes."""
    try:
        if sealed[: len(_MAGIC)] != _MAGIC:
            raise ValueError("it does not begin like one")  # noqa: TRY301 - the reason is for below
        (length,) = struct.unpack_from("<I", sealed, len(_MAGIC))
        raw = sealed[len(_MAGIC) + 4 : len(_MAGIC) + 4 + min(length, _MAX_HEADER_BYTES)]
        header = json.loads(raw)
        chunk, total, wrapped = header["chunk_bytes"], header["bytes"], header["key"]
        sound = (
            type(total) is type(chunk) is int and canonical(header) == raw and len(raw) == length
        )
        if not sound or not _SMALLEST_CHUNK <= chunk <= _LARGEST_CHUNK or total < 0:
            raise ValueError("its header is odd")  # noqa: TRY301 - the reason is for below
        if len(bytes.fromhex(wrapped)) != _WRAPPED_BYTES or wrapped != wrapped.lower():
            raise ValueError("its key is odd")  # noqa: TRY301 - the reason is for below
    except (ValueError, KeyError, TypeError, RecursionError, struct.error) as error:
        raise refusal(f"{place} is no sealed file, or damaged: {error}") from error
    return header, raw


def _unwrapped(header: dict[str, Any], key: bytes, place: str) -> bytes:
    aead, exceptions = load_cryptography("hazmat.primitives.ciphers.aead", "exceptions")
    said = {word: value for word, value in header.items() if word != "key"}
    wrapped = bytes.fromhex(header["key"])
    nonce, rest = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
    try:
        return bytes(aead.AESGCM(key).decrypt(nonce, rest, _WRAPPING + canonical(said)))
    except exceptions.InvalidTag as error:
        raise ModelError(
            f"{place} was sealed with another key, or its header was changed",
            code="E_MODEL_KEY",
            hint="name the key: key_file in models.toml, --key-file or REELCHECK_MODEL_KEY",
        ) from error
