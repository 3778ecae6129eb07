"""What happens to each stream of a file: its decoder, its views, its analyzers at work."""

import base64
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import partial
from typing import Final

from av.audio.stream import AudioStream
from av.packet import Packet

from reelcheck.analyzers.base import AudioAnalyzer, VideoAnalyzer, Watch
from reelcheck.frames import AudioBatch, FrameBatch, FrameNeeds
from reelcheck.media.audio import AudioDecoder, describe
from reelcheck.media.channel import Channel
from reelcheck.media.decode import StreamDecoder, TimedFrame
from reelcheck.media.describe import describe_video, picture_warnings
from reelcheck.media.pictures import PictureMaker
from reelcheck.media.views import Views
from reelcheck.media.wire import pack_audio, pack_video
from reelcheck.onepass.worker import Worker, tell_failure
from reelcheck.spans import Observation, TimeSpan

_BLOCK_SECONDS: Final = Fraction(1)


def _conclude_watch(watch: Watch, picture: TimeSpan | None) -> Iterable[Observation]:
    del picture  # a watch has seen it
    return watch.end()


class VideoPass:
    """Everything that happens to one video stream."""

    def __init__(
        self, decoder: StreamDecoder, recipes: Sequence[VideoAnalyzer], channel: Channel
    ) -> None:
        self.decoder = decoder
        self._recipes = recipes
        self._channel = channel
        self._views: Views | None = None
        self._workers: list[Worker] = []

    def start(self, timed: TimedFrame, origin: Fraction, claimed: Fraction | None) -> None:
        """Begin, now that the first frame tells what the stream really is."""
        info = describe_video(self.decoder, timed.frame, claimed)
        self._channel.send({"kind": "video", "info": pack_video(info)})
        self.decoder.notes = picture_warnings(self.decoder, timed.frame)
        wishes: dict[FrameNeeds, list[Callable[[FrameBatch], None]]] = {}
        for recipe in self._recipes:
            try:
                watch = recipe.watch(info)
            except Exception as error:  # noqa: BLE001 - a stranger's analyzer may raise anything
                tell_failure(self._channel, recipe.name, error, at_seconds=0.0)
                continue
            worker = Worker(
                recipe.name,
                info.stream,
                self._channel,
                see=watch.see,
                conclude=partial(_conclude_watch, watch),
            )
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

    def see(self, timed: TimedFrame) -> None:
        """Show one frame."""
        if self._views is not None:
            self._views.see(timed)

    def until(self, timed: TimedFrame, origin: Fraction) -> float:
        """Return when a frame ends, in seconds."""
        return float((timed.tick + timed.length) * self.decoder.clock.time_base - origin)

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


class SoundPass:
    """Everything that happens to one audio stream."""

    def __init__(
        self,
        stream: AudioStream,
        recipes: Sequence[AudioAnalyzer],
        channel: Channel,
        *,
        origin: Fraction,
    ) -> None:
        info = describe(stream)
        channel.send({"kind": "audio", "info": pack_audio(info)})
        self.decoder = AudioDecoder(stream, origin=origin, block_seconds=_BLOCK_SECONDS)
        self._workers = list[Worker]()
        for recipe in recipes:
            try:
                listen = recipe.listen(info)
            except Exception as error:  # noqa: BLE001 - a stranger's analyzer may raise anything
                tell_failure(channel, recipe.name, error, at_seconds=0.0)
                continue
            self._workers.append(
                Worker(recipe.name, stream.index, channel, see=listen.hear, conclude=listen.end)
            )

    def feed(self, packet: "Packet[AudioStream]") -> None:
        """Play one packet to every analyzer; when nobody listens, only note that it came."""
        if not self._workers:
            self.decoder.note(packet)
            return
        for batch in self.decoder.feed(packet):
            self._play(batch)

    def flush(self) -> None:
        """Play what the decoder still holds."""
        if self._workers:
            for batch in self.decoder.flush():
                self._play(batch)

    def _play(self, batch: AudioBatch) -> None:
        for worker in self._workers:
            worker.put(batch)

    def finish(self, picture: TimeSpan | None) -> None:
        """Conclude all analyzers of the stream."""
        for worker in self._workers:
            worker.finish(picture)
