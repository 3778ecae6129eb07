"""The final account of one file: what should have been there, and what became of it."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final

from reelcheck.media.account import Account
from reelcheck.media.audio import AudioDecoder
from reelcheck.media.decode import StreamDecoder
from reelcheck.media.source import Source
from reelcheck.settings import Limits
from reelcheck.spans import CoverageSpan, TimeSpan, subtract

_END_TOLERANCE_FRAMES: Final = Fraction(3, 2)
"""Reference table "bad inputs", section 2: the last frame may end this early."""
_ROUNDING: Final = Fraction(1, 500)
"""Matroska rounds times to a millisecond, at both ends of a frame."""


def settle(
    source: Source,
    decoders: Sequence[StreamDecoder],
    sounds: Sequence[AudioDecoder],
    *,
    origin: Fraction,
    stopped: str,
    limits: Limits,
) -> Account:
    """Return the account of a pass that is over.

    Args:
        source: The file.
        decoders: Of every video stream, flushed.
        sounds: Of every audio stream, flushed.
        origin: Container time at which our second 0 lies.
        stopped: ``CODE: words`` when the pass ended early, else empty.
        limits: Claims beyond them are not believed.
    """
    warnings = list(source.claims.warnings)
    ends = {decoder.stream.index: _last_end(decoder, origin) for decoder in decoders}
    sound_end = max((sound.end for sound in sounds if sound.end), default=Fraction(0))
    claim, disbelief = _claimed_end(source, origin, limits)
    warnings += disbelief
    duration = max([*ends.values(), sound_end, *([claim] if claim else [])])
    spans = list[CoverageSpan]()
    for decoder in decoders:
        whole = TimeSpan(Fraction(0), max(duration, Fraction(0)))
        spans += _stream_spans(source, decoder, whole, ends, sound_end, origin, stopped)
        warnings += _stream_warnings(decoder)
    warnings += _sound_warnings(sounds)
    if any(span.cause.startswith("W_PARTIAL") for span in spans) or stopped:
        warnings.append("W_PARTIAL: the file was not seen to its stated end")
    structure = source.claims.structure
    if structure.cut:
        warnings.append(f"W_PARTIAL: {structure.cut}")
    if structure.broken:
        warnings.append(f"W_DECODE_ERRORS: {structure.broken}")
    if source.claims.container.elementary:
        warnings.append("W_PARTIAL: a bare stream has no end mark, so nothing proves it whole")
    declared = _declared(decoders)
    delivered = sum(decoder.ledger.shown for decoder in decoders)
    if declared is not None and not decoders[0].key_frames_only:
        warnings += _count_warnings(declared, decoders)
    return Account(
        duration=duration,
        decoded_ratio=_ratio(spans, duration, [d.stream.index for d in decoders]),
        spans=tuple(spans),
        frames_decoded=delivered,
        frames_declared=declared,
        warnings=tuple(sorted(set(warnings))),
    )


def _last_end(decoder: StreamDecoder, origin: Fraction) -> Fraction:
    return max(Fraction(0), decoder.end_tick * decoder.clock.time_base - origin)


def _claimed_end(
    source: Source, origin: Fraction, limits: Limits
) -> tuple[Fraction | None, list[str]]:
    """Return the end that the header claims, unless it is beyond belief."""
    ends = []
    for stream in (*source.video, *source.audio):
        if stream.duration and stream.time_base:
            start = (stream.start_time or 0) * stream.time_base
            ends.append(start + stream.duration * stream.time_base - origin)
    if not ends and source.claims.duration is not None:
        micros = source.container.start_time
        start = Fraction(micros, 1_000_000) if micros is not None else origin
        ends.append(start + source.claims.duration - origin)
    if not ends:
        return None, []
    claim = max(ends)
    if claim > limits.duration_seconds:
        return None, [f"W_HEADER_DISAGREES: the header claims {float(claim):.3g} s"]
    return claim, []


def _stream_spans(  # noqa: PLR0913 - all of these make one stream's account
    source: Source,
    decoder: StreamDecoder,
    whole: TimeSpan,
    ends: Mapping[int, Fraction],
    sound_end: Fraction,
    origin: Fraction,
    stopped: str,
) -> list[CoverageSpan]:
    index = decoder.stream.index
    start = min(whole.end, max(Fraction(0), decoder.start_tick * decoder.clock.time_base - origin))
    end = min(whole.end, ends[index])
    spans = decoder.ledger.spans(origin, TimeSpan(start, max(start, end)), index)
    if decoder.key_frames_only:
        spans = [_as_sampled(span) for span in spans]
    spans += _missing(
        TimeSpan(Fraction(0), start), decoder, "W_PARTIAL: no picture yet", allowed=Fraction(1, 2)
    )
    usual = decoder.clock.usual_ticks * decoder.clock.time_base
    tolerance = usual * _END_TOLERANCE_FRAMES + _ROUNDING
    if decoder.key_frames_only:
        tolerance = max(tolerance, 2 * usual)
    own = _own_end(decoder, origin) or (None if source.claims.structure.cut else sound_end)
    tail = TimeSpan(max(start, end), whole.end)
    if stopped:
        spans += _missing(tail, decoder, stopped, allowed=Fraction(0))
    elif own is not None and own <= end + tolerance:
        spans += [
            CoverageSpan(
                span=part, state="decoded", cause="no picture here, only sound", stream=index
            )
            for part in ([tail] if tail.seconds > tolerance else [])
        ]
        spans += _missing(tail, decoder, "", allowed=tolerance) if tail.seconds <= tolerance else []
    else:
        spans += _missing(tail, decoder, "W_PARTIAL: the video ends early", allowed=tolerance)
    return sorted(spans, key=lambda item: item.span)


def _missing(
    span: TimeSpan, decoder: StreamDecoder, cause: str, *, allowed: Fraction
) -> list[CoverageSpan]:
    """Return ``span`` as damaged when it is longer than ``allowed``, else as seen."""
    if not span.seconds:
        return []
    bad = span.seconds > allowed
    return [
        CoverageSpan(
            span=span,
            state="damaged" if bad else "decoded",
            cause=cause if bad else "",
            stream=decoder.stream.index,
        )
    ]


def _as_sampled(span: CoverageSpan) -> CoverageSpan:
    if span.state != "decoded":
        return span
    cause = "fast profile: only key frames were looked at"
    return CoverageSpan(span=span.span, state="sampled", cause=cause, stream=span.stream)


def _own_end(decoder: StreamDecoder, origin: Fraction) -> Fraction | None:
    stream = decoder.stream
    if not stream.duration or not stream.time_base:
        return None
    return ((stream.start_time or 0) + stream.duration) * stream.time_base - origin


def _declared(decoders: Sequence[StreamDecoder]) -> int | None:
    counts = [decoder.stream.frames for decoder in decoders if decoder.stream.frames > 0]
    return sum(counts) if counts else None


def _count_warnings(declared: int, decoders: Sequence[StreamDecoder]) -> list[str]:
    counted = [decoder for decoder in decoders if decoder.stream.frames > 0]
    known = sum(decoder.ledger.shown + decoder.ledger.lost for decoder in counted)
    if declared == known:
        return []
    hidden = sum(decoder.discarded for decoder in counted)
    words = f"{declared} frames claimed, {known} found"
    if hidden:
        words += f", {hidden} of them cut off by the edit list"
    return [f"W_HEADER_DISAGREES: {words}"]


def _stream_warnings(decoder: StreamDecoder) -> list[str]:
    ledger, clock = decoder.ledger, decoder.clock
    facts = (
        (
            ledger.errors or ledger.lost,
            f"W_DECODE_ERRORS: {ledger.errors} errors, {ledger.lost} frames lost",
        ),
        (ledger.corrupt, f"W_CORRUPT_FRAMES: {ledger.corrupt} frames"),
        (clock.missing, f"W_NO_TIMESTAMPS: {clock.missing} frames without a time"),
        (clock.repaired, f"W_TIMESTAMPS_REPAIRED: {clock.repaired} frames"),
        (clock.varies and not decoder.key_frames_only, "W_VFR: the frame rate varies"),
        (decoder.interlaced, f"W_INTERLACED: {decoder.interlaced} frames are flagged"),
        (len(decoder.sizes) > 1, f"W_RES_CHANGE: {_sizes(decoder)}"),
    )
    place = f" (stream {decoder.stream.index})" if decoder.stream.index else ""
    return [text + place for holds, text in facts if holds]


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
