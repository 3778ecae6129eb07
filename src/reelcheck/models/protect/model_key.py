"""The key of encrypted models: from a file, from the environment or from a command.

In that order: ``--key-file``, ``REELCHECK_MODEL_KEY``, ``key_file`` and ``key_command`` in the
user's ``models.toml``. It is 64 hexadecimal digits. Limits: a command (a client of a key service)
runs wherever the model is loaded, and watching a video happens in a child with almost no
environment: there a command gets ``HOME`` and nothing of its own; a file is the surer way.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

from reelcheck.errors import ModelError
from reelcheck.models.protect.keys import read_secret
from reelcheck.models.protect.trust import model_settings

KEY_VARIABLE: Final = "REELCHECK_MODEL_KEY"
_COMMAND_SECONDS: Final = 30.0
_KEY: Final = re.compile(rb"\s*([0-9a-fA-F]{64})\s*")


def model_key(path: Path | None = None) -> bytes:
    """Return the key of encrypted models, 32 bytes.

    Args:
        path: Of the file that holds it, where the user names one.

    Raises:
        InputError: the file is missing, or others may read it.
        ModelError: there is no key, or what should be one is none.
        SettingError: the settings cannot be understood.
    """
    if path is not None:
        return _parsed(read_secret(path), where=str(path))
    if KEY_VARIABLE in os.environ:
        return _parsed(os.environ[KEY_VARIABLE].encode(), where=KEY_VARIABLE)
    settings = model_settings()
    if settings.key_file:
        return _parsed(read_secret(Path(settings.key_file)), where=settings.key_file)
    if settings.key_command:
        return _parsed(_told_by(settings.key_command), where=settings.key_command[0])
    raise _refusal("the model is encrypted, and no key was named")


def _told_by(command: tuple[str, ...]) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command, from the user's own settings
            command,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_COMMAND_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise _refusal(f"the key command {command[0]} failed: {type(error).__name__}") from error
    return done.stdout


def _parsed(text: bytes, *, where: str) -> bytes:
    found = _KEY.fullmatch(text)
    if not found:  # never show what should be a secret
        raise _refusal(f"{where} is no key of 64 hexadecimal digits")
    return bytes.fromhex(found[1].decode())


def _refusal(message: str) -> ModelError:
    hint = "reelcheck models keygen --kind aes256 makes one; key_file in models.toml names it"
    return ModelError(message, code="E_MODEL_KEY", hint=hint)
