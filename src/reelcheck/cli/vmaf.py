"""VMAF by a program: an FFmpeg that has libvmaf, fed with raw pictures through pipes.

The program is called, never linked or shipped: the static FFmpeg of ``imageio-ffmpeg`` (the extra
``vmaf``) is under the GPL. It sees planes of known size that our own decoder made, no byte of
either file, and writes nothing but its log.

Sources: Li et al., "Toward A Practical Perceptual Video Quality Metric" (Netflix, 2016), and
libvmaf's own documentation of its models. ``vmaf_v0.6.1`` stands for a 1080p display seen from
three times its height, ``vmaf_4k_v0.6.1`` for a 4K display at 1.5 times; the second is used from
2160 lines (the shorter side) on.

Limits: scores of pictures far from 1080 lines mean "as if on such a display"; libvmaf's motion
feature looks at the neighbouring scored frame, so at the edges of damage it is off.
"""

import contextlib
import importlib
import json
import math
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import Any, Final

from reelcheck.errors import MissingExtraError

EXTRA: Final = "vmaf"
_MODEL: Final = "vmaf_v0.6.1"
_MODEL_4K: Final = "vmaf_4k_v0.6.1"
_4K_LINES: Final = 2160
_ASK_SECONDS: Final = 20.0
_END_SECONDS: Final = 120.0
_MAX_WORDS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """An FFmpeg that has libvmaf."""

    path: str
    version: str
    """What it says of itself."""


def find_program() -> Program | None:
    """Return an FFmpeg with libvmaf: that of the extra ``vmaf``, or the first on PATH."""
    for path in _candidates():
        filters = _ask(path, "-filters")
        if " libvmaf " in filters:
            return Program(path=path, version=_version(path))
    return None


def _version(path: str) -> str:
    return _ask(path, "-version").partition("\n")[0].partition(" Copyright")[0]


def must_find_program() -> Program:
    """Return an FFmpeg with libvmaf.

    Raises:
        MissingExtraError: there is none.
    """
    program = find_program()
    if program is None:
        raise MissingExtraError(extra=EXTRA, needed_by="VMAF")
    return program


def _candidates() -> list[str]:
    found = list[str]()
    # The extra may be absent, or hold no program for this machine.
    with contextlib.suppress(ImportError, RuntimeError):
        found.append(str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe()))
    on_path = shutil.which("ffmpeg")
    return [*found, *([on_path] if on_path else [])]


def _ask(path: str, question: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - a program of the user's own machine, no shell
            [path, "-hide_banner", question],
            capture_output=True,
            timeout=_ASK_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


def model_for(width_px: int, height_px: int) -> str:
    """Return the name of the model for pictures of this size."""
    return _MODEL_4K if min(width_px, height_px) >= _4K_LINES else _MODEL


@dataclass(slots=True)
class Run:
    """One run of the program."""

    program: Program
    model: str
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def start(self, *, width_px: int, height_px: int, format_name: str) -> tuple[int, int]:
        """Start the program; return the pipes to write the reference and the other file to.

        Raises:
            OSError: the program cannot be run.
        """
        read_reference, write_reference = os.pipe()
        read_distorted, write_distorted = os.pipe()
        source = ["-f", "rawvideo", "-pix_fmt", format_name]
        source += ["-video_size", f"{width_px}x{height_px}", "-framerate", "25"]
        graph = (
            f"[1:v][0:v]libvmaf=model=version={self.model}"
            ":n_threads=1:log_fmt=json:log_path=/dev/stdout"
        )
        command = [self.program.path, "-hide_banner", "-nostdin", "-loglevel", "error"]
        # It reads a picture of each input before it opens the next: in the order of writing.
        command += [*source, "-i", f"pipe:{read_reference}"]
        command += [*source, "-i", f"pipe:{read_distorted}"]
        command += ["-filter_complex", graph, "-f", "null", "-"]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - fixed words and numbers of ours, no shell
                command,
                pass_fds=[read_reference, read_distorted],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError:
            os.close(write_reference)
            os.close(write_distorted)
            raise
        finally:
            os.close(read_reference)
            os.close(read_distorted)
        return write_reference, write_distorted

    def scores(self) -> tuple[list[float], str]:
        """Wait for the program; return (one score per pair, why there is none)."""
        if self._process is None:
            return [], "the program was not started"
        try:
            output, complaint = self._process.communicate(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.stop()
            return [], f"the program did not end within {_END_SECONDS:g} s"
        if self._process.returncode:
            words = complaint.decode("utf-8", "replace").strip().splitlines()
            last = words[-1][:_MAX_WORDS] if words else f"exit code {self._process.returncode}"
            return [], f"the program failed: {last}"
        return _parse(output)

    def stop(self) -> None:
        """End the program if it still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def _parse(output: bytes) -> tuple[list[float], str]:
    try:
        log: Any = json.loads(output)
        scores = [float(frame["metrics"]["vmaf"]) for frame in log["frames"]]
    except (ValueError, KeyError, TypeError) as error:
        return [], f"the program's log cannot be read: {type(error).__name__}"
    if not all(math.isfinite(score) for score in scores):
        return [], "the program gave a score that is no number"
    return scores, ""
