"""The final account of one file: what should have been there, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from reelcheck.media.account import Account
from reelcheck.media.audio import AudioDecoder
from reelcheck.media.decode import StreamDecoder
from reelcheck.media.source import Source
from reelcheck.settings import Limits
from reelcheck.spans import CoverageSpan, CoverageState, TimeSpan, subtract

_END_TOLERANCE_FRAMES: Final = Fraction(3, 2)
"""Reference table "bad inputs", section 2: the last frame may end this early."""
_ROUNDING: Final = Fraction(1, 500)
"""Matroska rounds times to a millisecond, at both ends of a frame."""
_COUNT_SLACK_FRAMES: Final = 2
_COUNT_SLACK_RATIO: Final = 0.001
"""Ours: AVI headers count packed and empty frames too."""
_LATE_START: Final = Fraction(1, 2)
"""Ours: sound may lead the first picture by this much without anybody missing a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A pass that is over: all decoders are flushed."""

    source: Source
    decoders: Sequence[StreamDecoder]
    sounds: Sequence[AudioDecoder]
    origin: Fraction
    """Container time at which our second 0 lies."""
    stopped: str
    """``CODE: words`` when the pass ended early, else empty."""
    limits: Limits
    """Claims beyond them are not believed."""


def settle(over: Pass) -> Account:
    """Return the account of a pass."""
    claim, disbelief = _claimed_end(over)
    sound_end = max((sound.reach for sound in over.sounds), default=Fraction(0))
    ends = [_last_end(decoder, over.origin) for decoder in over.decoders]
    duration = max([*ends, sound_end, claim or Fraction(0)])
    spans = list[CoverageSpan]()
    for decoder in over.decoders:
        spans += _stream_spans(over, decoder, TimeSpan(Fraction(0), duration), sound_end)
    declared = _declared(over.decoders)
    warnings = [*over.source.claims.warnings, *disbelief, *_file_warnings(over, spans)]
    for decoder in over.decoders:
        warnings += _stream_warnings(decoder)
    warnings += _sound_warnings(over.sounds)
    if declared is not None and not over.decoders[0].key_frames_only:
        warnings += _count_warnings(declared, over.decoders)
    return Account(
        duration=duration,
        decoded_ratio=_ratio(spans, duration, [d.stream.index for d in over.decoders]),
        spans=tuple(spans),
        frames_decoded=sum(decoder.ledger.shown for decoder in over.decoders),
        frames_declared=declared,
        warnings=tuple(sorted(set(warnings))),
    )


def _file_warnings(over: Pass, spans: Sequence[CoverageSpan]) -> list[str]:
    structure = over.source.claims.structure
    early = any(span.cause.startswith("W_PARTIAL") for span in spans) or bool(over.stopped)
    bare = over.source.claims.container.elementary
    facts = (
        (early, "W_PARTIAL: the file was not seen to its stated end"),
        (structure.cut, f"W_PARTIAL: {structure.cut}"),
        (structure.broken, f"W_DECODE_ERRORS: {structure.broken}"),
        (bare, "W_PARTIAL: a bare stream has no end mark, so nothing proves it whole"),
    )
    return [text for holds, text in facts if holds]


def _last_end(decoder: StreamDecoder, origin: Fraction) -> Fraction:
    return max(Fraction(0), decoder.end_tick * decoder.clock.time_base - origin)


def _claimed_end(over: Pass) -> tuple[Fraction | None, list[str]]:
    """Return the end that the header claims, unless it is beyond belief."""
    source = over.source
    streams: list[VideoStream | AudioStream] = [*source.video, *source.audio]
    claims = [_own_end(stream, over.origin) for stream in streams]
    ends = [end for end in claims if end is not None]
    if not ends and source.claims.duration is not None:
        ends.append(_container_end(over, source.claims.duration))
    claim = max(ends, default=None)
    if claim is not None and claim > over.limits.duration_seconds:
        return None, [f"W_HEADER_DISAGREES: the header claims {float(claim):.3g} s"]
    return claim, []


def _container_end(over: Pass, duration: Fraction) -> Fraction:
    """Return the end that the container claims; some count it from 0, some from the start.

    The reading that asks for less is taken: FFmpeg's Matroska and FLV count from 0.
    """
    micros = over.source.container.start_time
    start = over.origin if micros is None else Fraction(micros, 1_000_000)
    readings = (duration - over.origin, start + duration - over.origin)
    return min((reading for reading in readings if reading > 0), default=duration)


def _own_end(stream: VideoStream | AudioStream, origin: Fraction) -> Fraction | None:
    if not stream.duration or not stream.time_base:
        return None
    return ((stream.start_time or 0) + stream.duration) * Fraction(stream.time_base) - origin


def _stream_spans(
    over: Pass, decoder: StreamDecoder, whole: TimeSpan, sound_end: Fraction
) -> list[CoverageSpan]:
    """Return spans that tile ``whole`` for one stream: before, inside and after its frames."""
    time_base = decoder.clock.time_base
    start = max(Fraction(0), decoder.start_tick * time_base - over.origin)
    start = min(start, whole.end)
    end = max(start, min(whole.end, _last_end(decoder, over.origin)))
    inside = decoder.ledger.spans(over.origin, TimeSpan(start, end), decoder.stream.index)
    before = _outside(
        TimeSpan(Fraction(0), start), decoder, "W_PARTIAL: no picture yet", _LATE_START
    )
    after = _outside(TimeSpan(end, whole.end), decoder, *_tail(over, decoder, end, sound_end))
    if decoder.key_frames_only:
        return [*before, *map(_as_sampled, [*inside, *after])]
    return [*before, *inside, *after]


def _tail(
    over: Pass, decoder: StreamDecoder, end: Fraction, sound_end: Fraction
) -> tuple[str, Fraction | None]:
    """Return what follows the last frame: its cause, and how much is no loss (``None``: all)."""
    frame = decoder.clock.usual_ticks * decoder.clock.time_base
    tolerance = frame * _END_TOLERANCE_FRAMES + _ROUNDING
    if over.stopped:
        return over.stopped, Fraction(0)
    own = _own_end(decoder.stream, over.origin)
    if own is not None and own <= end + tolerance:
        return "no picture here, only sound", None
    if sound_end > end + tolerance:
        return "W_PARTIAL: the sound goes on without picture", max(tolerance, _LATE_START)
    return "W_PARTIAL: the video ends early", tolerance


def _outside(
    span: TimeSpan, decoder: StreamDecoder, cause: str, allowed: Fraction | None
) -> list[CoverageSpan]:
    """Return ``span`` as damaged when it is longer than ``allowed``, else as seen."""
    if not span.seconds:
        return []
    bad = allowed is not None and span.seconds > allowed
    shown = cause if bad or allowed is None else ""
    state: CoverageState = "damaged" if bad else "decoded"
    return [CoverageSpan(span=span, state=state, cause=shown, stream=decoder.stream.index)]


def _as_sampled(span: CoverageSpan) -> CoverageSpan:
    if span.state != "decoded":
        return span
    cause = "fast profile: only key frames were looked at"
    return CoverageSpan(span=span.span, state="sampled", cause=cause, stream=span.stream)


def _declared(decoders: Sequence[StreamDecoder]) -> int | None:
    counts = [decoder.stream.frames for decoder in decoders if decoder.stream.frames > 0]
    return sum(counts) if counts else None


def _count_warnings(declared: int, decoders: Sequence[StreamDecoder]) -> list[str]:
    """Compare the number of frames with the claim; fewer than claimed is a loss."""
    counted = [decoder for decoder in decoders if decoder.stream.frames > 0]
    known = sum(decoder.ledger.shown + decoder.ledger.lost for decoder in counted)
    hidden = sum(decoder.discarded for decoder in counted)
    if declared == known:
        return []
    words = f"{declared} frames claimed, {known} found"
    if hidden:
        words += f", {hidden} cut off by the edit list"
    missing = declared - known - hidden
    warnings = [f"W_HEADER_DISAGREES: {words}"]
    if missing > max(_COUNT_SLACK_FRAMES, declared * _COUNT_SLACK_RATIO):
        warnings.append(f"W_PARTIAL: {missing} of {declared} claimed frames never came")
    return warnings


def _stream_warnings(decoder: StreamDecoder) -> list[str]:
    ledger, clock = decoder.ledger, decoder.clock
    broken = ledger.errors or ledger.lost or ledger.corrupt
    facts = (
        (broken, f"W_DECODE_ERRORS: {ledger.errors} errors, {ledger.lost} frames lost"),
        (ledger.corrupt, f"W_CORRUPT_FRAMES: {ledger.corrupt} frames"),
        (clock.missing, f"W_NO_TIMESTAMPS: {clock.missing} frames without a time"),
        (clock.repaired, f"W_TIMESTAMPS_REPAIRED: {clock.repaired} frames"),
        (clock.varies and not decoder.key_frames_only, "W_VFR: the frame rate varies"),
        (decoder.interlaced, f"W_INTERLACED: {decoder.interlaced} frames are flagged"),
        (len(decoder.sizes) > 1, f"W_RES_CHANGE: {_sizes(decoder)}"),
    )
    place = f" (stream {decoder.stream.index})" if decoder.stream.index else ""
    texts = [*(text for holds, text in facts if holds), *decoder.notes]
    return [text + place for text in texts]


def _sizes(decoder: StreamDecoder) -> str:
    return ", ".join(f"{width} x {height}" for width, height in sorted(decoder.sizes))


def _sound_warnings(sounds: Sequence[AudioDecoder]) -> list[str]:
    return [
        f"W_DECODE_ERRORS: {sound.errors} errors in the sound (stream {sound.stream.index})"
        for sound in sounds
        if sound.errors
    ]


def _ratio(spans: Sequence[CoverageSpan], duration: Fraction, streams: Sequence[int]) -> float:
    """Return the decoded share of the worst stream."""
    if not duration:
        return 0.0
    whole = TimeSpan(Fraction(0), duration)
    shares = []
    for stream in streams:
        seen = [s.span for s in spans if s.stream == stream and s.state == "decoded"]
        shares.append(1 - sum(gap.seconds for gap in subtract(whole, seen)) / duration)
    return round(float(min(shares)), 6)
