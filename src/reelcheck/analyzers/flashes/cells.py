"""Which cells of the grid make a flash transition in which frame.

A transition is a change between a valley and the next peak (WCAG 2.2 "general flash", note), so a
rise over many frames counts once, in the frame in which it has become large enough, and a flash
is two of them in opposite directions.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reelcheck.frames import Colour, Transfer
from reelcheck.media import colour

Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]

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
_CANDIDATE_CR: Final = {Transfer.SDR: 0.33, Transfer.PQ: 0.1, Transfer.HLG: 0.1}
"""A saturated red has at least this Cr per Y' (ours: 0.40 is the least that SDR allows)."""
_RED_UV: Final = (0.4507, 0.5229)
"""u'v' of the BT.709 red."""
_RED_MEMORY: Final = Fraction(1)
"""Seconds without any red after which red transitions start afresh."""
_RED_SAMPLING: Final = Fraction(1, 10)
"""Seconds between looks at the colours while nothing is red."""


class Transitions(NamedTuple):
    """The cells that changed in one frame."""

    changed: Mask
    """Shape [h, w]."""
    net_cells: int
    """Cells that went up (or to red) less cells that went down (or away from red)."""


class LuminanceCells:
    """Valleys and peaks of the luminance of every cell of one stream."""

    def __init__(self, light: Floats, transfer: Transfer) -> None:
        """Start with the first frame, in cd/m2, shape [h, w]."""
        self._hdr = transfer is not Transfer.SDR
        self._from = light.copy()  # the last valley or peak
        self._to = light.copy()  # the farthest point reached since
        self._rising = np.ones(light.shape, dtype=np.bool_)
        self._counted_rising = np.zeros(light.shape, dtype=np.bool_)
        self._counted = np.zeros(light.shape, dtype=np.bool_)

    def see(self, light: Floats) -> Transitions | None:
        """Take the next frame; return its transitions, or ``None`` if there are none."""
        self._follow(light)
        low, high = np.minimum(self._from, self._to), np.maximum(self._from, self._to)
        new = self._is_step(low, high)
        if not new.any():
            return None
        # two rises with only a small fall between them are not opposing: count the first
        new &= (self._rising != self._counted_rising) | ~self._counted
        count = int(np.count_nonzero(new))
        if not count:
            return None
        np.copyto(self._counted_rising, self._rising, where=new)
        self._counted |= new
        rises = int(np.count_nonzero(new & self._rising))
        return Transitions(new, 2 * rises - count)

    def _follow(self, light: Floats) -> None:
        forward = light - self._to
        np.negative(forward, out=forward, where=~self._rising)
        turned = forward <= -self._reversal()
        if turned.any():
            np.copyto(self._from, self._to, where=turned)
            self._rising ^= turned
            np.copyto(self._to, light, where=turned)
        np.copyto(self._to, light, where=forward > 0)

    def _reversal(self) -> Floats | np.float32:
        if not self._hdr:
            return np.float32(REVERSAL_CD_M2)
        scale = np.maximum(self._to * np.float32(1 / DARK_CD_M2), np.float32(1))
        return scale * np.float32(REVERSAL_CD_M2)

    def _is_step(self, low: Floats, high: Floats) -> Mask:
        height = high - low
        step: Mask = height >= np.float32(MIN_STEP_CD_M2)
        step &= low < np.float32(DARK_CD_M2)
        if self._hdr:
            bright = low >= np.float32(DARK_CD_M2)
            step |= bright & (height >= (high + low) * np.float32(BRIGHT_MICHELSON))
        return step


@dataclass(slots=True, eq=False)
class _Anchors:
    """The colours that the next red transition of each cell is measured from."""

    other_uv: Floats
    """Farthest from red since the last transition away from red, shape [2, h, w]."""
    red_uv: Floats
    """Reddest saturated red since the last transition to red, shape [2, h, w]."""
    has_red: Mask
    may_come: Mask
    """Whether the next transition may be one to red, shape [h, w]."""
    may_leave: Mask
    """Whether the next transition may be one away from red, shape [h, w]."""


class RedCells:
    """Changes of every cell of one stream to and from saturated red (WCAG 2.2 "red flash").

    One of the two states is a saturated red, and they lie more than 0.2 apart in u'v'. (The older
    working rule, a change of (R - G - B) x 320 by more than 20, is not used.)

    Limits: while no cell is red, colours are looked at ten times a second only, so that the first
    transition to red can be missed when the colour before it came and went in between.
    """

    def __init__(self, colour_: Colour) -> None:
        """Start before the first frame."""
        self._colour = colour_
        self._candidate = np.float32(_CANDIDATE_CR[colour_.transfer])
        self._anchors: _Anchors | None = None
        self._awake_until: Fraction | None = None
        self._sampled: Fraction | None = None

    def see(self, at: Fraction, grid: Floats, linear: Floats) -> Transitions | None:
        """Take the next frame, as Y'CbCr and as linear light, both of shape [3, h, w]."""
        if (grid[2] > self._candidate * np.maximum(grid[0], 0)).any():
            self._awake_until = at + _RED_MEMORY
        if self._awake_until is not None and at <= self._awake_until:
            return self._compare(linear)
        if self._awake_until is not None:
            self._awake_until = self._anchors = None
        if self._sampled is None or at - self._sampled >= _RED_SAMPLING:
            self._sampled = at
            self._compare(linear)
        return None

    def _compare(self, linear: Floats) -> Transitions | None:
        light = linear[None]
        uv = colour.chromaticity_uv(light + np.float32(_VEIL_CD_M2), self._colour)[0]
        red = colour.red_ratio(light, self._colour)[0] >= np.float32(RED_RATIO)
        if self._anchors is None:
            self._anchors = _Anchors(
                uv.copy(), uv.copy(), red.copy(), np.ones_like(red), np.ones_like(red)
            )
            return None
        anchors = self._anchors
        came = red & anchors.may_come & _apart(uv, anchors.other_uv)
        left = anchors.has_red & anchors.may_leave & _apart(uv, anchors.red_uv)
        _move(anchors, uv, red)
        count_came, count_left = int(np.count_nonzero(came)), int(np.count_nonzero(left))
        if not count_came + count_left:
            return None
        _turn(anchors, uv, came, left)
        return Transitions(came | left, count_came - count_left)


def _apart(uv: Floats, other: Floats) -> Mask:
    apart: Mask = _squared_distance(uv, other) > np.float32(RED_STEP_UV**2)
    return apart


def _squared_distance(uv: Floats, other: Floats) -> Floats:
    difference = uv - other
    difference *= difference
    squared: Floats = difference[0] + difference[1]
    return squared


def _move(anchors: _Anchors, uv: Floats, red: Mask) -> None:
    """Let the anchors follow what is farther from red, and what is redder."""
    primary = np.array(_RED_UV, dtype=np.float32).reshape(2, 1, 1)
    now = _squared_distance(uv, primary)
    farther = anchors.may_come & (now > _squared_distance(anchors.other_uv, primary))
    np.copyto(anchors.other_uv, uv, where=farther)
    redder = ~anchors.has_red | (now < _squared_distance(anchors.red_uv, primary))
    redder &= red & anchors.may_leave
    np.copyto(anchors.red_uv, uv, where=redder)
    anchors.has_red |= redder


def _turn(anchors: _Anchors, uv: Floats, came: Mask, left: Mask) -> None:
    """Start the next search from the states just reached; only the opposite change may follow."""
    np.copyto(anchors.red_uv, uv, where=came)
    np.copyto(anchors.other_uv, uv, where=left)
    anchors.has_red |= came
    anchors.has_red &= ~left
    for changed, opposite, same in (
        (came, anchors.may_leave, anchors.may_come),
        (left, anchors.may_come, anchors.may_leave),
    ):
        opposite |= changed
        same &= ~changed
