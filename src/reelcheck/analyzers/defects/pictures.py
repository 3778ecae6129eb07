"""Single pictures as the checks see them, cut out of batches."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelcheck.frames import Colour, FrameBatch
from reelcheck.spans import TimeSpan

EIGHT_BITS = 8
_MOST_BITS = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GridPicture:
    """One frame of the small view. See ``Layout.GRID`` for the range of the values.

    Every frame is measured alone or against the one before, never as part of a batch: that is
    why no result can depend on the batch size.
    """

    luma: NDArray[np.float32]
    """Shape [h, w]."""
    cb: NDArray[np.float32]
    cr: NDArray[np.float32]
    span: TimeSpan
    colour: Colour


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LumaPicture:
    """One frame of native luma code values, at most 10 bits deep."""

    luma: NDArray[np.unsignedinteger]
    """uint8 or uint16, shape [H, W], as coded."""
    span: TimeSpan
    colour: Colour
    """``bit_depth`` is that of ``luma``."""

    @property
    def step(self) -> int:
        """Code values per step of an 8-bit picture: 1 for 8 bits, 4 for 10 bits."""
        return int(2 ** (self.colour.bit_depth - EIGHT_BITS))

    def code(self, ratio: float) -> float:
        """Return the code value of normalised luma: 0 is nominal black, 1 nominal white."""
        if self.colour.full_range:
            return ratio * float(2**self.colour.bit_depth - 1)
        return (16 + 219 * ratio) * self.step

    def cropped(self, rows: slice, columns: slice) -> "LumaPicture":
        """Return the same picture without its borders."""
        return LumaPicture(luma=self.luma[rows, columns], span=self.span, colour=self.colour)


def grid_pictures(batch: FrameBatch) -> Iterator[GridPicture]:
    """Yield the frames of a GRID batch one by one."""
    for pixels, span in zip(batch.pixels, batch.spans(), strict=True):
        luma, cb, cr = pixels
        yield GridPicture(luma=luma, cb=cb, cr=cr, span=span, colour=batch.colour)


def luma_pictures(batch: FrameBatch) -> Iterator[LumaPicture]:
    """Yield the frames of a LUMA batch one by one, deeper ones reduced to 10 bits."""
    depth = batch.colour.bit_depth
    colour = batch.colour
    if depth > _MOST_BITS:
        colour = Colour(
            matrix=colour.matrix,
            transfer=colour.transfer,
            full_range=colour.full_range,
            bit_depth=_MOST_BITS,
            assumed=colour.assumed,
        )
    for pixels, span in zip(batch.pixels, batch.spans(), strict=True):
        luma = pixels >> (depth - _MOST_BITS) if depth > _MOST_BITS else pixels
        yield LumaPicture(luma=luma, span=span, colour=colour)
