"""What an exporter is, and how text and time become safe to write down."""

import math
import re
from fractions import Fraction
from typing import Final, Protocol, runtime_checkable

from reelcheck.verdict.report import Event, Quality, Report
from reelcheck.verdict.rounding import microseconds


@runtime_checkable
class Exporter(Protocol):
    """Turns a report into one file. Immutable: one instance serves many reports."""

    @property
    def name(self) -> str:
        """Name in ``reelcheck.registry.EXPORTERS``."""
        ...

    @property
    def suffix(self) -> str:
        """End of the file name, such as ``.json``."""
        ...

    @property
    def media_type(self) -> str:
        """For HTTP, such as ``application/json``."""
        ...

    def render(self, report: Report) -> bytes:
        """Return the whole file. The same report gives the same bytes."""
        ...


UNSAFE: Final = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # control codes, among them ESC and CSI
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks and overrides of writing direction
    "\u00ad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff"  # invisible
    "\u2028\u2029"  # ends of lines and paragraphs
    "\ufdd0-\ufdef\ufff0-\ufffb\ufffe\uffff"  # not characters, or annotations
    "\ud800-\udfff"  # half characters
    "\U000e0000-\U000e0fff"  # invisible tags
    "]"
)
"""Characters that can steer a terminal, hide text or turn its direction (Unicode TR 36, TR 39).

Joiners (U+200C, U+200D) stay: Persian and emoji need them.
"""


def plain_text(text: str) -> str:
    r"""Return ``text`` on one line with unsafe characters shown as ``\u001b``, ready to be shown.

    It does not escape what a format gives a meaning, such as ``<`` or a quote.
    """
    return UNSAFE.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"  # noqa: PLR2004 - the last of 16 bits


def title(event: Event) -> str:
    """Return a short safe name of ``event``, such as ``FAIL general flash``."""
    return plain_text(f"{event.severity.upper()} {event.label.replace('_', ' ')}")


def explanation(event: Event) -> str:
    """Return one safe line about ``event``: who found it, how strong, and why."""
    unit = f" {event.unit}" if event.unit else ""
    text = f"{event.analyzer}: {event.score:g}{unit}"
    if event.note:
        text += f"; {event.note}"
    if event.waived:
        text += f"; waived: {event.waived}"
    return plain_text(text)


_GRADES: Final = ("bad", "poor", "fair", "good", "excellent")
"""ITU-T P.910, 1 to 5."""
_ADVICE: Final = {
    "banding": "code it with 10 bits, or dither before coding",
    "blur": "check the focus, or get the sharp original",
    "compression": "code it at a higher bit rate, or get the original",
    "exposure": "too dark or too bright to see much: correct the exposure",
    "loss": "it looks torn, as by lost data: send it again, or see if the source is torn too",
    "noise": "denoise before coding, or record with more light",
    "scaling": "it was enlarged: get it at its own size",
    "sharpening": "sharpen less",
}


def grade(score: float) -> str:
    """Return the word for a score of 1 to 5."""
    return _GRADES[min(4, max(0, math.floor(score - 0.5)))]


def quality_words(quality: Quality, *, worst_at: str) -> str:
    """Return one safe line about the quality of a video: score, worst moment, and what would help.

    Args:
        quality: Of a report.
        worst_at: Time of the worst moment, for a person.
    """
    low, high = quality.interval
    text = (
        f"{quality.score:.1f} of {quality.scale[1]:.0f}, {grade(quality.score)} (90 % interval "
        f"{low:.1f} to {high:.1f}); worst {quality.worst.score:.1f} at {worst_at}"
    )
    if quality.worst.place:
        text += f", most of all {quality.worst.place}"
    if quality.causes:
        first = quality.causes[0]
        text += f"; likely cause: {first.cause}, {100 * first.share:.0f} % of the time"
        text += f" ({_ADVICE[first.cause]})" if first.cause in _ADVICE else ""
    return plain_text(text)


def header_rate_fps(report: Report) -> Fraction | None:
    """Return the frame rate that the header of the first video stream claims, if it can be true."""
    for stream in report.video.video_streams[:1]:
        try:
            rate = Fraction(stream.rate_fps_from_header_exact or "0")
        except (ValueError, ZeroDivisionError):
            return None
        return rate if 0 < rate <= MAX_RATE_FPS else None
    return None


MAX_RATE_FPS: Final = 1000
"""Above it, a rate is the time base of a container and not a rate; ours."""


def frame_at(seconds: float, rate_fps: Fraction) -> int:
    """Return the number of the frame that begins nearest to ``seconds``, counted from 0.

    Times of reports are rounded to a microsecond, far less than half a frame: the frame that an
    event was found on comes back exactly. Half a frame goes up.
    """
    return math.floor(Fraction(microseconds(seconds), 1_000_000) * rate_fps + Fraction(1, 2))
