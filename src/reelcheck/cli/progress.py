"""Progress with time left, on a terminal only."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reelcheck.exporters.base import plain_text
from reelcheck.pipeline import Progress

_SILENT_SECONDS: Final = 2.0


@contextmanager
def progress_of(video: Path, *, quiet: bool) -> Iterator[Callable[[Progress], None] | None]:
    """Give a callback that draws a progress bar on stderr once a run takes over two seconds.

    Gives ``None`` when stdout or stderr is no terminal, or when ``quiet``.
    """
    if quiet or not (sys.stdout.isatty() and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415 - the same
    from rich.progress import Progress as Bars  # noqa: PLC0415 - the same

    started = time.monotonic()
    name = plain_text(video.name)[-40:]
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(compact=True),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True, disable=False) as bars:
        task = bars.add_task(name, total=None, visible=False)

        def show(progress: Progress) -> None:
            late = time.monotonic() - started > _SILENT_SECONDS
            bars.update(
                task, completed=progress.seconds, total=progress.total_seconds, visible=late
            )

        yield show
