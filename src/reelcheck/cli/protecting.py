"""``reelcheck models keygen``, ``sign``, ``encrypt`` ...: what the commands do."""

from pathlib import Path
from typing import cast, get_args

from reelcheck.errors import SettingError
from reelcheck.models.card import CARD_FILE, Card, card_names, load_card
from reelcheck.models.protect.encrypting import decrypt_folder, encrypt_folder
from reelcheck.models.protect.keys import Kind, read_private_key, read_public_key, write_keys
from reelcheck.models.protect.model_key import model_key
from reelcheck.models.protect.probes import failure, refuse_other_answers
from reelcheck.models.protect.signing import sign_folder
from reelcheck.models.protect.trust import trust
from reelcheck.models.session import open_session
from reelcheck.models.store import card_of_bundle, locate, own_names, read_probes, verify_bundle


def make_keys(out: Path, *, kind: str) -> str:
    """Write a new key; return where what lies.

    Raises:
        SettingError: the kind is unknown.
        ReelcheckError: as ``reelcheck.models.protect.keys.write_keys``.
    """
    if kind not in get_args(Kind):
        raise SettingError(f"unknown kind {kind!r}", hint=f"known: {', '.join(get_args(Kind))}")
    public = write_keys(out, kind=cast("Kind", kind))
    told = f"; its public key: {public}" if public else ""
    return f"wrote {out}, a secret{told}"


def sign_model(folder: Path, key_file: Path) -> str:
    """Sign a bundle; return what was signed."""
    key = read_private_key(key_file)
    manifest = sign_folder(folder, key)
    forms = "signature.json and model.sig" if key.public.is_elliptic else "signature.json"
    files = len(manifest.files)
    who = key.public.key_id[:16]
    return f"signed {manifest.name} {manifest.version}, {files} files, by key {who}: {forms}"


def verify_model(folder: Path, trusted: Path | None, *, key_file: Path | None = None) -> str:
    """Check the signatures of a bundle; return what they say."""
    keys = None if trusted is None else (read_public_key(trusted),)
    signed = verify_bundle(folder, trusted=keys, key_file=key_file)
    who = " and ".join(sorted({key_id[:16] for key_id in signed.key_ids}))
    return f"{signed.name} {signed.version} is as key {who} signed it: {signed.files} files"


def encrypt_model(folder: Path, *, key_file: Path | None, out: Path) -> str:
    """Encrypt a bundle into another folder; return what was done."""
    count = encrypt_folder(folder, model_key(key_file), out=out)
    return f"wrote {out}: {count} files sealed; the card and licences stay readable"


def decrypt_model(folder: Path, *, key_file: Path | None, out: Path) -> str:
    """Decrypt a bundle into another folder; return what was done."""
    count = decrypt_folder(folder, model_key(key_file), out=out)
    return f"wrote {out}: {count} files decrypted, readable by whoever may read that folder"


def trust_key(path: Path) -> str:
    """Trust a public key; return which."""
    return f"key {trust(path).key_id[:16]} is trusted from now on"


def probe_models(which: str) -> str:
    """Ask models their probes; return one line for each.

    Args:
        which: Name of a model, or folder of a bundle; empty for all that are here.

    Raises:
        ModelError: one does not answer as it did, or the one that was named has no probes.
        SettingError: there is no such model.
    """
    if not which:
        here = [name for name in (*card_names(), *own_names()) if _is_here(load_card(name))]
        told = [_probed(load_card(name), None) for name in here]
        return "\n".join(line for line in told if line)
    folder = Path(which) if (Path(which) / CARD_FILE).is_file() else None
    card = load_card(which) if folder is None else card_of_bundle(folder)
    told_of_one = _probed(card, folder)
    if not told_of_one:
        raise failure(card, "it carries no probes")
    return told_of_one


def _is_here(card: Card) -> bool:
    return bool(card.url) or locate(card) is not None


def _probed(card: Card, folder: Path | None) -> str:
    probes = read_probes(card, folder=folder)
    if probes is None:
        return ""
    refuse_other_answers(probes, card, open_session(card, folder=folder))
    seen = f"; shows wrong {', '.join(probes.sees)}" if probes.sees else ""
    asked = f"{len(probes.samples)} probes on {card.runtime}"
    return (
        f"{card.name} {card.version}: {asked} answered as expected, margin {probes.margin:g}{seen}"
    )
