"""Every frame of one video stream once, in presentation order, with true times.

Decoding goes forward only: seeking is where containers and decoders disagree about which frame
is which. After damage it goes on with the next packet; what was lost stands in the ledger.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from reelcheck.errors import VideoError
from reelcheck.media.clock import Clock
from reelcheck.media.ledger import Ledger
from reelcheck.settings import Limits

_HIDDEN_VP8: Final = 0x10
"""RFC 6386, 9.1: the show_frame bit of a VP8 frame tag."""
_MAX_RATE_FPS: Final = 1000
_MAX_ERRORS: Final = 64
"""Errors of the demuxer in a row after which the rest is given up."""
_MAX_ROUNDS: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimedFrame:
    """One decoded frame and its place in time, in ticks of the stream's container time base."""

    frame: VideoFrame
    tick: int
    length: int
    """Ticks until the next frame, or what is known of it at the end and before a gap."""
    ordinal: int


class StreamDecoder:
    """Decodes one video stream packet by packet."""

    def __init__(
        self, stream: VideoStream, *, limits: Limits, threads: int, key_frames_only: bool
    ) -> None:
        self.stream = stream
        self.key_frames_only = key_frames_only
        time_base = stream.time_base or Fraction(1, 90000)
        self.clock = Clock(time_base=time_base, nominal=_nominal(stream))
        self.ledger = Ledger(time_base=time_base)
        self.pixels = 0
        self.interlaced = 0
        self.sizes = set[tuple[int, int]]()
        self.formats = set[str]()
        self.discarded = 0
        self.notes: tuple[str, ...] = ()
        """Warnings about the picture itself, found at the first frame."""
        self.start_tick = 0
        self.end_tick = 0
        self._limits = limits
        self._most_ticks = limits.duration_seconds / float(time_base)
        self._held: tuple[VideoFrame, int] | None = None
        self._ordinal = 0
        self._key_seen = False
        context = stream.codec_context
        context.thread_count = threads
        context.thread_type = "AUTO"
        if key_frames_only:
            context.skip_frame = "NONKEY"

    def feed(self, packet: "Packet[VideoStream]") -> Iterator[TimedFrame]:
        """Decode one packet; yield the frames that became certain.

        Raises:
            VideoError: a frame or the whole breaks a limit.
        """
        self.discarded += packet.is_discard
        self._key_seen |= packet.is_discard and packet.is_keyframe  # decoded, but never shown
        self.ledger.errors += packet.is_corrupt
        self._promise(packet)
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - PyAV raises far more than FFmpegError on hostile bytes
            self._note_error(packet)
            return
        for frame in frames:
            if isinstance(frame, VideoFrame):
                yield from self._take(frame, packet_corrupt=packet.is_corrupt)

    def flush(self) -> Iterator[TimedFrame]:
        """Yield what the decoder still holds. Called once, last."""
        try:
            for frame in self.stream.codec_context.decode(None):
                yield from self._take(frame, packet_corrupt=False)
        except VideoError:
            raise
        except (av.FFmpegError, ValueError, AttributeError, IndexError):
            pass  # flushed already by the demuxer's last packet, or the decoder never opened
        yield from self._last_held()
        self.ledger.close()

    def _last_held(self) -> Iterator[TimedFrame]:
        """Yield the frame that waited for the next one, which does not come."""
        if self._held is not None:
            frame, tick = self._held
            usual = self.clock.usual_ticks
            length = frame.duration if 0 < frame.duration <= 2 * usual else usual
            yield self._emit(frame, tick, length)
            self._held = None

    def _leaps(self, pts: int | None) -> bool:
        """Return whether a frame lies further from the first than a video may be long."""
        if pts is None or self._held is None:
            return False
        first = self.start_tick if self._ordinal else self._held[1]
        return pts - first > self._most_ticks

    def _promise(self, packet: "Packet[VideoStream]") -> None:
        if packet.is_discard or not packet.size or packet.pts is None:
            return
        if self.key_frames_only and not packet.is_keyframe:
            return
        hidden = self.stream.codec_context.name in {"vp8", "libvpx"} and not (
            bytes(packet)[0] & _HIDDEN_VP8
        )
        if not hidden:
            self.ledger.promise(packet.pts, packet.duration or self.clock.usual_ticks)

    def _note_error(self, packet: "Packet[VideoStream]") -> None:
        self.ledger.errors += 1
        at = packet.pts if packet.pts is not None else packet.dts
        if at is not None and not packet.is_discard:
            self.ledger.damage(
                at,
                packet.duration or self.clock.usual_ticks,
                "W_DECODE_ERRORS: the decoder gave an error",
            )

    def _take(self, frame: VideoFrame, *, packet_corrupt: bool) -> Iterator[TimedFrame]:
        self._check_budget(frame)
        if self._held is not None and self._leaps(frame.pts):
            yield from self._last_held()
            raise VideoError(
                f"times leap beyond {self._limits.duration_seconds:g} s", code="E_DURATION_LIMIT"
            )
        self.ledger.show(frame.pts)
        if self._held is None:
            tick = self.clock.next_tick(frame.pts)
        else:
            held, before = self._held
            step = None if frame.pts is None else frame.pts - before
            loss = step is not None and self.clock.hides_loss(step, held.duration)
            tick = self.clock.next_tick(frame.pts)
            length = tick - before
            if loss and not self.key_frames_only:
                length = held.duration or self.clock.usual_ticks
                self.ledger.damage(
                    before + length, tick - before - length, "W_PARTIAL: no frames for a while"
                )
            yield self._emit(held, before, length)
        self._note_frame(frame, tick, packet_corrupt=packet_corrupt)
        self._held = (frame, tick)

    def _note_frame(self, frame: VideoFrame, tick: int, *, packet_corrupt: bool) -> None:
        self._key_seen |= frame.key_frame
        self.interlaced += frame.interlaced_frame
        self.sizes.add((frame.width, frame.height))
        self.formats.add(frame.format.name)
        cause = ""
        if frame.is_corrupt or packet_corrupt:
            cause = "W_CORRUPT_FRAMES: decoded from damaged data"
        elif not self._key_seen:
            cause = "W_CORRUPT_FRAMES: shown before any key frame"
        if cause:
            self.ledger.corrupt += 1
            self.ledger.damage(tick, self.clock.usual_ticks, cause)

    def _check_budget(self, frame: VideoFrame) -> None:
        pixels = frame.width * frame.height
        self.pixels += pixels
        if pixels > self._limits.frame_pixels:
            raise VideoError(
                f"a frame of {frame.width} x {frame.height} pixels is over the limit",
                code="E_PIXEL_BUDGET",
            )
        if self.pixels > self._limits.total_pixels:
            raise VideoError("the budget of decoded pixels is spent", code="E_PIXEL_BUDGET")

    def _emit(self, frame: VideoFrame, tick: int, length: int) -> TimedFrame:
        timed = TimedFrame(frame=frame, tick=tick, length=length, ordinal=self._ordinal)
        if not self._ordinal:
            self.start_tick = tick
        self.end_tick = tick + length
        self._ordinal += 1
        return timed


def _nominal(stream: VideoStream) -> Fraction | None:
    """Return seconds per frame after the header, when the claim is believable."""
    for rate in (stream.guessed_rate, stream.average_rate, stream.base_rate):
        if rate and Fraction(1, 60) <= rate <= _MAX_RATE_FPS:
            return 1 / Fraction(rate)
    return None


def packets(
    container: InputContainer,
    streams: Sequence[VideoStream | AudioStream],
    *,
    damaged: bool,
) -> "Iterator[Packet[Any]]":
    """Yield the packets of ``streams`` in file order.

    In a damaged file, reading goes on after errors and even after an end of file: a packet of
    sound may lie beyond a cut while pictures before it are still there.
    """
    quiet_rounds = 0
    for _ in range(_MAX_ROUNDS if damaged else _MAX_ERRORS):
        came, ended = False, False
        try:
            for packet in container.demux(list(streams)):
                if packet.size:  # the empty ones at the end would close the decoders
                    came = True
                    yield packet
            ended = True
        except (av.FFmpegError, ValueError, AttributeError, IndexError):
            pass  # what was lost shows in the ledger
        quiet_rounds = 0 if came else quiet_rounds + 1
        if (ended and not damaged) or quiet_rounds >= _MAX_ERRORS:
            return
