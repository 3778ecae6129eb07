"""``reelcheck calibrate``: thresholds from the user's own labelled videos."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import typer

from reelcheck.calibration.calibrate import Calibrated, calibrate, record
from reelcheck.calibration.choose import Goal
from reelcheck.calibration.labels import Labelled, Labels, read_labels
from reelcheck.calibration.policy_file import policy_toml, promising
from reelcheck.calibration.targets import Target, find_target
from reelcheck.calibration.tracks import Track, track_of
from reelcheck.cli.analyze import folder_name
from reelcheck.cli.calibration_page import render
from reelcheck.cli.calibration_text import print_calibrated
from reelcheck.cli.writing import load_exporters, write_reports, write_whole
from reelcheck.errors import InputError, OutputError, ReelcheckError, ReportError, SettingError
from reelcheck.exporters.base import plain_text
from reelcheck.models.card import load_card
from reelcheck.models.store import own_names
from reelcheck.pipeline import analyze, choose_analyzers
from reelcheck.registry import ANALYZERS
from reelcheck.terminal import Show, progress
from reelcheck.verdict.policy import Policy, load_policy
from reelcheck.verdict.report import Report, parse_report

_STRENGTH: Final = (5, 3, 2, 4, 0)
"""Exit codes from strong to weak."""
_NO_PROMISE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user asked for."""

    table: Path
    goal: Goal
    policy: str
    labels: tuple[str, ...]
    """What to calibrate; everything in the table when empty."""
    out: Path
    reports: Path | None
    profile: str
    threads: int
    quiet: bool


@dataclass(slots=True)
class _Troubles:
    """What was left out so far, each told at once on stderr."""

    codes: set[int] = field(default_factory=set)
    told: list[str] = field(default_factory=list)

    def add(self, message: str, *, exit_code: int = InputError.exit_code) -> None:
        self.codes.add(exit_code)
        self.told.append(message)
        typer.echo(f"left out: {plain_text(message)}", err=True)


def calibrate_policy(request: Request) -> int:
    """Set the thresholds, print and write what came of it, return the exit code.

    Raises:
        InputError: the table cannot be read, or nothing is left of it.
        SettingError: the policy, the profile or a label that was asked for is unknown.
        OutputError: a result cannot be written.
    """
    base, labels, troubles = load_policy(request.policy), read_labels(request.table), _Troubles()
    for fault in labels.faults:
        troubles.add(str(fault))
    shelf = _Shelf.of(request.reports, troubles)
    signals = shelf.signals() | _named(request.labels or labels.names)
    targets = _targets(request, labels, base, signals, troubles)
    known = {target.label for target in targets}
    ignored = set(labels.names) - known if request.labels else set[str]()
    videos = [video for video in labels.videos if set(video.events) <= known | ignored]
    if not videos or not targets:
        raise InputError(f"{request.table}: there is nothing left to calibrate on", code="E_DATA")
    only = tuple(sorted({target.analyzer for target in targets}))
    choose_analyzers(only, request.profile)
    tracks = _tracks(request, labels, videos, targets, shelf, troubles)
    results = []
    for target in targets:
        if any(track.streams for track in tracks[target.label]):
            results.append(calibrate(target, tracks[target.label], request.goal))
        else:
            troubles.add(f"{target.label}: no report has the signal {target.rule.signal!r}")
    _write(request, base, results, troubles)
    if any(one.choice.rule is None for one in results):
        troubles.codes.add(_NO_PROMISE)
    return next(code for code in _STRENGTH if code in troubles.codes | {0})


def _named(labels: Sequence[str]) -> set[str]:
    """Return the labels that say which analyzer has their signal: its report will tell."""
    known = {*ANALYZERS, *own_names()}
    return {label for label in labels if label.partition(".")[0] in known and "." in label}


def _targets(
    request: Request, labels: Labels, base: Policy, signals: set[str], troubles: _Troubles
) -> list[Target]:
    if request.labels:
        return [find_target(label, base, signals) for label in request.labels]
    if not labels.names:
        hint = "say what to calibrate with --labels, such as --labels nudity"
        raise SettingError(f"{request.table}: no row has a label", hint=hint)
    targets = []
    for label in labels.names:
        try:
            targets.append(find_target(label, base, signals))
        except SettingError as error:
            rows = ((video, video.rows[label]) for video in labels.videos if label in video.rows)
            for video, row in rows:
                troubles.add(f"{labels.where(row)}: {video.file}: {error}; {error.hint}")
    return targets


@dataclass(slots=True)
class _Shelf:
    """Stored reports, and what all of them must have in common."""

    folder: Path | None
    reports: list[tuple[Path, Report]] = field(default_factory=list)
    models: dict[str, str] = field(default_factory=dict)
    """Name -> SHA-256, of the reports that were taken."""
    profile: str = ""

    @classmethod
    def of(cls, folder: Path | None, troubles: _Troubles) -> "_Shelf":
        """Read every ``report.json`` below a folder."""
        shelf = cls(folder=folder)
        for path in sorted(folder.rglob("report.json")) if folder else []:
            try:
                report = parse_report(path.read_bytes())
            except OSError as error:
                troubles.add(f"{path}: {error.strerror}")
            except ReportError as error:
                troubles.add(f"{path}: {error}")
            else:
                shelf.reports.append((path, report.model_copy(update={"events": ()})))
        return shelf

    def signals(self) -> set[str]:
        """Return the names of all signals that are known, also those of the user's models."""
        stored = {name.partition("@")[0] for _, report in self.reports for name in report.signals}
        return stored | {
            f"{name}.{label}" for name in own_names() for label in load_card(name).output.labels
        }

    def find(self, video: Labelled) -> Report | None:
        """Return the report of a video, ``None`` when there is none.

        Raises:
            ReportError: several reports could be meant.
        """
        parts = Path(video.file).parts
        named = [one for one in self.reports if one[1].video.name == parts[-1]]
        exact = [one for one in named if Path(one[1].video.path).parts[-len(parts) :] == parts]
        fitting = exact or named
        if len(fitting) > 1:
            places = " and ".join(str(path) for path, _ in fitting[:2])
            raise ReportError(f"several reports are of this video: {places}")
        return fitting[0][1] if fitting else None

    def must_fit(self, report: Report) -> None:
        """Refuse a report that was made in another way than those before.

        Raises:
            ReportError: it was made with another profile, or another version of a model.
        """
        self.profile = self.profile or report.video.profile
        if report.video.profile != self.profile:
            raise ReportError(
                f"its report has the profile {report.video.profile!r}, others have {self.profile!r}"
            )
        for model in report.models:
            if self.models.setdefault(model.name, model.sha256) != model.sha256:
                raise ReportError(f"its report was made with another version of {model.name!r}")


def _tracks(
    request: Request,
    labels: Labels,
    videos: Sequence[Labelled],
    targets: Sequence[Target],
    shelf: _Shelf,
    troubles: _Troubles,
) -> dict[str, list[Track]]:
    """Return the tracks of every label; each video is watched at most once."""
    only = tuple(sorted({target.analyzer for target in targets}))
    tracks: dict[str, list[Track]] = {target.label: [] for target in targets}
    with progress("", quiet=request.quiet) as bar:
        for number, video in enumerate(videos):
            show = _shower(bar, video, number, len(videos))
            where = f"{labels.where(video.row)}: {video.file}"
            try:
                report = shelf.find(video) or _watch(request, video, only, show)
                shelf.must_fit(report)
                mine = [_track(report, target, video) for target in targets]
            except ReelcheckError as error:
                troubles.add(f"{where}: {error} [{error.code}]", exit_code=error.exit_code)
                continue
            for failure in report.failures:
                if failure.analyzer in {"", *only}:
                    message = f"{where}: only in part: {failure.message} [{failure.code}]"
                    troubles.add(message, exit_code=_NO_PROMISE)
            for target, track in zip(targets, mine, strict=True):
                tracks[target.label].append(track)
            show(1)
    return tracks


def _shower(bar: Show | None, video: Labelled, number: int, count: int) -> Callable[[float], None]:
    """Return what shows how much of one video is done, 0 to 1."""
    if bar is None:
        return lambda _: None
    name = f"{number + 1} of {count}  {plain_text(video.path.name)[-40:]}"
    return lambda part: bar(number + part, count, name=name)


def _track(report: Report, target: Target, video: Labelled) -> Track:
    events = video.events.get(target.label, ())
    return track_of(report, target, events, video=video.file, group=video.group)


def _watch(
    request: Request,
    video: Labelled,
    only: tuple[str, ...],
    show: Callable[[float], None],
) -> Report:
    """Watch one video, and keep its report where reports are stored."""
    report = analyze(
        video.path,
        only=only,
        profile=request.profile,
        threads=request.threads,
        on_progress=lambda at: show(min(1.0, at.seconds / (at.total_seconds or float("inf")))),
    )
    if request.reports is not None:
        folder = request.reports / folder_name(Path(video.file))
        write_reports(report, folder, load_exporters(["json"]))
    return report


def _write(
    request: Request, base: Policy, results: Sequence[Calibrated], troubles: _Troubles
) -> None:
    """Print every label; write the page and the record, and the policy if a promise is kept."""
    for one in results:
        print_calibrated(one, base, request.goal)
    out, left_out = request.out, tuple(troubles.told)
    content = {
        "goal": str(request.goal),
        "base_policy": base.name,
        "labels": [record(one) for one in results],
        "left_out": left_out,
    }
    page = render(results, base=base, goal=request.goal, left_out=left_out)
    files = {
        out.with_suffix(".html"): page.encode("utf-8", "backslashreplace"),
        out.with_suffix(".json"): (json.dumps(content, indent=1) + "\n").encode(),
    }
    kept = [(one.target, one.choice) for one in results if one.choice.rule is not None]
    if kept:
        policy = promising(base, kept, request.goal, name=out.stem)
        files[out] = policy_toml(policy).encode()
    else:
        typer.echo("no policy was written: no promise could be made", err=True)
    for path, data in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
        except OSError as error:
            message = f"cannot write {path}: {error.strerror}"
            raise OutputError(message, code="E_STORAGE_READONLY") from error
        typer.echo(f"wrote {plain_text(str(path))}", err=True)
