"""The events of a report as markers in a CMX 3600 edit list, in the form that Resolve imports."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from reelcheck.exporters.base import explanation, frame_at, header_rate_fps, plain_text, title
from reelcheck.verdict.report import SEVERITY_ORDER, Event, Report, Severity

MAX_EVENTS: Final = 999
"""CMX 3600 numbers its events with three digits."""
MAX_TEXT: Final = 160
"""Characters of a comment; ours, so that lines stay readable."""

_STANDARD_RATES_FPS: Final = (
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(48),
    Fraction(50),
    Fraction(60000, 1001),
    Fraction(60),
)
_DROP_FRAME: Final = {Fraction(30000, 1001): 2, Fraction(60000, 1001): 4}
"""Numbers left out at each minute that does not divide by ten (SMPTE ST 12-1, ST 12-3)."""
_COLOURS: Final[dict[Severity, str]] = {
    "fail": "ResolveColorRed",
    "warn": "ResolveColorYellow",
    "info": "ResolveColorBlue",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EdlExporter:
    """One marker for each event; with more than 999 events, the strongest and longest of them.

    Time code counts from 00:00:00:00 at the start of the video and wraps after 24 hours. It counts
    drop-frame at 29.97 and 59.94 frames a second. Time code knows no other rates than those of
    SMPTE: for any other video it uses the nearest one, 25 when the header claims none, and of
    varying rates it knows nothing. Lines are ASCII.
    """

    name: str = "edl"
    suffix: str = ".edl"
    media_type: str = "text/plain; charset=us-ascii"

    def render(self, report: Report) -> bytes:
        """Return the edit list."""
        rate_fps = timecode_rate_fps(report)
        mode = "DROP FRAME" if rate_fps in _DROP_FRAME else "NON-DROP FRAME"
        kept = sorted(report.events, key=_strongest_first)[:MAX_EVENTS]
        kept.sort(key=lambda event: (event.start_seconds, event.end_seconds))
        lines = [f"TITLE: {_ascii(report.video.name)}", f"FCM: {mode}"]
        lines.append(f"* FRAME RATE: {rate_fps}")
        if len(kept) < len(report.events):
            lines.append(f"* LEFT OUT: {len(report.events) - len(kept)} weaker events")
        for number, event in enumerate(kept, start=1):
            lines += ["", *_marker(number, event, rate_fps)]
        return ("\r\n".join(lines) + "\r\n").encode("ascii")


def timecode_rate_fps(report: Report) -> Fraction:
    """Return the rate of SMPTE that is nearest to what the header claims, 25 without a claim."""
    claimed = header_rate_fps(report) or Fraction(25)
    return min(_STANDARD_RATES_FPS, key=lambda rate: abs(rate - claimed))


def timecode(frame: int, rate_fps: Fraction) -> str:
    """Return the SMPTE time code of a frame, with ``;`` before its last part when it drops.

    Args:
        frame: Number of the frame, counted from 0; it wraps after 24 hours.
        rate_fps: One of the rates of SMPTE.
    """
    base = round(rate_fps)
    dropped = _DROP_FRAME.get(rate_fps, 0)
    per_minute = 60 * base - dropped
    per_ten_minutes = 10 * per_minute + dropped
    tens, rest = divmod(frame % (144 * per_ten_minutes), per_ten_minutes)
    minutes_with_drop = max(0, rest - dropped) // per_minute
    label = frame % (144 * per_ten_minutes) + dropped * (9 * tens + minutes_with_drop)
    seconds, frames = divmod(label, base)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    mark = ";" if dropped else ":"
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{frames:02}"


def _strongest_first(event: Event) -> tuple[int, float]:
    length_seconds = event.end_seconds - event.start_seconds
    return -SEVERITY_ORDER.index(event.severity), -length_seconds


def _marker(number: int, event: Event, rate_fps: Fraction) -> tuple[str, str]:
    start = frame_at(event.start_seconds, rate_fps)
    length = max(1, frame_at(event.end_seconds, rate_fps) - start)
    first, after = timecode(start, rate_fps), timecode(start + length, rate_fps)
    colour, name = _COLOURS[event.severity], _ascii(title(event))
    return (
        f"{number:03}  001      V     C        {first} {after} {first} {after}",
        f"{_ascii(explanation(event))} |C:{colour} |M:{name} |D:{length}",
    )


def _ascii(text: str) -> str:
    """Return text without the bar that ends a field, cut to length."""
    shown = plain_text(text).encode("ascii", "backslashreplace").decode("ascii")
    return shown.replace("|", "/")[:MAX_TEXT]
