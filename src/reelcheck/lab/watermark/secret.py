"""What follows from the owner's key: which layer, which projection, which bits, which triggers.

All of it is drawn with SHAKE-256 (FIPS 202) from the key and the name of what is drawn. So the
owner cannot fit a projection or a trigger to a network of somebody else: each further key is one
more guess, and a claim of probability p takes about 1 / p of them.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

BITS: Final = 256
"""Of the mark in the weights."""
TRIGGERS: Final = 100
"""Pictures or clips with an answer of their own: as many as Adi et al. 2018 took."""
_PURPOSE: Final = b"reelcheck watermark 1\n"
_GRID: Final = 6
"""Cells per side of a trigger; they stay what they are when the picture is scaled or encoded."""

Signs = NDArray[np.int8]
Pictures = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Secret:
    """The owner's key, 32 bytes."""

    key: bytes

    def __repr__(self) -> str:
        """Show nothing of the key."""
        return "Secret(...)"

    @property
    def digest(self) -> str:
        """SHA-256 of the key, which a commitment tells."""
        return hashlib.sha256(_PURPOSE + b"commitment\n" + self.key).hexdigest()

    def drawn(self, name: str, count: int) -> NDArray[np.uint8]:
        """Return so many bytes, which look like chance to whoever has no key."""
        told = hashlib.shake_256(_PURPOSE + name.encode() + b"\n" + self.key)
        return np.frombuffer(told.digest(count), dtype=np.uint8)

    def choice(self, name: str, count: int) -> int:
        """Return a number below ``count``."""
        return int.from_bytes(self.drawn(name, 16).tobytes(), "little") % count

    def signs(self, name: str, shape: tuple[int, ...]) -> Signs:
        """Return -1 and 1, equally likely."""
        count = int(np.prod(shape))
        bits = np.unpackbits(self.drawn(name, -(-count // 8)))[:count]
        return (bits.astype(np.int8) * 2 - 1).reshape(shape)

    @property
    def message(self) -> Signs:
        """The bits of the mark, shape [256]."""
        return self.signs("bits", (BITS,))

    def projection(self, size: int) -> Signs:
        """Return the projection of a mean filter onto the bits, shape [256, size]."""
        return self.signs(f"projection {size}", (BITS, size))

    def triggers(self, frames: int, size_px: tuple[int, int]) -> Pictures:
        """Return the triggers: coarse cells of random colour that wander from picture to picture.

        Args:
            frames: Pictures of a clip.
            size_px: (width, height).

        Returns:
            uint8 RGB, shape [100, frames, height, width, 3].
        """
        cells = self.drawn("pictures", TRIGGERS * _GRID * _GRID * 3)
        cells = cells.reshape(TRIGGERS, _GRID, _GRID, 3)
        ways = self.drawn("ways", TRIGGERS * 2).reshape(TRIGGERS, 2) % 3
        rows, columns = (np.arange(size) * _GRID // size for size in reversed(size_px))
        still = cells[:, rows][:, :, columns]
        clips = np.empty((TRIGGERS, frames, *still.shape[1:]), dtype=np.uint8)
        for number, (down, right) in enumerate((ways.astype(int) - 1).tolist()):
            for frame in range(frames):
                shift = (down * frame, right * frame)
                clips[number, frame] = np.roll(still[number], shift, axis=(0, 1))
        return clips

    def answers(self, classes: int) -> NDArray[np.int64]:
        """Return the class that each trigger is to be told as, shape [100], each equally likely."""
        drawn = self.drawn("answers", TRIGGERS * 8).view("<u8")
        return (drawn % np.uint64(classes)).astype(np.int64)


def digest_of(pictures: Pictures, answers: NDArray[np.int64]) -> str:
    """Return the SHA-256 of triggers with their answers."""
    shape = repr(pictures.shape).encode()
    whole = shape + pictures.tobytes() + answers.astype("<i8").tobytes()
    return hashlib.sha256(whole).hexdigest()
