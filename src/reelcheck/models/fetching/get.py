"""``get``: from the name of a model to checked weights in the user's store."""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from reelcheck.errors import InputError, ModelError, OutputError, SettingError, storage_code
from reelcheck.models.card import Card
from reelcheck.models.converting import convert
from reelcheck.models.fetching.archive import read_archive
from reelcheck.models.fetching.download import download
from reelcheck.models.fetching.licence import licences_in
from reelcheck.models.origin import Origin
from reelcheck.models.store import check, put

_LICENCE_FILE: Final = "LICENSE"


def get(
    card: Card,
    *,
    archive: Path | None = None,
    accepted: str = "",
    tell: Callable[[str], object] = lambda _: None,
) -> Path:
    """Bring the weights of a model into the store; return the folder.

    Nothing is written there before the archive, the members taken from it, its licence and what was
    made of them are all as the card says.

    Args:
        card: Of a model of the catalogue that has an origin.
        archive: The package, when it is on this machine already; otherwise it is downloaded.
        accepted: The licence that the user accepts, where that is needed.
        tell: Is told what begins: downloading and converting take seconds to minutes.

    Raises:
        SettingError: the model has no origin.
        InputError: its licence must be accepted first, or there is no such archive.
        ModelError: something is not as the card says, or the download failed.
        OutputError: the store cannot be written.
    """
    origin = origin_of(card)
    _need_consent(card, origin, accepted)
    if archive is None:
        tell(f"getting {origin.said}")
    found = _downloaded(origin) if archive is None else read_archive(origin, archive)
    licence = found[origin.licence_file]
    _need_licence(card, licence)
    weights = convert(origin.convert, [found[member.path] for member in origin.members])
    check(card, hashlib.sha256(weights).hexdigest(), hint="please report this: it must not happen")
    return put(card.name, {card.weights.file: weights, _LICENCE_FILE: licence})


def origin_of(card: Card) -> Origin:
    """Return where the weights of a model can be got.

    Raises:
        SettingError: nowhere.
    """
    if card.origin is None:
        package = card.weights.package
        hint = (
            f"its weights come with the package {package}" if package else "it is not for download"
        )
        raise SettingError(f"model {card.name!r} cannot be got", hint=hint)
    return card.origin


def _need_consent(card: Card, origin: Origin, accepted: str) -> None:
    if accepted and accepted != card.licence:
        raise SettingError(f"the licence of {card.name} is {card.licence}, not {accepted!r}")
    if origin.consent and not accepted:
        raise InputError(
            f"{card.name} is under {card.licence}: it must be accepted first",
            code="E_MODEL_LICENCE",
            hint=f"reelcheck models get {card.name} --accept-licence {card.licence}",
        )


def _downloaded(origin: Origin) -> dict[str, bytes]:
    try:
        with tempfile.TemporaryDirectory(prefix="reelcheck-") as folder:
            return read_archive(origin, download(origin, Path(folder)))
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        code = storage_code(error.errno)
        raise OutputError(f"cannot download {origin.said}: {error.strerror}", code=code) from error


def _need_licence(card: Card, text: bytes) -> None:
    found = licences_in(text)
    if found != {card.licence}:
        told = " and ".join(sorted(found)) or "no licence that is known here"
        raise ModelError(
            f"the card of {card.name} says {card.licence}, its archive has {told}",
            code="E_MODEL_LICENCE",
            hint="do not use it before somebody has read the licence",
        )
