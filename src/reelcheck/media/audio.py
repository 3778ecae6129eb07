"""Sound as float samples with true times."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.packet import Packet
from numpy.typing import NDArray

from reelcheck.frames import AudioBatch, AudioInfo

_MAX_CHANNELS: Final = 32
_MAX_JITTER: Final = Fraction(1, 20)
"""Ours: containers round audio times to a millisecond or so; a larger step is a real gap."""


class AudioDecoder:
    """Decodes one audio stream packet by packet into blocks of float samples."""

    def __init__(self, stream: AudioStream, *, origin: Fraction, block_seconds: Fraction) -> None:
        self.stream = stream
        self.errors = 0
        self.end: Fraction | None = None
        """Time just after the last sample, from the start of the video."""
        self.reach = Fraction(0)
        """Time just after the last packet, from the start of the video, decoded or not."""
        self._origin = origin
        self._block_seconds = block_seconds
        self._resampler: AudioResampler | None = None
        self._parts: list[NDArray[np.float32]] = []
        self._part_start: Fraction | None = None

    def feed(self, packet: "Packet[AudioStream]") -> Iterator[AudioBatch]:
        """Decode one packet; yield the blocks that became full."""
        self.note(packet)
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - PyAV raises far more than FFmpegError on hostile bytes
            self.errors += 1
            return
        for frame in frames:
            if isinstance(frame, AudioFrame):
                yield from self._take(frame)

    def note(self, packet: "Packet[AudioStream]") -> None:
        """Take note of how far the sound reaches, without decoding it."""
        if packet.pts is not None and packet.time_base:
            tick = packet.pts + (packet.duration or 0)
            self.reach = max(self.reach, tick * Fraction(packet.time_base) - self._origin)

    def flush(self) -> Iterator[AudioBatch]:
        """Yield what is left. Called once, last."""
        try:
            for frame in self.stream.codec_context.decode(None):
                yield from self._take(frame)
        except (av.FFmpegError, ValueError, AttributeError, IndexError):
            pass  # flushed already by the demuxer's last packet, or the decoder never opened
        yield from self._give()

    def _take(self, frame: AudioFrame) -> Iterator[AudioBatch]:
        if frame.pts is None and self.end is None:
            frame.pts = 0
        start = self.end
        if frame.pts is not None and frame.time_base:
            start = frame.pts * Fraction(frame.time_base) - self._origin
        samples = self._samples(frame)
        rate = frame.sample_rate
        jumped = (
            self.end is not None and start is not None and abs(start - self.end) > Fraction(1, 20)
        )
        if jumped or (self._parts and self._parts[0].shape[0] != samples.shape[0]):
            yield from self._give()
        if self._part_start is None:
            self._part_start = start
        self._parts.append(samples)
        self.end = (start or Fraction(0)) + Fraction(samples.shape[1], rate)
        if self.end - (self._part_start or Fraction(0)) >= self._block_seconds:
            yield from self._give()

    def _samples(self, frame: AudioFrame) -> NDArray[np.float32]:
        if frame.format.name != "fltp":
            if self._resampler is None:
                self._resampler = AudioResampler(format="fltp")
            frame = self._resampler.resample(frame)[0]
        return np.asarray(frame.to_ndarray()[:_MAX_CHANNELS], dtype=np.float32)

    def _give(self) -> Iterator[AudioBatch]:
        if not self._parts or self._part_start is None:
            return
        yield AudioBatch(
            samples=np.concatenate(self._parts, axis=1),
            start=self._part_start,
            rate_hz=self.stream.codec_context.sample_rate,
            layout=self.stream.codec_context.layout.name,
        )
        self._parts, self._part_start = [], None


def describe(stream: AudioStream) -> AudioInfo:
    """Return what the container claims about an audio stream."""
    context = stream.codec_context
    duration = None
    if stream.duration and stream.time_base:
        duration = stream.duration * Fraction(stream.time_base)
    return AudioInfo(
        stream=stream.index,
        codec=context.name,
        rate_hz=context.sample_rate or 0,
        channels=context.channels or 0,
        layout=context.layout.name if context.layout else "",
        duration_seconds_from_header=duration,
    )
