"""Signals outside the range that broadcasters accept."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from reelcheck.analyzers.defects.found import Measure, event, sample
from reelcheck.analyzers.defects.limits import DefectLimits
from reelcheck.analyzers.defects.pictures import GridPicture, LumaPicture
from reelcheck.analyzers.defects.runs import Run, Runs
from reelcheck.frames import Matrix
from reelcheck.spans import Observation, TimeSpan

LEVELS = Measure(signal="levels_out_percent", label="levels", unit="%")

_CR_TO_RED: Final = {Matrix.BT601: 1.402, Matrix.BT709: 1.5748, Matrix.BT2020: 1.4746}
_CB_TO_BLUE: Final = {Matrix.BT601: 1.772, Matrix.BT709: 1.8556, Matrix.BT2020: 1.8814}
_GREEN: Final = {
    Matrix.BT601: (-0.344136, -0.714136),
    Matrix.BT709: (-0.187324, -0.468124),
    Matrix.BT2020: (-0.164553, -0.571353),
}
"""Factors of Cb and Cr. ITU-R BT.601, BT.709, BT.2020 (non-constant luminance)."""
_BIN_SECONDS = Fraction(1, 2)
_STRIDE = 4


def luma_out_percent(picture: LumaPicture, limits: DefectLimits) -> float:
    """Return the share of the picture whose luma leaves the range of EBU R 103, in per cent.

    Every fourth 2 x 2 block in both directions, averaged first: R 103 asks for a filter that
    removes overshoots of single pixels. Full-range luma cannot leave its own range.
    """
    if picture.colour.full_range or min(picture.luma.shape) < _STRIDE:
        return 0.0
    even = [side // _STRIDE * _STRIDE for side in picture.luma.shape]
    luma = picture.luma[: even[0], : even[1]]
    blocks = np.zeros((even[0] // _STRIDE, even[1] // _STRIDE), dtype=np.int32)
    for row in (0, 1):
        for column in (0, 1):
            blocks += luma[row::_STRIDE, column::_STRIDE]
    low = 4 * round(picture.code(limits.levels_low_ratio))
    high = 4 * round(picture.code(limits.levels_high_ratio))
    out = np.count_nonzero(blocks < low) + np.count_nonzero(blocks > high)
    return 100 * out / blocks.size


def rgb_out_percent(picture: GridPicture, limits: DefectLimits) -> float:
    """Return the share of the picture in which R', G' or B' leaves the range, in per cent.

    On the small view: the average over a cell is the filter.
    """
    matrix = picture.colour.matrix
    to_green = _GREEN[matrix]
    out = np.zeros(picture.luma.shape, dtype=np.bool_)
    for chroma in (
        _CR_TO_RED[matrix] * picture.cr,
        to_green[0] * picture.cb + to_green[1] * picture.cr,
        _CB_TO_BLUE[matrix] * picture.cb,
    ):
        value = picture.luma + chroma
        out |= (value < limits.levels_low_ratio) | (value > limits.levels_high_ratio)
    return 100 * float(np.count_nonzero(out)) / out.size


@dataclass(frozen=True, slots=True)
class _LumaSample:
    bin: int
    span: TimeSpan
    percent: float


class Levels:
    """Signal ``levels_out_percent`` and event ``levels``, after EBU R 103.

    Method: luma from native code values, R'G'B' from the small view of the first frame of the
    same half second; the larger share counts. R 103 accepts code 5 to 246 of 8 bits, 20 to 984
    of 10 bits, and tolerates up to 1 % of the picture outside.

    Limits: details smaller than a cell of the small view escape in R'G'B'. A full-range stream
    is measured against its own range: only its R'G'B' can leave it. HDR uses the same codes.
    """

    def __init__(self, limits: DefectLimits) -> None:
        self._limits = limits
        self._runs = Runs()
        self._last_bin: int | None = None
        self._rgb: deque[tuple[int, float]] = deque()
        self._waiting: deque[_LumaSample] = deque()

    def see_grid(self, picture: GridPicture) -> Iterator[Observation]:
        """Take the next frame of the small view."""
        index = picture.span.start // _BIN_SECONDS
        if index != self._last_bin:
            self._last_bin = index
            self._rgb.append((index, rgb_out_percent(picture, self._limits)))
            yield from self._match(complete=False)

    def see_luma(self, percent: float, span: TimeSpan) -> Iterator[Observation]:
        """Take the next native sample and the time that it stands for."""
        self._waiting.append(_LumaSample(span.start // _BIN_SECONDS, span, percent))
        yield from self._match(complete=False)

    def end(self) -> Iterator[Observation]:
        """Yield what waited for the other view, and what lasts until the end."""
        yield from self._match(complete=True)
        yield from self._report(self._runs.close())

    def _match(self, *, complete: bool) -> Iterator[Observation]:
        while self._waiting:
            luma = self._waiting[0]
            while self._rgb and self._rgb[0][0] < luma.bin:
                self._rgb.popleft()
            if not self._rgb and not complete:
                return
            same = self._rgb and self._rgb[0][0] == luma.bin
            rgb_percent = self._rgb[0][1] if same else 0.0
            self._waiting.popleft()
            yield from self._judge(max(luma.percent, rgb_percent), luma.span)

    def _judge(self, percent: float, span: TimeSpan) -> Iterator[Observation]:
        yield sample(LEVELS, span, percent)
        too_much = percent > self._limits.levels_area_percent
        yield from self._report(self._runs.feed(percent if too_much else None, span))

    def _report(self, run: Run | None) -> Iterator[Observation]:
        if run is None or run.span.seconds < self._limits.sampled_min_seconds:
            return
        note = (
            f"{run.mean_score:.1f} % of the picture is outside the range of EBU R 103, "
            f"{self._limits.levels_area_percent:g} % is tolerated"
        )
        yield event(LEVELS, run.span, run.mean_score, note)
