"""Writing reports to a folder: whole or not at all."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from reelcheck.errors import OutputError, storage_code
from reelcheck.exporters.base import Exporter
from reelcheck.registry import EXPORTERS
from reelcheck.verdict.report import Report

_STEM: Final = "report"


def load_exporters(names: Sequence[str]) -> list[Exporter]:
    """Return the exporters of these names.

    Raises:
        SettingError: a name is unknown.
    """
    return [EXPORTERS.load(name)() for name in dict.fromkeys(names)]


def write_reports(report: Report, folder: Path, exporters: Sequence[Exporter]) -> list[Path]:
    """Write one report in every format to ``folder``; return the paths.

    Raises:
        OutputError: the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [
            write_whole(folder / f"{_STEM}{one.suffix}", one.render(report)) for one in exporters
        ]
    except OSError as error:
        raise _cannot(folder, error) from error


def write_file(path: Path, data: bytes) -> None:
    """Write one file that the user named, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        write_whole(path, data)
    except (OSError, ValueError) as error:
        raise _cannot(path, error) from error


def _cannot(place: Path, error: OSError | ValueError) -> OutputError:
    number = error.errno if isinstance(error, OSError) else 0
    return OutputError(
        f"cannot write to {place}: {os.strerror(number) if number else error}",
        code=storage_code(number),
    )


def write_whole(path: Path, data: bytes) -> Path:
    """Write under another name first: a reader never sees half a report.

    Raises:
        OSError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
