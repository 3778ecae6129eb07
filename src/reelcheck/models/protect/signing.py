"""Signing a bundle, and refusing one that is not as it was signed.

The signature is made over ``reelcheck bundle 1``, a line feed and the canonical manifest, so that
it can stand for nothing else. It lies in ``signature.json`` beside the files that it names. The key
says which algorithm it is of; the file does not, so it cannot choose a weaker one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reelcheck.errors import ModelError, OutputError
from reelcheck.models.protect.folder import read_folder, refusal
from reelcheck.models.protect.keys import PrivateKey, PublicKey
from reelcheck.models.protect.manifest import (
    OPENSSF_FILE,
    SIGNATURE_FILE,
    SIGNATURES,
    Manifest,
    canonical,
    card_in,
    digests,
    refuse_changes,
)
from reelcheck.models.protect.openssf import files_of_openssf, openssf_bundle
from reelcheck.models.protect.versions import version_key

_PURPOSE: Final = b"reelcheck bundle 1\n"
_MAX_SIGNATURE_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What the signatures of a bundle say."""

    name: str
    version: str
    files: int
    key_ids: tuple[str, ...]
    """Of the keys that signed, one for each file that holds a signature."""


def sign_folder(folder: Path, key: PrivateKey) -> Manifest:
    """Write the signatures of a bundle, in place of those it has; return what was signed.

    A P-256 key signs twice: in our form, and as a bundle of OpenSSF model signing.

    Raises:
        SettingError: the card is wrong, or its version is not numbers with points.
        ModelError: there is no card, or something in the folder is no file.
        OutputError: a signature cannot be written.
    """
    manifest = Manifest.of(read_folder(folder))
    version_key(manifest.version)
    written = {SIGNATURE_FILE: _signed(manifest, key)}
    if key.public.is_elliptic:
        written[OPENSSF_FILE] = openssf_bundle(manifest.name, manifest.files, key)
    try:
        (folder / OPENSSF_FILE).unlink(missing_ok=True)
        for name, data in written.items():
            (folder / name).write_bytes(data)
    except OSError as error:
        message = f"cannot write to {folder}: {error.strerror}"
        raise OutputError(message, code="E_STORAGE_READONLY") from error
    return manifest


def _signed(manifest: Manifest, key: PrivateKey) -> bytes:
    whole = {
        "key": key.public.key_id,
        "manifest": manifest.plain(),
        "signature": key.sign(_PURPOSE + manifest.to_bytes()).hex(),
    }
    return canonical(whole) + b"\n"


def is_signed(content: Mapping[str, bytes]) -> bool:
    """Return whether a bundle in memory carries a signature of either form."""
    return any(name in content for name in SIGNATURES)


def check_signatures(content: Mapping[str, bytes], trusted: Sequence[PublicKey]) -> Signed:
    """Refuse a bundle in memory unless every signature in it is of a trusted key and fits.

    Raises:
        ModelError: it has none, one is of an unknown key or does not fit, or a file is not the one
            that was signed. The message names the culprit.
        SettingError: its card is wrong.
        MissingExtraError: the library for signatures is not installed.
    """
    if not is_signed(content):
        raise unsigned("the bundle has no signature", hint="reelcheck models sign DIR --key FILE")
    found = digests(content)
    keys = []
    if SIGNATURE_FILE in content:
        key, manifest = _opened(_small(content, SIGNATURE_FILE), trusted)
        refuse_changes(manifest.files, found)
        _agree(manifest, content)
        keys.append(key.key_id)
    if OPENSSF_FILE in content:
        key, files = _opened_openssf(_small(content, OPENSSF_FILE), trusted)
        refuse_changes(files, found)
        keys.append(key.key_id)
    card = card_in(content)
    return Signed(name=card.name, version=card.version, files=len(found), key_ids=tuple(keys))


def _small(content: Mapping[str, bytes], name: str) -> bytes:
    if len(content[name]) > _MAX_SIGNATURE_BYTES:
        raise refusal(f"{name} is larger than {_MAX_SIGNATURE_BYTES >> 20} MiB")
    return content[name]


def _opened(data: bytes, trusted: Sequence[PublicKey]) -> tuple[PublicKey, Manifest]:
    """Return the key that made our signature, and what it signed."""
    try:
        whole = json.loads(data)
        # One content, one form: a byte that means nothing could be changed unseen.
        manifest = Manifest.from_plain(whole["manifest"])
        signature, key_id = bytes.fromhex(whole["signature"]), str(whole["key"])
        known = {"key": key_id, "manifest": manifest.plain(), "signature": signature.hex()}
        if canonical(known) + b"\n" != data:
            raise ValueError("it is not in canonical form")  # noqa: TRY301 - the reason is for below
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise refusal(f"{SIGNATURE_FILE} is damaged: {error}") from error
    key = next((one for one in trusted if one.key_id == key_id), None)
    if key is None:
        raise unsigned(f"{SIGNATURE_FILE} is signed by an unknown key, {key_id[:16]}")
    if not key.fits(signature, _PURPOSE + manifest.to_bytes()):
        raise refusal(f"{SIGNATURE_FILE} was changed: its signature does not fit what it signs")
    return key, manifest


def _opened_openssf(data: bytes, trusted: Sequence[PublicKey]) -> tuple[PublicKey, dict[str, str]]:
    key, files = files_of_openssf(data, trusted)
    if key is None:
        raise unsigned(f"{OPENSSF_FILE} is signed by an unknown key")
    # The package signs what else lies there, so perhaps our signature too.
    return key, {name: digest for name, digest in files.items() if name not in SIGNATURES}


def _agree(manifest: Manifest, content: Mapping[str, bytes]) -> None:
    card = card_in(content)
    if (manifest.name, manifest.version, manifest.licence) != (
        card.name,
        card.version,
        card.licence,
    ):
        raise refusal(f"{SIGNATURE_FILE} speaks of another model than the card")


def unsigned(message: str, *, hint: str = "") -> ModelError:
    """Return the error for a signature that is not there or is of nobody known."""
    hint = hint or "reelcheck models trust PUBLIC_KEY_FILE, if you know whose key it is"
    return ModelError(message, code="E_MODEL_SIGNATURE", hint=hint)
