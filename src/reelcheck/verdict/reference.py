"""What full-reference mode says of two files, as plain JSON.

An infinite PSNR, no difference at all, is ``null``: JSON has no number for it. Parts without a
score are left out of every curve and stand in ``not_scored``, so a ``null`` never means that
something was not measured.
"""

import json
from typing import Any, Final, Literal

from reelcheck.errors import InputError
from reelcheck.verdict.parts import Number, Part, Text

SCHEMA_VERSION: Final = "1.0"


class AlignmentError(InputError):
    """The two files do not show the same, or it cannot be told which frames belong together."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, code="E_SETTING", hint=hint)


class ComparedFile(Part):
    """One of the two files."""

    name: Text
    """Base name as given."""
    path: Text
    size_bytes: int
    sha256: Text
    codec: Text
    pixel_format: Text
    width_px: int
    """Upright, before the sample aspect ratio."""
    height_px: int
    frames: int
    """Decoded frames of the first video stream."""
    duration_seconds: Number
    decoded_ratio: Number
    """Share of the duration that is sound, 0 to 1."""
    compared_picture: tuple[int, int, int, int] | None
    """x, y, width, height in pixels where bars were cut away; null for the whole picture."""
    warnings: tuple[Text, ...]


class AlignmentReport(Part):
    """How frames of the two were put together."""

    offset_seconds: Number
    """Time of the reference at which second 0 of the distorted file lies."""
    offset_exact: Text
    """The same as a fraction."""
    speed_exact: Text
    """Seconds of the reference in one second of the distorted file, as a fraction."""
    searched_seconds: Number | None
    """Largest offset that was looked for; null when the offset was given."""
    likeness: Number
    """Median correlation of coarse pictures, up to 1; below 0.8 nothing is scored."""
    frames_compared: int
    frames_without_partner: int
    """Frames of the distorted file at whose time the reference shows nothing."""
    frames_repeating: int
    """Frames of the distorted file that share their partner with the one before."""
    reference_frames_skipped: int
    """Frames of the reference, between the first and the last partner, that are nobody's."""
    width_px: int
    """Size at which pixels were compared: the reference's."""
    height_px: int
    format: Text
    """FFmpeg's name of the pixel format of the comparison."""
    ceiling_db: Number
    """What an infinite PSNR counts as where a finite one is needed: 6 dB a bit and 12."""
    scaling: Text
    """How the distorted picture was brought to that size; ``none`` if it has it already."""
    words: tuple[Text, ...]
    """What was done, for a person."""


class NotScored(Part):
    """A stretch of one file without a score, in seconds from the start of that file."""

    file: Literal["reference", "distorted"]
    start_seconds: Number
    end_seconds: Number
    reason: Text
    damaged: bool
    """Whether it is damage; else the other file just does not have this part."""


class Moment(Part):
    """A place in the distorted file and its value."""

    start_seconds: Number
    value: Number | None


class Summary(Part):
    """One measure over the file."""

    unit: Text
    mean: Number | None
    """Over frames. An infinite PSNR counts as the ceiling of libvmaf, 6 dB a bit and 12."""
    pooled: Number | None = None
    """PSNR only: of the mean squared error of all frames; null for infinite."""
    harmonic_mean: Number | None = None
    """VMAF only, after libvmaf: 1 / mean(1 / (x + 1)) - 1."""
    percentile_5: Number | None
    """A twentieth of the frames are at or below it (nearest rank)."""
    worst_second: Moment


class Second(Part):
    """One second of the distorted file."""

    start_seconds: Number
    end_seconds: Number
    """Of the last frame in it, so it may lie a frame after the second or before its end."""
    frames: int
    """Scored ones."""
    psnr_y: Number | None
    """dB, of the mean squared error of its frames; null for infinite."""
    psnr_yuv: Number | None
    ssim: Number | None
    """Null when the picture is smaller than 11 pixels."""
    vmaf: Number | None
    """Null when VMAF was not measured."""


class FrameScores(Part):
    """Every scored frame, as columns of one length."""

    times_seconds: tuple[Number, ...]
    """In the distorted file."""
    reference_times_seconds: tuple[Number, ...]
    """Of the partner, in the reference."""
    psnr_y: tuple[Number | None, ...]
    """dB; null for infinite."""
    psnr_yuv: tuple[Number | None, ...]
    ssim: tuple[Number | None, ...]
    vmaf: tuple[Number, ...]
    """Empty when VMAF was not measured."""


class WorstFrame(Part):
    """One of the worst frames of a measure."""

    measure: Literal["psnr_y", "ssim", "vmaf"]
    start_seconds: Number
    reference_seconds: Number
    value: Number


class VmafProgram(Part):
    """What computed VMAF, or why nothing did."""

    model: Text
    """Name of the model, such as ``vmaf_v0.6.1``; empty when VMAF was not measured."""
    program: Text
    """What the program says of itself; empty when there was none."""
    missing: Text
    """Why VMAF was not measured; empty when it was."""


class ReferenceReport(Part):
    """How far a distorted file is from its reference."""

    schema_version: Literal["1.0"] = SCHEMA_VERSION
    reelcheck_version: Text
    reference: ComparedFile
    distorted: ComparedFile
    alignment: AlignmentReport
    complete: bool
    """False when damage of either file kept parts from being scored."""
    not_scored: tuple[NotScored, ...]
    measures: dict[Text, Summary]
    """psnr_y, psnr_u, psnr_v and psnr_yuv; ssim and vmaf when they were measured."""
    vmaf: VmafProgram
    seconds: tuple[Second, ...]
    worst_frames: tuple[WorstFrame, ...]
    """The five worst of each measure, worst first."""
    frames: FrameScores
    isolation: dict[Text, bool]
    timings: dict[Text, Number]
    """Seconds; the only part that may differ between two runs."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of ``ReferenceReport``."""
    schema = ReferenceReport.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"reelcheck-reference-{SCHEMA_VERSION}",
    } | schema


def json_bytes(report: ReferenceReport) -> bytes:
    """Return the report as JSON: sorted keys, UTF-8, no NaN and no Infinity."""
    content = report.model_dump(mode="python")
    text = json.dumps(content, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return text.encode("utf-8") + b"\n"
