"""The summary that a person can act on."""

import sys
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reelcheck.exporters.base import plain_text, quality_words
from reelcheck.verdict.report import Decision, Event, Reason, Report

_STYLES: Final[dict[Decision, str]] = {
    "PASS": "bold white on green",
    "WARN": "bold black on yellow",
    "INCONCLUSIVE": "bold white on magenta",
    "FAIL": "bold white on red",
}
_SEVERITY_STYLES: Final = {"info": "dim", "warn": "yellow", "fail": "bold red"}
_WORD_STYLES: Final = {"FAIL": "bold red", "WARN": "yellow", "INCONCLUSIVE": "magenta"}
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
    """Print what a person should know: verdict, what was found and when, what was not seen."""
    console = Console(file=sys.stdout if to_stdout else sys.stderr, highlight=False)
    if not console.is_terminal:
        console = Console(file=console.file, highlight=False, width=_NARROW, no_color=True)
    decision = report.verdict.decision
    head = Text()
    head.append(f" {decision} ", style=_STYLES[decision])
    head.append(f"  {plain_text(report.video.name)}", style="bold")
    console.print(head)
    console.print(Text(_facts(report), style="dim"))
    if report.quality:
        at = clock_time(report.quality.worst.start_seconds)
        console.print(f"  quality {quality_words(report.quality, worst_at=at)}", markup=False)
    shown = [event for event in report.events if event.severity != "info"]
    if shown:
        console.print(_findings(shown, report))
        if len(shown) > _MAX_EVENTS:
            more = len(shown) - _MAX_EVENTS
            console.print(Text(f"  and {more} more findings; --out FOLDER writes them all", "dim"))
    reasons = [reason for reason in report.verdict.reasons if not _is_finding(reason)]
    if reasons:
        console.print(_reasons(reasons[:_MAX_REASONS]))
    if decision == "PASS":
        console.print("  Everything was seen, and nothing that this policy looks for was found.")
    console.print(Text(_coverage(report), style="dim"))


def _is_finding(reason: Reason) -> bool:
    """Return whether a reason is about events, which the findings show already."""
    analyzer, _, label = reason.code.partition(".")
    return bool(label) and analyzer.islower() and reason.leads_to != "INCONCLUSIVE"


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


def _reasons(reasons: Sequence[Reason]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    for reason in reasons:
        shown = "note" if reason.leads_to == "PASS" else reason.leads_to.lower()
        word = Text(f"  {shown}", style=_WORD_STYLES.get(reason.leads_to, "dim"))
        table.add_row(word, Text(plain_text(reason.text)))
    return table


def _findings(events: Sequence[Event], report: Report) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    for _ in range(4):
        table.add_column(no_wrap=True)
    table.add_column()
    others = {stream.stream for stream in report.video.video_streams[1:]}
    strongest = sorted(events, key=lambda one: (one.severity != "fail", one.start_seconds))
    for event in strongest[:_MAX_EVENTS]:
        stream = f" (stream {event.stream})" if event.stream in others else ""
        note = event.note or f"{event.score:g} {event.unit}".strip()
        table.add_row(
            Text(f"  {event.severity}", style=_SEVERITY_STYLES[event.severity]),
            clock_time(event.start_seconds),
            clock_time(event.end_seconds),
            Text(plain_text(event.label.replace("_", " "))),
            Text(plain_text(note) + stream, style="dim"),
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
