"""Keys that sign: made, kept, read. Ed25519 (RFC 8032) or ECDSA on P-256 with SHA-256 (FIPS 186-5).

Private keys are PEM as PKCS#8 (RFC 5958), public ones PEM as SubjectPublicKeyInfo (RFC 5280), so
that any tool reads them. Limits: a private key is protected by the mode of its file alone, not by a
passphrase; keys on tokens and in key services cannot be used.
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from reelcheck.errors import InputError, OutputError, SettingError
from reelcheck.models.protect.optional import load_cryptography

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Kind = Literal["ed25519", "p256", "aes256"]
_MAX_KEY_BYTES: Final = 64 << 10
AES_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key that checks signatures."""

    key: "Ed25519PublicKey | EllipticCurvePublicKey"
    key_id: str
    """SHA-256 of its SubjectPublicKeyInfo in DER, in hexadecimal."""
    pem: bytes
    """Its SubjectPublicKeyInfo."""

    @property
    def is_elliptic(self) -> bool:
        """Whether it is of P-256, which OpenSSF model signing wants."""
        return hasattr(self.key, "curve")

    def fits(self, signature: bytes, message: bytes) -> bool:
        """Return whether the signature of a message was made with the private key of this one."""
        exceptions, ec, hashes = load_cryptography(
            "exceptions", "hazmat.primitives.asymmetric.ec", "hazmat.primitives.hashes"
        )
        scheme = (ec.ECDSA(hashes.SHA256()),) if self.is_elliptic else ()
        try:
            self.key.verify(signature, message, *scheme)
        except exceptions.InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateKey:
    """A key that signs."""

    key: Any
    public: PublicKey

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        if not self.public.is_elliptic:
            return bytes(self.key.sign(message))
        ec, hashes = load_cryptography(
            "hazmat.primitives.asymmetric.ec", "hazmat.primitives.hashes"
        )
        return bytes(self.key.sign(message, ec.ECDSA(hashes.SHA256())))


def write_keys(path: Path, *, kind: Kind) -> Path | None:
    """Write a new key with mode 0600; return the path of the public one beside it, if it has one.

    Args:
        path: Of the private key. Nothing is ever overwritten.
        kind: ``ed25519`` and ``p256`` sign, ``aes256`` encrypts.

    Raises:
        OutputError: there is a file of this name, or none can be written.
        MissingExtraError: the library is not installed.
    """
    if kind == "aes256":
        _write(path, os.urandom(AES_KEY_BYTES).hex().encode() + b"\n", mode=0o600)
        return None
    ec, ed25519, serialization = load_cryptography(
        "hazmat.primitives.asymmetric.ec",
        "hazmat.primitives.asymmetric.ed25519",
        "hazmat.primitives.serialization",
    )
    private = (
        ed25519.Ed25519PrivateKey.generate()
        if kind == "ed25519"
        else ec.generate_private_key(ec.SECP256R1())
    )
    beside = path.with_name(f"{path.name}.pub")
    secret = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    told = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    if beside.exists():
        raise OutputError(f"cannot write {beside}: it exists", code="E_STORAGE_READONLY")
    _write(path, secret, mode=0o600)
    _write(beside, told, mode=0o644)
    return beside


def _write(path: Path, data: bytes, *, mode: int) -> None:
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(opened, "wb") as file:
            file.write(data)
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}"
        raise OutputError(message, code="E_STORAGE_READONLY") from error


def read_secret(path: Path) -> bytes:
    """Return a file that only its owner may read.

    Raises:
        InputError: there is none, or others may read it too.
    """
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            data = file.read(_MAX_KEY_BYTES)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", code="E_NOT_FOUND") from error
    others = stat.S_IMODE(found.st_mode) & 0o077
    if others or found.st_uid not in {os.geteuid(), 0}:
        raise InputError(
            f"{path} is a secret that others may read: mode {stat.S_IMODE(found.st_mode):04o}",
            code="E_MODEL_KEY",
            hint=f"chmod 600 {path}",
        )
    return data


def read_private_key(path: Path) -> PrivateKey:
    """Return the private key in a PEM file.

    Raises:
        InputError: there is none, or others may read it.
        SettingError: it is no key of a known kind.
    """
    data = read_secret(path)
    exceptions, serialization = load_cryptography("exceptions", "hazmat.primitives.serialization")
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm) as error:
        raise SettingError(f"{path} is no private key without a passphrase, as PEM") from error
    return PrivateKey(key=key, public=_public(key.public_key(), where=str(path)))


def read_public_key(path: Path) -> PublicKey:
    """Return the public key in a PEM file.

    Raises:
        InputError: there is none.
        SettingError: it is no key of a known kind.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_KEY_BYTES)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", code="E_NOT_FOUND") from error
    exceptions, serialization = load_cryptography("exceptions", "hazmat.primitives.serialization")
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, exceptions.UnsupportedAlgorithm) as error:
        raise SettingError(f"{path} is no public key as PEM") from error
    return _public(key, where=str(path))


def _public(key: Any, *, where: str) -> PublicKey:  # noqa: ANN401 - of many kinds
    ec, ed25519, serialization = load_cryptography(
        "hazmat.primitives.asymmetric.ec",
        "hazmat.primitives.asymmetric.ed25519",
        "hazmat.primitives.serialization",
    )
    p256 = isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"
    if not p256 and not isinstance(key, ed25519.Ed25519PublicKey):
        raise SettingError(f"{where} is neither Ed25519 nor P-256")
    der, pem = (
        key.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
        for encoding in (serialization.Encoding.DER, serialization.Encoding.PEM)
    )
    return PublicKey(key=key, key_id=hashlib.sha256(der).hexdigest(), pem=pem)
