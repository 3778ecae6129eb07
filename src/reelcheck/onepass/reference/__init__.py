"""Full-reference comparison of two files, inside the child: align them, then score the pairs.

Each file is decoded twice (a third time where the looks leave a doubt, or bars differ): once for
its times and coarse looks, once for the scores. The pictures stay in this process, except that
those of scored pairs can be written to two pipes for a program that computes VMAF: raw planes of
known size, never the bytes of a file.

The descriptor that the guard hands over is a socket: through it come both files, and later the
pipes, because a job of the guard has room for one file.
"""

import os
import socket
import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from av.video.frame import VideoFrame

from reelcheck.errors import VideoError
from reelcheck.media.account import Account
from reelcheck.media.channel import Channel
from reelcheck.media.fitting import SCALING, Crop, Target, raw_bytes
from reelcheck.media.wire import pack_account, pack_video
from reelcheck.onepass.reference.align import Alignment, NoAlignment, align
from reelcheck.onepass.reference.fitted import Side
from reelcheck.onepass.reference.score import Score, Show, scores
from reelcheck.onepass.reference.track import File, Track, track
from reelcheck.onepass.reference.unscored import Unscored, unscored
from reelcheck.settings import limits_from

_PROGRESS_SECONDS: Final = 0.2
_CHUNK: Final = 200
_DECODINGS: Final = 2
_DESCRIPTORS: Final = 2


def run(job: Mapping[str, Any], fd: int, channel: Channel) -> None:
    """Compare two files; report everything on ``channel``.

    Messages: ``opened`` for each file as it is first opened, ``progress``, ``aligned`` (or
    ``refused``, and nothing after it), ``ready`` with the form of the frames, ``scores`` in
    parts, and ``compared`` last.

    Args:
        job: ``limits``, ``extensions`` (of the reference and the distorted file), ``search``,
            ``offset`` (fractions as pairs; the offset may be ``None``), ``pipes`` (whether two
            pipes follow after ``ready``).
        fd: A socket that carries both open files, the reference first.
        channel: Where messages go.

    Raises:
        VideoError: the gate refuses a file, or it has no frame; the message says which.
    """
    with socket.socket(fileno=os.dup(fd)) as gate:
        _, files, _, _ = socket.recv_fds(gate, 1, _DESCRIPTORS)
        limits = limits_from(job["limits"])
        reference, distorted = (
            File(role=role, fd=file, extension=extension, limits=limits)
            for role, file, extension in zip(
                ("reference", "distorted"), files, job["extensions"], strict=True
            )
        )
        _Comparison(job, gate, channel).run(reference, distorted)


class _Comparison:
    """One comparison, and what it tells on its way."""

    def __init__(self, job: Mapping[str, Any], gate: socket.socket, channel: Channel) -> None:
        self._job = job
        self._gate = gate
        self._channel = channel
        self._told = 0.0
        self._opened = set[str]()
        self._writer: _Writer | None = None

    def run(self, reference: File, distorted: File) -> None:
        """Align and score."""
        offset = self._job["offset"]
        try:
            alignment = align(
                reference,
                distorted,
                watch=self._watch,
                search=Fraction(*self._job["search"]),
                offset=None if offset is None else Fraction(*offset),
            )
        except NoAlignment as why:
            self._channel.send({"kind": "refused", "reason": str(why), "hint": why.hint})
            return
        self._channel.send({"kind": "aligned", **_pack_alignment(alignment)})
        missing = self._score(alignment)
        self._channel.send({"kind": "compared", "missing": missing})

    def opened(self, role: str, claimed_seconds: float) -> None:
        """Tell that a file is open, and what it may cost: it is decoded more than once."""
        message = {"kind": "opened", "role": role, "seconds": _DECODINGS * claimed_seconds}
        if role not in self._opened:
            self._opened.add(role)
            self._channel.send(message)

    def reached(self, role: str, seconds: float) -> None:
        """Tell how far things are, a few times a second."""
        now = time.monotonic()
        if now - self._told > _PROGRESS_SECONDS:
            self._told = now
            self._channel.send({"kind": "progress", "stage": role, "seconds": seconds})

    def _watch(self, file: File, crop: Crop | None) -> Track:
        try:
            return track(file, crop=crop, listener=self)
        except VideoError as error:
            message = f"{file.role} file: {error}"
            raise VideoError(message, code=error.code, hint=error.hint) from error

    def _score(self, alignment: Alignment) -> int:
        """Send the scores of all pairs; return how many of them got none."""
        pairs = alignment.pairs()
        ours, theirs = alignment.reference.track, alignment.distorted.track
        waiting = list[list[Any]]()
        count = 0
        for score in scores(alignment.reference, alignment.distorted, pairs, self._ready):
            waiting.append(_pack_score(score, ours, theirs))
            count += 1
            self.reached("scores", float(theirs.starts[score.distorted]))
            if len(waiting) == _CHUNK:
                self._channel.send({"kind": "scores", "items": waiting})
                waiting = []
        self._channel.send({"kind": "scores", "items": waiting})
        if self._writer is not None:
            self._writer.close()
        return len(pairs) - count

    def _ready(self, target: Target) -> Show:
        self._channel.send(
            {
                "kind": "ready",
                "width_px": target.width_px,
                "height_px": target.height_px,
                "format_name": target.format_name,
                "bit_depth": target.bit_depth,
                "scaling": SCALING,
            }
        )
        if not self._job["pipes"]:
            return _show_nobody
        _, pipes, _, _ = socket.recv_fds(self._gate, 1, _DESCRIPTORS)
        self._writer = _Writer(pipes)
        return self._writer.show


def _show_nobody(reference: VideoFrame, distorted: VideoFrame) -> None:
    del reference, distorted


class _Writer:
    """Writes the planes of pairs to two pipes, until their reader goes away."""

    def __init__(self, pipes: Sequence[int]) -> None:
        self._pipes = list(pipes)

    def show(self, reference: VideoFrame, distorted: VideoFrame) -> None:
        """Write one pair."""
        for pipe, frame in zip(self._pipes, (reference, distorted), strict=False):
            try:
                _write_all(pipe, raw_bytes(frame))
            except OSError:
                self.close()  # the parent learns from the program itself why it ended
                return

    def close(self) -> None:
        """Let the reader see the end."""
        for pipe in self._pipes:
            os.close(pipe)
        self._pipes = []


def _write_all(pipe: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(pipe, rest) :]


def _pair(value: Fraction) -> list[int]:
    return [value.numerator, value.denominator]


def _pack_score(score: Score, ours: Track, theirs: Track) -> list[Any]:
    return [
        _pair(ours.starts[score.reference]),
        _pair(theirs.starts[score.distorted]),
        _pair(theirs.ends[score.distorted]),
        list(score.squared_errors),
        score.ssim,
    ]


def _pack_alignment(alignment: Alignment) -> dict[str, Any]:
    found = alignment.found
    paired = found[found >= 0]
    return {
        "offset": _pair(alignment.shift.offset),
        "speed": _pair(alignment.shift.speed),
        "likeness": round(alignment.likeness, 4),
        "alone": int((found < 0).sum()),
        "repeated": len(paired) - len(set(paired.tolist())),
        "skipped": int(paired[-1] - paired[0] + 1 - len(set(paired.tolist()))),
        "reference": _pack_side(alignment.reference),
        "distorted": _pack_side(alignment.distorted),
        "unscored": [_pack_unscored(part) for part in unscored(alignment)],
    }


def _pack_side(side: Side) -> dict[str, Any]:
    account: Account = side.track.account
    crop = side.crop
    return {
        "info": pack_video(side.track.info),
        "account": pack_account(account),
        "frames": len(side.track),
        "crop": None if crop is None else [crop.x, crop.y, crop.width, crop.height],
    }


def _pack_unscored(part: Unscored) -> dict[str, Any]:
    return {
        "file": part.file,
        "start": _pair(part.span.start),
        "end": _pair(part.span.end),
        "reason": part.reason,
        "damaged": part.damaged,
    }
