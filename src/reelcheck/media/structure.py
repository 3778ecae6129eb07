"""Whether the bytes of a file end where its container says they should.

FFmpeg plays a file that was cut as if it ended there: no error, no mark. But nearly every
container states its own length, so a cut shows when the boxes are walked. Only headers are
read; cost does not grow with the size of the pictures.

Limits: a transport or program stream cut exactly between two packets looks whole; nothing in the
bytes tells. A fragmented MP4 without an index and a bare elementary stream cannot be proven whole,
so they never count as whole.
"""

import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_MAX_ELEMENTS: Final = 2_000_000
"""Walks stop here and say so; a six-hour film in one-second clusters has 21,600."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """What a walk over the container found."""

    cut: str = ""
    """Why the file looks cut, empty when it looks whole."""
    broken: str = ""
    """Where the structure is damaged inside, empty when it is not."""
    trailing_bytes: int = 0
    """Bytes after the end of the container."""
    encrypted: bool = False


class FileReader:
    """Positional reads of one open file; never past its end."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size

    def at(self, offset: int, count: int) -> bytes:
        """Return up to ``count`` bytes from ``offset``."""
        return os.pread(self._fd, count, offset) if 0 <= offset < self.size else b""


def walk(container: str, file: FileReader) -> Structure:
    """Return what the structure of ``file`` says about its completeness.

    Args:
        container: A name of ``reelcheck.media.sniff.CONTAINERS``.
        file: The open file.
    """
    walker = _WALKERS.get(container)
    return walker(file) if walker else Structure()


_MP4_TOP = {
    *(b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"mfra", b"sidx", b"ssix"),
    *(b"styp", b"uuid", b"meta", b"pnot", b"emsg", b"prft", b"udta", b"PICT", b"pdin"),
}
_ENCRYPTED_ENTRIES = (b"encv", b"enca")  # ISO 23001-7, protected sample entries
_MOOV_SEARCH_BYTES = 64 << 20


def _walk_mp4(file: FileReader) -> Structure:
    """ISO 14496-12: top-level boxes tile the file.

    A fragmented file that was cut between fragments looks whole: only an index of all fragments
    (``mfra``, ``sidx``) or a stated length (``mehd``) can prove that none is missing.
    """
    at, seen, encrypted, measured = 0, list[bytes](), False, False
    while at < file.size:
        head = file.at(at, 16)
        kind = head[4:8]
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        whole = {b"moov", b"mdat"} <= set(seen) or {b"moov", b"moof"} <= set(seen)
        if whole and (kind not in _MP4_TOP or kind == b"ftyp"):
            cut = _mp4_end(seen, 0, measured=measured)
            return Structure(cut=cut, trailing_bytes=file.size - at, encrypted=encrypted)
        if size == 0:  # "to the end of the file"
            return Structure(encrypted=encrypted)
        if kind not in _MP4_TOP or size < len(head[:8]):
            if len(head) < len(b"size" + b"type"):
                return Structure(cut="the last box is cut", encrypted=encrypted)
            return Structure(broken=f"no valid box at byte {at}", encrypted=encrypted)
        if kind == b"moov":
            moov = file.at(at, min(size, _MOOV_SEARCH_BYTES))
            encrypted = any(entry in moov for entry in _ENCRYPTED_ENTRIES)
            measured = b"mehd" in moov
        seen.append(kind)
        at += size
    return Structure(cut=_mp4_end(seen, at - file.size, measured=measured), encrypted=encrypted)


def _mp4_end(seen: Sequence[bytes], beyond: int, *, measured: bool) -> str:
    """Return why boxes that were ``seen``, the last ``beyond`` the file's end, look cut."""
    name = seen[-1].decode("ascii", "replace") if seen else "first"
    if beyond > 0:
        return f"box {name!r} ends {beyond} bytes after the file"
    if name == "moof" or b"mdat" not in seen:
        return f"nothing follows box {name!r}"
    if b"moof" in seen and not measured and not {b"mfra", b"sidx"} & set(seen):
        return "a fragmented file without an index (mfra, sidx): nothing proves it whole"
    return ""


_SEGMENT = 0x18538067
_CLUSTER = 0x1F43B675
_LEVEL1 = {
    *(0x114D9B74, 0x1549A966, 0x1654AE6B, _CLUSTER, 0x1C53BB6B, 0x1941A469, 0x1043A770),
    *(0x1254C367, 0xEC, 0xBF),
}  # SeekHead Info Tracks Cluster Cues Attachments Chapters Tags Void CRC-32, RFC 9559
_IN_CLUSTER = {0xE7, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF, 0x5854, 0xEC, 0xBF}


def _ebml(file: FileReader, at: int) -> tuple[int, int | None, int] | None:
    """Return (id, payload size or None when unknown, header bytes) of the element at ``at``."""
    head = file.at(at, 12)
    if not head or not head[0]:
        return None
    id_bytes = 9 - head[0].bit_length()
    if id_bytes > 4 or len(head) <= id_bytes or not head[id_bytes]:  # noqa: PLR2004 - RFC 8794, 5
        return None
    size_bytes = 9 - head[id_bytes].bit_length()
    raw = head[id_bytes : id_bytes + size_bytes]
    value = int.from_bytes(raw, "big") - (1 << (7 * size_bytes))
    unknown = value == (1 << (7 * size_bytes)) - 1
    element = int.from_bytes(head[:id_bytes], "big")
    return element, None if unknown else value, id_bytes + size_bytes


def _walk_matroska(file: FileReader) -> Structure:
    """RFC 9559: level-1 elements tile the segment."""
    header = _ebml(file, 0)
    if header is None or header[1] is None:
        return Structure(broken="no EBML header")
    at = header[1] + header[2]
    segment = _ebml(file, at)
    if segment is None or segment[0] != _SEGMENT:
        return Structure(cut="no segment follows the header")
    at += segment[2]
    end = file.size if segment[1] is None else at + segment[1]
    for _ in range(_MAX_ELEMENTS):
        if at >= min(end, file.size):
            break
        element = _ebml(file, at)
        allowed = _LEVEL1 | (_IN_CLUSTER if segment[1] is None else set())
        if element is None or element[0] not in allowed:
            past = file.size - at < len(b"id and size!")
            text = f"no valid element at byte {at}"
            return Structure(cut=text) if past else Structure(broken=text)
        # A cluster of unknown size is entered: its children follow as if on this level.
        at += element[2] + (element[1] if element[1] is not None else 0)
        if element[1] is None:
            segment = (_SEGMENT, None, 0)
    if max(at, end) > file.size:
        return Structure(cut=f"the segment ends {max(at, end) - file.size} bytes after the file")
    return Structure(trailing_bytes=file.size - end)


_TS_TAIL_BYTES = 1 << 20


def _walk_mpegts(file: FileReader) -> Structure:
    """ISO 13818-1: packets of one fixed size tile the file, and the last PES packets are whole."""
    head = file.at(0, 1024)
    packet, offset = next(
        (size, skip)
        for size, skip in ((188, 0), (192, 4), (204, 0))
        if set(head[skip : skip + 5 * size : size]) == {0x47}
    )
    rest = file.size % packet
    if rest:
        return Structure(cut=f"the last packet has {rest} of {packet} bytes")
    first = max(0, file.size // packet - _TS_TAIL_BYTES // packet) * packet
    tail = file.at(first, file.size - first)
    if set(tail[offset::packet][-16:]) != {0x47}:
        return Structure(broken="the last packets have no sync bytes")
    cut = _unfinished_pes(
        tail[at + offset : at + offset + 188] for at in range(0, len(tail), packet)
    )
    return Structure(cut=f"the last PES packet of stream 0x{cut:x} is cut" if cut else "")


def _unfinished_pes(packets: Iterable[bytes]) -> int:
    """Return the PID of an elementary stream whose last PES packet is cut, or 0.

    A PES packet states its length, except for video, where the last packet of a whole one is
    stuffed to fill up: a full payload there fits by chance in one file of 184.
    """
    missing = dict[int, int | None]()
    stuffed = dict[int, bool]()
    for packet in packets:
        pid = int.from_bytes(packet[1:3], "big") & 0x1FFF
        skip = 5 + packet[4] if packet[3] & 0x20 else 4
        payload = packet[skip:] if packet[3] & 0x10 else b""
        if packet[1] & 0x40:
            missing.pop(pid, None)
            if payload[:3] == b"\x00\x00\x01":
                length = int.from_bytes(payload[4:6], "big")
                missing[pid] = 6 + length if length else None
        if pid in missing and payload:
            left = missing[pid]
            missing[pid] = None if left is None else left - len(payload)
            stuffed[pid] = bool(packet[3] & 0x20)
    for pid, left in missing.items():
        if (left is None and not stuffed[pid]) or (left is not None and left > 0):
            return pid
    return 0


def _walk_riff(file: FileReader) -> Structure:
    """RIFF (AVI, OpenDML, WebP): top-level chunks tile the file."""
    at = 0
    while at < file.size:
        head = file.at(at, 12)
        if head[:4] != b"RIFF":
            if at:
                return Structure(trailing_bytes=file.size - at)
            return Structure(broken="no RIFF chunk")
        size = int.from_bytes(head[4:8], "little")
        if not size:
            return Structure(cut="the RIFF chunk was never closed")
        at += 8 + size + size % 2
    over = at - file.size
    return Structure(cut=f"a RIFF chunk ends {over} bytes after the file" if over > 1 else "")


def _walk_png(file: FileReader) -> Structure:
    """PNG: chunks up to IEND."""
    at = 8
    for _ in range(_MAX_ELEMENTS):
        head = file.at(at, 8)
        if len(head) < len(b"size" + b"type"):
            return Structure(cut="no IEND chunk")
        at += 12 + int.from_bytes(head[:4], "big")
        if at > file.size:
            return Structure(cut="the last chunk is cut")
        if head[4:] == b"IEND":
            break
    return Structure(trailing_bytes=file.size - at)


def _walk_gif(file: FileReader) -> Structure:
    """GIF89a: the file ends with a trailer byte; zero padding is common and harmless."""
    tail = file.at(max(0, file.size - 64), 64).rstrip(b"\x00")
    return Structure(cut="" if tail.endswith(b";") else "no GIF trailer")


def _walk_flv(file: FileReader) -> Structure:
    """FLV 10.1: the last four bytes are the size of the tag before them.

    ``onMetaData`` may state the size of the file too.
    """
    head = file.at(0, 4096)
    at = head.find(b"filesize\x00")
    stated = struct.unpack(">d", head[at + 9 : at + 17])[0] if 0 <= at < len(head) - 17 else 0.0
    if stated > file.size:
        return Structure(cut=f"the file should have {stated:.0f} bytes")
    size = int.from_bytes(file.at(file.size - 4, 4), "big")
    start = file.size - 4 - size
    tag = file.at(start, 4)
    right = start > 0 and size == 11 + int.from_bytes(tag[1:4], "big")
    return Structure(cut="" if right else "the last tag is cut")


def _walk_ogg(file: FileReader) -> Structure:
    """RFC 3533: the last page is complete and carries the end-of-stream flag."""
    tail = file.at(max(0, file.size - (65307 + 27)), 65307 + 27)
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27:
        return Structure(cut="no complete last page")
    segments = tail[at + 26]
    lacing = tail[at + 27 : at + 27 + segments]
    if len(lacing) < segments or at + 27 + segments + sum(lacing) > len(tail):
        return Structure(cut="the last page is cut")
    ended = tail[at + 5] & 4
    return Structure(cut="" if ended else "no page ends the stream")


_PS_PACK = b"\x00\x00\x01\xba"
_PS_END = b"\x00\x00\x01\xb9"


def _walk_mpeg_ps(file: FileReader) -> Structure:
    """ISO 13818-1 program stream: the packets after the last pack header tile the rest."""
    tail = file.at(max(0, file.size - (1 << 18)), 1 << 18).rstrip(b"\x00")
    pack = tail.rfind(_PS_PACK)
    if pack < 0 or len(tail) < pack + 14:
        return Structure(cut="no complete last pack")
    mpeg2 = tail[pack + 4] >> 6 == 1
    at = pack + (14 + (tail[pack + 13] & 7) if mpeg2 else 12)
    while at < len(tail) and tail[at : at + 4] != _PS_END:
        if tail[at : at + 3] != b"\x00\x00\x01" or len(tail) < at + 6:
            return Structure(cut="the last packet is cut")
        at += 6 + int.from_bytes(tail[at + 4 : at + 6], "big")
    # The stripped zero bytes may have been payload: only what is missing beyond them counts.
    whole = min(file.size, 1 << 18)
    return Structure(cut="the last packet is cut" if at > whole else "")


def _walk_ivf(file: FileReader) -> Structure:
    """IVF: frames tile the file after a header of stated size."""
    at = int.from_bytes(file.at(6, 2), "little")
    while at < file.size:
        head = file.at(at, 4)
        at += 12 + int.from_bytes(head, "little")
    return Structure(cut="the last frame is cut" if at > file.size else "")


_Y4M_CHROMA = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "411": (4, 1)}


def _walk_y4m(file: FileReader) -> Structure:
    """YUV4MPEG2: frames of one size follow the header line."""
    line, _, _ = file.at(0, 256).partition(b"\n")
    tags = {word[:1]: word[1:] for word in line.decode("ascii", "replace").split()[1:]}
    try:
        width, height = int(tags["W"]), int(tags["H"])
    except (KeyError, ValueError):
        return Structure(broken="no picture size in the header")
    chroma = tags.get("C", "420")
    across, down = _Y4M_CHROMA.get(chroma[:3], (1, 1))
    planes = 2 * -(-width // across) * -(-height // down) if not chroma.startswith("mono") else 0
    if chroma == "444alpha":
        planes += width * height
    deep = chroma.startswith("mono") and chroma != "mono"
    deep |= "p" in chroma and chroma.split("p")[-1].isdigit()
    frame = len(b"FRAME\n") + (width * height + planes) * (2 if deep else 1)
    rest = (file.size - len(line) - 1) % frame
    plain = file.at(len(line) + 1, 6) == b"FRAME\n"
    return Structure(cut=f"the last frame has {rest} of {frame} bytes" if rest and plain else "")


_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


def _walk_asf(file: FileReader) -> Structure:
    """ASF, section 3.2: the file properties object states the size of the file."""
    head = file.at(0, 1 << 16)
    at = head.find(_ASF_FILE_PROPERTIES)
    live = head[at + 88 : at + 89] == b"\x01"
    if at < 0 or live:
        return Structure()
    stated = int.from_bytes(head[at + 40 : at + 48], "little")
    if stated > file.size:
        return Structure(cut=f"the file should have {stated} bytes")
    return Structure(trailing_bytes=file.size - stated if stated else 0)


_MXF_FOOTER = bytes.fromhex("060e2b34020501010d01020101")


def _walk_mxf(file: FileReader) -> Structure:
    """SMPTE ST 377-1: KLV packets tile the file, and a footer partition is among them."""
    at, footer = 0, False
    for _ in range(_MAX_ELEMENTS):
        if at >= file.size:
            break
        head = file.at(at, 25)
        if head[:4] != b"\x06\x0e\x2b\x34" or len(head) < len(b"key of 16 bytes, "):
            return Structure(cut=f"no valid packet at byte {at}")
        footer |= head.startswith(_MXF_FOOTER) and head[13] == 4  # noqa: PLR2004 - footer kind
        more = head[16] & 0x7F if head[16] & 0x80 else 0
        size = int.from_bytes(head[17 : 17 + more], "big") if more else head[16]
        at += 17 + more + size
    if at > file.size:
        return Structure(cut="the last packet is cut")
    return Structure(cut="" if footer else "no footer partition")


_WALKERS = {
    "mp4": _walk_mp4,
    "matroska": _walk_matroska,
    "mpegts": _walk_mpegts,
    "avi": _walk_riff,
    "webp": _walk_riff,
    "apng": _walk_png,
    "gif": _walk_gif,
    "flv": _walk_flv,
    "ogg": _walk_ogg,
    "mpeg": _walk_mpeg_ps,
    "ivf": _walk_ivf,
    "y4m": _walk_y4m,
    "asf": _walk_asf,
    "mxf": _walk_mxf,
}
