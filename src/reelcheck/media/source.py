"""The gate: what is checked of a file before its first frame is decoded.

Runs in the child. The file arrives as an open descriptor, never as a name, so no name can be
taken for a protocol or a pattern; FFmpeg may use the ``fd`` protocol alone, so no content can
make it open another file or a connection.
"""

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Final, Self

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from reelcheck.errors import VideoError
from reelcheck.media.sniff import HEAD_BYTES, Container, sniff
from reelcheck.media.structure import FileReader, Structure, walk
from reelcheck.media.webp import canvas_size, repack
from reelcheck.settings import Limits

VIDEO_CODECS: Final = frozenset(
    "h264 hevc av1 libdav1d vp8 vp9 libvpx libvpx-vp9 mpeg4 mpeg2video mpeg1video mpegvideo mjpeg "
    "ffv1 huffyuv ffvhuff utvideo prores dnxhd vc1 wmv1 wmv2 wmv3 msmpeg4v1 msmpeg4v2 msmpeg4 "
    "msmpeg4v3 h263 flv flv1 vp6 vp6f vp6a theora dvvideo rawvideo v210 png apng gif webp "
    "webp_anim qtrle cinepak svq1 svq3 jpeg2000 libopenjpeg cfhd vvc wrapped_avframe hap "
    "h261 h263i snow ljpeg r210 v410 yuv4 ayuv".split()
)
"""Video decoders that may run. Rare ones are where the holes of each year are found."""

_PROBE_BYTES = 5_000_000
_ANALYZE_MICROSECONDS = 5_000_000
_MAX_METADATA_TAGS = 256
_BLOCK_BYTES = 1 << 20
"""Read at once. FFmpeg's default, 32 KiB for descriptors, costs a fifth of a decode in calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What the container says before anything was decoded. Hostile until measured."""

    container: Container
    structure: Structure
    duration: Fraction | None
    """Seconds; ``None`` when nothing is claimed."""
    metadata: dict[str, str]
    warnings: tuple[str, ...]


class Source:
    """One file behind the gate.

    Raises:
        VideoError: the gate refuses the file; the code says why.
    """

    def __init__(self, fd: int, *, extension: str, limits: Limits) -> None:
        self._limits = limits
        self.fd = fd
        self.file = FileReader(fd)
        head = self.file.at(0, HEAD_BYTES)
        kind = sniff(head)
        _check_claimed_size(kind.name, head, limits)
        structure = walk(kind.name, self.file)
        self.container = self._open(kind, structure)
        self.video, self.cover_art = self._video_streams()
        self.audio: tuple[AudioStream, ...] = tuple(self.container.streams.audio)
        metadata, metadata_warnings = _metadata(self.container.metadata, limits)
        warnings = list(metadata_warnings)
        if extension and extension not in kind.extensions:
            warnings.append(f"W_EXTENSION_MISMATCH: named {extension!r}, holds {kind.name}")
        if structure.trailing_bytes:
            warnings.append(f"W_TRAILING_DATA: {structure.trailing_bytes} bytes")
        if self.cover_art:
            warnings.append(f"W_COVER_ART: {len(self.cover_art)} attached pictures")
        if len(self.video) > 1:
            warnings.append(f"W_EXTRA_STREAMS: {len(self.video)} video streams")
        micros = self.container.duration
        self.claims = Claims(
            container=kind,
            structure=structure,
            duration=Fraction(micros, 1_000_000) if micros and micros > 0 else None,
            metadata=metadata,
            warnings=tuple(warnings),
        )

    def _open(self, kind: Container, structure: Structure) -> InputContainer:
        os.lseek(self.fd, 0, os.SEEK_SET)
        file: str | io.BytesIO = "fd:"
        if kind.name == "webp":
            file = repack(self.file, self._limits)
        try:
            container = av.open(
                file,
                "r",
                format=kind.demuxer,
                metadata_errors="replace",
                options={
                    "format_whitelist": kind.demuxer,
                    "protocol_whitelist": "fd",
                    "probesize": str(_PROBE_BYTES),
                    "analyzeduration": str(_ANALYZE_MICROSECONDS),
                    "max_streams": str(self._limits.streams + 1),
                    "max_pixels": str(self._limits.frame_pixels),
                    **(self._descriptor() if file == "fd:" else {}),
                },
            )
        except MemoryError as error:
            raise VideoError(
                "opening asks for more memory than there may be",
                code="E_MEMORY",
                hint=structure.cut or structure.broken,
            ) from error
        except Exception as error:
            if structure.encrypted:
                raise VideoError("the content is encrypted", code="E_ENCRYPTED") from error
            raise _open_failure(kind, structure, error) from error
        if len(container.streams) > self._limits.streams:
            raise VideoError(f"more than {self._limits.streams} streams", code="E_STREAM_LIMIT")
        if structure.encrypted:
            raise VideoError(
                "the content is encrypted",
                code="E_ENCRYPTED",
                hint="decrypt it first; reelcheck takes no keys",
            )
        return container

    def _descriptor(self) -> dict[str, str]:
        return {"fd": str(self.fd), "blocksize": str(_BLOCK_BYTES)}

    def _video_streams(self) -> tuple[tuple[VideoStream, ...], tuple[Stream, ...]]:
        pictures = Disposition.attached_pic | Disposition.timed_thumbnails
        videos = tuple(s for s in self.container.streams.video if not s.disposition & pictures)
        art = tuple(s for s in self.container.streams.video if s.disposition & pictures)
        if not videos:
            raise VideoError("there is no video stream", code="E_NO_VIDEO")
        for stream in videos:
            _check_stream(stream, self._limits)
        return videos, art

    def close(self) -> None:
        """Close the container; PyAV leaks memory when this is left to the collector."""
        self.container.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the container."""
        self.close()


def _open_failure(kind: Container, structure: Structure, error: Exception) -> VideoError:
    hint = ""
    if kind.name == "mp4" and (structure.cut or "moov" not in str(structure)):
        hint = "the index (moov) seems to be missing: was the upload or recording complete?"
    reason = structure.cut or structure.broken or type(error).__name__
    return VideoError(
        f"the {kind.name} container cannot be opened ({reason})", code="E_OPEN_FAILED", hint=hint
    )


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width > limits.side_px or height > limits.side_px:
        raise VideoError(f"the picture claims {width} x {height} pixels", code="E_DIMENSIONS")
    if width * height > limits.frame_pixels:
        raise VideoError(
            f"{width} x {height} pixels a frame, the limit is {limits.frame_pixels}",
            code="E_PIXEL_BUDGET",
        )


def _check_claimed_size(container: str, head: bytes, limits: Limits) -> None:
    """Refuse picture bombs by their headers: FFmpeg decodes while it opens."""
    if container == "gif":
        size = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    elif container == "apng":
        size = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    else:
        size = canvas_size(head) or (0, 0) if container == "webp" else (0, 0)
    _check_size(*size, limits)


def _check_stream(stream: VideoStream, limits: Limits) -> None:
    context = stream.codec_context
    if context is None:
        raise VideoError("the video codec is unknown", code="E_CODEC_NOT_ALLOWED")
    if context.name not in VIDEO_CODECS:
        raise VideoError(
            f"video codec {context.name!r} is not on the allow-list", code="E_CODEC_NOT_ALLOWED"
        )
    _check_size(context.width or 0, context.height or 0, limits)
    # Set before the first decode: avcodec_open2 then refuses larger pictures by itself.
    context.options = {"max_pixels": str(limits.frame_pixels)}


def _metadata(raw: Mapping[str, str], limits: Limits) -> tuple[dict[str, str], list[str]]:
    """Return the tags within the limits, and a warning when something was cut or is no text."""
    kept, total, cut, odd = dict[str, str](), 0, False, False
    for key, value in list(raw.items()):
        short = value[: limits.metadata_value_bytes]
        total += len(key) + len(short)
        if total > limits.metadata_total_bytes or len(kept) >= _MAX_METADATA_TAGS:
            cut = True
            break
        cut |= short != value
        odd |= "\ufffd" in value or any("\ud800" <= letter <= "\udfff" for letter in value)
        kept[key] = short
    words = [text for on, text in ((cut, "cut at the limit"), (odd, "not valid text")) if on]
    return kept, [f"W_METADATA_ENCODING: {' and '.join(words)}"] if words else []
