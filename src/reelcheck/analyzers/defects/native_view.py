"""The checks that see native code values once a second."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from reelcheck.analyzers.defects.frame_edges import Borders
from reelcheck.analyzers.defects.levels import luma_out_percent
from reelcheck.analyzers.defects.limits import DefectLimits
from reelcheck.analyzers.defects.pictures import LumaPicture
from reelcheck.analyzers.defects.runs import Tiles
from reelcheck.analyzers.defects.structure import Scores, Structure
from reelcheck.spans import Observation, TimeSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeSample:
    """All that was measured on one native picture."""

    scores: Scores
    out_percent: float


class NativeViewChecks:
    """Structure and luma levels. Each sample is held until it is known how long it stands."""

    def __init__(self, limits: DefectLimits, *, longest: Fraction) -> None:
        self._limits = limits
        self._structure = Structure(limits)
        self._tiles: Tiles[NativeSample] = Tiles(longest=longest)

    def see(
        self, picture: LumaPicture, borders: Borders | None
    ) -> Iterator[tuple[NativeSample, TimeSpan]]:
        """Measure the next picture; yield the sample before it with its time."""
        measured = NativeSample(
            scores=self._structure.measure(picture, borders),
            out_percent=luma_out_percent(picture, self._limits),
        )
        yield from self._tiles.feed(measured, picture.span)

    def last(self, *, until: Fraction | None) -> Iterator[tuple[NativeSample, TimeSpan]]:
        """Yield the last sample, which stands until the end of the stream."""
        yield from self._tiles.close(until=until)

    def report(self, measured: NativeSample, span: TimeSpan) -> Iterator[Observation]:
        """Yield what one sample says, and the events that ended before it."""
        yield from self._structure.report(measured.scores, span)

    def end(self) -> Iterator[Observation]:
        """Yield what lasts until the end."""
        yield from self._structure.end()
