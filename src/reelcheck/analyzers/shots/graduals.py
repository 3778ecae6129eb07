"""Dissolves and fades: pictures on a straight line between two shots, or a shot and nothing.

Over a dissolve every picture is a blend, so coarse pictures lie on the line between the first and
the last one, and fine detail, which does not line up in the two shots, falls to about 0.7 half
way (the variance parabola of Alattar 1993). Neither motion nor changing light does both. In a fade
one end is plain, and detail need not dip.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from .pictures import BLEND_RESIDUAL, PLAIN_CONTRAST, Floats, Picture

LENGTHS: Final = (6, 8, 12, 16, 24, 32, 48, 64, 96)
"""Windows that are tried, in looks."""
LOOK_SECONDS: Final = Fraction(4, 125)
"""Looks lie at least this far apart: at most 31 a second, so that 60 fps is halved."""
MIN_STEP: Final = 0.06
"""Least difference (root mean square of coarse Y'CbCr) of the two ends. Ours."""
MAX_DIP: Final = 0.86
"""Detail half way through a dissolve, per what the two ends would give, at most. Ours: it was 0.64
to 0.85 in generated dissolves, and below 0.9 in 1 of 1,000 windows without one."""
MAX_JUMP: Final = 0.45
"""Part of the way that one frame may go: more is a cut."""
MAX_DETOUR: Final = 1.3
"""Length of the way in units of the straight one: more is no steady blend."""
_FULL_DIP: Final = 0.5**0.5
"""Detail half way through a dissolve of two shots whose detail does not line up, per that of the
shots: half the amplitude of each, added up as squares."""
_RAMP: Final = (0.1, 0.9)
"""Positions between which the ramp of a transition is measured."""
MAX_BEND: Final = 0.1
"""Distance of any position on the ramp from a straight line. Ours: on generated transitions between
real clips 99 % of the windows within a fade had 0.03 at most, 95 % of those within a dissolve 0.04,
and nine in ten windows that took in something else had more."""
_ENOUGH: Final = 2
"""Frames on the ramp that it takes at least: one alone is a soft cut."""
_LOOKS_KEPT: Final = LENGTHS[-1] + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Gradual:
    """A transition that takes more than one frame."""

    way: Literal["across", "out", "in"]
    """From shot to shot, from a shot to a plain picture, or from there to a shot."""
    first: int
    """Number of the look at which it starts to show."""
    last: int
    """Number of the first look that shows only what it leads to."""
    start: Fraction
    end: Fraction
    score: float
    """How clear it is: 1, or little more, is a textbook case."""

    @property
    def label(self) -> Literal["dissolve", "fade"]:
        """What the transition is called."""
        return "dissolve" if self.way == "across" else "fade"

    def meets(self, other: "Gradual") -> bool:
        """Return whether both are findings of one transition."""
        return self.first < other.last and other.first < self.last

    def covers(self, at: Fraction) -> bool:
        """Return whether a cut at ``at`` is part of this transition."""
        return self.start - LOOK_SECONDS <= at <= self.end + LOOK_SECONDS

    def leads_to(self, later: "Gradual", *, apart: Fraction) -> bool:
        """Return whether both are halves of one fade, at most ``apart`` seconds apart."""
        fades = self.label == later.label == "fade"
        return fades and later.start - self.end <= apart

    def joined(self, later: "Gradual") -> "Gradual":
        """Return one transition from the start of this one to the end of ``later``."""
        score = min(self.score, later.score)
        return replace(self, last=later.last, end=max(self.end, later.end), score=score)


class Graduals:
    """Finds the gradual transitions of one stream, once no longer window can contain them."""

    def __init__(self) -> None:
        self._count = 0
        self._coarse: Floats | None = None
        self._details = np.zeros(2 * _LOOKS_KEPT)
        self._contrasts = np.zeros(2 * _LOOKS_KEPT)
        self._times = [Fraction(0)] * (2 * _LOOKS_KEPT)
        self._groups: list[list[Gradual]] = []

    @property
    def settled(self) -> Fraction:
        """Time before which no transition will be reported any more."""
        if self._count <= _LOOKS_KEPT:
            return Fraction(0)
        oldest = self._times[self._count % _LOOKS_KEPT]
        return min([oldest, *(gradual.start for group in self._groups for gradual in group)])

    def see(self, picture: Picture) -> Iterator[Gradual]:
        """Take the next frame; yield the transitions that are certain by now."""
        if self._count and picture.at - self._time(self._count - 1) < LOOK_SECONDS:
            return
        self._keep(picture)
        for length in LENGTHS:
            # A long window may end a few looks late: it is measured by its ramp, not its ends.
            if self._count > length and self._count % max(1, length // 4) == 0:
                self._try(length)
        while self._groups and self._groups[0][0].last < self._count - _LOOKS_KEPT:
            yield from _best(self._groups.pop(0))

    def end(self) -> Iterator[Gradual]:
        """Yield the last transitions."""
        for length in LENGTHS:
            if self._count > length and self._count % max(1, length // 4):
                self._try(length)
        for group in self._groups:
            yield from _best(group)

    def _keep(self, picture: Picture) -> None:
        """Write a look twice, so that every window of looks lies in one piece."""
        if self._coarse is None:
            self._coarse = np.zeros((2 * _LOOKS_KEPT, len(picture.coarse)), dtype=np.float32)
        for slot in (self._count % _LOOKS_KEPT, self._count % _LOOKS_KEPT + _LOOKS_KEPT):
            self._coarse[slot] = picture.coarse
            self._details[slot], self._contrasts[slot] = picture.detail, picture.contrast
            self._times[slot] = picture.at
        self._count += 1

    def _time(self, look: int) -> Fraction:
        return self._times[look % _LOOKS_KEPT]

    def _window(self, length: int) -> slice:
        stop = (self._count - 1) % _LOOKS_KEPT + _LOOKS_KEPT + 1
        return slice(stop - length - 1, stop)

    def _try(self, length: int) -> None:
        if self._coarse is None:
            return
        window = self._window(length)
        looks = self._coarse[window]
        step = looks[-1] - looks[0]
        energy = float(np.dot(step, step))
        if energy < MIN_STEP**2 * step.size:
            return
        offsets = looks - looks[0]
        positions = (offsets @ step).astype(np.float64) / energy
        if np.abs(np.diff(positions)).max() > MAX_JUMP:
            return
        left = np.einsum("ij,ij->i", offsets, offsets) / energy - positions**2
        residual = float(left.max())
        if residual > BLEND_RESIDUAL or np.abs(np.diff(positions)).sum() > MAX_DETOUR:
            return
        kind = self._kind(window, positions)
        if kind is not None:
            self._add(kind, positions, self._count - 1 - length, residual)

    def _kind(
        self, window: slice, positions: NDArray[np.float64]
    ) -> tuple[Literal["across", "out", "in"], float] | None:
        """Return what the window shows and how clearly: 1 is a textbook case."""
        details, contrasts = self._details[window], self._contrasts[window]
        plain = contrasts[[0, -1]] < PLAIN_CONTRAST
        if plain.all():
            return None
        if plain.any():
            return ("in" if plain[0] else "out"), 1.0
        middle = int(np.abs(positions - 0.5).argmin())
        ends = (1 - positions[middle]) * details[0] + positions[middle] * details[-1]
        dip = details[middle] / max(ends, 1e-6)
        return ("across", (1 - dip) / (1 - _FULL_DIP)) if dip < MAX_DIP else None

    def _add(
        self,
        kind: tuple[Literal["across", "out", "in"], float],
        positions: NDArray[np.float64],
        offset: int,
        residual: float,
    ) -> None:
        on_ramp = np.flatnonzero((positions > _RAMP[0]) & (positions < _RAMP[1]))
        if len(on_ramp) < _ENOUGH:
            return
        slope, start = np.polyfit(on_ramp, positions[on_ramp], 1)
        bend = np.abs(positions[on_ramp] - start - slope * on_ramp).max()
        if slope <= 0 or bend > MAX_BEND:
            return
        length = len(positions) - 1
        first = offset + int(np.clip(np.floor(-start / slope + 0.5) + 1, 0, length - 1))
        last = offset + int(np.clip(np.floor((1 - start) / slope + 0.5), 1, length))
        if last <= first:
            return
        found = Gradual(
            way=kind[0],
            first=first,
            last=last,
            start=self._time(first),
            end=self._time(last),
            score=float(kind[1]) * (1 - residual / BLEND_RESIDUAL),
        )
        for group in self._groups:
            if any(found.meets(other) for other in group):
                group.append(found)
                return
        self._groups.append([found])


def _best(group: Sequence[Gradual]) -> Iterator[Gradual]:
    """Yield what a group of overlapping findings shows; a fade out and a fade in may both.

    A part of a fade is as straight as the whole, so the longest clear one counts. A part of a
    dissolve dips less than the whole, so the clearest counts.
    """
    fades = [
        max(found, key=lambda gradual: (gradual.last - gradual.first) * gradual.score)
        for way in ("out", "in")
        if (found := [gradual for gradual in group if gradual.way == way])
    ]
    if fades:
        yield from sorted(fades, key=lambda gradual: gradual.first)
    else:
        yield max(group, key=lambda gradual: (gradual.score, gradual.last - gradual.first))
