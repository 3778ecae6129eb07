"""Encrypting a bundle into another folder, and back.

The card and licences stay readable: they say what the model is and must be read by people. All else
becomes ``NAME.sealed``, signatures too, so that decrypting gives the very bundle back, signed as it
was. The encrypted bundle can be signed in its turn.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from reelcheck.errors import InputError, OutputError
from reelcheck.models.card import CARD_FILE
from reelcheck.models.protect.folder import read_folder, refusal
from reelcheck.models.protect.manifest import SIGNATURES, card_in
from reelcheck.models.protect.sealing import SUFFIX, seal, unseal

_LICENCE: Final = re.compile(r"(LICEN[CS]E|COPYING|NOTICE)[^/]*", re.IGNORECASE)


def is_licence(name: str) -> bool:
    """Return whether a file at the top of a bundle says what may be done with it."""
    return bool(_LICENCE.fullmatch(name))


def _is_readable(name: str) -> bool:
    return name == CARD_FILE or (is_licence(name) and not name.endswith(SUFFIX))


def is_sealed(content: Mapping[str, bytes]) -> bool:
    """Return whether a bundle in memory is encrypted."""
    return any(name.endswith(SUFFIX) for name in content)


def encrypt_folder(folder: Path, key: bytes, *, out: Path) -> int:
    """Write a bundle, encrypted; return how many files were sealed.

    Raises:
        SettingError: its card is wrong.
        ModelError: it is encrypted already, or something in it is no file.
        InputError: there is something in ``out`` already.
        OutputError: ``out`` cannot be written.
    """
    content = read_folder(folder)
    if is_sealed(content):
        raise refusal(f"{folder} is encrypted already")
    sealed = {
        name: data if _is_readable(name) else seal(data, key, _about(content, name))
        for name, data in content.items()
    }
    names = {name: name if _is_readable(name) else f"{name}{SUFFIX}" for name in sealed}
    _write(out, {names[name]: data for name, data in sealed.items()})
    return sum(name.endswith(SUFFIX) for name in names.values())


def decrypt_folder(folder: Path, key: bytes, *, out: Path) -> int:
    """Write an encrypted bundle, decrypted: its weights are readable then. Return how many files.

    Raises:
        ModelError: the key is another one, or a file was changed.
        SettingError: its card is wrong.
        InputError: there is something in ``out`` already.
        OutputError: ``out`` cannot be written.
    """
    content = read_folder(folder)
    _write(out, decrypted(content, key))
    return sum(name.endswith(SUFFIX) for name in content)


def decrypted(content: Mapping[str, bytes], key: bytes) -> dict[str, bytes]:
    """Return an encrypted bundle in memory, decrypted; signatures over its encrypted form go.

    Raises:
        ModelError: the key is another one, or a file was changed.
        SettingError: its card is wrong.
    """
    plain: dict[str, bytes] = {}
    for name, data in content.items():
        inside = name.removesuffix(SUFFIX)
        if _is_readable(inside) if inside == name else not _is_readable(inside):
            plain[inside] = data if inside == name else unseal(data, key, _about(content, inside))
        elif name not in SIGNATURES:
            raise refusal(f"{name} does not belong into an encrypted bundle")
    return plain


def _about(content: Mapping[str, bytes], file: str) -> dict[str, str]:
    card = card_in(content)
    return {"name": card.name, "version": card.version, "licence": card.licence, "file": file}


def _write(out: Path, content: Mapping[str, bytes]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise InputError(f"there is something in {out} already", code="E_SETTING")
        for name, data in content.items():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_bytes(data)
    except OSError as error:
        message = f"cannot write to {out}: {error.strerror}"
        raise OutputError(message, code="E_STORAGE_READONLY") from error
