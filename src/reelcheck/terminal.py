"""Progress with time left, on a terminal only, for whatever takes longer than two seconds."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

_SILENT_SECONDS: Final = 2.0
_drawn: Final[list[str]] = []
"""The bar that is drawn now: a step of it that is long itself draws nothing."""


class Show(Protocol):
    """Tells a bar how far the work has come."""

    def __call__(self, done: float, total: float | None, *, name: str = "") -> None:
        """Show ``done`` of ``total``, in one unit of any kind, ``None`` when nobody knows.

        Args:
            done: 0 to ``total``.
            total: Above 0.
            name: What is being done now; must be safe to print. Empty: as before.
        """


@contextmanager
def progress(name: str, *, quiet: bool = False) -> Iterator[Show | None]:
    """Give what draws a bar on stderr once the work takes over two seconds.

    Gives ``None`` when stdout or stderr is no terminal, inside another bar, or when ``quiet``.

    Args:
        name: What is being done; must be safe to print.
        quiet: The user wants to see nothing.
    """
    if quiet or _drawn or not (sys.stdout.isatty() and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415 - the same

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(compact=True),
    )
    started = time.monotonic()
    _drawn.append(name)
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task(name, total=None, visible=False)

            def show(done: float, total: float | None, *, name: str = "") -> None:
                late = time.monotonic() - started > _SILENT_SECONDS
                said = name or None  # None leaves it as it is
                bars.update(task, completed=done, total=total, visible=late, description=said)

            yield show
    finally:
        _drawn.clear()


@contextmanager
def steps(name: str, total: int) -> Iterator[Callable[[], None]]:
    """Give a function to call after each of ``total`` steps of something; as ``progress`` draws."""
    done = 0
    with progress(name) as show:

        def step() -> None:
            nonlocal done
            done += 1
            if show is not None:
                show(done, total)

        yield step
