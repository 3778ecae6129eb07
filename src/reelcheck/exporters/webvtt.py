"""The events of a report as a WebVTT track that a player shows beside the video."""

import re
from dataclasses import dataclass

from reelcheck.exporters.base import explanation, plain_text, title
from reelcheck.verdict.report import Event, Report
from reelcheck.verdict.rounding import microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class WebvttExporter:
    """One cue for each event, to the millisecond; the shortest cue is one millisecond long."""

    name: str = "webvtt"
    suffix: str = ".vtt"
    media_type: str = "text/vtt; charset=utf-8"

    def render(self, report: Report) -> bytes:
        """Return the track."""
        about = f"{report.video.name}: {report.verdict.decision} ({report.verdict.policy})"
        blocks = ["WEBVTT", f"NOTE reelcheck {report.reelcheck_version}; {_comment(about)}"]
        blocks += [_cue(number, event) for number, event in enumerate(report.events, start=1)]
        return ("\n\n".join(blocks) + "\n").encode("utf-8")


def _cue(number: int, event: Event) -> str:
    start_ms = _milliseconds(event.start_seconds)
    end_ms = max(_milliseconds(event.end_seconds), start_ms + 1)
    return "\n".join(
        (
            str(number),
            f"{_clock(start_ms)} --> {_clock(end_ms)}",
            _escaped(title(event)),
            _escaped(explanation(event)),
        )
    )


def _milliseconds(seconds: float) -> int:
    return max(0, (microseconds(seconds) + 500) // 1000)


def _clock(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{rest:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _comment(text: str) -> str:
    """Return text for a NOTE, which knows no escapes but must not hold an arrow."""
    return re.sub("-(?=->)", "- ", plain_text(text))
