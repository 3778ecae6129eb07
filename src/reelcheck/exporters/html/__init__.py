"""One HTML file that shows a report: it needs no network, no server and no other file.

Everything is inline, and the content security policy allows only this very script and style, by
their hashes. Text of the file is escaped by the template; the video itself is only opened when
a person asks for it.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

from jinja2 import Environment
from markupsafe import Markup

from reelcheck.exporters.base import grade, plain_text, quality_words
from reelcheck.exporters.html.lanes import Curve, Lane, axis, coverage_lanes, curves, event_lanes
from reelcheck.verdict.report import Evidence, Report

_MAX_ROWS: Final = 400
"""Findings in the table; the JSON has them all."""
_MAX_SHOTS: Final = 10
"""Shots in the table of quality, worst first; the JSON has them all."""
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlExporter:
    """Write the report as one HTML page."""

    name: str = "html"
    suffix: str = ".html"
    media_type: str = "text/html; charset=utf-8"

    def render(self, report: Report) -> bytes:
        """Return the page as UTF-8."""
        style, script = _asset("report.css"), _asset("report.js")
        page = _environment().from_string(_asset("report.html.j2"))
        html = page.render(
            report=report,
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            policy=f"default-src 'none'; img-src data:; media-src file: blob:; "
            f"style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
            "base-uri 'none'; form-action 'none'",
            **_view(report),
        )
        return html.encode("utf-8", "backslashreplace")


def _view(report: Report) -> dict[str, Any]:
    """Return what the template shows, ready to be drawn."""
    rank = {"fail": 0, "warn": 1, "info": 2}
    ordered = sorted(report.events, key=lambda one: (rank[one.severity], one.start_seconds))
    shown = ordered[:_MAX_ROWS]
    lanes: list[Lane] = [*coverage_lanes(report), *event_lanes(report)]
    drawn: list[Curve] = curves(report)
    return {
        "lanes": lanes,
        "curves": drawn,
        "ticks": axis(report.coverage.duration_seconds),
        "rows": [(event, _picture(event.evidence)) for event in shown],
        "hidden_rows": len(report.events) - len(shown),
        "facts": _facts(report),
        **_quality(report),
    }


def _quality(report: Report) -> dict[str, Any]:
    """Return the line about quality, the worst picture, and the worst shots."""
    quality = report.quality
    if quality is None:
        return {"quality_line": ""}
    shots = sorted(
        (one for one in quality.shots if one.score is not None), key=lambda one: one.score or 0.0
    )
    return {
        "quality_line": quality_words(quality, worst_at=clock(quality.worst.start_seconds)),
        "worst_picture": _picture(quality.worst.evidence),
        "worst_shots": shots[:_MAX_SHOTS],
        "hidden_shots": len(shots) - len(shots[:_MAX_SHOTS]),
    }


def _picture(evidence: Evidence | None) -> str:
    """Return evidence as a data URL, empty when there is none."""
    if evidence is None or not _BASE64.fullmatch(evidence.jpeg_base64):
        return ""
    return f"data:image/jpeg;base64,{evidence.jpeg_base64}"


def _facts(report: Report) -> list[str]:
    facts = [report.video.container]
    for video in report.video.video_streams:
        rate = f" at {video.rate_fps_from_header:.5g} fps" if video.rate_fps_from_header else ""
        facts.append(f"{video.codec} {video.width_px} x {video.height_px}{rate}")
    facts += [f"{sound.codec} {sound.layout}" for sound in report.video.audio_streams]
    facts.append(f"{report.video.size_bytes / 1e6:.1f} MB")
    return facts


def clock(seconds: float) -> str:
    """Return a time as ``m:ss.mmm`` or ``h:mm:ss.mmm``."""
    millis = round(seconds * 1000)
    minutes, rest = divmod(millis, 60_000)
    hours, minutes = divmod(minutes, 60)
    tail = f"{minutes:02d}:" if hours else f"{minutes}:"
    return (f"{hours}:" if hours else "") + tail + f"{rest // 1000:02d}.{rest % 1000:03d}"


def _environment() -> Environment:
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["plain"] = lambda value: plain_text(str(value))
    environment.filters["clock"] = clock
    environment.filters["grade"] = grade
    environment.filters["words"] = lambda value: plain_text(str(value)).replace("_", " ")
    return environment


def _asset(name: str) -> str:
    return (resources.files("reelcheck.exporters.html") / "templates" / name).read_text("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
