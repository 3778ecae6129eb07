"""How many transitions the last second holds, per cell, and for the picture and any small field.

Time is exact: a transition lies in the window that ends at ``t`` when it happened in
``(t - 1 s, t]``, so three flashes a second, six transitions, never put seven into a window.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.spans import Box

from .cells import Floats, Mask, Transitions
from .together import Together, coverage

WINDOW_SECONDS: Final = Fraction(1)
"""WCAG 2.3.1, BT.1702-3: any one-second period."""
AREA_RATIO: Final = Fraction(1, 4)
"""Flashes must occupy more than this share of the screen, or of the small field."""
FIELD_RATIO: Final = Fraction(1, 3)
"""Width and height of the small field: WCAG 2.3.1 takes a box of 341 x 256 px anywhere on a view
of 1024 x 768 px for 10 degrees of vision."""
_TURN_RATIO: Final = 0.27
"""The same for turns of the whole screen. Ours: these are counted in whole cells, and a region of
25 % can touch cells of 26 %."""
_PART_RATIO: Final = 0.1
"""Share of the flashing cells that must change in a frame which a finding may start or end with.
Ours: single cells that change early or late do not move the edges of a finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """What the second that ends now holds, of cells that reach a given count."""

    first: Fraction
    """Time of its first transition."""
    last: Fraction
    """Time of its last transition."""
    area_ratio: float
    """Share of the screen, 0 to 1."""
    place: Box | None


class LastSecond:
    """The transitions of one kind within the last second, frame by frame.

    ``level`` counts transitions of the picture in two ways and takes the larger:

    * of cells: the largest n such that cells of more than 25 % of the screen made n transitions
      each, all of them together with their neighbourhood (see ``Together``). This counts what
      every place on the screen shows, also where parts of it flash in opposite phase.
    * of the whole: turns of the share of the screen that is in its raised state, each of more
      than 27 % of the screen. This counts flashes whose parts rise in different frames, and
      flashes that wander over the screen; what merely moves cancels out.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._counts = np.zeros(shape, dtype=np.uint16)
        self._coverage = np.zeros(shape, dtype=np.float32)
        self._enough = float(self._counts.size * AREA_RATIO)
        self._frames: deque[tuple[Fraction, Mask]] = deque()
        self._turns: deque[tuple[Fraction, float]] = deque()
        self._raised = _Turns(self._counts.size)
        self._together = Together(shape)
        self._cell_level = 0
        self.next_expiry: Fraction | None = None
        """When the oldest transition will leave the window, if there is any."""

    @property
    def level(self) -> int:
        """Transitions of the picture within the last second."""
        return max(self._cell_level, len(self._turns))

    def expire(self, at: Fraction) -> None:
        """Let leave the window what happened a second before ``at``."""
        while self._turns and self._turns[0][0] + WINDOW_SECONDS <= at:
            self._turns.popleft()
        while self._frames and self._frames[0][0] + WINDOW_SECONDS <= at:
            self._counts -= self._frames.popleft()[1]
        self._settle()

    def add(self, at: Fraction, transitions: Transitions, change: Floats) -> None:
        """Take the transitions of the frame that appears at ``at``.

        ``change`` tells how much the code values of each cell changed, shape [h, w].
        """
        swing = self._raised.add(transitions.net_cells)
        if swing:
            self._turns.append((at, swing / self._counts.size))
        kept = self._together.keep(at, transitions.changed)
        if kept is not None:
            share = coverage(kept, change)
            covered = share > 0
            np.copyto(self._coverage, share, where=covered)
            self._frames.append((at, covered))
            self._counts += covered
        if swing or kept is not None:
            self._settle()

    def _settle(self) -> None:
        """Find the largest n such that more than the limit of all cells made n transitions."""
        oldest = [times[0][0] for times in (self._frames, self._turns) if times]
        self.next_expiry = min(oldest) + WINDOW_SECONDS if oldest else None
        while self._area(self._counts > self._cell_level) > self._enough:
            self._cell_level += 1
        while self._cell_level and self._area(self._counts >= self._cell_level) <= self._enough:
            self._cell_level -= 1

    def _area(self, cells: Mask) -> float:
        """Return the area of ``cells`` in whole cells; a bound of it when that is too little."""
        bound = int(np.count_nonzero(cells))
        return float(self._coverage[cells].sum()) if bound > self._enough else bound

    def of_screen(self, count: int) -> Second:
        """Describe this second by what reaches ``count``; ``level`` must be as high."""
        cells = self._counts >= count
        spans, areas = [], []
        if self._cell_level >= count:
            spans.append(self._edges(cells))
            areas.append(float(self._coverage[cells].sum()) / cells.size)
        else:
            cells = self._counts > 0
        if len(self._turns) >= count:
            spans.append((self._turns[0][0], self._turns[-1][0]))
            areas.append(min(swing for _, swing in self._turns))
        first, last = min(first for first, _ in spans), max(last for _, last in spans)
        return Second(first=first, last=last, area_ratio=max(areas), place=_bounds(cells))

    def field_level(self, count: int) -> int:
        """Return the transitions of the worst small field, 0 when fewer than ``count``."""
        level = count
        while _fills_a_field(self._counts >= level, self._coverage):
            level += 1
        return level - 1 if level > count else 0

    def of_field(self, count: int) -> Second:
        """Describe this second by the cells that reach ``count``; a field must be full of them."""
        cells = self._counts >= count
        first, last = self._edges(cells)
        return Second(first=first, last=last, area_ratio=float(cells.mean()), place=_bounds(cells))

    def _edges(self, cells: Mask) -> tuple[Fraction, Fraction]:
        """Return the first and last time at which a good part of ``cells`` changed."""
        part = _PART_RATIO * np.count_nonzero(cells)

        def first(frames: Iterable[tuple[Fraction, Mask]], default: Fraction) -> Fraction:
            taking_part = (at for at, mask in frames if np.count_nonzero(mask & cells) >= part)
            return next(taking_part, default)

        return (
            first(self._frames, self._frames[0][0]),
            first(reversed(self._frames), self._frames[-1][0]),
        )


class _Turns:
    """Peaks and valleys of the number of cells in their raised state."""

    def __init__(self, cells: int) -> None:
        self._enough = cells * _TURN_RATIO
        self._raised = self._low = self._high = 0
        self._rose: bool | None = None

    def add(self, net_cells: int) -> int:
        """Take one frame; return by how many cells it turned, 0 for none."""
        self._raised += net_cells
        self._low, self._high = min(self._low, self._raised), max(self._high, self._raised)
        rise, fall = self._raised - self._low, self._high - self._raised
        if rise > self._enough and self._rose is not True:
            self._rose, self._high = True, self._raised
            return rise
        if fall > self._enough and self._rose is not False:
            self._rose, self._low = False, self._raised
            return fall
        return 0


def _fills_a_field(cells: Mask, coverage_: Floats) -> bool:
    """Return whether ``cells`` cover more than a quarter of a small field anywhere."""
    height, width = cells.shape
    enough = float(height * FIELD_RATIO * width * FIELD_RATIO * AREA_RATIO)
    if np.count_nonzero(cells) <= enough:
        return False
    rows, columns = (max(1, round(side * FIELD_RATIO)) for side in (height, width))
    sums = np.zeros((height + 1, width + 1))
    sums[1:, 1:] = np.where(cells, coverage_, 0).cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    inside = sums[rows:, columns:] - sums[:-rows, columns:]
    inside += sums[:-rows, :-columns] - sums[rows:, :-columns]
    return float(inside.max()) > enough


def _bounds(cells: Mask) -> Box | None:
    rows, columns = (np.flatnonzero(cells.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return None
    height, width = cells.shape
    return Box(
        x=_ratio(columns[0], width),
        y=_ratio(rows[0], height),
        width=_ratio(columns[-1] + 1 - columns[0], width),
        height=_ratio(rows[-1] + 1 - rows[0], height),
    )


def _ratio(part: NDArray[np.intp] | np.intp, whole: int) -> float:
    return round(int(part) / whole, 4)


class Curve:
    """A signal as a few samples: the largest value of each quarter of a second, runs merged."""

    STEP: Final = Fraction(1, 4)

    def __init__(self, start: Fraction) -> None:
        self._at = self._step_start = self._run_start = start
        self._step_end = self._next_edge(start)
        self._value = 0
        self._run_value: int | None = None
        self.done: list[tuple[Fraction, Fraction, int]] = []
        """Finished runs as (start, end, value); whoever takes them empties the list."""

    def _next_edge(self, after: Fraction) -> Fraction:
        return (after // self.STEP + 1) * self.STEP

    def touch(self, value: int) -> None:
        """Have the signal reach ``value`` just now."""
        self._value = max(self._value, value)

    def advance(self, to: Fraction, value: int) -> None:
        """Hold ``value`` from the last time given until ``to``."""
        while to >= self._step_end:
            if self._at < self._step_end:
                self.touch(value)
            self._close_step()
        if self._at < to:
            self.touch(value)
            self._at = to

    def _close_step(self) -> None:
        if self._value != self._run_value:
            self._close_run(self._step_start)
            self._run_start, self._run_value = self._step_start, self._value
        self._at = self._step_start = self._step_end
        self._step_end += self.STEP
        self._value = 0

    def _close_run(self, end: Fraction) -> None:
        if self._run_value is not None and end > self._run_start:
            self.done.append((self._run_start, end, self._run_value))

    def finish(self) -> None:
        """Close the last step and the last run at the last time given."""
        end = self._at
        if end > self._step_start:
            self._close_step()
        self._close_run(end)
