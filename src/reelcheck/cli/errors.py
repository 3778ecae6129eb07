"""From an exception to one line, a hint and an exit code."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer

from reelcheck.errors import ReelcheckError, SettingError

_BROKEN_PIPE: Final = 141
"""What a shell reports for a program that SIGPIPE ended."""


@contextmanager
def tidy_errors() -> Iterator[None]:
    """Turn errors that reelcheck raises on purpose into two lines and an exit code.

    Anything else is a fault of reelcheck: it keeps its traceback and exits with 5.
    """
    try:
        yield
    except ReelcheckError as error:
        tell(error)
        raise typer.Exit(error.exit_code) from error
    except BrokenPipeError as error:
        # Python would complain again when it flushes stdout on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(_BROKEN_PIPE) from error
    except (typer.Exit, typer.Abort, KeyboardInterrupt, SystemExit):
        raise
    except Exception as error:
        sys.excepthook(type(error), error, error.__traceback__)
        raise typer.Exit(ReelcheckError.exit_code) from error


def tell(error: ReelcheckError, *, about: str = "") -> None:
    """Write one error to stderr."""
    place = f"{about}: " if about else ""
    code = "" if isinstance(error, SettingError) else f" [{error.code}]"
    typer.echo(f"error: {place}{error}{code}", err=True)
    if error.hint:
        typer.echo(f" hint: {error.hint}", err=True)
