"""What the user decided about models: whom to trust, how strict to be, where the key lies.

It lies in ``$REELCHECK_CONFIG``, or ``reelcheck`` in ``$XDG_CONFIG_HOME`` (``~/.config``), apart
from the store, so that a store that others may write to cannot say whom to trust:

    models.toml      mode = "open" or "strict", key_file, key_command
    trusted/*.pem    public keys
    versions.json    the highest version seen of every signed model
"""

import os
import tomllib
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from reelcheck.errors import OutputError, SettingError
from reelcheck.models.protect.keys import PublicKey, read_public_key

STRICT_VARIABLE: Final = "REELCHECK_STRICT_MODELS"
"""Set to anything but ``0``, it makes the mode strict; it can never make it open."""


class ModelSettings(BaseModel):
    """``models.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["open", "strict"] = "open"
    """``open``: unsigned models of the user's own may run. ``strict``: they may not, and models
    that carry probes are probed when they start."""
    key_file: str = ""
    """With the key of encrypted models; mode 0600."""
    key_command: tuple[str, ...] = ()
    """Program and arguments that print that key."""


def config_folder() -> Path:
    """Return the folder of the user's decisions. It need not exist."""
    chosen = os.environ.get("REELCHECK_CONFIG")
    if chosen:
        return Path(chosen)
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "reelcheck"


def model_settings() -> ModelSettings:
    """Return the user's settings, with the default for what they do not say.

    Raises:
        SettingError: they cannot be understood.
    """
    path = config_folder() / "models.toml"
    try:
        values = tomllib.loads(path.read_text("utf-8"))
        settings = ModelSettings.model_validate(values)
    except FileNotFoundError:
        settings = ModelSettings()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingError(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SettingError(f"{path}: {key}: {first['msg']}") from error
    if os.environ.get(STRICT_VARIABLE, "0") not in {"", "0"}:
        return settings.model_copy(update={"mode": "strict"})
    return settings


def trusted_keys() -> tuple[PublicKey, ...]:
    """Return the public keys that the user trusts.

    Raises:
        SettingError: a file among them is no public key.
    """
    return tuple(read_public_key(path) for path in sorted(_trusted_folder().glob("*.pem")))


def trust(path: Path) -> PublicKey:
    """Trust the public key in a file from now on; return it.

    Raises:
        InputError: there is none.
        SettingError: it is no public key.
        OutputError: the decision cannot be written down.
    """
    key = read_public_key(path)
    target = _trusted_folder() / f"{key.key_id[:16]}.pem"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    except OSError as error:
        message = f"cannot write {target}: {error.strerror}"
        raise OutputError(message, code="E_STORAGE_READONLY") from error
    return key


def _trusted_folder() -> Path:
    return config_folder() / "trusted"
