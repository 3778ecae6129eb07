"""``reelcheck reference``: how far a video is from its original."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reelcheck.cli.comparing import Wishes, compare
from reelcheck.cli.summary import clock_time
from reelcheck.cli.vmaf import find_program, must_find_program
from reelcheck.cli.writing import write_whole
from reelcheck.errors import OutputError, SettingError
from reelcheck.exporters.base import plain_text
from reelcheck.spans import Observation, TimeSpan
from reelcheck.terminal import progress
from reelcheck.verdict.reference import Moment, ReferenceReport, Second, Summary, json_bytes
from reelcheck.verdict.timeline import Timeline

NAME: Final = "reference"
"""Of the curves among those of analyzers."""
SEARCH_SECONDS: Final = Fraction(60)
FORMATS: Final = ("json",)
VMAF_CHOICES: Final = ("auto", "on", "off")
INCOMPLETE: Final = 4
"""Exit code when damage kept parts from being scored: what was seen is no proof of the rest."""
_NARROW: Final = 100
_MAX_PARTS: Final = 8
_NAMES: Final = {
    "psnr_y": "PSNR, luma",
    "psnr_yuv": "PSNR, 6:1:1",
    "ssim": "SSIM",
    "vmaf": "VMAF",
}


def compare_files(wishes: Wishes, *, vmaf: str, format_: str | None, quiet: bool) -> int:
    """Compare two files, print what came of it, return the exit code.

    Args:
        wishes: What to compare; its program is chosen here.
        vmaf: ``auto`` (when there is a program for it), ``on`` or ``off``.
        format_: ``json`` for the report on stdout, ``None`` for a summary.
        quiet: No progress, no summary.

    Raises:
        SettingError: ``vmaf`` or ``format_`` is unknown.
        MissingExtraError: ``vmaf`` is ``on`` and there is no program for it.
        ReelcheckError: as ``reelcheck.cli.comparing.compare`` raises.
    """
    if format_ is not None and format_ not in FORMATS:
        raise SettingError(f"unknown format {format_!r}", hint=f"known: {', '.join(FORMATS)}")
    report = _compare(with_program(wishes, vmaf), quiet=quiet)
    if format_ is not None:
        sys.stdout.buffer.write(json_bytes(report))
        sys.stdout.buffer.flush()
    elif not quiet:
        print_comparison(report)
    return 0 if report.complete else INCOMPLETE


def _compare(wishes: Wishes, *, quiet: bool) -> ReferenceReport:
    with progress(plain_text(wishes.distorted.name)[-40:], quiet=quiet) as show:
        if show is None:
            return compare(wishes)
        return compare(wishes, on_progress=lambda _, seconds: show(seconds, None))


def compare_with(reference: Path, distorted: Path, *, quiet: bool) -> ReferenceReport:
    """Compare with the defaults of the command.

    Raises:
        ReelcheckError: as ``reelcheck.cli.comparing.compare`` raises.
    """
    wishes = Wishes(reference=reference, distorted=distorted, search=SEARCH_SECONDS)
    return _compare(with_program(wishes, "auto"), quiet=quiet)


def with_comparison(timeline: Timeline, report: ReferenceReport) -> Timeline:
    """Return the timeline with the scored seconds of a comparison as curves of ``reference``.

    A PSNR without an end stands as the ceiling of libvmaf, 6 dB a bit and 12: curves are finite.
    """
    stream = min((video.stream for video in timeline.media.video), default=0)
    found = [
        Observation(
            analyzer=NAME,
            signal=signal,
            span=TimeSpan(_second(second.start_seconds), _second(second.end_seconds)),
            score=value,
            unit=unit,
            stream=stream,
        )
        for second in report.seconds
        for signal, unit, value in _curves(second, report)
    ]
    return replace(
        timeline,
        analyzers=tuple(sorted({*timeline.analyzers, NAME})),
        observations=(*timeline.observations, *found),
    )


def _curves(second: Second, report: ReferenceReport) -> Iterator[tuple[str, str, float]]:
    top = report.alignment.ceiling_db
    for signal, value in (("psnr_y", second.psnr_y), ("psnr_yuv", second.psnr_yuv)):
        yield signal, "dB", top if value is None else min(value, top)
    for signal, value in (("ssim", second.ssim), ("vmaf", second.vmaf)):
        if value is not None:
            yield signal, "", value


def _second(seconds: float) -> Fraction:
    return Fraction(round(seconds * 1_000_000), 1_000_000)


def write_comparison(report: ReferenceReport, folder: Path) -> Path:
    """Write ``reference.json`` to a folder that exists; return its path.

    Raises:
        OutputError: it cannot be written.
    """
    path = folder / "reference.json"
    try:
        return write_whole(path, json_bytes(report))
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}"
        raise OutputError(message, code="E_STORAGE_READONLY") from error


def with_program(wishes: Wishes, vmaf: str) -> Wishes:
    """Return the wishes with the program that computes VMAF, if it is to be computed.

    Raises:
        SettingError: ``vmaf`` is none of ``auto``, ``on`` and ``off``.
        MissingExtraError: it is ``on`` and there is no program.
    """
    if vmaf not in VMAF_CHOICES:
        raise SettingError(f"unknown --vmaf {vmaf!r}", hint=f"known: {', '.join(VMAF_CHOICES)}")
    if vmaf == "off":
        return wishes
    return replace(wishes, program=must_find_program() if vmaf == "on" else find_program())


def wishes_of(
    reference: Path, distorted: Path, *, search_seconds: float, offset_seconds: str | None
) -> Wishes:
    """Return what the options of the command ask for.

    Raises:
        SettingError: a number is out of range.
    """
    if search_seconds < 0:
        raise SettingError(f"--search must not be negative, got {search_seconds:g}")
    return Wishes(
        reference=reference,
        distorted=distorted,
        search=Fraction(search_seconds),
        offset=None if offset_seconds is None else _exact(offset_seconds),
    )


def _exact(text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        message = f"--offset must be seconds, such as -1.5 or 1001/30000, got {text!r}"
        raise SettingError(message) from error


def print_comparison(report: ReferenceReport) -> None:
    """Print what a person should know: the scores, how the files were aligned, what is missing."""
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, highlight=False, width=_NARROW, no_color=True)
    names = f"{report.distorted.name} against {report.reference.name}"
    console.print(Text(plain_text(names), style="bold"))
    console.print(_table(report))
    for line in _lines(report):
        console.print(Text(f"  {plain_text(line)}"))


def _table(report: ReferenceReport) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for head in ("", "mean", "5th percentile", "worst second", "from"):
        table.add_column(head, justify="left" if not head else "right")
    for name, words in _NAMES.items():
        summary = report.measures.get(name)
        if summary is not None:
            worst = summary.worst_second
            table.add_row(
                f"  {words}",
                _number(_headline(summary), summary),
                _number(summary.percentile_5, summary),
                _number(worst.value, summary),
                clock_time(worst.start_seconds) if not _flawless(worst) else "",
            )
    return table


def _headline(summary: Summary) -> float | None:
    return summary.pooled if summary.unit == "dB" else summary.mean


def _flawless(worst: Moment) -> bool:
    return worst.value is None


def _number(value: float | None, summary: Summary) -> str:
    if value is None:
        return "infinite"
    if summary.unit == "dB":
        return f"{value:.2f} dB"
    return f"{value:.2f}" if summary.unit else f"{value:.4f}"


def _lines(report: ReferenceReport) -> Iterator[str]:
    aligned = report.alignment
    yield (
        f"{aligned.frames_compared} pairs of frames at {aligned.width_px} x {aligned.height_px}, "
        f"{aligned.format}"
    )
    yield from aligned.words
    vmaf = report.measures.get("vmaf")
    if vmaf is not None and vmaf.harmonic_mean is not None:
        yield f"VMAF: harmonic mean {vmaf.harmonic_mean:.2f}, model {report.vmaf.model}"
    else:
        yield f"no VMAF: {report.vmaf.missing}"
    for part in report.not_scored[:_MAX_PARTS]:
        span = f"{clock_time(part.start_seconds)} to {clock_time(part.end_seconds)}"
        yield f"not scored: {part.file}, {span}: {part.reason}"
    more = len(report.not_scored) - _MAX_PARTS
    if more > 0:
        yield f"and {more} more stretches; --format json has them all"
    if not report.complete:
        yield "INCOMPLETE: damage kept parts from being scored"
