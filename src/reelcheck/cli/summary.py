"""The summary that a person can act on."""

import sys
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reelcheck.exporters.base import plain_text
from reelcheck.verdict.report import Decision, Event, Reason, Report

_STYLES: Final[dict[Decision, str]] = {
    "PASS": "bold white on green",
    "WARN": "bold black on yellow",
    "INCONCLUSIVE": "bold white on magenta",
    "FAIL": "bold white on red",
}
_SEVERITY_STYLES: Final = {"info": "dim", "warn": "yellow", "fail": "bold red"}
_MAX_EVENTS: Final = 12
_MAX_REASONS: Final = 8
_NARROW: Final = 100


def clock_time(seconds: float) -> str:
    """Return a time as ``m:ss.mmm`` or ``h:mm:ss.mmm``."""
    millis = round(seconds * 1000)
    hours, rest = divmod(millis, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    tail = f"{rest // 1000:02d}.{rest % 1000:03d}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def print_summary(report: Report, *, to_stdout: bool) -> None:
    """Print what a person should know: verdict, reasons, coverage, findings."""
    console = Console(
        file=sys.stdout if to_stdout else sys.stderr, highlight=False, soft_wrap=False
    )
    if not console.is_terminal:
        console = Console(file=console.file, highlight=False, width=_NARROW, no_color=True)
    decision = report.verdict.decision
    head = Text()
    head.append(f" {decision} ", style=_STYLES[decision])
    head.append(f"  {plain_text(report.video.name)}", style="bold")
    console.print(head)
    console.print(Text(_facts(report), style="dim"))
    for reason in report.verdict.reasons[:_MAX_REASONS]:
        console.print(_reason(reason))
    hidden = len(report.verdict.reasons) - _MAX_REASONS
    if hidden > 0:
        console.print(Text(f"  ... and {hidden} more reasons in the report", style="dim"))
    shown = [event for event in report.events if event.severity != "info"]
    if shown:
        console.print(_table(shown, report))
        if len(shown) > _MAX_EVENTS:
            more = len(shown) - _MAX_EVENTS
            console.print(Text(f"  ... and {more} more findings in the report", style="dim"))
    console.print(Text(_coverage(report), style="dim"))


def _facts(report: Report) -> str:
    parts = [report.video.container]
    for stream in report.video.video_streams:
        rate = stream.rate_fps_from_header
        fps = f" {rate:.5g} fps" if rate else ""
        parts.append(f"{stream.codec} {stream.width_px}x{stream.height_px}{fps}")
    parts += [
        f"{s.codec} {s.layout or s.channels} {s.rate_hz} Hz" for s in report.video.audio_streams
    ]
    loud = report.signals.get("loudness.integrated_lufs")
    if loud and loud.values:
        parts.append(f"{loud.values[0]:.1f} LUFS")
    parts.append(f"policy {report.verdict.policy}")
    return plain_text(" | ".join(parts))


def _reason(reason: Reason) -> Text:
    style = {"FAIL": "bold red", "WARN": "yellow", "INCONCLUSIVE": "magenta"}.get(
        reason.leads_to, ""
    )
    line = Text("  ")
    line.append(f"{reason.leads_to.lower():<14}", style=style)
    line.append(plain_text(reason.text))
    return line


def _table(events: list[Event], report: Report) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in ("  from", "to", "finding", "note"):
        table.add_column(title, no_wrap=title != "note")
    others = {stream.stream for stream in report.video.video_streams[1:]}
    strongest = sorted(events, key=lambda one: (one.severity != "fail", one.start_seconds))
    for event in strongest[:_MAX_EVENTS]:
        stream = (
            f" (stream {event.stream})" if event.stream and "loud" not in event.analyzer else ""
        )
        table.add_row(
            f"  {clock_time(event.start_seconds)}",
            clock_time(event.end_seconds),
            Text(plain_text(event.label.replace("_", " ")), style=_SEVERITY_STYLES[event.severity]),
            Text(plain_text(event.note or f"{event.score:g} {event.unit}".strip()) + stream),
        )
    return table


def _coverage(report: Report) -> str:
    coverage = report.coverage
    seconds = report.timings.get("wall_seconds")
    took = f", in {seconds:.1f} s" if seconds else ""
    text = (
        f"  saw {100 * coverage.decoded_ratio:.4g} % of {clock_time(coverage.duration_seconds)}, "
        f"{coverage.frames_decoded} frames{took}"
    )
    codes = sorted({warning.split(":")[0] for warning in coverage.warnings})
    return plain_text(text + (f"; notes: {', '.join(codes)}" if codes else ""))
