"""Brightness over time, and pictures that are much too dark or burnt out."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from reelcheck.analyzers.defects.found import Measure, event, sample
from reelcheck.analyzers.defects.limits import DefectLimits
from reelcheck.analyzers.defects.pictures import GridPicture
from reelcheck.analyzers.defects.runs import Run, Runs
from reelcheck.spans import Observation, TimeSpan

BRIGHTNESS = Measure(signal="luma_mean", label="")
DARK = Measure(signal="dark_area_ratio", label="underexposed")
BURNT = Measure(signal="clipped_area_ratio", label="overexposed")

_BIN_SECONDS = Fraction(1, 2)


class Brightness:
    """Signal ``luma_mean``: mean Y' of the frames of each half second, 0 black to 1 white.

    Values are normalised code values, in HDR too; those outside the nominal range are clipped.
    """

    def __init__(self) -> None:
        self._bin: int | None = None
        self._means: list[float] = []
        self._span = TimeSpan(Fraction(0), Fraction(0))

    def see(self, picture: GridPicture) -> Iterator[Observation]:
        """Take the next frame; yield the half second that ended before it."""
        index = picture.span.start // _BIN_SECONDS
        if index != self._bin:
            yield from self.end()
            self._bin, self._span = index, picture.span
        self._means.append(float(picture.luma.mean()))
        self._span = TimeSpan(self._span.start, picture.span.end)

    def end(self) -> Iterator[Observation]:
        """Yield the half second that is still open."""
        if self._means:
            mean = sum(self._means) / len(self._means)
            yield sample(BRIGHTNESS, self._span, min(1.0, max(0.0, mean)))
        self._means = []


class Exposure:
    """Report stretches that are much too dark, or burnt out.

    Method: ours: the share of pixels near black, or near white, inside the borders.

    Limits: intent is unknown. Night scenes lit on purpose and drawings on white paper look like
    faults of exposure; the limits are wide so that only extreme pictures count. Black and plain
    pictures are reported as such and not here.
    """

    def __init__(self, limits: DefectLimits) -> None:
        self._limits = limits
        self._dark, self._burnt = Runs(), Runs()

    def see(self, picture: GridPicture, *, plain: bool) -> Iterator[Observation]:
        """Take the next frame, without its borders; yield what ended before it."""
        limits = self._limits
        dark = burnt = None
        if not plain and picture.luma.size:
            dark = _share(picture.luma <= limits.dark_luma_ratio, limits.dark_area_ratio)
            burnt = _share(picture.luma >= limits.clipped_luma_ratio, limits.clipped_area_ratio)
        yield from self._report(DARK, self._dark.feed(dark, picture.span))
        yield from self._report(BURNT, self._burnt.feed(burnt, picture.span))

    def end(self) -> Iterator[Observation]:
        """Yield what lasts until the end."""
        yield from self._report(DARK, self._dark.close())
        yield from self._report(BURNT, self._burnt.close())

    def _report(self, measure: Measure, run: Run | None) -> Iterator[Observation]:
        if run is None or run.span.seconds < self._limits.exposure_min_seconds:
            return
        limit = (
            f"at or below {self._limits.dark_luma_ratio:.0%}"
            if measure is DARK
            else f"at or above {self._limits.clipped_luma_ratio:.0%}"
        )
        note = f"{run.mean_score:.0%} of the picture {limit} luma"
        yield event(measure, run.span, run.mean_score, note)


def _share(hits: NDArray[np.bool_], least: float) -> float | None:
    """Return the share of ``hits``, or ``None`` when it is less than ``least``."""
    share = float(np.count_nonzero(hits)) / hits.size
    return share if share >= least else None
