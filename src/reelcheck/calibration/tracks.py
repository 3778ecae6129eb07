"""A signal of one video beside what is truly there.

What counts as seen is the time that samples of the signal stand for, without the stretches that
coverage calls damaged, skipped or only sampled. Silence elsewhere proves nothing: it adds no hours,
and an event of which less than half was seen is neither found nor missed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from reelcheck.calibration.labels import Stretch
from reelcheck.calibration.targets import Target
from reelcheck.errors import ReportError
from reelcheck.verdict.hysteresis import Sample, samples_of
from reelcheck.verdict.report import Report, Signal
from reelcheck.verdict.rounding import microseconds

_MOSTLY: Final = 0.5
"""Share of an event that must have been seen for its absence to be a miss; ours, and that of
``reelcheck lab events``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One signal of one video. Times are whole microseconds."""

    video: str
    group: str
    streams: tuple[tuple[Sample, ...], ...]
    """Samples of each stream that has the signal, in order of time."""
    events: tuple[Stretch, ...]
    """All that is labelled, without overlaps: to touch one is no false alarm."""
    seen: tuple[bool, ...]
    """Whether each event was seen well enough to be missed."""
    clean_us: int
    """Seen time outside of events, over all streams."""
    unit: str


def track_of(
    report: Report, target: Target, events: Sequence[Stretch], *, video: str, group: str
) -> Track:
    """Return the signal of a rule in one report.

    Raises:
        ReportError: the analyzer of the signal did not run, so that nothing is known.
    """
    if target.analyzer not in report.video.analyzers:
        raise ReportError(f"{video}: its report was made without {target.analyzer!r}")
    signals = [
        signal
        for name, signal in sorted(report.signals.items())
        if name.partition("@")[0] == target.rule.signal
    ]
    truth = joined(events)
    streams = tuple(tuple(samples_of(signal)) for signal in signals)
    views = [
        without(joined((one.start_us, one.end_us) for one in samples), _gaps(report, signal))
        for samples, signal in zip(streams, signals, strict=True)
    ]
    anywhere = joined(stretch for view in views for stretch in view)
    return Track(
        video=video,
        group=group,
        streams=streams,
        events=tuple(truth),
        seen=tuple(_is_seen(one, anywhere) for one in truth),
        clean_us=sum(length(without(view, truth)) for view in views),
        unit=signals[0].unit if signals else "",
    )


def _is_seen(event: Stretch, seen: Sequence[Stretch]) -> bool:
    hidden = length(without([event], seen))
    return hidden <= (1 - _MOSTLY) * (event[1] - event[0])


def _gaps(report: Report, signal: Signal) -> list[Stretch]:
    """Return what was not fully seen of a stream; for sound, of any."""
    pictures = {stream.stream for stream in report.video.video_streams}
    return joined(
        (microseconds(span.start_seconds), microseconds(span.end_seconds))
        for span in report.coverage.spans
        if span.state != "decoded"
        and (span.stream == signal.stream or signal.stream not in pictures)
    )


def joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return stretches without overlaps, in order; those that touch become one."""
    found: list[Stretch] = []
    for start, end in sorted(stretches):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif end > start:
            found.append((start, end))
    return found


def without(whole: Iterable[Stretch], parts: Sequence[Stretch]) -> list[Stretch]:
    """Return what is left of stretches when ``parts``, joined, are taken away."""
    left: list[Stretch] = []
    first = 0
    for start, end in whole:
        while first < len(parts) and parts[first][1] <= start:
            first += 1
        at, place = start, first
        while place < len(parts) and parts[place][0] < end:
            if parts[place][0] > at:
                left.append((at, parts[place][0]))
            at = max(at, parts[place][1])
            place += 1
        if at < end:
            left.append((at, end))
    return left


def length(stretches: Iterable[Stretch]) -> int:
    """Return the sum of their lengths."""
    return sum(end - start for start, end in stretches)
