"""Choose the picture that shows an event, and say which pictures nobody should see unasked."""

import base64
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from reelcheck.verdict.report import SEVERITY_ORDER, Event, Evidence, Quality, Report, Signal
from reelcheck.verdict.rounding import microseconds, seconds, seconds_of
from reelcheck.verdict.timeline import Timeline

MAX_PICTURES: Final = 40
"""About 400 KB of JPEG; ours."""
REACH_US: Final = 1_000_000
"""How far outside of an event a picture may lie; ours."""
SENSITIVE_ANALYZERS: Final = frozenset({"nudity", "fights"})
SENSITIVE_SCORE: Final = 0.3
"""Of ``nudity.score``. Far below every limit, because a needless blur costs one click; ours."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Still:
    """A picture in the form of a report."""

    stream: int
    at_us: int
    jpeg_base64: str = field(repr=False)


def stills_of(source: Timeline | Report) -> list[Still]:
    """Return all pictures of a timeline, or those that a report kept."""
    if isinstance(source, Timeline):
        stills = {
            Still(
                stream=picture.stream,
                at_us=microseconds(seconds_of(picture.at)),
                jpeg_base64=base64.b64encode(picture.jpeg).decode("ascii"),
            )
            for picture in source.pictures
        }
    else:
        kept = [(event.stream, event.evidence) for event in source.events]
        if source.quality and source.video.video_streams:
            kept.append((source.video.video_streams[0].stream, source.quality.worst.evidence))
        stills = {
            Still(
                stream=stream,
                at_us=microseconds(evidence.time_seconds),
                jpeg_base64=evidence.jpeg_base64,
            )
            for stream, evidence in kept
            if evidence
        }
    return sorted(stills)


def with_evidence(
    events: Sequence[Event], stills: Iterable[Still], *, report: Report
) -> tuple[Event, ...]:
    """Give the 40 strongest, then longest, events the picture that is nearest to their middle.

    A picture inside the event comes first, else one at most a second away from it. ``report``
    has the signals and failures that tell what may be sensitive.
    """
    by_stream: defaultdict[int, list[Still]] = defaultdict(list)
    for still in stills:
        by_stream[still.stream].append(still)
    is_sensitive = _sensitivity(events, report)
    chosen: dict[int, Evidence] = {}
    for position in sorted(range(len(events)), key=lambda position: _rank(events[position])):
        event = events[position]
        nearest = _nearest(event, by_stream[event.stream])
        if nearest and len(chosen) < MAX_PICTURES:
            sensitive = event.analyzer in SENSITIVE_ANALYZERS or is_sensitive(nearest.at_us)
            chosen[position] = _evidence(nearest, sensitive=sensitive)
    return tuple(
        event.model_copy(update={"evidence": chosen.get(position)})
        for position, event in enumerate(events)
    )


def with_worst_picture(
    quality: Quality | None,
    stills: Iterable[Still],
    *,
    events: Sequence[Event],
    report: Report,
) -> Quality | None:
    """Give the worst second the first picture that was taken while it stood, if there is one.

    ``events`` and ``report`` tell what may be sensitive, as in ``with_evidence``.
    """
    if quality is None or not report.video.video_streams:
        return quality
    stream, worst = report.video.video_streams[0].stream, quality.worst
    start_us = microseconds(worst.start_seconds)
    end_us = max(microseconds(worst.end_seconds), start_us + 1)  # a lone picture lasts 0 s
    during = (one for one in stills if one.stream == stream and start_us <= one.at_us < end_us)
    found = min(during, default=None)
    is_sensitive = _sensitivity(events, report)
    evidence = _evidence(found, sensitive=is_sensitive(found.at_us)) if found else None
    pictured = worst.model_copy(update={"evidence": evidence})
    return quality.model_copy(update={"worst": pictured})


def _evidence(still: Still, *, sensitive: bool) -> Evidence:
    return Evidence(
        time_seconds=seconds(still.at_us), jpeg_base64=still.jpeg_base64, sensitive=sensitive
    )


def _sensitivity(events: Sequence[Event], report: Report) -> Callable[[int], bool]:
    """Return what tells whether a picture of some microsecond may be sensitive."""
    if any(failure.analyzer in SENSITIVE_ANALYZERS for failure in report.failures):
        return lambda _: True
    shy_us = _sensitive_stretches(events, report)
    return lambda at_us: any(start <= at_us < end for start, end in shy_us)


def _rank(event: Event) -> tuple[int, int]:
    length_us = microseconds(event.end_seconds) - microseconds(event.start_seconds)
    return -SEVERITY_ORDER.index(event.severity), -length_us


def _nearest(event: Event, stills: Sequence[Still]) -> Still | None:
    """Return the one of ``stills``, sorted by time, nearest to the middle of ``event``.

    If any lies inside the event, so does this one.
    """
    start_us, end_us = microseconds(event.start_seconds), microseconds(event.end_seconds)
    after = bisect_left(stills, start_us + end_us, key=lambda still: 2 * still.at_us)
    best = min(
        stills[max(0, after - 1) : after + 1],
        key=lambda still: abs(2 * still.at_us - start_us - end_us),
        default=None,
    )
    is_near = best and start_us - REACH_US <= best.at_us <= end_us + REACH_US
    return best if is_near else None


def _sensitive_stretches(events: Iterable[Event], report: Report) -> list[tuple[int, int]]:
    """Return stretches of any stream: a picture of one may show what another was flagged for."""
    stretches = [
        (microseconds(event.start_seconds), microseconds(event.end_seconds))
        for event in events
        if event.analyzer in SENSITIVE_ANALYZERS
    ]
    for name, signal in report.signals.items():
        if name.partition("@")[0] == "nudity.score":
            stretches += _high(signal)
    return stretches


def _high(signal: Signal) -> list[tuple[int, int]]:
    columns = zip(signal.times_seconds, signal.durations_seconds, signal.values, strict=True)
    return [
        (microseconds(start), microseconds(start) + microseconds(duration))
        for start, duration, value in columns
        if value >= SENSITIVE_SCORE
    ]
