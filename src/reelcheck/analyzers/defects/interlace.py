"""Combs: two moments of time in the odd and even rows of one picture."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelcheck.analyzers.defects.limits import DefectLimits
from reelcheck.analyzers.defects.pictures import LumaPicture

_BLOCK = 16
_MARGIN = 2
_BANDS = 16
"""Bands of 16 rows that are looked at, evenly spread."""
_MIN_COMB = 3
"""Mean depth of a comb, in 8-bit steps."""
_MIN_MOTION = 2
"""Mean change of a block since the sample before, in 8-bit steps, that counts as motion."""
_MIN_MOVING_RATIO = 0.02
"""Share of the blocks that must move before a picture says anything."""

_Bands = NDArray[np.signedinteger[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Combs:
    """What one picture shows: bands of rows, and which blocks of them are combed."""

    bands: _Bands
    """int16, shape [n, 20, W]."""
    combed: NDArray[np.bool_]
    """Shape [n, W // 16]."""


def combs_of(picture: LumaPicture, limits: DefectLimits) -> Combs | None:
    """Return which blocks of 16 x 16 px are combed; ``None`` for pictures too small.

    Method: after FFmpeg ``idet``, within one picture. In a comb a row resembles the rows after
    next (same field) more than its neighbours (other field); in anything else it is the other way
    round. A block is combed when the second differences to the neighbours exceed those to the
    rows after next by ``combing_ratio`` and are deep enough to be seen.
    """
    height, width = picture.luma.shape
    rows = _BLOCK + 2 * _MARGIN
    width -= width % _BLOCK
    if height < rows or width < _BLOCK:
        return None
    count = max(1, min(_BANDS, height // _BLOCK))
    tops = np.linspace(0, height - rows, count).astype(np.int64)
    bands = np.stack([picture.luma[top : top + rows, :width] for top in tops]).astype(np.int16)
    centre = 2 * bands[:, _MARGIN:-_MARGIN]
    beside = _block_sums(np.abs(centre - bands[:, 1:-3] - bands[:, 3:-1]))
    after_next = _block_sums(np.abs(centre - bands[:, :-4] - bands[:, 4:]))
    deep = beside >= 2 * _MIN_COMB * picture.step * _BLOCK**2
    return Combs(bands=bands, combed=deep & (beside > limits.combing_ratio * after_next))


def combed_ratio(now: Combs, before: Combs | None, *, step: int) -> float | None:
    """Return the share of combed blocks among those that moved, 0 to 1.

    Only blocks that changed since the sample before count: fine horizontal lines of a still
    picture look like combs. ``None`` when too little moves.
    """
    if before is None or before.bands.shape != now.bands.shape:
        return None
    change = np.abs(now.bands[:, _MARGIN:-_MARGIN] - before.bands[:, _MARGIN:-_MARGIN])
    moving = _block_sums(change) >= _MIN_MOTION * step * _BLOCK**2
    count = int(np.count_nonzero(moving))
    if count < _MIN_MOVING_RATIO * moving.size:
        return None
    return float(np.count_nonzero(now.combed & moving)) / count


def _block_sums(bands: _Bands) -> NDArray[np.int64]:
    """Return the sums over blocks of 16 x 16, shape [n, W // 16]."""
    by_column = bands.sum(axis=1, dtype=np.int32)
    sums: NDArray[np.int64] = by_column.reshape(len(bands), -1, _BLOCK).sum(axis=2, dtype=np.int64)
    return sums
