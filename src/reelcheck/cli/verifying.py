"""``reelcheck verify``: is a stored report as it was made, and by whom?"""

import hashlib
from pathlib import Path
from typing import Final

import typer

from reelcheck.errors import ReportError, SettingError
from reelcheck.exporters.base import plain_text
from reelcheck.media import guard
from reelcheck.models.protect.keys import read_public_key
from reelcheck.models.protect.trust import trusted_keys
from reelcheck.settings import Limits
from reelcheck.verdict.sealing import Checked, State, check_report

EXIT_CODES: Final[dict[State, int]] = {"intact": 0, "altered": 1, "unsigned": 4, "stranger": 4}
"""As for videos: 0 all is well, 1 a proven fault, 4 it cannot be told."""
_SHOWN: Final = 8
_KEY_DIGITS: Final = 16


def verify_report(path: Path, *, trust: Path | None, video: Path | None) -> int:
    """Print what became of a report since it was made; return the exit code.

    Args:
        path: Of the report.
        trust: A public key; by default those that the user trusts.
        video: That should be the one of the report.

    Raises:
        ReportError: it cannot be read, or is no report.
        SettingError: the key is none.
        VideoError: the video cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ReportError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise SettingError(f"there is no file of the name {str(path)!r}") from error
    checked = check_report(data, (read_public_key(trust),) if trust else trusted_keys())
    codes = [EXIT_CODES[checked.state]]
    typer.echo(_told(checked))
    for change in checked.changes[:_SHOWN]:
        typer.echo(f"  {plain_text(change)}")
    if len(checked.changes) > _SHOWN:
        typer.echo(f"  and {len(checked.changes) - _SHOWN} more")
    if video is not None:
        same, words = _compared(video, checked)
        typer.echo(words)
        codes.append(0 if same else 1)
    return 1 if 1 in codes else max(codes)


def _told(checked: Checked) -> str:
    key = plain_text(checked.key_id[:_KEY_DIGITS])
    words = {
        "intact": f"intact: every part is as key {key} signed it",
        "altered": "ALTERED: the report is not as it was made",
        "unsigned": "unsigned: whoever could write this file could write anything in it",
        "stranger": f"signed by key {key}, which is not trusted here (--trust, or models trust)",
    }
    return words[checked.state]


def _compared(video: Path, checked: Checked) -> tuple[bool, str]:
    about = checked.content.get("video")
    stated = about.get("sha256") if isinstance(about, dict) else None
    fd, _ = guard.open_video(video, limits=Limits())
    with open(fd, "rb") as file:  # noqa: PTH123 - a descriptor, opened as videos are
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found == stated:
        return True, f"the video is the one of the report: sha256 {found}"
    return False, f"ALTERED: the video is not the one of the report: its sha256 is {found}"
