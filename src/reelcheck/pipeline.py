"""The way from a path to a report: the guard runs the pass, the timeline is put together, judged.

Messages of the child, in order: ``loaded``*, ``isolation``, ``opened``, ``audio``*, then ``video``
at the first frame of each stream, ``observations``, ``picture``, ``progress`` and ``failure`` as
they come, ``model`` for every model in use, and ``account`` last. ``error`` ends a run any time.
"""

import base64
import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from reelcheck.errors import ReelcheckError, SettingError, SetupError, VideoError
from reelcheck.frames import AudioInfo, MediaInfo, VideoInfo
from reelcheck.media import guard
from reelcheck.media.account import Account
from reelcheck.media.wire import (
    unpack_account,
    unpack_audio,
    unpack_observation,
    unpack_video,
)
from reelcheck.models.card import is_trained
from reelcheck.registry import ANALYZERS
from reelcheck.settings import DECODER_THREADS, Isolation, Limits, Profile, Scores, scores_from
from reelcheck.spans import CoverageSpan, Observation, TimeSpan
from reelcheck.verdict.judge import judge
from reelcheck.verdict.policy import Policy, load_policy
from reelcheck.verdict.report import Report
from reelcheck.verdict.timeline import Coverage, Failure, ModelUse, Picture, Source, Timeline

ENTRY: Final = "reelcheck.onepass:run"
NEED_EVERY_FRAME: Final = frozenset({"flashes", "shots"})
"""Left out by the fast profile, which decodes key frames only."""
_MAX_PICTURES: Final = 1200
_HASH_BLOCK_BYTES: Final = 1 << 20
_KINDS: Final = {
    "E_INTERNAL": ReelcheckError,
    "E_ISOLATION": SetupError,
    "E_FFMPEG_OLD": SetupError,
}
"""Errors of the child that are not the fault of the video."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a pass has come."""

    seconds: float
    """Seconds of video decoded."""
    total_seconds: float | None
    """Seconds that the header claims; ``None`` when it claims nothing."""


def analyze(  # noqa: PLR0913 - the public door: every setting is a keyword with a default
    path: str | os.PathLike[str],
    *,
    policy: str | Path | Policy = "default",
    profile: str = Profile.BALANCED,
    only: Sequence[str] = (),
    limits: Limits | None = None,
    threads: int = DECODER_THREADS,
    isolation: str = Isolation.AUTO,
    scores: str = Scores.FULL,
    on_progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Watch a video once and judge it.

    Args:
        path: The video file.
        policy: Name of a built-in policy, path of a TOML file, or a policy.
        profile: ``fast``, ``balanced`` or ``accurate``; see ``reelcheck.settings.Profile``.
        only: Names of the analyzers to run; all of them when empty.
        limits: What the file may cost.
        threads: Threads of the video decoder. Results do not depend on it.
        isolation: ``auto``, ``strict`` or ``off``; see ``reelcheck.settings.Isolation``.
        scores: ``full``, ``rounded`` or ``labels``; see ``reelcheck.settings.Scores``.
        on_progress: Called a few times a second.

    Returns:
        The report. A damaged or cut file gives a report too: INCONCLUSIVE, with what was seen.

    Raises:
        VideoError: the file was refused, or not one frame could be decoded.
        SettingError: an argument is unknown.
        SetupError: isolation is ``strict``, and a layer of it cannot be had on this machine.
    """
    rules = policy if isinstance(policy, Policy) else load_policy(policy)
    told = scores_from(scores)
    timeline = watch(
        path,
        profile=profile,
        only=only,
        limits=limits,
        threads=threads,
        isolation=isolation,
        on_progress=on_progress,
    )
    return judge(timeline, rules, scores=told)


def watch(  # noqa: PLR0913 - as ``analyze``
    path: str | os.PathLike[str],
    *,
    profile: str = Profile.BALANCED,
    only: Sequence[str] = (),
    limits: Limits | None = None,
    threads: int = DECODER_THREADS,
    isolation: str = Isolation.AUTO,
    on_progress: Callable[[Progress], None] | None = None,
) -> Timeline:
    """Watch a video once; return everything that was found, unjudged.

    Arguments and errors are those of ``analyze``.
    """
    limits = limits or Limits()
    names = choose_analyzers(only, profile)
    started = time.monotonic()
    fd, identity = guard.open_video(path, limits=limits)
    try:
        job = {
            "profile": str(Profile(profile)),
            "analyzers": names,
            "threads": threads,
            "extension": Path(os.fsdecode(path)).suffix.lower(),
        }
        seen = _Seen()
        try:
            for message in guard.run(ENTRY, job, fd, limits=limits, isolation=isolation):
                seen.take(message)
                if on_progress and message["kind"] == "progress":
                    on_progress(Progress(seconds=seen.reached, total_seconds=seen.total_seconds))
        except KeyboardInterrupt:
            seen.failures.append(Failure(code="E_CANCELLED", message="stopped by the user"))
        if guard.identify(fd) != identity:
            seen.failures.append(
                Failure(code="E_INPUT_CHANGED", message="the file changed while it was read")
            )
        seen.must_have_begun()
        digest = _sha256(fd)
    finally:
        os.close(fd)
    return _timeline(
        seen,
        source=_source(path, seen, identity.size, digest),
        profile=str(Profile(profile)),
        analyzers=tuple(names),
        limits=asdict(limits),
        timings={
            "wall_seconds": round(time.monotonic() - started, 3),
            "decoder_cpu_seconds": round(seen.cpu_seconds, 3),
            "decoder_peak_mib": round(seen.peak_mib, 1),
        },
    )


def choose_analyzers(only: Sequence[str], profile: str) -> list[str]:
    """Return the names of the analyzers that a run uses, sorted.

    Raises:
        SettingError: a name or the profile is unknown, or the profile cannot run an analyzer.
    """
    if profile not in set(Profile):
        known = ", ".join(Profile)
        raise SettingError(f"unknown profile {profile!r}", hint=f"known profiles: {known}")
    known_names = list(ANALYZERS)
    for name in only:
        if name not in known_names and not is_trained(name):
            ANALYZERS.load(name)
    names = sorted(set(only)) if only else known_names
    if profile != Profile.FAST:
        return names
    refused = NEED_EVERY_FRAME & set(only)
    if refused:
        raise SettingError(
            f"analyzer {min(refused)!r} needs every frame, the fast profile sees key frames only",
            hint="use --profile balanced",
        )
    return [name for name in names if name not in NEED_EVERY_FRAME]


@dataclass(slots=True)
class _Seen:
    """What the child has told so far."""

    opened: Mapping[str, Any] = field(default_factory=dict)
    videos: list[VideoInfo] = field(default_factory=list)
    audios: list[AudioInfo] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    models: list[ModelUse] = field(default_factory=list)
    isolation: dict[str, bool] = field(default_factory=dict)
    isolation_missing: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    account: Account | None = None
    reached: float = 0.0
    frames: int = 0
    cpu_seconds: float = 0.0
    peak_mib: float = 0.0
    error: ReelcheckError | None = None

    @property
    def total_seconds(self) -> float | None:
        """Seconds that the header claims."""
        value: float | None = self.opened.get("seconds")
        return value

    def take(self, message: Mapping[str, Any]) -> None:
        """Take in one message."""
        handler = getattr(self, f"_on_{message['kind']}", None)
        if handler is not None:
            handler(message)

    def _on_isolation(self, message: Mapping[str, Any]) -> None:
        self.isolation = dict(message["layers"])
        self.isolation_missing = dict(message["missing"])

    def _on_versions(self, message: Mapping[str, Any]) -> None:
        self.versions = dict(message["versions"])
        self.warnings = tuple(f"W_FFMPEG_OLD: {words}" for words in message["too_old"])

    def _on_opened(self, message: Mapping[str, Any]) -> None:
        self.opened = message

    def _on_video(self, message: Mapping[str, Any]) -> None:
        self.videos.append(unpack_video(message["info"]))

    def _on_audio(self, message: Mapping[str, Any]) -> None:
        self.audios.append(unpack_audio(message["info"]))

    def _on_observations(self, message: Mapping[str, Any]) -> None:
        self.observations += [unpack_observation(item) for item in message["items"]]

    def _on_picture(self, message: Mapping[str, Any]) -> None:
        jpeg = base64.b64decode(message["jpeg"], validate=True)
        at = Fraction(*message["at"])
        self.pictures.append(Picture(stream=message["stream"], at=at, jpeg=jpeg))
        if len(self.pictures) > _MAX_PICTURES:
            self.pictures = self.pictures[::2]

    def _on_model(self, message: Mapping[str, Any]) -> None:
        told = message["use"]
        use = ModelUse(**{**told, "signed_by": tuple(told["signed_by"])})
        if use not in self.models:
            self.models.append(use)

    def _on_progress(self, message: Mapping[str, Any]) -> None:
        if not self.videos or message["stream"] == self.videos[0].stream:
            self.reached = message["seconds"]
        self.frames = message["frames"]

    def _on_failure(self, message: Mapping[str, Any]) -> None:
        self.failures.append(
            Failure(
                code=message["code"],
                message=message["message"],
                analyzer=message.get("analyzer", ""),
                at_seconds=message.get("at_seconds"),
            )
        )

    def _on_account(self, message: Mapping[str, Any]) -> None:
        self.account = unpack_account(message)

    def _on_ended(self, message: Mapping[str, Any]) -> None:
        self.cpu_seconds = message["cpu_seconds"]
        self.peak_mib = message["peak_resident_bytes"] / (1 << 20)

    def _on_error(self, message: Mapping[str, Any]) -> None:
        kind = _KINDS.get(message["code"], VideoError)
        self.error = kind(message["message"], code=message["code"], hint=message.get("hint", ""))
        self.failures.append(Failure(code=message["code"], message=message["message"]))

    def must_have_begun(self) -> None:
        """Raise what stopped the run when not one frame was seen."""
        if self.videos or self.account:
            return
        if self.failures and self.failures[-1].code in {"E_INPUT_CHANGED", "E_CANCELLED"}:
            raise VideoError(self.failures[-1].message, code=self.failures[-1].code)
        if self.error is not None:
            raise self.error
        message = "the decoder process ended without a word"
        raise VideoError(message, code="E_DECODER_CRASH")


def _coverage(seen: _Seen) -> Coverage:
    """Return the account of the child, or what can be said after it died."""
    if seen.account is not None:
        told = {name: getattr(seen.account, name) for name in asdict(seen.account)}
        return Coverage(**{**told, "warnings": tuple(sorted({*told["warnings"], *seen.warnings}))})
    reached = Fraction(round(seen.reached * 1000), 1000)
    total = max(reached, Fraction(round((seen.total_seconds or 0.0) * 1000), 1000))
    cause = f"{seen.failures[-1].code}: {seen.failures[-1].message}" if seen.failures else ""
    parts = (
        (TimeSpan(Fraction(0), reached), "decoded", ""),
        (TimeSpan(reached, max(total, reached + Fraction(1, 1000))), "damaged", cause),
    )
    spans = tuple(
        CoverageSpan(span=span, state=state, cause=why, stream=video.stream)  # type: ignore[arg-type] # literals in a tuple
        for video in seen.videos
        for span, state, why in parts
        if span.seconds
    )
    return Coverage(
        duration=parts[-1][0].end,
        decoded_ratio=round(float(reached / parts[-1][0].end), 6),
        spans=spans,
        frames_decoded=seen.frames,
        frames_declared=None,
        warnings=(*seen.warnings, "W_PARTIAL: the file was not seen to its stated end"),
    )


def _timeline(
    seen: _Seen,
    *,
    source: Source,
    profile: str,
    analyzers: tuple[str, ...],
    limits: dict[str, float],
    timings: dict[str, float],
) -> Timeline:
    return Timeline(
        source=source,
        media=MediaInfo(
            video=tuple(sorted(seen.videos, key=lambda info: info.stream)),
            audio=tuple(sorted(seen.audios, key=lambda info: info.stream)),
        ),
        profile=profile,
        analyzers=analyzers,
        coverage=_coverage(seen),
        observations=tuple(sorted(seen.observations, key=_order)),
        failures=tuple(sorted(seen.failures, key=lambda one: (one.analyzer, one.code))),
        pictures=tuple(sorted(seen.pictures, key=lambda one: (one.stream, one.at))),
        models=tuple(sorted(seen.models, key=lambda one: one.name)),
        isolation=seen.isolation,
        isolation_missing=seen.isolation_missing,
        limits=limits,
        versions=seen.versions,
        timings=timings,
    )


def _order(one: Observation) -> tuple[Any, ...]:
    return (one.stream, one.analyzer, one.signal, one.label, one.span, one.score, one.note)


def _source(path: str | os.PathLike[str], seen: _Seen, size_bytes: int, digest: str) -> Source:
    shown = os.fsencode(path).decode("utf-8", "backslashreplace")
    return Source(
        name=Path(shown).name,
        path=shown,
        size_bytes=size_bytes,
        sha256=digest,
        container=seen.opened.get("container", ""),
        duration_seconds_from_header=seen.total_seconds,
        start_seconds=seen.opened.get("start_seconds", 0.0),
        metadata=dict(seen.opened.get("metadata", {})),
    )


def _sha256(fd: int) -> str:
    digest, at = hashlib.sha256(), 0
    while block := os.pread(fd, _HASH_BLOCK_BYTES, at):
        digest.update(block)
        at += len(block)
    return digest.hexdigest()
