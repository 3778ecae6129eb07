"""``reelcheck analyze``: one video or many, to the terminal or to a folder."""

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from reelcheck.cli.errors import tell
from reelcheck.cli.summary import print_summary
from reelcheck.cli.writing import load_exporters, write_reports
from reelcheck.errors import InputError, ReelcheckError, SettingError
from reelcheck.exporters.base import Exporter, plain_text
from reelcheck.media.sniff import CONTAINERS
from reelcheck.models.protect.keys import PrivateKey
from reelcheck.pipeline import choose_analyzers, watch
from reelcheck.settings import scores_from
from reelcheck.terminal import progress
from reelcheck.verdict.judge import exit_code, judge
from reelcheck.verdict.policy import Policy, load_policy
from reelcheck.verdict.report import Report
from reelcheck.verdict.sealing import sealed

if TYPE_CHECKING:
    from reelcheck.verdict.reference import ReferenceReport

DEFAULT_FORMATS: Final = ("json", "html")
_STRENGTH: Final = (1, 5, 3, 2, 4, 0)
"""Exit codes from strong to weak: a found fault first, then what kept us from looking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user asked for."""

    videos: tuple[Path, ...]
    out: Path | None
    formats: tuple[str, ...]
    policy: str
    only: tuple[str, ...]
    profile: str
    reference: Path | None
    """The original to measure against."""
    workers: int
    threads: int
    isolation: str
    sign_with: PrivateKey | None
    """Key that signs the reports."""
    scores: str
    """How much of its scores a report tells."""
    quiet: bool


def analyze_videos(request: Request, *, strict: bool) -> int:
    """Watch the videos of a request, write what was asked for, return the exit code.

    Raises:
        SettingError: a format, policy, analyzer or profile is unknown, or does not fit.
        InputError: there is no video in the given places.
    """
    policy = load_policy(request.policy)
    scores_from(request.scores)
    choose_analyzers(request.only, request.profile)
    videos = list(find_videos(request.videos))
    if not videos:
        raise InputError("no video in the given folders", code="E_NOT_FOUND")
    exporters = _exporters(request, many=len(videos) > 1)
    if len(videos) == 1:
        watched = _watch(videos[0], request, policy)
        _give(watched, videos[0], request, exporters, many=False)
        return exit_code(watched.report.verdict.decision, strict=strict)
    return _analyze_many(videos, request, policy, exporters, strict=strict)


def find_videos(places: Sequence[Path]) -> Iterator[Path]:
    """Yield the given files, and the files in given folders whose names look like videos."""
    endings = frozenset[str]().union(*(one.extensions for one in CONTAINERS.values()))
    for place in places:
        if not place.is_dir():
            yield place
            continue
        for folder, folders, names in os.walk(place):
            folders.sort()
            for name in sorted(names):
                if Path(name).suffix.lower() in endings:
                    yield Path(folder) / name


def _exporters(request: Request, *, many: bool) -> list[Exporter]:
    if request.out is not None:
        return load_exporters(request.formats or DEFAULT_FORMATS)
    if len(request.formats) > 1 or (many and request.formats):
        hint = "add --out FOLDER"
        raise SettingError("several reports cannot share one stdout", hint=hint)
    return load_exporters(request.formats)


@dataclass(frozen=True, slots=True)
class _Watched:
    report: Report
    comparison: "ReferenceReport | None"


def _watch(video: Path, request: Request, policy: Policy, *, quiet: bool = False) -> _Watched:
    comparison = None
    if request.reference is not None:
        from reelcheck.cli.reference import compare_with  # noqa: PLC0415 - a tenth of a second

        comparison = compare_with(request.reference, video, quiet=quiet or request.quiet)
    with progress(plain_text(video.name)[-40:], quiet=quiet or request.quiet) as show:
        timeline = watch(
            video,
            profile=request.profile,
            only=request.only,
            threads=request.threads,
            isolation=request.isolation,
            on_progress=(lambda at: show(at.seconds, at.total_seconds)) if show else None,
        )
    if comparison is not None:
        from reelcheck.cli.reference import with_comparison  # noqa: PLC0415 - beside it

        timeline = with_comparison(timeline, comparison)
    report = judge(timeline, policy, scores=scores_from(request.scores))
    return _Watched(sealed(report, request.sign_with), comparison)


def _give(
    watched: _Watched, video: Path, request: Request, exporters: Sequence[Exporter], *, many: bool
) -> None:
    report, comparison = watched.report, watched.comparison
    if request.out is not None:
        folder = request.out / folder_name(video) if many else request.out
        written = write_reports(report, folder, exporters)
        if comparison is not None:
            from reelcheck.cli.reference import write_comparison  # noqa: PLC0415 - as above

            written.append(write_comparison(comparison, folder))
        if not request.quiet:
            _print(watched)
            for path in written:
                typer.echo(f"wrote {plain_text(str(path))}", err=True)
        return
    for exporter in exporters:
        sys.stdout.buffer.write(exporter.render(report))
        sys.stdout.buffer.flush()
    if not exporters and not request.quiet:
        _print(watched)


def _print(watched: _Watched) -> None:
    print_summary(watched.report, to_stdout=True)
    if watched.comparison is not None:
        from reelcheck.cli.reference import print_comparison  # noqa: PLC0415 - as above

        print_comparison(watched.comparison)


def folder_name(video: Path) -> str:
    """Return the name of the folder for the reports of one of many videos."""
    shown = os.fsencode(video).decode("utf-8", "backslashreplace")
    safe = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in shown)
    return safe.strip("._")[-120:] or "video"


def _analyze_many(
    videos: Sequence[Path],
    request: Request,
    policy: Policy,
    exporters: Sequence[Exporter],
    *,
    strict: bool,
) -> int:
    """Watch many videos, ``workers`` at a time: each pass is a process of its own."""
    codes = list[int]()
    with ThreadPoolExecutor(max_workers=request.workers) as pool:
        runs = [(video, pool.submit(_try_watch, video, request, policy)) for video in videos]
        for video, run in runs:
            outcome = run.result()
            if isinstance(outcome, ReelcheckError):
                tell(outcome, about=plain_text(str(video)))
                codes.append(outcome.exit_code)
                continue
            _give(outcome, video, request, exporters, many=True)
            codes.append(exit_code(outcome.report.verdict.decision, strict=strict))
    return next(code for code in _STRENGTH if code in codes)


def _try_watch(video: Path, request: Request, policy: Policy) -> _Watched | ReelcheckError:
    try:
        return _watch(video, request, policy, quiet=True)
    except ReelcheckError as error:
        return error
