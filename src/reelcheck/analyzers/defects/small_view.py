"""The checks that see every frame, small."""

from collections.abc import Iterator

from reelcheck.analyzers.defects.exposure import Brightness, Exposure
from reelcheck.analyzers.defects.freeze import Freezes, RepeatedFrames
from reelcheck.analyzers.defects.limits import DefectLimits
from reelcheck.analyzers.defects.motion import Steps
from reelcheck.analyzers.defects.pictures import GridPicture
from reelcheck.analyzers.defects.plain import PlainPictures
from reelcheck.analyzers.defects.timing import DroppedFrames
from reelcheck.spans import Observation


class SmallViewChecks:
    """Plain pictures, exposure, freezes, repeated and dropped frames."""

    def __init__(self, limits: DefectLimits, *, neighbours: bool) -> None:
        """``neighbours`` tells whether frames that follow each other are really seen."""
        self._plain = PlainPictures(limits)
        self._brightness = Brightness()
        self._exposure = Exposure(limits)
        self._neighbours = NeighbourChecks(limits) if neighbours else None

    def see(self, picture: GridPicture, active: GridPicture) -> Iterator[Observation]:
        """Take the next frame, whole and without its borders."""
        plain, ended = self._plain.see(picture)
        yield from ended
        yield from self._brightness.see(picture)
        yield from self._exposure.see(active, plain=plain)
        if self._neighbours:
            yield from self._neighbours.see(picture, plain=plain)

    def end(self) -> Iterator[Observation]:
        """Yield what lasts until the end."""
        for check in (self._plain, self._brightness, self._exposure, self._neighbours):
            if check:
                yield from check.end()


class NeighbourChecks:
    """What compares a frame with the one before: useless where frames in between are skipped."""

    def __init__(self, limits: DefectLimits) -> None:
        self._steps = Steps()
        self._freezes = Freezes(limits)
        self._repeats = RepeatedFrames(limits)
        self._dropped = DroppedFrames(limits)

    def see(self, picture: GridPicture, *, plain: bool) -> Iterator[Observation]:
        """Take the next frame."""
        step = self._steps.see(picture, plain=plain)
        if step:
            yield from self._freezes.see(step)
            yield from self._repeats.see(step, held=self._freezes.holding)
        yield from self._dropped.see(picture.span)

    def end(self) -> Iterator[Observation]:
        """Yield what lasts until the end."""
        for check in (self._freezes, self._repeats, self._dropped):
            yield from check.end()
