"""The parts of a container: where each starts, where its size stands, and in what it lies.

Walkers trust nothing: what does not fit ends the walk, and what was found until then is returned.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

MAX_PARTS: Final = 4000
_BOXES_WITH_BOXES: Final = frozenset(
    b"moov trak edts mdia minf dinf stbl udta moof traf mvex mfra sinf schi ipro tref".split()
)
_ELEMENTS_WITH_ELEMENTS: Final = frozenset(
    bytes.fromhex(one)
    for one in "18538067 1549a966 1654ae6b ae e0 e1 1f43b675 a0 1c53bb6b bb b7 1254c367 7373 67c8 "
    "114d9b74 4dbb 1a45dfa3 6d80 6240 5035".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One box, element, chunk, tag or packet."""

    kind: bytes
    start: int
    body: int
    end: int
    size_at: int
    size_bytes: int
    """0 where parts of this container have no size of their own."""
    order: Literal["big", "little"] = "big"
    whole: bool = False
    """The size counts its own header too."""
    marked: bool = False
    """The size is a number of EBML, whose first bit that is set tells its length."""
    parents: tuple[int, ...] = ()
    """Places in the list of parts, from the outermost."""

    def stated(self, body_bytes: int) -> bytes | None:
        """Return the size field for a body of so many bytes, where it fits."""
        value = body_bytes + (self.body - self.start) * self.whole
        if self.marked:
            bits = 7 * self.size_bytes
            value = value | 1 << bits if value < (1 << bits) - 1 else 1 << (bits + 1)
        if not self.size_bytes or not 0 <= value < 1 << (8 * self.size_bytes):
            return None
        return value.to_bytes(self.size_bytes, self.order)


Walker = Callable[[bytes], list[Part]]


def boxes(data: bytes) -> list[Part]:
    """Return the boxes of ISO media, depth first."""
    found: list[Part] = []
    _boxes(data, 0, len(data), (), found)
    return found


def _boxes(data: bytes, at: int, end: int, parents: tuple[int, ...], found: list[Part]) -> None:
    while at + 8 <= end and len(found) < MAX_PARTS:
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        if size < 8 or at + size > end:
            return
        part = Part(
            kind=kind,
            start=at,
            body=at + 8,
            end=at + size,
            size_at=at,
            size_bytes=4,
            whole=True,
            parents=parents,
        )
        found.append(part)
        inside = (*parents, len(found) - 1)
        if kind in _BOXES_WITH_BOXES and len(inside) < 12:
            _boxes(data, part.body, part.end, inside, found)
        at += size


def elements(data: bytes) -> list[Part]:
    """Return the elements of EBML (Matroska, WebM), depth first."""
    found: list[Part] = []
    _elements(data, 0, len(data), (), found)
    return found


def _vint_bytes(first: int) -> int:
    return 9 - first.bit_length()


def _elements(data: bytes, at: int, end: int, parents: tuple[int, ...], found: list[Part]) -> None:
    while at + 2 <= end and len(found) < MAX_PARTS:
        size_at = at + _vint_bytes(data[at])
        if size_at >= end or not data[at] or not data[size_at]:
            return
        width = _vint_bytes(data[size_at])
        mask = (1 << (7 * width)) - 1
        body = size_at + width
        size = int.from_bytes(data[size_at:body]) & mask
        stop = end if size == mask else min(end, body + size)
        part = Part(
            kind=data[at:size_at],
            start=at,
            body=body,
            end=stop,
            size_at=size_at,
            size_bytes=width,
            marked=True,
            parents=parents,
        )
        found.append(part)
        if part.kind in _ELEMENTS_WITH_ELEMENTS:
            _elements(data, body, stop, (*parents, len(found) - 1), found)
        at = max(stop, at + 1)


def chunks(data: bytes) -> list[Part]:
    """Return the chunks of RIFF (AVI, WebP), depth first."""
    found: list[Part] = []
    _chunks(data, 0, len(data), (), found)
    return found


def _chunks(data: bytes, at: int, end: int, parents: tuple[int, ...], found: list[Part]) -> None:
    while at + 8 <= end and len(found) < MAX_PARTS:
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        stop = min(end, at + 8 + size)
        part = Part(
            kind=kind,
            start=at,
            body=at + 8,
            end=stop,
            size_at=at + 4,
            size_bytes=4,
            order="little",
            parents=parents,
        )
        found.append(part)
        if kind in {b"RIFF", b"LIST"}:
            _chunks(data, at + 12, stop, (*parents, len(found) - 1), found)
        at = stop + size % 2


def packets(data: bytes) -> list[Part]:
    """Return the packets of an MPEG transport stream; the size is that of its adaptation."""
    return [
        Part(
            kind=data[at + 1 : at + 3],
            start=at,
            body=at + 4,
            end=at + 188,
            size_at=at + 4,
            size_bytes=1,
        )
        for at in range(0, len(data) - 187, 188)
    ]


def tags(data: bytes) -> list[Part]:
    """Return the tags of FLV."""
    return list(_run(data, 9 + 4, header=11, size_at=1, size_bytes=3, trailer=4))


def picture_chunks(data: bytes) -> list[Part]:
    """Return the chunks of PNG; each ends with a checksum."""
    return list(_run(data, 8, header=8, size_at=0, size_bytes=4, trailer=4))


def objects(data: bytes) -> list[Part]:
    """Return the objects of ASF at the top, and those in its header."""
    found = list(_objects(data, 0, len(data)))
    if found:
        inside = _objects(data, 30, found[0].end)
        found[1:1] = [replace(one, parents=(0,)) for one in inside]
    return found


def _objects(data: bytes, at: int, end: int) -> Iterator[Part]:
    while at + 24 <= end:
        size = int.from_bytes(data[at + 16 : at + 24], "little")
        stop = min(end, at + max(24, size))
        yield Part(
            kind=data[at : at + 16],
            start=at,
            body=at + 24,
            end=stop,
            size_at=at + 16,
            size_bytes=8,
            order="little",
            whole=True,
        )
        at = stop


def _run(
    data: bytes, at: int, *, header: int, size_at: int, size_bytes: int, trailer: int
) -> Iterator[Part]:
    while at + header <= len(data):
        size = int.from_bytes(data[at + size_at : at + size_at + size_bytes])
        stop = min(len(data), at + header + size + trailer)
        yield Part(
            kind=data[at : at + header],
            start=at,
            body=at + header,
            end=stop,
            size_at=at + size_at,
            size_bytes=size_bytes,
        )
        at = stop


def units(data: bytes) -> list[Part]:
    """Return the units of a bare coded stream, or of an MPEG program stream: start code to next."""
    marks, at = [], data.find(b"\x00\x00\x01")
    while at >= 0:
        marks.append(at)
        at = data.find(b"\x00\x00\x01", at + 3)
    return [
        Part(
            kind=data[start + 3 : start + 4],
            start=start,
            body=start + 4,
            end=end,
            size_at=start + 4,
            size_bytes=2,
        )
        for start, end in _stretches(marks, len(data))
    ]


def _stretches(marks: list[int], end: int) -> Iterator[tuple[int, int]]:
    return zip(marks, [*marks[1:], end], strict=False)


def pages(data: bytes) -> list[Part]:
    """Return the pages of Ogg; the size is the number of its segments."""
    marks, at = [], data.find(b"OggS")
    while at >= 0:
        marks.append(at)
        at = data.find(b"OggS", at + 4)
    return [
        Part(
            kind=b"OggS",
            start=start,
            body=min(end, start + 27),
            end=end,
            size_at=start + 26,
            size_bytes=1,
        )
        for start, end in _stretches(marks, len(data))
    ]


def none(data: bytes) -> list[Part]:
    """Return nothing: there are only the changes that fit any file."""
    del data
    return []
