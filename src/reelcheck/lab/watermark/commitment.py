"""A commitment: what was decided before release, signed, and telling nothing of the secret.

It holds the SHA-256 of the owner's key, of the triggers with their answers, and of the files of
the released models, and which shape the marked layer has. Whoever sees it later, with the key, can
check that key and triggers were not chosen afterwards. The form is canonical JSON; the signature
is made over ``reelcheck watermark commitment 1``, a line feed and that JSON.

Limits: the date in it is the owner's word. A proof of the date is whatever shows that the file
existed then: a release page, a public repository, a timestamp authority.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from reelcheck.errors import InputError, ModelError, OutputError
from reelcheck.lab.engine.run import Trained
from reelcheck.lab.recipe import Recipe
from reelcheck.lab.watermark.embedding import takes_triggers
from reelcheck.lab.watermark.secret import Secret, digest_of
from reelcheck.lab.watermark.weights import carrier_of
from reelcheck.models.protect.folder import read_folder, refusal
from reelcheck.models.protect.keys import PrivateKey, PublicKey
from reelcheck.models.protect.manifest import canonical
from reelcheck.models.protect.signing import unsigned

_PURPOSE: Final = b"reelcheck watermark commitment 1\n"
_FORMAT: Final = "reelcheck-watermark-1"
_MAX_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """What the owner of a marked network committed to."""

    secret_sha256: str
    """Of the key, see ``Secret.digest``."""
    shape: tuple[int, ...]
    """Of the weights of the marked layer; which layer it is, is not told."""
    classes: tuple[str, ...]
    """In the order of the network's answers."""
    frames: int
    """Of a trigger; 0 where the network has no triggers."""
    size_px: tuple[int, int]
    """(width, height) of a trigger."""
    triggers_sha256: str
    """Of all triggers with their answers; empty where there are none."""
    files: Mapping[str, str]
    """SHA-256 of the files of the released models, by name."""
    committed: str
    """Date and time (ISO 8601, UTC) by the owner's clock."""

    def plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        told = asdict(self)
        return {**told, "shape": list(self.shape), "classes": list(self.classes)} | {
            "format": _FORMAT,
            "size_px": list(self.size_px),
            "files": dict(self.files),
        }

    @classmethod
    def from_plain(cls, value: Any) -> Self:  # noqa: ANN401 - what JSON can hold
        """Return the commitment that ``plain`` once gave.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(value, dict) or value.get("format") != _FORMAT:
            raise ValueError("it is of another form")
        known = {name: one for name, one in value.items() if name != "format"}
        shape, classes, size = (tuple(known[name]) for name in ("shape", "classes", "size_px"))
        whole = cls(**{**known, "shape": shape, "classes": classes, "size_px": size})
        numbers = (*shape, whole.frames, *size)
        words = (whole.secret_sha256, whole.triggers_sha256, whole.committed, *classes)
        if not all(type(one) is int for one in numbers) or len(size) != 2:  # noqa: PLR2004 - a pair
            raise ValueError("a number of the wrong type")
        if not all(isinstance(one, str) for one in (*words, *whole.files.values())):
            raise ValueError("a word of the wrong type")
        return whole

    def refuse_other(self, secret: Secret) -> None:
        """Refuse a key that is not the one that was committed to, or makes other triggers.

        Raises:
            ModelError: it is another one.
        """
        if secret.digest != self.secret_sha256:
            raise refusal("the key is not the one that the commitment speaks of")
        if self.frames and triggers_digest(self, secret) != self.triggers_sha256:
            raise refusal("the key makes other triggers than those that were committed to")


def committed_to(
    plan: Recipe, trained: Trained, secret: Secret, *, release: Sequence[Path]
) -> Commitment:
    """Return the commitment to the mark of a network.

    Args:
        plan: The recipe of the training.
        trained: The marked network.
        secret: Of its owner.
        release: Bundles and files that are released.

    Raises:
        SettingError: no layer of the network has room for a mark.
        InputError: a place of the release cannot be read.
        ModelError: a folder of it holds something that is no file.
    """
    triggered = takes_triggers(trained.network)
    bare = Commitment(
        secret_sha256=secret.digest,
        shape=carrier_of(trained.network, secret).shape,
        classes=trained.data.classes if triggered else (),
        frames=plan.input.frames if triggered else 0,
        size_px=plan.input.size_px,
        triggers_sha256="",
        files=digests_of(release),
        committed=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )
    return replace(bare, triggers_sha256=triggers_digest(bare, secret) if triggered else "")


def triggers_digest(commitment: Commitment, secret: Secret) -> str:
    """Return the SHA-256 of the triggers of a key, as a commitment describes them."""
    pictures = secret.triggers(commitment.frames, commitment.size_px)
    return digest_of(pictures, secret.answers(len(commitment.classes)))


def digests_of(places: Sequence[Path]) -> dict[str, str]:
    """Return the SHA-256 of released files: of a file, or of all files of a folder.

    Raises:
        InputError: a place cannot be read.
        ModelError: a folder holds a link, or something else that is no file.
    """
    found: dict[str, str] = {}
    for place in places:
        if place.is_dir():
            content = {f"{place.name}/{name}": data for name, data in read_folder(place).items()}
        else:
            try:
                content = {place.name: place.read_bytes()}
            except OSError as error:
                message = f"cannot read {place}: {error.strerror}"
                raise InputError(message, code="E_NOT_FOUND") from error
        found |= {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    return found


def write_commitment(commitment: Commitment, key: PrivateKey, path: Path) -> None:
    """Sign a commitment and write it; nothing is overwritten.

    Raises:
        OutputError: there is a file of this name, or none can be written.
    """
    signature = key.sign(_PURPOSE + canonical(commitment.plain())).hex()
    whole = {
        "commitment": commitment.plain(),
        "key": key.public.key_id,
        "public_key": key.public.pem.decode(),
        "signature": signature,
    }
    try:
        with path.open("xb") as file:
            file.write(canonical(whole) + b"\n")
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}"
        raise OutputError(message, code="E_STORAGE_READONLY") from error


def read_commitment(path: Path, trusted: Sequence[PublicKey]) -> tuple[Commitment, PublicKey]:
    """Return a commitment and the trusted key that signed it.

    Raises:
        InputError: there is none.
        ModelError: it is damaged, or of a key that is not trusted, or was changed.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", code="E_NOT_FOUND") from error
    try:
        whole = json.loads(data)
        commitment = Commitment.from_plain(whole["commitment"])
        signature, key_id = bytes.fromhex(whole["signature"]), str(whole["key"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise refusal(f"{path} is no commitment, or damaged: {error}") from error
    key = next((one for one in trusted if one.key_id == key_id), None)
    if key is None:
        raise _unknown(path, key_id)
    if not key.fits(signature, _PURPOSE + canonical(commitment.plain())):
        raise refusal(f"{path} was changed: its signature does not fit")
    return commitment, key


def _unknown(path: Path, key_id: str) -> ModelError:
    message = f"{path} is signed by an unknown key, {key_id[:16]}"
    return unsigned(message, hint="name the owner's public key: --trust FILE")
