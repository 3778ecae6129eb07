"""Which cells of the grid make a flash transition in which frame.

A transition is a change between a valley and the next peak (WCAG 2.2 "general flash", note), so a
rise over many frames counts once, in the frame in which it has become large enough, and a flash
is two of them in opposite directions.
"""

from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reelcheck.frames import Colour, Transfer
from reelcheck.media import colour

Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

MIN_STEP_CD_M2: Final = 20.0
"""Smallest change that can be half a flash (BT.1702-3, Ofcom; 0.10 of 200 in WCAG 2.3.1)."""
DARK_CD_M2: Final = 160.0
"""The darker of the two states must lie below (BT.1702-3, Ofcom; 0.80 of 200 in WCAG 2.3.1)."""
BRIGHT_MICHELSON: Final = 1 / 17
"""HDR with the darker state at or above 160 cd/m2: contrast that makes half a flash (BT.1702-3)."""
REVERSAL_CD_M2: Final = 4.0
"""A step back smaller than this (more above 160 cd/m2, in proportion) does not end a rise or
fall. Ours: a fifth of the smallest flash, and above the noise of a cell average."""
RED_RATIO: Final = 0.8
"""R / (R + G + B) from which a state is a saturated red (WCAG 2.2 "red flash", inclusive)."""
RED_STEP_UV: Final = 0.2
"""Distance in u'v' that a red transition must exceed (WCAG 2.2 "red flash")."""

_VEIL_CD_M2: Final = 0.1
"""White light added before chromaticity is taken, so that the colour of black is white and noise
in the dark is no colour. Ours: it moves a red of 20 cd/m2 by 1 % of its distance from white."""
_CANDIDATE_CR: Final = {Transfer.SDR: 0.36, Transfer.PQ: 0.1, Transfer.HLG: 0.1}
"""A saturated red has at least this Cr per Y' (ours: 0.40 is the least that SDR allows)."""
_LEAST_CR: Final = 0.02
"""Cr that any red which the veil does not hide exceeds (ours; the least is 0.023)."""
FEW_RATIO: Final = 1 / 360
"""Share of the cells below which a frame is taken to show no flash and no red. Ours: a tenth of
the smallest area that any rule asks for, a quarter of a small field."""
_RED_UV: Final = np.array([[0.4507], [0.5229]], dtype=np.float32)
"""u'v' of the BT.709 red."""
_RED_MEMORY_SECONDS: Final = 1.0
"""A cell is followed frame by frame for this long after it was red."""
_RED_SAMPLING: Final = Fraction(1, 5)
"""Seconds between looks at the colours of all other cells."""


class Transitions(NamedTuple):
    """The cells that changed in one frame."""

    changed: Mask
    """Shape [h, w]."""
    net_cells: int
    """Cells that went up (or to red) less cells that went down (or away from red)."""


class LuminanceCells:
    """Valleys and peaks of the luminance of every cell of one stream.

    Everything is kept times the cell's direction, 1 when it rises and -1 when it falls, so that
    going on in the same direction always means getting larger.
    """

    def __init__(self, light: Floats, transfer: Transfer) -> None:
        """Start with the first frame, in cd/m2, shape [h, w]."""
        self._hdr = transfer is not Transfer.SDR
        self._direction = np.ones(light.size, dtype=np.float32)
        self._counted = np.zeros(light.size, dtype=np.float32)  # direction; 0 before the first
        self._from = light.ravel().copy()  # the last valley or peak
        self._to = light.ravel().copy()  # the farthest point reached since

    def see(self, light: Floats) -> Transitions | None:
        """Take the next frame; return its transitions, or ``None`` if there are none."""
        self._follow(light.ravel())
        # two rises with only a small fall between them are not opposing: the first one counts
        ready = self._to - self._from >= np.float32(MIN_STEP_CD_M2)
        ready &= self._direction != self._counted
        if not ready.any():
            return None
        cells = np.flatnonzero(ready)
        cells = cells[self._is_step(cells)]
        if not cells.size:
            return None
        directions = self._direction[cells]
        self._counted[cells] = directions
        changed = np.zeros(light.shape, dtype=np.bool_)
        changed.ravel()[cells] = True
        return Transitions(changed, int(directions.sum()))

    def _follow(self, light: Floats) -> None:
        ahead = light * self._direction
        back = self._to - ahead >= self._reversal()
        np.maximum(self._to, ahead, out=self._to)
        if not back.any():
            return
        turned = np.flatnonzero(back)
        self._direction[turned] *= -1
        self._from[turned] = -self._to[turned]
        self._to[turned] = light[turned] * self._direction[turned]

    def _reversal(self) -> Floats | np.float32:
        if not self._hdr:
            return np.float32(REVERSAL_CD_M2)
        scale = np.maximum(np.abs(self._to) * np.float32(1 / DARK_CD_M2), np.float32(1))
        return scale * np.float32(REVERSAL_CD_M2)

    def _is_step(self, cells: NDArray[np.intp]) -> Mask:
        states = np.abs(self._from[cells]), np.abs(self._to[cells])
        low, high = np.minimum(*states), np.maximum(*states)
        step: Mask = low < np.float32(DARK_CD_M2)
        if self._hdr:
            step |= high - low >= (high + low) * np.float32(BRIGHT_MICHELSON)
        return step


class RedCells:
    """Changes of every cell of one stream to and from saturated red (WCAG 2.2 "red flash").

    One of the two states is a saturated red, and they lie more than 0.2 apart in u'v'. (The older
    working rule, a change of (R - G - B) x 320 by more than 20, is not used.) A change to red is
    measured from the colour farthest from red since the last change away from red, and the other
    way round.

    Limits: cells that were not red in the last second are looked at five times a second only, so
    the first change to red can be missed when the colour before it came and went in between.
    """

    def __init__(self, colour_: Colour, cells: int) -> None:
        """Start before the first frame."""
        self._colour = colour_
        self._candidate = np.float32(_CANDIDATE_CR[colour_.transfer])
        self._other_uv = np.full((2, cells), np.nan, dtype=np.float32)
        self._other_distance = np.full(cells, -np.inf, dtype=np.float32)  # from red, squared
        self._red_uv = np.full((2, cells), np.nan, dtype=np.float32)
        self._red_distance = np.full(cells, np.inf, dtype=np.float32)
        self._may_come = np.ones(cells, dtype=np.bool_)
        self._may_leave = np.ones(cells, dtype=np.bool_)
        self._red_seconds = np.full(cells, -np.inf)
        self._last_red_seconds = -np.inf
        self._sampled: Fraction | None = None

    def see(self, at: Fraction, grid: Floats, linear: Floats) -> Transitions | None:
        """Take the next frame, as Y'CbCr and as linear light, both of shape [3, h, w]."""
        at_seconds = float(at)
        red = self._is_red(grid, linear)
        if red is not None:
            self._red_seconds[red] = self._last_red_seconds = at_seconds
        if self._sampled is None or at - self._sampled >= _RED_SAMPLING:
            self._sampled = at
            came, left = self._compare(np.s_[:], linear.reshape(3, -1), red)
        elif self._last_red_seconds > at_seconds - _RED_MEMORY_SECONDS:
            cells = np.flatnonzero(self._red_seconds > at_seconds - _RED_MEMORY_SECONDS)
            came, left = self._compare(cells, linear.reshape(3, -1)[:, cells], red)
        else:
            return None
        if not came.size + left.size:
            return None
        changed = np.zeros(grid.shape[1:], dtype=np.bool_)
        changed.ravel()[came] = True
        changed.ravel()[left] = True
        return Transitions(changed, came.size - left.size)

    def _is_red(self, grid: Floats, linear: Floats) -> Mask | None:
        """Return which cells are a saturated red, ``None`` when too few are."""
        few = FEW_RATIO * grid[0].size
        limit = np.maximum(self._candidate * grid[0], np.float32(_LEAST_CR))
        if np.count_nonzero(grid[2] > limit) < few:
            return None
        red: Mask = colour.red_ratio(linear[None], self._colour).ravel() >= np.float32(RED_RATIO)
        return red if np.count_nonzero(red) >= few else None

    def _compare(
        self, cells: Indices | slice, linear: Floats, red: Mask | None
    ) -> tuple[Indices, Indices]:
        """Return which of ``cells`` came to red and which left it; move what they started from."""
        light = linear.reshape(1, 3, 1, -1) + np.float32(_VEIL_CD_M2)
        uv = colour.chromaticity_uv(light, self._colour).reshape(2, -1)
        now = np.zeros(uv.shape[1], dtype=np.bool_) if red is None else red[cells]
        may_come, may_leave = self._may_come[cells], self._may_leave[cells]
        came = may_come & now & _apart(uv, self._other_uv[:, cells])
        left = may_leave & _apart(uv, self._red_uv[:, cells])
        # until it changes, a cell keeps its farthest colour from red, and its reddest red
        distance = _squared_distance(uv, _RED_UV)
        other = np.flatnonzero(left | (may_come & (distance > self._other_distance[cells])))
        redder = np.flatnonzero(came | (may_leave & now & (distance < self._red_distance[cells])))
        self._may_come[cells] = (may_come | left) & ~came
        self._may_leave[cells] = (may_leave | came) & ~left
        of_stream = cells if isinstance(cells, np.ndarray) else np.arange(uv.shape[1])
        for moved, uvs, distances in (
            (other, self._other_uv, self._other_distance),
            (redder, self._red_uv, self._red_distance),
        ):
            uvs[:, of_stream[moved]] = uv[:, moved]
            distances[of_stream[moved]] = distance[moved]
        return of_stream[came], of_stream[left]


def _apart(uv: Floats, other: Floats) -> Mask:
    """Return whether two colours lie far enough apart; an unknown one never does."""
    apart: Mask = _squared_distance(uv, other) > np.float32(RED_STEP_UV**2)
    return apart


def _squared_distance(uv: Floats, other: Floats) -> Floats:
    difference = uv - other
    difference *= difference
    squared: Floats = difference[0] + difference[1]
    return squared
