"""The parent's side of full-reference mode: the guard compares, a program adds VMAF."""

import contextlib
import hashlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from reelcheck import __version__
from reelcheck.cli.vmaf import Program, Run, model_for
from reelcheck.errors import ReelcheckError, SetupError, VideoError
from reelcheck.media import guard
from reelcheck.media.fidelity import ceiling_db
from reelcheck.media.wire import unpack_account, unpack_video
from reelcheck.settings import Limits
from reelcheck.verdict.measures import Measures, PairScore
from reelcheck.verdict.reference import (
    AlignmentError,
    AlignmentReport,
    ComparedFile,
    NotScored,
    ReferenceReport,
    VmafProgram,
)
from reelcheck.verdict.rounding import seconds_of

ENTRY: Final = "reelcheck.onepass.reference:run"
_HASH_BLOCK_BYTES: Final = 1 << 20

OnProgress = Callable[[str, float], None]
"""Takes what is being done and the seconds of video reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What to compare, and how."""

    reference: Path
    distorted: Path
    search: Fraction
    """Largest offset to look for, in seconds."""
    offset: Fraction | None = None
    """Time of the reference at which the distorted file begins; ``None`` to look for it."""
    program: Program | None = None
    """What computes VMAF; ``None`` to leave it out."""
    limits: Limits = field(default_factory=Limits)


def compare(wishes: Wishes, *, on_progress: OnProgress | None = None) -> ReferenceReport:
    """Align two files and say how far one is from the other.

    Raises:
        VideoError: a file was refused, or not one frame of it could be decoded.
        AlignmentError: the two do not show the same, or it cannot be told where.
    """
    started = time.monotonic()
    with (
        _open(wishes.reference, wishes.limits, "reference") as reference,
        _open(wishes.distorted, wishes.limits, "distorted") as distorted,
    ):
        heard = _hear(wishes, (reference, distorted), on_progress)
        files = (
            _file(wishes.reference, reference, heard.aligned["reference"]),
            _file(wishes.distorted, distorted, heard.aligned["distorted"]),
        )
    return _report(wishes, heard, files, wall_seconds=time.monotonic() - started)


@dataclass(frozen=True, slots=True)
class _Open:
    fd: int
    identity: guard.Identity


@contextlib.contextmanager
def _open(path: Path, limits: Limits, role: str) -> Iterator[_Open]:
    try:
        fd, identity = guard.open_video(path, limits=limits)
    except VideoError as error:
        raise VideoError(f"{role} file: {error}", code=error.code, hint=error.hint) from error
    try:
        yield _Open(fd, identity)
        if guard.identify(fd) != identity:
            raise VideoError(f"{role} file: it changed while it was read", code="E_INPUT_CHANGED")
    finally:
        os.close(fd)


@dataclass(slots=True)
class _Heard:
    """What the child has told so far."""

    wishes: Wishes
    isolation: dict[str, bool] = field(default_factory=dict)
    stage: str = "reference"
    aligned: Mapping[str, Any] = field(default_factory=dict)
    form: Mapping[str, Any] = field(default_factory=dict)
    scores: list[PairScore] = field(default_factory=list)
    missing: int | None = None
    """Pairs that got no score; ``None`` until the child is done."""
    run: Run | None = None
    no_vmaf: str = ""
    cpu_seconds: float = 0.0
    peak_mib: float = 0.0

    def take(self, message: Mapping[str, Any]) -> None:
        """Take in one message.

        Raises:
            ReelcheckError: it says that the comparison cannot be made.
        """
        handler = getattr(self, f"_on_{message['kind']}", None)
        if handler is not None:
            handler(message)

    def _on_isolation(self, message: Mapping[str, Any]) -> None:
        self.isolation = dict(message["layers"])

    def _on_opened(self, message: Mapping[str, Any]) -> None:
        self.stage = message["role"]

    def _on_refused(self, message: Mapping[str, Any]) -> None:
        raise AlignmentError(message["reason"], hint=message["hint"])

    def _on_aligned(self, message: Mapping[str, Any]) -> None:
        self.aligned = message
        self.stage = "compared"

    def _on_scores(self, message: Mapping[str, Any]) -> None:
        for reference_start, start, end, errors, like in message["items"]:
            self.scores.append(
                PairScore(
                    start=Fraction(*start),
                    end=Fraction(*end),
                    reference_start=Fraction(*reference_start),
                    squared_errors=(errors[0], errors[1], errors[2]),
                    ssim=like,
                )
            )

    def _on_compared(self, message: Mapping[str, Any]) -> None:
        self.missing = message["missing"]
        if self.run is not None:
            scores, why = self.run.scores()
            if len(scores) != len(self.scores):
                scores = []
                why = why or "the program gave another number of scores than there are pairs"
            self.no_vmaf = why
            self.scores = [
                replace(pair, vmaf=min(100.0, max(0.0, score)))
                for pair, score in zip(self.scores, scores, strict=False)
            ] or self.scores

    def _on_ended(self, message: Mapping[str, Any]) -> None:
        self.cpu_seconds = message["cpu_seconds"]
        self.peak_mib = message["peak_resident_bytes"] / (1 << 20)

    def _on_error(self, message: Mapping[str, Any]) -> None:
        words = message["message"]
        if message["code"] == "E_ISOLATION":
            raise SetupError(words, code="E_ISOLATION", hint=message["hint"])
        kind = ReelcheckError if message["code"] == "E_INTERNAL" else VideoError
        if not words.startswith(("reference file", "distorted file")):
            words = f"{self.stage} file: {words}" if self.stage != "compared" else words
        raise kind(words, code=message["code"], hint=message.get("hint", ""))


def _hear(wishes: Wishes, files: tuple[_Open, _Open], on_progress: OnProgress | None) -> _Heard:
    """Let the child compare; return all that it told.

    Raises:
        ReelcheckError: it refused, failed or vanished.
    """
    heard = _Heard(wishes)
    try:
        _listen(wishes, files, heard, on_progress)
    finally:
        if heard.run is not None:
            heard.run.stop()
    if heard.missing is None:
        raise VideoError("the decoder process ended without a word", code="E_DECODER_CRASH")
    if not heard.scores:
        raise AlignmentError("no pair of frames is sound: nothing can be scored")
    return heard


def _listen(
    wishes: Wishes,
    files: tuple[_Open, _Open],
    heard: _Heard,
    on_progress: OnProgress | None,
) -> None:
    ours, theirs = socket.socketpair()
    job = {
        "extensions": [
            Path(os.fsdecode(path)).suffix.lower() for path in (wishes.reference, wishes.distorted)
        ],
        "search": _pair(wishes.search),
        "offset": None if wishes.offset is None else _pair(wishes.offset),
        "pipes": wishes.program is not None,
    }
    with ours, theirs:
        socket.send_fds(ours, [b"f"], [file.fd for file in files])
        for message in guard.run(ENTRY, job, theirs.fileno(), limits=wishes.limits):
            heard.take(message)
            if message["kind"] == "ready":
                heard.form = message
                if wishes.program is not None:
                    heard.run = _start_program(wishes.program, message, ours)
            if on_progress and message["kind"] == "progress":
                on_progress(message["stage"], message["seconds"])


def _start_program(program: Program, form: Mapping[str, Any], gate: socket.socket) -> Run:
    width, height = form["width_px"], form["height_px"]
    run = Run(program=program, model=model_for(width, height))
    try:
        pipes = run.start(width_px=width, height_px=height, format_name=form["format_name"])
    except OSError:
        # A pipe that nobody reads: the child sees it at its first write and goes on without.
        pipes = _unread_pipes()
    socket.send_fds(gate, [b"p"], pipes)
    for pipe in pipes:
        os.close(pipe)
    return run


def _unread_pipes() -> tuple[int, int]:
    ends = [os.pipe() for _ in range(2)]
    for read, _ in ends:
        os.close(read)
    return ends[0][1], ends[1][1]


def _pair(value: Fraction) -> list[int]:
    return [value.numerator, value.denominator]


def _file(path: Path, opened: _Open, side: Mapping[str, Any]) -> ComparedFile:
    shown = os.fsencode(path).decode("utf-8", "backslashreplace")
    info, account = unpack_video(side["info"]), unpack_account(side["account"])
    crop = side["crop"]
    return ComparedFile(
        name=Path(shown).name,
        path=shown,
        size_bytes=opened.identity.size,
        sha256=_sha256(opened.fd),
        codec=info.codec,
        pixel_format=info.pixel_format,
        width_px=info.width_px,
        height_px=info.height_px,
        frames=side["frames"],
        duration_seconds=seconds_of(account.duration),
        decoded_ratio=account.decoded_ratio,
        compared_picture=None if crop is None else tuple(crop),
        warnings=account.warnings,
    )


def _sha256(fd: int) -> str:
    digest, at = hashlib.sha256(), 0
    while block := os.pread(fd, _HASH_BLOCK_BYTES, at):
        digest.update(block)
        at += len(block)
    return digest.hexdigest()


def _report(
    wishes: Wishes,
    heard: _Heard,
    files: tuple[ComparedFile, ComparedFile],
    *,
    wall_seconds: float,
) -> ReferenceReport:
    measures = Measures(scores=tuple(heard.scores), bit_depth=heard.form["bit_depth"])
    not_scored = [_not_scored(part) for part in heard.aligned["unscored"]]
    return ReferenceReport(
        reelcheck_version=__version__,
        reference=files[0],
        distorted=files[1],
        alignment=_alignment(wishes, heard, files),
        complete=not heard.missing and not any(part.damaged for part in not_scored),
        not_scored=tuple(not_scored),
        measures=measures.summaries(),
        vmaf=_vmaf(wishes, heard),
        seconds=measures.seconds(),
        worst_frames=measures.worst_frames(),
        frames=measures.frames(),
        isolation=heard.isolation,
        timings={
            "wall_seconds": round(wall_seconds, 3),
            "decoder_cpu_seconds": round(heard.cpu_seconds, 3),
            "decoder_peak_mib": round(heard.peak_mib, 1),
        },
    )


def _not_scored(part: Mapping[str, Any]) -> NotScored:
    return NotScored(
        file=part["file"],
        start_seconds=seconds_of(Fraction(*part["start"])),
        end_seconds=seconds_of(Fraction(*part["end"])),
        reason=part["reason"],
        damaged=part["damaged"],
    )


def _vmaf(wishes: Wishes, heard: _Heard) -> VmafProgram:
    if wishes.program is None:
        return VmafProgram(model="", program="", missing="no FFmpeg with libvmaf was used")
    model = heard.run.model if heard.run is not None and not heard.no_vmaf else ""
    return VmafProgram(model=model, program=wishes.program.version, missing=heard.no_vmaf)


def _alignment(
    wishes: Wishes, heard: _Heard, files: tuple[ComparedFile, ComparedFile]
) -> AlignmentReport:
    aligned, form = heard.aligned, heard.form
    offset, speed = Fraction(*aligned["offset"]), Fraction(*aligned["speed"])
    scaled = _picture_size(files[1]) != (form["width_px"], form["height_px"])
    return AlignmentReport(
        offset_seconds=seconds_of(offset),
        offset_exact=str(offset),
        speed_exact=str(speed),
        searched_seconds=None if wishes.offset is not None else float(wishes.search),
        likeness=aligned["likeness"],
        frames_compared=len(heard.scores),
        frames_without_partner=aligned["alone"],
        frames_repeating=aligned["repeated"],
        reference_frames_skipped=aligned["skipped"],
        width_px=form["width_px"],
        height_px=form["height_px"],
        format=form["format_name"],
        ceiling_db=ceiling_db(form["bit_depth"]),
        scaling=form["scaling"] if scaled else "none",
        words=tuple(_words(aligned, files, form, scaled=scaled)),
    )


def _picture_size(file: ComparedFile) -> tuple[int, int]:
    if file.compared_picture is not None:
        return file.compared_picture[2], file.compared_picture[3]
    return file.width_px, file.height_px


def _words(
    aligned: Mapping[str, Any],
    files: tuple[ComparedFile, ComparedFile],
    form: Mapping[str, Any],
    *,
    scaled: bool,
) -> Iterator[str]:
    offset, speed = Fraction(*aligned["offset"]), Fraction(*aligned["speed"])
    if offset:
        yield f"the distorted file begins at {float(offset):.3f} s of the reference"
    if speed != 1:
        yield f"it plays {float(speed):.6g} times as fast as the reference"
    if aligned["skipped"]:
        yield f"{aligned['skipped']} frames of the reference in between have no frame of their own"
    if aligned["repeated"]:
        yield f"{aligned['repeated']} frames share a frame of the reference with the one before"
    if scaled:
        width, height = _picture_size(files[1])
        size = f"{form['width_px']} x {form['height_px']}"
        yield f"scaled from {width} x {height} to {size}, {form['scaling']}"
    for file, role in zip(files, ("reference", "distorted file"), strict=True):
        if file.compared_picture is not None:
            x, y, width, height = file.compared_picture
            yield f"bars of the {role} cut away: {width} x {height} at {x}, {y}"
