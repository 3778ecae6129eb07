"""The one pass over a file, inside the child: decode once, show every analyzer what it asked for.

The decoding thread makes the views; each analyzer works in a thread of its own behind a short
queue. What they find goes to the parent at once, so that a crash loses only what is in flight.
"""

import base64
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

from reelcheck.analyzers.base import AudioAnalyzer, Listen, ModelUser, VideoAnalyzer, Watch
from reelcheck.errors import ReelcheckError, VideoError
from reelcheck.frames import AudioBatch, FrameBatch, FrameNeeds
from reelcheck.media.account import Account
from reelcheck.media.audio import AudioDecoder, describe
from reelcheck.media.channel import Channel
from reelcheck.media.coverage import Pass, settle
from reelcheck.media.decode import StreamDecoder, TimedFrame, packets
from reelcheck.media.describe import describe_video, origin_of
from reelcheck.media.pictures import PictureMaker
from reelcheck.media.source import Source
from reelcheck.media.views import Views
from reelcheck.media.wire import pack_account, pack_audio, pack_observation, pack_video
from reelcheck.models.card import load_card
from reelcheck.registry import ANALYZERS
from reelcheck.settings import Limits, Profile, limits_from
from reelcheck.spans import Observation

_QUEUE_BATCHES: Final = 4
_PROGRESS_SECONDS: Final = 0.2
_AUDIO_BLOCK_SECONDS: Final = Fraction(1)

Give = Callable[[Any], Iterable[Observation]]


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


class _Worker(threading.Thread):
    """Runs one analyzer on one stream, batch by batch."""

    def __init__(self, name: str, stream: int, runner: Watch | Listen, channel: Channel) -> None:
        super().__init__(name=f"{name}@{stream}", daemon=True)
        self._analyzer = name
        self._stream = stream
        self._runner = runner
        self._channel = channel
        self._queue = queue.Queue[FrameBatch | AudioBatch | None](maxsize=_QUEUE_BATCHES)
        self._at_seconds = 0.0
        self.start()

    def put(self, batch: FrameBatch | AudioBatch) -> None:
        """Hand over a batch; waits while the queue is full."""
        self._queue.put(batch)

    def finish(self) -> None:
        """Let the analyzer conclude, and wait for it."""
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
            found = list(self._ask(batch))
            self._send(found)
        except Exception as error:  # noqa: BLE001 - a stranger's analyzer may raise anything
            tell_failure(self._channel, self._analyzer, error, at_seconds=self._at_seconds)
            return False
        return True

    def _ask(self, batch: FrameBatch | AudioBatch | None) -> Iterable[Observation]:
        if batch is None:
            return self._runner.end()
        if isinstance(batch, AudioBatch):
            self._at_seconds = float(batch.start)
            return self._runner.hear(batch)  # type: ignore[union-attr] # sound goes to listeners
        self._at_seconds = float(batch.start(0))
        return self._runner.see(batch)  # type: ignore[union-attr] # frames go to watchers

    def _send(self, found: Sequence[Observation]) -> None:
        if found:
            items = [pack_observation(replace(one, stream=self._stream)) for one in found]
            self._channel.send({"kind": "observations", "items": items})


class _VideoPass:
    """Everything that happens to one video stream."""

    def __init__(
        self, decoder: StreamDecoder, recipes: Sequence[VideoAnalyzer], channel: Channel
    ) -> None:
        self.decoder = decoder
        self._recipes = recipes
        self._channel = channel
        self._views: Views | None = None
        self._workers: list[_Worker] = []
        self._origin = Fraction(0)

    def start(self, timed: TimedFrame, origin: Fraction, claimed: Fraction | None) -> None:
        """Begin, now that the first frame tells what the stream really is."""
        info = describe_video(self.decoder, timed.frame, claimed)
        self._channel.send({"kind": "video", "info": pack_video(info)})
        self._origin = origin
        wishes: dict[FrameNeeds, list[Callable[[FrameBatch], None]]] = {}
        for recipe in self._recipes:
            try:
                watch = recipe.watch(info)
            except Exception as error:  # noqa: BLE001 - a stranger's analyzer may raise anything
                tell_failure(self._channel, recipe.name, error, at_seconds=0.0)
                continue
            worker = _Worker(recipe.name, info.stream, watch, self._channel)
            self._workers.append(worker)
            for needs in recipe.needs:
                wishes.setdefault(needs, []).append(worker.put)
        maker = PictureMaker(info, self._send_picture)
        wishes.setdefault(maker.needs, []).append(maker.put)
        self._views = Views(
            wishes,
            time_base=self.decoder.clock.time_base,
            origin=origin,
            colour=info.colour,
            rotation_degrees=info.rotation_degrees,
        )

    def see(self, timed: TimedFrame) -> float:
        """Show one frame; return the time reached, in seconds."""
        if self._views is not None:
            self._views.see(timed)
        tick = timed.tick + timed.length
        return float(tick * self.decoder.clock.time_base - self._origin)

    @property
    def started(self) -> bool:
        """Return whether a first frame has come."""
        return self._views is not None

    def finish(self) -> None:
        """Conclude all analyzers of the stream."""
        if self._views is not None:
            self._views.end()
        for worker in self._workers:
            worker.finish()

    def _send_picture(self, at: Fraction, jpeg: bytes) -> None:
        self._channel.send(
            {
                "kind": "picture",
                "stream": self.decoder.stream.index,
                "at": [at.numerator, at.denominator],
                "jpeg": base64.b64encode(jpeg).decode(),
            }
        )


class _Pass:
    """The pass over one file."""

    def __init__(self, source: Source, job: Mapping[str, Any], channel: Channel) -> None:
        self._source = source
        self._channel = channel
        self._limits: Limits = limits_from(job["limits"])
        self._fast = job["profile"] == Profile.FAST
        recipes = [ANALYZERS.load(name)() for name in job["analyzers"]]
        video_recipes = [recipe for recipe in recipes if isinstance(recipe, VideoAnalyzer)]
        self._name_models(recipes)
        self._origin = origin_of(source)
        self._videos = {
            stream.index: _VideoPass(
                StreamDecoder(
                    stream,
                    limits=self._limits,
                    threads=job["threads"],
                    key_frames_only=self._fast,
                ),
                video_recipes,
                channel,
            )
            for stream in source.video
        }
        self._sounds, self._listeners = self._start_sound(
            [recipe for recipe in recipes if isinstance(recipe, AudioAnalyzer)]
        )
        self._told = 0.0
        self._frames = 0

    def _name_models(self, recipes: Sequence[object]) -> None:
        names = {name for r in recipes if isinstance(r, ModelUser) for name in r.models}
        for name in sorted(names):
            card = load_card(name)
            use = {
                "name": card.name,
                "version": card.version,
                "sha256": card.sha256,
                "licence": card.licence,
            }
            self._channel.send({"kind": "model", "use": use})

    def _start_sound(
        self, recipes: Sequence[AudioAnalyzer]
    ) -> tuple[dict[int, AudioDecoder], dict[int, list[_Worker]]]:
        decoders, listeners = {}, {}
        for stream in self._source.audio if recipes else ():
            if stream.codec_context is None:
                continue
            info = describe(stream)
            self._channel.send({"kind": "audio", "info": pack_audio(info)})
            decoders[stream.index] = AudioDecoder(
                stream, origin=self._origin, block_seconds=_AUDIO_BLOCK_SECONDS
            )
            listeners[stream.index] = [
                _Worker(recipe.name, stream.index, recipe.listen(info), self._channel)
                for recipe in recipes
            ]
        return decoders, listeners

    def run(self) -> Account:
        """Decode everything; return the account."""
        stopped = ""
        try:
            for packet in packets(
                self._source.container,
                [*self._source.video, *(s.stream for s in self._sounds.values())],
            ):
                self._feed(packet)
            self._flush()
        except VideoError as error:
            stopped = f"{error.code}: {error}"
            self._channel.send({"kind": "failure", "code": error.code, "message": str(error)})
        for video in self._videos.values():
            video.finish()
        for workers in self._listeners.values():
            for worker in workers:
                worker.finish()
        if not any(video.started for video in self._videos.values()):
            raise VideoError(
                "not one frame could be decoded",
                code="E_NO_FRAMES",
                hint=self._source.claims.structure.cut or self._source.claims.structure.broken,
            )
        return settle(
            Pass(
                source=self._source,
                decoders=[video.decoder for video in self._videos.values()],
                sounds=list(self._sounds.values()),
                origin=self._origin,
                stopped=stopped,
                limits=self._limits,
            )
        )

    def _feed(self, packet: Any) -> None:  # noqa: ANN401 - PyAV's packets of any stream
        index = packet.stream.index  # an empty flush packet has no index of its own
        if index in self._videos:
            video = self._videos[index]
            for timed in video.decoder.feed(packet):
                self._show(video, timed)
        elif index in self._sounds:
            for batch in self._sounds[index].feed(packet):
                self._play(index, batch)

    def _flush(self) -> None:
        for video in self._videos.values():
            for timed in video.decoder.flush():
                self._show(video, timed)
        for index, sound in self._sounds.items():
            for batch in sound.flush():
                self._play(index, batch)

    def _show(self, video: _VideoPass, timed: TimedFrame) -> None:
        if not video.started:
            video.start(timed, self._origin, self._source.claims.duration)
        reached = video.see(timed)
        if reached > self._limits.duration_seconds:
            raise VideoError(
                f"longer than {self._limits.duration_seconds:g} s", code="E_DURATION_LIMIT"
            )
        self._frames += 1
        now = time.monotonic()
        if now - self._told > _PROGRESS_SECONDS:
            self._told = now
            self._channel.send(
                {
                    "kind": "progress",
                    "stream": video.decoder.stream.index,
                    "seconds": reached,
                    "frames": self._frames,
                }
            )

    def _play(self, index: int, batch: AudioBatch) -> None:
        for worker in self._listeners[index]:
            worker.put(batch)


def run(job: Mapping[str, Any], fd: int, channel: Channel) -> None:
    """Watch one open file; report everything on ``channel``.

    Args:
        job: ``limits`` (fields of ``Limits``), ``profile``, ``analyzers`` (names), ``threads``
            (of the decoder), ``extension`` (of the file's name, lower case).
        fd: The open file.
        channel: Where messages go; see ``reelcheck.pipeline`` for their kinds.

    Raises:
        VideoError: the gate refuses the file, or not one frame can be decoded.
    """
    limits = limits_from(job["limits"])
    with Source(fd, extension=job["extension"], limits=limits) as source:
        claims = source.claims
        channel.send(
            {
                "kind": "opened",
                "container": claims.container.name,
                "seconds": None if claims.duration is None else float(claims.duration),
                "metadata": claims.metadata,
                "start_seconds": float(origin_of(source)),
            }
        )
        account = _Pass(source, job, channel).run()
    channel.send({"kind": "account", **pack_account(account)})
