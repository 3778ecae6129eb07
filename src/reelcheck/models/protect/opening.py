"""Opening a bundle: what is signed is checked, and what the user decided about models holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reelcheck.models.card import Card
from reelcheck.models.protect.encrypting import decrypted, is_sealed
from reelcheck.models.protect.folder import read_folder, refusal
from reelcheck.models.protect.keys import PublicKey
from reelcheck.models.protect.manifest import SIGNATURES, card_in
from reelcheck.models.protect.model_key import model_key
from reelcheck.models.protect.sealing import SUFFIX
from reelcheck.models.protect.signing import Signed, check_signatures, is_signed, unsigned
from reelcheck.models.protect.trust import model_settings, trusted_keys
from reelcheck.models.protect.versions import refuse_older, refuse_unsigned


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A bundle in memory, checked."""

    stored: Mapping[str, bytes]
    """Its files as they lie in the folder, by relative name."""
    content: Mapping[str, bytes]
    """Its files as they are used."""
    card: Card
    signed: Signed | None
    """What its signatures say, if it has some."""


def is_guarded(folder: Path) -> bool:
    """Return whether a bundle is signed or encrypted."""
    signed = any((folder / name).is_symlink() or (folder / name).exists() for name in SIGNATURES)
    return signed or any(folder.rglob(f"*{SUFFIX}"))


def open_guarded(
    folder: Path, *, trusted: Sequence[PublicKey] | None = None, key_file: Path | None = None
) -> Opened:
    """Read, check and decrypt a bundle, once and in memory: what was checked is what is used.

    Args:
        folder: Of the bundle.
        trusted: Whose signatures count; by default those of the keys that the user trusts.
        key_file: With the key of encrypted models; by default see ``model_key``.

    Raises:
        ModelError: a file is not the one that was signed or sealed, or a key is not the right one.
        InputError: the file with the key is missing, or others may read it.
        SettingError: its card is wrong.
        MissingExtraError: the library that checks it is not installed.
    """
    stored = read_folder(folder)
    keys = trusted_keys() if trusted is None else trusted
    signed = check_signatures(stored, keys) if is_signed(stored) else None
    content: Mapping[str, bytes] = stored
    if is_sealed(stored):
        content = decrypted(stored, model_key(key_file))
        if is_signed(content):
            inside = check_signatures(content, keys)
            signed = signed or inside
    return Opened(stored=stored, content=content, card=card_in(stored), signed=signed)


def admit(card: Card, opened: Opened | None) -> None:
    """Refuse a model of the user's own that the user's decisions do not let run.

    Args:
        card: As it was read before; the one in the bundle must be the same.
        opened: Its bundle, ``None`` for one without any protection.

    Raises:
        ModelError: it is unsigned in strict mode or where a signed one was seen, or it is older
            than one that was seen.
        SettingError: the decisions cannot be read.
    """
    if opened is not None and opened.card != card:
        raise refusal(f"the card of model {card.name!r} changed while it was loaded")
    if opened is not None and opened.signed is not None:
        return refuse_older(card.name, card.version)
    refuse_unsigned(card.name)
    if model_settings().mode == "strict":
        hint = "sign it (reelcheck models sign), or leave the strict mode"
        raise unsigned(f"model {card.name!r} is not signed, and the mode is strict", hint=hint)
    return None
