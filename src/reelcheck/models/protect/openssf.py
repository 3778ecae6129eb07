"""Signatures in the form of OpenSSF model signing 1.0: a DSSE envelope in a Sigstore bundle.

Source: ``model-signing`` 1.1.1 (predicate ``https://model_signing/signature/v1.0``), DSSE 1.0.0 and
the Sigstore bundle 0.3. Its method "key" with P-256 is the one that works without a network.
Limits: whole files by SHA-256 only, no shards, no links, no certificates; the form has no place for
a version, so it is the card, one of the signed files, that says it. What a signature asks to ignore
is not ignored here: every file must be signed, but the signatures themselves.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from reelcheck.models.protect.folder import refusal
from reelcheck.models.protect.keys import PrivateKey, PublicKey
from reelcheck.models.protect.manifest import OPENSSF_FILE, SIGNATURES

_MEDIA: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD: Final = "application/vnd.in-toto+json"
_STATEMENT: Final = "https://in-toto.io/Statement/v1"
_PREDICATE: Final = "https://model_signing/signature/v1.0"


def openssf_bundle(name: str, files: Mapping[str, str], key: PrivateKey) -> bytes:
    """Return the signature of files, SHA-256 by name, as a Sigstore bundle.

    Args:
        name: Of the model.
        files: What is signed.
        key: Of P-256.
    """
    payload = json.dumps(_statement(name, files)).encode()
    signature = base64.b64encode(key.sign(_pae(payload))).decode()
    whole = {
        "mediaType": _MEDIA,
        "verificationMaterial": {"publicKey": {"hint": _hint(key.public)}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": _PAYLOAD,
            "signatures": [{"sig": signature, "keyid": ""}],
        },
    }
    return json.dumps(whole).encode()


def _statement(name: str, files: Mapping[str, str]) -> dict[str, Any]:
    # The order of the package: by the parts of a path, not by its characters.
    ordered = sorted(files, key=lambda one: one.split("/"))
    root = hashlib.sha256(b"".join(bytes.fromhex(files[one]) for one in ordered)).hexdigest()
    resources = [{"name": one, "algorithm": "sha256", "digest": files[one]} for one in ordered]
    serialization = {
        "method": "files",
        "hash_type": "sha256",
        "allow_symlinks": False,
        "ignore_paths": list(SIGNATURES),
    }
    return {
        "_type": _STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": root}}],
        "predicateType": _PREDICATE,
        "predicate": {"serialization": serialization, "resources": resources},
    }


def files_of_openssf(
    data: bytes, trusted: Sequence[PublicKey]
) -> tuple[PublicKey | None, dict[str, str]]:
    """Return the trusted key that made a signature, and the files it names, SHA-256 by name.

    The key is ``None``, and nothing is named, when it is not among those that are trusted.

    Raises:
        ModelError: it is damaged, not of a form that is read here, or does not fit its content.
    """
    try:
        hint, payload, signature = _opened(data)
        key = next((one for one in trusted if one.is_elliptic and _hint(one) == hint), None)
        if key is None:
            return None, {}
        if not key.fits(signature, _pae(payload)):
            raise refusal(f"{OPENSSF_FILE} was changed: its signature does not fit what it signs")
        return key, _resources(json.loads(payload))
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, binascii.Error) as error:
        raise refusal(f"{OPENSSF_FILE} is damaged: {type(error).__name__}: {error}") from error


def _opened(data: bytes) -> tuple[str, bytes, bytes]:
    """Return the hint of the key, the payload and its signature. What is not signed must be so."""
    whole = json.loads(data)
    envelope, material = whole["dsseEnvelope"], whole["verificationMaterial"]
    (one,) = envelope["signatures"]
    hint = material["publicKey"]["hint"]
    known = {
        "mediaType": _MEDIA,
        "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": envelope["payload"],
            "payloadType": _PAYLOAD,
            "signatures": [{"sig": one["sig"], "keyid": ""}],
        },
    }
    material.setdefault("tlogEntries", [])
    one.setdefault("keyid", "")
    if whole != known:
        raise ValueError("it holds something that is not known here")
    return hint, _decoded(envelope["payload"]), _decoded(one["sig"])


def _decoded(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("base64 with stray bits")
    return data


def _resources(statement: dict[str, Any]) -> dict[str, str]:
    if (statement["_type"], statement["predicateType"]) != (_STATEMENT, _PREDICATE):
        raise ValueError("another kind of statement")
    predicate = statement["predicate"]
    serialization = predicate["serialization"]
    if (serialization["method"], serialization["hash_type"]) != ("files", "sha256"):
        raise ValueError("only whole files by SHA-256 are read here")
    files = {str(one["name"]): str(one["digest"]) for one in predicate["resources"]}
    (subject,) = statement["subject"]
    root = hashlib.sha256(b"".join(bytes.fromhex(one) for one in files.values())).hexdigest()
    if len(files) != len(predicate["resources"]) or subject["digest"]["sha256"] != root:
        raise ValueError("its digest is not that of its files")
    return files


def _hint(key: PublicKey) -> str:
    """Return how the bundle names a key: SHA-256 of its PEM."""
    return hashlib.sha256(key.pem).hexdigest()


def _pae(payload: bytes) -> bytes:
    """Return what DSSE signs: its pre-authentication encoding."""
    return f"DSSEv1 {len(_PAYLOAD)} {_PAYLOAD} {len(payload)} ".encode() + payload
