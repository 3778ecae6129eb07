"""A version never goes down: the highest one seen of every signed model is remembered.

Once a signed model of a name was seen, an unsigned one of that name is refused as well: otherwise
taking the signature away would be the way around. Limits: who can write to the folder of the user's
decisions can make it forget; it is not shared between machines.
"""

import json
import os
import re
import secrets
from pathlib import Path
from typing import Final

from reelcheck.errors import ModelError, OutputError, SettingError
from reelcheck.models.protect.manifest import canonical
from reelcheck.models.protect.trust import config_folder

_VERSION: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,5}")


def version_key(version: str) -> tuple[int, ...]:
    """Return what a version is compared by: ``1.0`` is ``1`` and comes before ``1.0.1``.

    Raises:
        SettingError: it is not numbers with points between them.
    """
    if not _VERSION.fullmatch(version):
        raise SettingError(
            f"the version of a signed model must be numbers with points, got {version!r}",
            hint='such as version = "1.2" in its card',
        )
    parts = [int(part) for part in version.split(".")]
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def refuse_older(name: str, version: str) -> None:
    """Refuse a signed model whose version is below one that was seen.

    Raises:
        ModelError: it is.
        SettingError: what was seen cannot be read.
    """
    seen = _seen().get(name)
    if seen is not None and version_key(version) < version_key(seen):
        raise _refusal(f"version {version} of model {name!r} is older than {seen}, seen before")


def refuse_unsigned(name: str) -> None:
    """Refuse a model without a signature when one of its name had one.

    Raises:
        ModelError: it had.
        SettingError: what was seen cannot be read.
    """
    seen = _seen().get(name)
    if seen is not None:
        raise _refusal(f"model {name!r} has no signature, its version {seen} had one")


def remember(name: str, version: str) -> None:
    """Remember that a signed model was seen.

    Raises:
        OutputError: that cannot be written down.
    """
    seen = _seen()
    if name in seen and version_key(version) <= version_key(seen[name]):
        return
    path = _file()
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(canonical({**seen, name: version}) + b"\n")
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        message = f"cannot write {path}: {os.strerror(error.errno or 0)}"
        raise OutputError(message, code="E_STORAGE_READONLY") from error


def _file() -> Path:
    return config_folder() / "versions.json"


def _seen() -> dict[str, str]:
    path = _file()
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise SettingError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise SettingError(f"{path} must hold versions by name")
    return found


def _refusal(message: str) -> ModelError:
    hint = f"if going back is meant, take its line out of {_file()}"
    return ModelError(message, code="E_MODEL_VERSION", hint=hint)
