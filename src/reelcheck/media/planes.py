"""Decoder planes as arrays, their colour, and the small picture of a frame sampled from them."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from reelcheck.frames import Colour, Matrix, Transfer

_LUMA_ROWS_PER_CELL: Final = 2
_CHROMA_ROWS_PER_CELL: Final = 1
"""Rows read of every row of cells: each one is a walk through memory that another core has just
written, and three and two of them cost a tenth of a 1080p decode. Whole rows are averaged
sideways, so that fine vertical lines cannot alias."""
_HD_HEIGHT_PX: Final = 576
_UHD_PRIMARIES: Final = 9
_TRANSFERS: Final = {16: Transfer.PQ, 18: Transfer.HLG}  # ISO 23091-2, table 3
_MATRICES: Final = {
    1: Matrix.BT709,
    5: Matrix.BT601,
    6: Matrix.BT601,
    4: Matrix.BT601,
    9: Matrix.BT2020,
    10: Matrix.BT2020,
}  # ISO 23091-2, table 4
_FULL_RANGE: Final = 2


def is_planar_yuv(format_: VideoFormat) -> bool:
    """Return whether the planes of a format can be read as they are."""
    name = format_.name
    if name.startswith("gray"):
        return name == "gray" or (name.endswith("le") and "f" not in name)
    known = name.startswith(("yuv4", "yuvj4")) and not format_.has_palette
    return known and format_.is_planar and (format_.components[0].bits == 8 or name.endswith("le"))  # noqa: PLR2004 - bytes have no order


def planar_yuv(frame: VideoFrame, reformatter: VideoReformatter) -> VideoFrame:
    """Return ``frame`` with readable Y, Cb and Cr planes: itself, or a full-size conversion.

    A picture with alpha is laid on black, as most players show it.
    """
    format_ = frame.format
    if is_planar_yuv(format_):
        return frame
    deep = format_.components[0].bits > 8  # noqa: PLR2004 - more than a byte
    if has_alpha(format_):
        frame = _on_black(frame, reformatter)
    return reformatter.reformat(
        frame,
        format="yuv444p16le" if deep else "yuv444p",
        dst_colorspace=Colorspace.ITU709 if frame.format.is_rgb else None,
        dst_color_range=ColorRange.MPEG if frame.format.is_rgb else None,
        threads=1,
    )


def has_alpha(format_: VideoFormat) -> bool:
    """Return whether a format can carry alpha. A palette can too."""
    return format_.has_palette or any(part.is_alpha for part in format_.components)


def _on_black(frame: VideoFrame, reformatter: VideoReformatter) -> VideoFrame:
    rgba = reformatter.reformat(frame, format="rgba", threads=1).to_ndarray()
    alpha = rgba[..., 3:].astype(np.uint16)
    rgb = ((rgba[..., :3] * alpha + 127) // 255).astype(np.uint8)
    flat = VideoFrame.from_ndarray(rgb, format="rgb24")
    flat.pts = frame.pts
    return flat


def colour_of(frame: VideoFrame, planar: VideoFrame) -> Colour:
    """Return how the code values of ``planar`` are to be read.

    Args:
        frame: As decoded, with the tags of the stream.
        planar: What ``planar_yuv`` made of it.
    """
    bits = planar.format.components[0].bits
    transfer = _TRANSFERS.get(int(frame.color_trc), Transfer.SDR)
    if planar is not frame and frame.format.is_rgb:
        return Colour(matrix=Matrix.BT709, transfer=transfer, bit_depth=bits)
    matrix = _MATRICES.get(int(frame.colorspace))
    full = int(frame.color_range) == _FULL_RANGE or frame.format.name.startswith("yuvj")
    if matrix is not None:
        return Colour(matrix=matrix, transfer=transfer, full_range=full, bit_depth=bits)
    guess = Matrix.BT709 if frame.height > _HD_HEIGHT_PX else Matrix.BT601
    if transfer is not Transfer.SDR or int(frame.color_primaries) == _UHD_PRIMARIES:
        guess = Matrix.BT2020
    return Colour(matrix=guess, transfer=transfer, full_range=full, bit_depth=bits, assumed=True)


def plane(frame: VideoFrame, index: int) -> NDArray[Any]:
    """Return a view of one plane, uint8 or uint16, shape [height, width]. Valid with its frame."""
    part = frame.planes[index]
    deep = frame.format.components[index].bits > 8  # noqa: PLR2004 - more than a byte
    rows = np.frombuffer(memoryview(part), np.uint8)[: part.height * part.line_size]
    rows = rows.reshape(part.height, part.line_size)
    if not deep:
        return rows[:, : part.width]
    words: NDArray[np.uint16] = rows[:, : 2 * part.width].view("<u2")
    return words


@dataclass(frozen=True, slots=True)
class _Cells:
    """How one plane of some size is cut into the cells of the grid."""

    rows: tuple[slice | NDArray[np.intp], ...]
    """First, second, ... row that is read of every row of cells."""
    columns: NDArray[np.intp]
    widths: NDArray[np.float32]
    ones: NDArray[np.float32]
    """One per column of a cell when all are equally wide, else none."""


class GridSampler:
    """Makes the small Y'CbCr picture of frames, always of one size for one stream.

    Args:
        width: Picture width in pixels, as coded.
        height: Picture height in pixels, as coded.
        long_side: Cells along the longer side; no more than there are pixels.
    """

    def __init__(self, width: int, height: int, *, long_side: int) -> None:
        scale = min(1.0, long_side / max(width, height))
        self.width = max(1, min(width, round(width * scale)))
        self.height = max(1, min(height, round(height * scale)))
        self._cells = dict[tuple[int, int, int], _Cells]()

    def sample(self, planar: VideoFrame, colour: Colour) -> NDArray[np.float32]:
        """Return float32 Y'CbCr, shape [3, h, w]; see ``reelcheck.frames.Layout.GRID``."""
        top = 1 << (colour.bit_depth - 8)
        full = float((256 * top) - 1)
        luma_zero, luma_scale = (0.0, full) if colour.full_range else (16.0 * top, 219.0 * top)
        chroma_scale = full if colour.full_range else 224.0 * top
        grid = np.empty((3, self.height, self.width), dtype=np.float32)
        self._mean(plane(planar, 0), grid[0], _LUMA_ROWS_PER_CELL, luma_zero, luma_scale)
        if len(planar.planes) < len(grid):
            grid[1:] = 0
            return grid
        for index in (1, 2):
            source, zero = plane(planar, index), 128.0 * top
            self._mean(source, grid[index], _CHROMA_ROWS_PER_CELL, zero, chroma_scale)
        return grid

    def _mean(
        self,
        source: NDArray[Any],
        out: NDArray[np.float32],
        rows_per_cell: int,
        zero: float,
        scale: float,
    ) -> None:
        """Write the mean code value of every cell, less ``zero`` and over ``scale``, to ``out``."""
        height, width = source.shape
        key = (height, width, rows_per_cell)
        if key not in self._cells:
            self._cells[key] = self._cut(height, width, rows_per_cell)
        cells = self._cells[key]
        narrow = source.dtype == np.uint8
        # Whole arrays are added: numpy's reductions over a short axis take twice as long.
        first, *others = cells.rows
        wide = np.uint16 if narrow else np.uint32
        summed: NDArray[Any] = source[first]
        for rows in others:
            summed = np.add(summed, source[rows], dtype=wide)
        if len(cells.ones):
            # As a product, twice as fast as adding columns; whole numbers, so exact in any order.
            parts = summed.astype(np.float32).reshape(-1, len(cells.ones))
            total: NDArray[Any] = (parts @ cells.ones).reshape(out.shape)
        else:
            sums = np.add.reduceat(summed, cells.columns, axis=1, dtype=np.uint32)
            total = sums.astype(np.float32)
        np.multiply(
            total,
            1 / (cells.widths * np.float32(len(cells.rows) * scale)),
            out=out,
        )
        out -= np.float32(zero / scale)

    def _cut(self, height: int, width: int, rows_per_cell: int) -> _Cells:
        # A chroma plane may have fewer columns than the grid: cells then share them.
        per_cell = min(rows_per_cell, max(1, height // self.height))
        centres = (np.arange(self.height * per_cell) + 0.5) * height / (self.height * per_cell)
        rows = np.minimum(centres.astype(np.intp), height - 1)
        edges = np.arange(self.width + 1) * width // self.width
        even = width // self.width if width % self.width == 0 else 0
        widths = np.maximum(1, np.diff(edges)).astype(np.float32)
        return _Cells(
            rows=tuple(_as_slice(rows[place::per_cell]) for place in range(per_cell)),
            columns=edges[:-1].astype(np.intp),
            widths=widths,
            ones=np.ones(even, dtype=np.float32),
        )


def _as_slice(indices: NDArray[np.intp]) -> slice | NDArray[np.intp]:
    """Return equally spaced indices as a slice, which takes no copy."""
    steps = np.unique(np.diff(indices))
    if len(steps) != 1 or steps[0] <= 0:
        return indices
    return slice(int(indices[0]), int(indices[-1]) + 1, int(steps[0]))
