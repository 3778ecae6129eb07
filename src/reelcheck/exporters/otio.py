"""The events of a report as markers on a clip, in OpenTimelineIO's own JSON.

Written by hand after the OTIO file format (``Timeline.1``, ``Clip.2``, ``Marker.2``), so that the
library is needed by nobody but our tests.
"""

import json
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final
from urllib.parse import quote

from reelcheck.exporters.base import explanation, frame_at, header_rate_fps, plain_text, title
from reelcheck.verdict.report import Event, Report, Severity

_FALLBACK_RATE_FPS: Final = Fraction(1000)
"""Without a frame rate, markers count milliseconds."""
_MOST_FRAMES: Final = 2**53
"""Up to here, a double counts without holes."""
_COLOURS: Final[dict[Severity, str]] = {"fail": "RED", "warn": "YELLOW", "info": "BLUE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OtioExporter:
    """One timeline with one clip, which carries one marker for each event.

    Times are whole frames at the rate that the header claims. For a varying rate that is the
    nearest frame of an even one; the exact seconds stand in the metadata of each marker.
    """

    name: str = "otio"
    suffix: str = ".otio"
    media_type: str = "application/vnd.pixar.opentimelineio+json"

    def render(self, report: Report) -> bytes:
        """Return the timeline."""
        return (json.dumps(_timeline(report), indent=2, allow_nan=False) + "\n").encode("ascii")


def _timeline(report: Report) -> dict[str, Any]:
    name = plain_text(report.video.name)
    track = {
        "OTIO_SCHEMA": "Track.1",
        "name": "V1",
        "kind": "Video",
        "children": [_clip(report, name)],
    }
    return {
        "OTIO_SCHEMA": "Timeline.1",
        "name": name,
        "global_start_time": None,
        "metadata": {
            "reelcheck": {
                "version": report.reelcheck_version,
                "decision": report.verdict.decision,
                "policy": plain_text(report.verdict.policy),
            }
        },
        "tracks": {"OTIO_SCHEMA": "Stack.1", "name": "tracks", "children": [track]},
    }


def _clip(report: Report, name: str) -> dict[str, Any]:
    rate_fps = header_rate_fps(report) or _FALLBACK_RATE_FPS
    whole = _time_range(0.0, report.coverage.duration_seconds, rate_fps)
    return {
        "OTIO_SCHEMA": "Clip.2",
        "name": name,
        "source_range": whole,
        "active_media_reference_key": "DEFAULT_MEDIA",
        "media_references": {
            "DEFAULT_MEDIA": {
                "OTIO_SCHEMA": "ExternalReference.1",
                "name": name,
                "target_url": quote(report.video.path),
                "available_range": whole,
            }
        },
        "markers": [_marker(event, rate_fps) for event in report.events],
    }


def _marker(event: Event, rate_fps: Fraction) -> dict[str, Any]:
    return {
        "OTIO_SCHEMA": "Marker.2",
        "name": title(event),
        "color": _COLOURS[event.severity],
        "comment": explanation(event),
        "marked_range": _time_range(event.start_seconds, event.end_seconds, rate_fps),
        "metadata": {
            "reelcheck": {
                "analyzer": plain_text(event.analyzer),
                "label": plain_text(event.label),
                "severity": event.severity,
                "start_seconds": event.start_seconds,
                "end_seconds": event.end_seconds,
                "score": event.score,
                "unit": plain_text(event.unit),
                "stream": event.stream,
            }
        },
    }


def _time_range(start_seconds: float, end_seconds: float, rate_fps: Fraction) -> dict[str, Any]:
    """Return a range of whole frames, at least one long."""
    start = frame_at(start_seconds, rate_fps)
    length = max(1, frame_at(end_seconds, rate_fps) - start)
    return {
        "OTIO_SCHEMA": "TimeRange.1",
        "start_time": _rational_time(start, rate_fps),
        "duration": _rational_time(length, rate_fps),
    }


def _rational_time(frames: int, rate_fps: Fraction) -> dict[str, Any]:
    """Return a time as OTIO keeps it: a double each for frames and for frames a second."""
    value = float(min(frames, _MOST_FRAMES))
    return {"OTIO_SCHEMA": "RationalTime.1", "value": value, "rate": float(rate_fps)}
