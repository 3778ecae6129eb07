"""What a signature speaks of: the name of a model, its version, its licence and its files.

The form is ours: canonical JSON (keys sorted, no spaces, ASCII), so that one manifest has one
sequence of bytes. Source of canonical JSON: the rules of RFC 8785, of which only strings and
objects occur here. The files are named by the SHA-256 of their bytes.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from reelcheck.models.card import CARD_FILE, Card, parse_card
from reelcheck.models.protect.folder import refusal

SIGNATURE_FILE: Final = "signature.json"
OPENSSF_FILE: Final = "model.sig"
"""The name that OpenSSF model signing gives its bundle when it is told no other."""
SIGNATURES: Final = (SIGNATURE_FILE, OPENSSF_FILE)
_FORMAT: Final = "reelcheck-bundle-1"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def canonical(value: Any) -> bytes:  # noqa: ANN401 - what JSON can hold
    """Return the one JSON text of a value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The state of a bundle at one moment."""

    name: str
    version: str
    licence: str
    files: Mapping[str, str]
    """SHA-256 by relative name, of all files but the signatures."""

    @classmethod
    def of(cls, content: Mapping[str, bytes]) -> Self:
        """Return the manifest of the files of a bundle.

        Raises:
            SettingError: its card is wrong.
            ModelError: it has no card.
        """
        card = card_in(content)
        words = {"name": card.name, "version": card.version, "licence": card.licence}
        return cls(**words, files=digests(content))

    @classmethod
    def from_plain(cls, value: Any) -> Self:  # noqa: ANN401 - what JSON can hold
        """Return the manifest that ``plain`` once gave.

        Raises:
            ValueError: it is none.
        """
        words = {"name", "version", "licence"}
        if not isinstance(value, dict) or set(value) != {*words, "format", "files"}:
            raise ValueError("other keys than those of a manifest")
        if value["format"] != _FORMAT:
            raise ValueError(f"an unknown format {value['format']!r}")
        files = value["files"]
        if not isinstance(files, dict) or not all(isinstance(value[word], str) for word in words):
            raise ValueError("a value of the wrong type")
        if not all(isinstance(one, str) and _SHA256.fullmatch(one) for one in files.values()):
            raise ValueError("a file without its SHA-256")
        return cls(**{word: value[word] for word in words}, files=files)

    def plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "format": _FORMAT,
            "name": self.name,
            "version": self.version,
            "licence": self.licence,
            "files": dict(self.files),
        }

    def to_bytes(self) -> bytes:
        """Return its canonical form."""
        return canonical(self.plain())


def digests(content: Mapping[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of every file of a bundle but the signatures, by name."""
    return {
        name: hashlib.sha256(data).hexdigest()
        for name, data in content.items()
        if name not in SIGNATURES
    }


def card_in(content: Mapping[str, bytes]) -> Card:
    """Return the card of a bundle in memory.

    Raises:
        SettingError: it is wrong.
        ModelError: there is none.
    """
    if CARD_FILE not in content:
        raise refusal(f"{CARD_FILE} is missing")
    try:
        text = content[CARD_FILE].decode("utf-8")
    except UnicodeDecodeError as error:
        raise refusal(f"{CARD_FILE} is damaged: it is no text") from error
    return parse_card(text, where=CARD_FILE)


def refuse_changes(signed: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Refuse files that are not those that were signed, and say which.

    Args:
        signed: SHA-256 by name, as the signature has it.
        found: As the bundle has it.

    Raises:
        ModelError: a file was changed, added, renamed or taken away.
    """
    told = []
    extra = {name: digest for name, digest in found.items() if name not in signed}
    for name, digest in sorted(signed.items()):
        if found.get(name) == digest:
            continue
        if name in found:
            told.append(f"{name} was changed")
            continue
        twin = next((other for other in sorted(extra) if extra[other] == digest), None)
        if twin is not None:
            del extra[twin]
        told.append(f"{name} was renamed to {twin}" if twin else f"{name} is missing")
    told += [f"{name} was added" for name in sorted(extra)]
    if told:
        raise refusal(f"the bundle is not as it was signed: {'; '.join(told[:_TOLD])}")


_TOLD: Final = 8
"""Names in one message."""
