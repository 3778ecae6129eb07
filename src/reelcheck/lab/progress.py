"""Progress with time left, on a terminal only, for what takes long."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_SILENT_SECONDS: Final = 2.0
_drawn: Final[list[str]] = []
"""What is drawn now: a step of it that is long itself draws nothing."""


@contextmanager
def steps(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Give a function to call after every step of something that takes ``total`` of them.

    It draws a bar on stderr once that takes over two seconds; nothing when stdout or stderr is no
    terminal, or inside another bar.
    """
    if _drawn or not (sys.stdout.isatty() and sys.stderr.isatty()):
        yield lambda: None
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(compact=True),
    )
    started = time.monotonic()
    _drawn.append(what)
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task(what, total=total, visible=False)

            def done() -> None:
                late = time.monotonic() - started > _SILENT_SECONDS
                bars.update(task, advance=1, visible=late)

            yield done
    finally:
        _drawn.clear()
