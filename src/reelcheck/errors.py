"""Every error that reelcheck raises on purpose.

Catch ``ReelcheckError`` for all of them, or one branch:

    ReelcheckError            a fault of reelcheck itself               exit code 5
      InputError              the file or the call is at fault          exit code 2
        VideoError            the gate refused the file; has a code
        SettingError          a setting is unknown or out of range
        ReportError           a stored report cannot be read
      SetupError              the machine lacks something               exit code 3
        MissingExtraError     an optional dependency is not installed
        ModelError            weights are missing or were changed
        OutputError           a result could not be written
      AnalyzerError           one analyzer broke, the rest go on        exit code 4

A message says what happened with the offending value in it; ``hint`` says what to do next.
``code`` is the stable name that programs may rely on (see ``ERROR_CODES``).
"""

import errno
from typing import Final

ERROR_CODES: Final[dict[str, str]] = {
    "E_EMPTY": "the file has no bytes",
    "E_NOT_REGULAR": "not a regular file (a link, folder, pipe, socket or device)",
    "E_NOT_FOUND": "there is no file of this name, or it may not be read",
    "E_TOO_LARGE": "the file is larger than the limit",
    "E_FORMAT_NOT_ALLOWED": "the content is not one of the allowed containers",
    "E_CODEC_NOT_ALLOWED": "the video codec is not on the allow-list",
    "E_OPEN_FAILED": "the container cannot be opened (often: its index is missing)",
    "E_NO_VIDEO": "there is no video stream to look at",
    "E_NO_FRAMES": "the container opened, but not one frame could be decoded",
    "E_DIMENSIONS": "the picture size is impossible",
    "E_DURATION_LIMIT": "the video is longer than the limit",
    "E_PIXEL_BUDGET": "decoding would need more pixels than the budget",
    "E_STREAM_LIMIT": "the container holds more streams than the limit",
    "E_TIMEOUT": "the wall-clock limit was reached",
    "E_STALLED": "the decoder made no progress",
    "E_MEMORY": "the decoder reached its memory limit",
    "E_DECODER_CRASH": "the decoder process died",
    "E_ENCRYPTED": "the content is encrypted",
    "E_INPUT_CHANGED": "the file changed while it was read",
    "E_NETWORK_REFERENCE": "the file is a playlist that points elsewhere",
    "E_ISOLATION": "a layer of isolation that was demanded cannot be had on this machine",
    "E_FFMPEG_OLD": "FFmpeg lacks fixes of known holes, and strict isolation was demanded",
    "E_STORAGE_FULL": "the disk is full",
    "E_STORAGE_READONLY": "the place to write to is read-only",
    "E_MODEL_INTEGRITY": "a model file does not have the expected checksum",
    "E_MODEL_MISSING": "a model's weights are not on this machine",
    "E_MODEL_DOWNLOAD": "a package with model weights could not be downloaded",
    "E_MODEL_LICENCE": "a model's licence was not accepted, or is not the one that its card states",
    "E_MODEL_SIGNATURE": "a model is not signed, or not by a key that is trusted",
    "E_MODEL_VERSION": "a signed model is older than one of its name that was seen before",
    "E_MODEL_KEY": "the key of an encrypted model is missing, wrong or open to others",
    "E_MODEL_PROBE": "a model does not answer its probes as it did when they were made",
    "E_MODEL_REMOTE": "a model server did not answer as its protocol says",
    "E_ANALYZER": "an analyzer broke",
    "E_CANCELLED": "the run was cancelled",
    "E_EXTRA_MISSING": "an optional dependency is not installed",
    "E_DATA": "a manifest, an annotation or a clip for training is wrong",
    "E_TRAINING": "training cannot go on",
    "E_SETTING": "a setting is unknown, of the wrong type or out of range",
    "E_INTERNAL": "a fault of reelcheck itself",
}
"""Stable codes; texts are for people and may change."""

WARNING_CODES: Final[dict[str, str]] = {
    "W_PARTIAL": "the file ends early or parts of it were never seen",
    "W_DECODE_ERRORS": "some packets could not be decoded",
    "W_CORRUPT_FRAMES": "some frames were decoded from damaged data",
    "W_NO_TIMESTAMPS": "frames carry no time; times were derived from the frame rate",
    "W_TIMESTAMPS_REPAIRED": "repeated or backward timestamps were moved forward",
    "W_VFR": "the frame rate varies",
    "W_HEADER_DISAGREES": "the header claims something that the content contradicts",
    "W_ROTATED": "the picture carries a rotation; it was analysed upright",
    "W_SAR": "pixels are not square",
    "W_HDR": "high dynamic range; luminance checks use its transfer function",
    "W_ALPHA_IGNORED": "an alpha channel was not analysed as seen by every player",
    "W_INTERLACED": "frames are flagged as interlaced",
    "W_RES_CHANGE": "the picture size changes inside the stream",
    "W_EXTRA_STREAMS": "there is more than one video stream",
    "W_COVER_ART": "an attached picture is present and was not analysed as video",
    "W_EXTENSION_MISMATCH": "the file name extension does not fit the content",
    "W_TRAILING_DATA": "other data follows the end of the container",
    "W_FFMPEG_OLD": "the FFmpeg that decoded lacks fixes of known holes",
    "W_METADATA_ENCODING": "metadata is not valid text or was cut at the limit",
}
"""Stable codes of things that a reader of a report should know."""


class ReelcheckError(Exception):
    """Base of all errors that reelcheck raises on purpose."""

    exit_code = 5

    def __init__(self, message: str, *, code: str = "E_INTERNAL", hint: str = "") -> None:
        super().__init__(message)
        if code not in ERROR_CODES:
            unknown = f"unknown error code {code!r}"
            raise ValueError(unknown)
        self.code = code
        self.hint = hint


class InputError(ReelcheckError):
    """The file or the call is at fault."""

    exit_code = 2


class VideoError(InputError):
    """The gate refused the file, or none of it could be decoded."""


class SettingError(InputError, ValueError):
    """A setting is unknown, of the wrong type or out of range."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, code="E_SETTING", hint=hint)


class ReportError(InputError):
    """A stored report cannot be read."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, code="E_SETTING", hint=hint)


class SetupError(ReelcheckError):
    """The machine lacks something that the call needs."""

    exit_code = 3


class MissingExtraError(SetupError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, *, extra: str, needed_by: str) -> None:
        super().__init__(
            f"{needed_by} needs the optional extra {extra!r}, which is not installed",
            code="E_EXTRA_MISSING",
            hint=f"pip install 'reelcheck[{extra}]'",
        )


class ModelError(SetupError):
    """Model weights are missing, or do not have the expected checksum."""


class OutputError(SetupError, OSError):
    """A result could not be written."""


_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system calls a full disk, a used-up quota and a file beyond its limit."""


def storage_code(number: int | None) -> str:
    """Return the stable code for the ``errno`` of a write that failed."""
    return "E_STORAGE_FULL" if number in _FULL else "E_STORAGE_READONLY"


class AnalyzerError(ReelcheckError):
    """One analyzer broke. The others go on."""

    exit_code = 4

    def __init__(self, message: str, *, analyzer: str, at_seconds: float) -> None:
        super().__init__(message, code="E_ANALYZER")
        self.analyzer = analyzer
        self.at_seconds = at_seconds
