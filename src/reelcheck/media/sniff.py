"""Which container a file holds, by its own bytes. FFmpeg never chooses: we name the demuxer.

Probing by FFmpeg would let a text file be played as a playlist that reads other files or asks
the network (``.m3u8``, ``ffconcat``, ``.sdp``); so only binary containers with a signature of
their own are let through. Signatures are from the format specifications named beside them.
"""

import re
from dataclasses import dataclass

from reelcheck.errors import VideoError

HEAD_BYTES = 64 << 10
"""How much of the head of a file ``sniff`` wants to see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One allowed container."""

    name: str
    demuxer: str
    """FFmpeg's name, pinned when the file is opened."""
    extensions: frozenset[str]
    """Lower case with dot; another one earns ``W_EXTENSION_MISMATCH``."""
    elementary: bool = False
    """True for bare coded streams: no times and no end mark."""


def _container(name: str, demuxer: str, extensions: str, *, elementary: bool = False) -> Container:
    dotted = frozenset(f".{extension}" for extension in extensions.split())
    return Container(name=name, demuxer=demuxer, extensions=dotted, elementary=elementary)


CONTAINERS: dict[str, Container] = {
    item.name: item
    for item in (
        _container("mp4", "mov", "mp4 m4v mov qt 3gp 3g2 m4a mj2 f4v avif heic heif"),
        _container("matroska", "matroska", "mkv webm mka mk3d"),
        _container("mpegts", "mpegts", "ts mts m2ts m2t tp trp"),
        _container("avi", "avi", "avi divx"),
        _container("flv", "flv", "flv"),
        _container("mpeg", "mpeg", "mpg mpeg vob m2p ps dat"),
        _container("ogg", "ogg", "ogv ogg ogx"),
        _container("asf", "asf", "wmv asf"),
        _container("mxf", "mxf", "mxf"),
        _container("ivf", "ivf", "ivf"),
        _container("y4m", "yuv4mpegpipe", "y4m"),
        _container("gif", "gif", "gif"),
        _container("apng", "apng", "png apng"),
        _container("webp", "matroska", "webp"),
        _container("h264", "h264", "h264 264 avc", elementary=True),
        _container("hevc", "hevc", "h265 265 hevc", elementary=True),
        _container("mpegvideo", "mpegvideo", "m2v m1v mpv", elementary=True),
    )
}

_MP4_TYPES = {b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"pnot", b"styp"}
_PREFIXES: tuple[tuple[bytes, str], ...] = (
    (b"\x1a\x45\xdf\xa3", "matroska"),  # EBML, RFC 8794
    (b"FLV\x01", "flv"),  # Adobe FLV 10.1
    (b"OggS", "ogg"),  # RFC 3533
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),  # ASF header object
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02", "mxf"),  # SMPTE ST 377 partition pack
    (b"DKIF", "ivf"),
    (b"YUV4MPEG2 ", "y4m"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"\x89PNG\r\n\x1a\n", "apng"),  # PNG 3rd edition
    (b"\x00\x00\x01\xba", "mpeg"),  # ISO 13818-1 pack header
    (b"\x00\x00\x01\xb3", "mpegvideo"),  # ISO 13818-2 sequence header
)
_TS_PACKETS = ((188, 0), (192, 4), (204, 0))  # plain, with arrival time (M2TS), with parity
_TS_SYNC = 0x47
_RIFF = {b"AVI ": "avi", b"WEBP": "webp"}
_H264_TYPES = {1, 5, 6, 7, 8, 9}  # H.264 table 7-1: slices, SEI, parameter sets, delimiter
_HEVC_TYPES = {32, 33, 34, 35, 39}  # H.265 table 7-1: parameter sets, delimiter, SEI
_PLAYLIST = re.compile(
    rb"^\s*(#EXTM3U|ffconcat|\[playlist\]|v=0\r?\n|<\?xml|<MPD|<smil)", re.IGNORECASE
)
_URL = re.compile(rb"\b[a-z][a-z0-9+.-]{1,12}://(?!/)", re.IGNORECASE)
_SUBTITLES = re.compile(rb"^(WEBVTT|\s*\d+\r?\n\d\d:\d\d:\d\d[,.]\d{3} -->)")


def sniff(head: bytes) -> Container:
    """Return the container whose signature ``head`` carries.

    Args:
        head: The first ``HEAD_BYTES`` of the file, or all of it.

    Raises:
        VideoError: no allowed container starts like this.
    """
    name = _by_signature(head)
    if name is None:
        raise _refusal(head)
    return CONTAINERS[name]


def _by_signature(head: bytes) -> str | None:
    if head[4:8] in _MP4_TYPES:  # ISO 14496-12: size, then type
        return "mp4"
    for prefix, name in _PREFIXES:
        if head.startswith(prefix):
            return name if name != "apng" or b"acTL" in head else None
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12])
    if _is_transport_stream(head):
        return "mpegts"
    return _annex_b(head)


def _is_transport_stream(head: bytes) -> bool:
    for packet, offset in _TS_PACKETS:
        marks = head[offset : offset + 5 * packet : packet]
        if head[offset : offset + 1] == b"G" and set(marks) == {_TS_SYNC}:
            return len(marks) > 1 or len(head) == packet
    return False


def _annex_b(head: bytes) -> str | None:
    """Tell bare H.264 from H.265 by the first NAL unit after a start code (Annex B of both)."""
    start = 4 if head.startswith(b"\x00\x00\x00\x01") else 3 * head.startswith(b"\x00\x00\x01")
    if not start or len(head) < start + 2 or head[start] & 0x80:
        return None
    if (head[start] >> 1) & 0x3F in _HEVC_TYPES and head[start + 1] == 1:
        return "hevc"
    return "h264" if head[start] & 0x1F in _H264_TYPES else None


def _refusal(head: bytes) -> VideoError:
    if _SUBTITLES.match(head):
        return VideoError("this is a subtitle file without video", code="E_NO_VIDEO")
    if head.startswith((b"\x89PNG", b"\xff\xd8\xff")):
        return VideoError("this is a still picture, not a video", code="E_FORMAT_NOT_ALLOWED")
    if _PLAYLIST.match(head):
        if _URL.search(head):
            return VideoError(
                "this is a playlist that points to other places",
                code="E_NETWORK_REFERENCE",
                hint="give the video file itself; reelcheck never follows references",
            )
        return VideoError("this is a playlist, not a video", code="E_FORMAT_NOT_ALLOWED")
    for magic in (b"ftypisom", b"ftypmp4", b"ftypM4V", b"ftypqt", b"ftypiso", b"ftypavc"):
        at = head.find(magic)
        if at > 0:
            return VideoError(
                f"{at - 4} bytes of other data stand before the container", code="E_OPEN_FAILED"
            )
    known = ", ".join(sorted(CONTAINERS))
    return VideoError(
        "the content is not one of the allowed containers",
        code="E_FORMAT_NOT_ALLOWED",
        hint=f"allowed: {known}",
    )
