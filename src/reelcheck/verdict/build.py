"""Put a timeline into the form of a report, before anybody judges it.

Judging starts from this form only. That is why a stored report can be judged again, and why the
result is the same as if the video had been watched again.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from reelcheck import __version__
from reelcheck.frames import AudioInfo, MediaInfo, VideoInfo
from reelcheck.spans import Observation
from reelcheck.verdict.quality import quality_of
from reelcheck.verdict.report import (
    CoverageReport,
    CoverageStretch,
    Event,
    FailureReport,
    ModelReport,
    Place,
    Report,
    Signal,
    Verdict,
    Video,
)
from reelcheck.verdict.rounding import seconds_of
from reelcheck.verdict.streams import AudioStream, ColourReport, VideoStream
from reelcheck.verdict.timeline import Coverage, Timeline


def unjudged(timeline: Timeline) -> Report:
    """Return all facts of ``timeline`` as a report whose decision is still INCONCLUSIVE.

    An analyzer that gave a value that is not finite counts as broken: the value is left out and
    a failure is put in its place.
    """
    finite = [item for item in timeline.observations if math.isfinite(item.score)]
    failures = [
        FailureReport(
            code=failure.code,
            message=failure.message,
            analyzer=failure.analyzer,
            at_seconds=failure.at_seconds,
        )
        for failure in timeline.failures
    ]
    return Report(
        reelcheck_version=__version__,
        video=_video(timeline),
        coverage=_coverage(timeline.coverage),
        verdict=Verdict(decision="INCONCLUSIVE", policy="", reasons=(), checks=()),
        events=tuple(_event(item) for item in finite if item.label),
        signals=_signals([item for item in finite if not item.label], timeline.media),
        quality=quality_of(replace(timeline, observations=tuple(finite))),
        models=tuple(
            ModelReport(
                name=model.name,
                version=model.version,
                sha256=model.sha256,
                licence=model.licence,
                signed_by=model.signed_by,
            )
            for model in timeline.models
        ),
        isolation=dict(timeline.isolation),
        isolation_missing=dict(timeline.isolation_missing),
        limits=dict(timeline.limits),
        versions=dict(timeline.versions),
        failures=(*failures, *_not_finite(timeline.observations)),
        timings=dict(timeline.timings),
    )


def _not_finite(observations: Iterable[Observation]) -> list[FailureReport]:
    first: dict[tuple[str, str], Observation] = {}
    for item in observations:
        if not math.isfinite(item.score):
            first.setdefault((item.analyzer, item.label or item.signal), item)
    return [
        FailureReport(
            code="E_ANALYZER",
            message=f"{analyzer!r} gave {item.score} for {name!r}, which is not a finite number",
            analyzer=analyzer,
            at_seconds=seconds_of(item.span.start),
        )
        for (analyzer, name), item in sorted(first.items(), key=lambda entry: entry[0])
    ]


def _video(timeline: Timeline) -> Video:
    source = timeline.source
    return Video(
        name=source.name,
        path=source.path,
        size_bytes=source.size_bytes,
        sha256=source.sha256,
        container=source.container,
        duration_seconds_from_header=source.duration_seconds_from_header,
        start_seconds=source.start_seconds,
        metadata=dict(source.metadata),
        video_streams=tuple(_video_stream(info) for info in timeline.media.video),
        audio_streams=tuple(_audio_stream(info) for info in timeline.media.audio),
        profile=timeline.profile,
        analyzers=timeline.analyzers,
    )


def _video_stream(info: VideoInfo) -> VideoStream:
    return VideoStream(
        stream=info.stream,
        codec=info.codec,
        width_px=info.width_px,
        height_px=info.height_px,
        sample_aspect_ratio=float(info.sample_aspect_ratio),
        sample_aspect_ratio_exact=_exact(info.sample_aspect_ratio),
        rotation_degrees=info.rotation_degrees,
        pixel_format=info.pixel_format,
        colour=ColourReport(
            matrix=info.colour.matrix,
            transfer=info.colour.transfer,
            full_range=info.colour.full_range,
            bit_depth=info.colour.bit_depth,
            assumed=info.colour.assumed,
        ),
        rate_fps_from_header=_decimal(info.rate_fps_from_header),
        rate_fps_from_header_exact=(
            None if info.rate_fps_from_header is None else _exact(info.rate_fps_from_header)
        ),
        duration_seconds_from_header=_decimal(info.duration_seconds_from_header),
        frames_from_header=info.frames_from_header,
        interlaced_from_header=info.interlaced_from_header,
        key_frames_only=info.key_frames_only,
    )


def _audio_stream(info: AudioInfo) -> AudioStream:
    return AudioStream(
        stream=info.stream,
        codec=info.codec,
        rate_hz=info.rate_hz,
        channels=info.channels,
        layout=info.layout,
        duration_seconds_from_header=_decimal(info.duration_seconds_from_header),
    )


def _exact(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"


def _decimal(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _coverage(coverage: Coverage) -> CoverageReport:
    return CoverageReport(
        decoded_ratio=coverage.decoded_ratio,
        duration_seconds=seconds_of(coverage.duration),
        spans=tuple(
            CoverageStretch(
                start_seconds=seconds_of(item.span.start),
                end_seconds=seconds_of(item.span.end),
                stream=item.stream,
                state=item.state,
                cause=item.cause,
            )
            for item in coverage.spans
        ),
        frames_decoded=coverage.frames_decoded,
        frames_declared=coverage.frames_declared,
        warnings=coverage.warnings,
    )


def _event(item: Observation) -> Event:
    box = item.place
    return Event(
        analyzer=item.analyzer,
        label=item.label,
        start_seconds=seconds_of(item.span.start),
        end_seconds=seconds_of(item.span.end),
        score=item.score,
        unit=item.unit,
        severity="info",
        stream=item.stream,
        origin="observed",
        place=None if box is None else Place(x=box.x, y=box.y, width=box.width, height=box.height),
        note=item.note,
    )


def _signals(samples: Iterable[Observation], media: MediaInfo) -> dict[str, Signal]:
    curves: defaultdict[tuple[str, int], list[Observation]] = defaultdict(list)
    for item in samples:
        curves[f"{item.analyzer}.{item.signal}", item.stream].append(item)
    unmarked = {info[0].stream for info in (media.video, media.audio) if info}
    signals: dict[str, Signal] = {}
    for (name, stream), items in sorted(curves.items()):
        key = name if stream in unmarked and name not in signals else f"{name}@{stream}"
        signals[key] = _signal(items, stream)
    return signals


def _signal(items: Sequence[Observation], stream: int) -> Signal:
    rows = sorted(
        (seconds_of(item.span.start), seconds_of(item.span.end), item.score) for item in items
    )
    return Signal(
        unit=items[0].unit,
        stream=stream,
        times_seconds=tuple(start for start, _, _ in rows),
        durations_seconds=tuple(end - start for start, end, _ in rows),
        values=tuple(value for _, _, value in rows),
    )
