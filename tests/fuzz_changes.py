"""Changes of a file by chance: of its parts (boxes, sizes, counts) and of its plain bytes."""

import random
from collections.abc import Callable, Sequence
from typing import Final

from fuzz_parts import Part, Walker

MAX_BYTES: Final = 1 << 20
EDGES: Final = (
    *(0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000),
    *(0xFFFFFFFE, 0xFFFFFFFF, 0x100000000, 2**62, 2**63 - 1, 2**63, 2**64 - 1),
)
"""Values at which counters, sizes and offsets break."""
_HEAD_OF_BODY: Final = 96
_MOST_LEVELS: Final = 3000


class Changing:
    """One file while it is changed."""

    def __init__(self, data: bytes, walker: Walker, chance: random.Random) -> None:
        self.data = bytearray(data)
        self._walker = walker
        self._chance = chance

    def change(self, times: int) -> str:
        """Change it so often; return the names of the changes."""
        told = []
        for _ in range(times):
            parts = self._walker(bytes(self.data))
            of_parts = bool(parts) and self._chance.random() < 0.75
            names = list(OF_PARTS) if of_parts else list(OF_BYTES)
            name = self._chance.choice(names)
            if of_parts:
                OF_PARTS[name](self, parts)
            else:
                OF_BYTES[name](self)
            del self.data[MAX_BYTES:]
            told.append(name)
        return "+".join(told)

    def _one(self, parts: Sequence[Part]) -> Part:
        # Half of the time not one of the many that hold samples, but one of the few before them.
        few = parts[: max(8, len(parts) // 4)]
        return self._chance.choice(few if self._chance.random() < 0.5 else parts)

    def _write(self, at: int, data: bytes) -> None:
        self.data[at : at + len(data)] = data[: max(0, len(self.data) - at)]

    def _edge(self, width: int, now: int) -> int:
        near = (now - 1, now + 1, now * 2, len(self.data), now ^ (1 << self._chance.randrange(32)))
        value = self._chance.choice((*EDGES, *near))
        return value % (1 << (8 * width))

    def size(self, parts: Sequence[Part]) -> None:
        """Let a size lie."""
        part = self._one(parts)
        at, width = part.size_at, part.size_bytes
        value = self._edge(width, int.from_bytes(self.data[at : at + width], part.order))
        self._write(at, value.to_bytes(width, part.order))

    def word(self, parts: Sequence[Part]) -> None:
        """Let a number in the head of a body lie: versions, counts, offsets, times."""
        part = self._one(parts)
        width = self._chance.choice((1, 2, 4, 4, 4, 8))
        room = min(_HEAD_OF_BODY, part.end - part.body)
        at = part.body + self._chance.randrange(max(1, room)) // width * width
        order = part.order
        value = self._edge(width, int.from_bytes(self.data[at : at + width], order))
        self._write(at, value.to_bytes(width, order))

    def kind(self, parts: Sequence[Part]) -> None:
        """Give a part the name of another."""
        part, other = self._one(parts), self._one(parts)
        at = self.data.find(part.kind, part.start, part.body)
        if at >= 0 and len(part.kind) == len(other.kind):
            self._write(at, other.kind)

    def drop(self, parts: Sequence[Part]) -> None:
        """Take a part away."""
        part = self._one(parts)
        self._replace(parts, part, part.start, part.end, b"")

    def double(self, parts: Sequence[Part]) -> None:
        """Let a part stand up to a hundred times."""
        part = self._one(parts)
        one = bytes(self.data[part.start : part.end])
        times = self._chance.choice((1, 1, 2, 100))
        self._replace(parts, part, part.end, part.end, one * min(times, MAX_BYTES // len(one) + 1))

    def move(self, parts: Sequence[Part]) -> None:
        """Put a copy of a part in the middle of another."""
        part, other = self._one(parts), self._one(parts)
        one = bytes(self.data[part.start : part.end])
        self._replace(parts, other, other.body, other.body, one)

    def swap(self, parts: Sequence[Part]) -> None:
        """Let two parts change places."""
        first, second = sorted((self._one(parts), self._one(parts)), key=lambda one: one.start)
        if first.end > second.start:
            return
        data = bytes(self.data)
        self.data[:] = (
            data[: first.start]
            + data[second.start : second.end]
            + data[first.end : second.start]
            + data[first.start : first.end]
            + data[second.end :]
        )

    def hollow(self, parts: Sequence[Part]) -> None:
        """Leave of a part its head only, or a few bytes of its body."""
        part = self._one(parts)
        kept = min(part.end, part.body + self._chance.choice((0, 1, 4, 12)))
        self._replace(parts, part, kept, part.end, b"")

    def scramble(self, parts: Sequence[Part]) -> None:
        """Put noise, or zeros, in the place of a body."""
        part = self._one(parts)
        size = min(part.end - part.body, self._chance.choice((4, 64, 1 << 16)))
        noise = self._chance.randbytes(size) if self._chance.random() < 0.7 else bytes(size)
        self._write(part.body, noise)

    def nest(self, parts: Sequence[Part]) -> None:
        """Wrap a part in up to 3,000 heads of a part."""
        part, shell = self._one(parts), self._one(parts)
        head = bytes(self.data[shell.start : shell.body])
        inside = bytes(self.data[part.start : part.end])
        for _ in range(self._chance.choice((1, 3, 60, _MOST_LEVELS))):
            stated = shell.stated(len(inside))
            if stated is None or len(inside) > MAX_BYTES // 4:
                break
            at = shell.size_at - shell.start
            inside = head[:at] + stated + head[at + shell.size_bytes :] + inside
        self._replace(parts, part, part.start, part.end, inside)

    def _replace(self, parts: Sequence[Part], part: Part, at: int, end: int, data: bytes) -> None:
        """Put bytes in the place of others; half of the time, the sizes around still fit."""
        grown = len(data) - (end - at)
        around = [parts[index] for index in part.parents]
        if part.start < at < part.end or (at == part.body and at == end) or at > part.body:
            around.append(part)
        self.data[at:end] = data
        if self._chance.random() < 0.5:
            return
        for one in around:
            stated = one.stated(one.end - one.body + grown)
            if stated is not None:
                self._write(one.size_at, stated)

    def flip(self) -> None:
        """Flip 1, 4, 32 or 256 bits."""
        for _ in range(self._chance.choice((1, 4, 32, 256))):
            if self.data:
                self.data[self._chance.randrange(len(self.data))] ^= 1 << self._chance.randrange(8)

    def cut(self) -> None:
        """Cut the file, near its start more often than not."""
        place = self._chance.random() ** self._chance.choice((1, 3))
        del self.data[int(place * len(self.data)) + 1 :]

    def zero_tail(self) -> None:
        """Let only zeros follow, as a broken download does."""
        at = self._chance.randrange(len(self.data) + 1)
        self._write(at, bytes(len(self.data) - at))

    def block(self) -> None:
        """Take away, double, or overwrite a stretch of bytes."""
        size = self._chance.choice((1, 2, 7, 64, 500))
        at = self._chance.randrange(len(self.data) + 1)
        kind = self._chance.randrange(3)
        if kind == 0:
            del self.data[at : at + size]
        elif kind == 1:
            self.data[at:at] = self.data[at : at + size]
        else:
            self._write(at, self._chance.randbytes(size))

    def more(self) -> None:
        """Put noise before or behind it."""
        noise = self._chance.randbytes(self._chance.choice((1, 100, 5000)))
        at = self._chance.choice((0, len(self.data)))
        self.data[at:at] = noise


OF_PARTS: Final[dict[str, Callable[[Changing, Sequence[Part]], None]]] = {
    "size": Changing.size,
    "word": Changing.word,
    "word again": Changing.word,  # the most fields are there
    "kind": Changing.kind,
    "drop": Changing.drop,
    "double": Changing.double,
    "move": Changing.move,
    "swap": Changing.swap,
    "hollow": Changing.hollow,
    "scramble": Changing.scramble,
    "nest": Changing.nest,
}
OF_BYTES: Final[dict[str, Callable[[Changing], None]]] = {
    "flip": Changing.flip,
    "cut": Changing.cut,
    "zero tail": Changing.zero_tail,
    "block": Changing.block,
    "more": Changing.more,
}


def changed(data: bytes, walker: Walker, chance: random.Random) -> tuple[bytes, str]:
    """Return a changed copy of a file, and the names of the changes."""
    changing = Changing(data, walker, chance)
    told = changing.change(chance.choice((1, 1, 2, 4)))
    return bytes(changing.data), told
