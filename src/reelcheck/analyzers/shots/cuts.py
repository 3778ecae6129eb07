"""Hard cuts: one change that stands out from those around it and does not take itself back."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from .pictures import (
    PLAIN_CONTRAST,
    Picture,
    alike_ratio,
    blend_position,
    change,
    difference,
    structure_likeness,
)

MIN_CHANGE: Final = 0.06
"""Least ``change`` of a cut. Ours: of 391 generated cuts between real clips two had less (0.054,
0.055); the largest other changes that stood out were 0.060, so that this is no wide margin."""
MIN_RATIO: Final = 3.0
"""How often a cut must exceed the usual change around it (as in PySceneDetect's adaptive)."""
_NEIGHBOURS: Final = 6
"""Frames before and after a change that tell what is usual."""
_OUTLIERS: Final = 2
"""The largest changes among them that are left out: other cuts."""
_STILL: Final = 0.005
"""Change that even a still picture may have."""
_BACK_SECONDS: Final = Fraction(2, 5)
"""A picture that comes back within this time was disturbed, not cut."""
_BACK_FRAMES: Final = 100
"""Frames either way that are searched for it at most, so that memory does not depend on the frame
rate: 0.4 s at 250 fps. Ours."""
_BACK_RATIO: Final = 0.35
"""Part of its own difference up to which the picture before counts as come back."""
_SAME_STRUCTURE: Final = 0.45
"""Correlation of structure from which two pictures show the same scene in other light. Ours: above
it lay 1 of 391 cuts between real clips, and about nine in ten pairs of frames of one shot of which
one had its light changed by up to 2.5 times."""
_DAMAGE_RATIO: Final = 1 / 3
"""Share of unchanged tiles from which a passing picture is a damaged one."""
_SAME_RATIO: Final = 0.5
"""Share of unchanged tiles from which something moved within a shot. Ours: on generated cuts
between real clips it was 0.38 at most."""
_BLEND: Final = (0.15, 0.85)
"""Positions between two pictures that make a frame a mixture of both."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cut:
    """A hard cut."""

    at: Fraction
    """Start of the first frame of the new shot, in seconds."""
    end: Fraction
    """End of that frame."""
    score: float
    """Confidence, 0 to 1; 0.5 at the limit."""


class Cuts:
    """Finds the cuts of one stream, as soon as enough frames after them are known."""

    def __init__(self) -> None:
        self._pictures: list[Picture] = []
        self._changes: list[float] = []
        self._next = 1

    def see(self, picture: Picture) -> Iterator[Cut]:
        """Take the next frame; yield the cuts that are certain by now."""
        before = self._pictures[-1] if self._pictures else picture
        self._changes.append(0.0 if before is picture else change(before, picture))
        self._pictures.append(picture)
        while self._is_ripe(picture.at):
            yield from self._judge(self._next)
            self._next += 1
        self._forget()

    def _is_ripe(self, now: Fraction) -> bool:
        """Return whether all that the next judgement may ask for is known."""
        later = len(self._pictures) - self._next
        if later <= _NEIGHBOURS:
            return False
        return later > _BACK_FRAMES or now - self._pictures[self._next].at > _BACK_SECONDS

    def end(self) -> Iterator[Cut]:
        """Yield the cuts among the last frames."""
        for index in range(self._next, len(self._pictures)):
            yield from self._judge(index)

    def _forget(self) -> None:
        """Drop frames that no judgement to come can ask for."""
        if self._next <= _NEIGHBOURS + 1:
            return
        limit = self._pictures[self._next].at - _BACK_SECONDS
        old = max(0, self._next - _BACK_FRAMES)
        while old < self._next - _NEIGHBOURS - 1 and self._pictures[old].at < limit:
            old += 1
        del self._pictures[:old], self._changes[:old]
        self._next -= old

    def _judge(self, index: int) -> Iterator[Cut]:
        here = self._changes[index]
        if here < MIN_CHANGE:
            return
        around = self._changes[max(1, index - _NEIGHBOURS) : index]
        around = sorted(around + self._changes[index + 1 : index + 1 + _NEIGHBOURS])
        usual = around[: max(1, len(around) - _OUTLIERS)]
        ratio = here / (sum(usual) / max(1, len(usual)) + _STILL)
        if ratio < MIN_RATIO or self._is_halfway(index):
            return
        before, after = self._pictures[index - 1], self._pictures[index]
        if (
            structure_likeness(before, after) > _SAME_STRUCTURE
            or alike_ratio(before, after) > _SAME_RATIO
            or self._is_disturbance(index)
        ):
            return
        score = min(here / (here + MIN_CHANGE), ratio / (ratio + MIN_RATIO))
        yield Cut(at=after.at, end=after.end, score=round(score, 4))

    def _is_halfway(self, index: int) -> bool:
        """Return whether frame ``index`` mixes the shots before and after it."""
        if index + 1 >= len(self._pictures):
            return False
        before, here, after = self._pictures[index - 1 : index + 2]
        position = blend_position(before, here, after)
        return (
            position is not None
            and _BLEND[0] < position < _BLEND[1]
            and change(before, after) >= MIN_CHANGE
        )

    def _is_disturbance(self, index: int) -> bool:
        """Return whether the change begins or ends something that only passes over a shot."""
        before, after = self._pictures[index - 1], self._pictures[index]
        limit = _BACK_RATIO * difference(before, after)
        for later in range(index + 1, len(self._pictures)):
            if self._pictures[later].at - after.at > _BACK_SECONDS:
                break
            if difference(before, self._pictures[later]) < limit:
                return not _is_insert(self._pictures[(index + later) // 2], before)
        for earlier in range(index - 2, -1, -1):
            if after.at - self._pictures[earlier].at > _BACK_SECONDS:
                break
            if difference(after, self._pictures[earlier]) < limit:
                return not _is_insert(self._pictures[(index + earlier) // 2], after)
        return False


def _is_insert(passing: Picture, scene: Picture) -> bool:
    """Return whether ``passing`` is a shot of its own.

    It is none when it is plain, the scene in other light, or the scene with damaged tiles.
    """
    return (
        passing.contrast >= PLAIN_CONTRAST
        and structure_likeness(passing, scene) <= _SAME_STRUCTURE
        and alike_ratio(passing, scene) < _DAMAGE_RATIO
    )
