"""Lines of a picture that stand for all of it: measuring every pixel would cost too much."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelcheck.analyzers.defects.pictures import LumaPicture

_LINES = 128
"""Rows, and columns, that are looked at. Ours: more change no score by more than 0.01."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinePair:
    """Evenly spaced rows and columns of one picture, as int16 code values."""

    rows: NDArray[np.signedinteger[Any]]
    """Shape [about 128, W]."""
    columns: NDArray[np.signedinteger[Any]]
    """Shape [about 128, H]: each column lies along the second axis."""
    step: int
    """Code values per 8-bit step."""


def lines_of(picture: LumaPicture) -> LinePair:
    """Return rows and columns of ``picture``, which is at most 10 bits deep."""
    height, width = picture.luma.shape
    rows = picture.luma[:: max(1, height // _LINES)]
    columns = picture.luma[:, :: max(1, width // _LINES)].T
    return LinePair(
        rows=np.ascontiguousarray(rows, dtype=np.int16),
        columns=np.ascontiguousarray(columns, dtype=np.int16),
        step=picture.step,
    )


def steps_along(samples: NDArray[np.signedinteger[Any]]) -> NDArray[np.signedinteger[Any]]:
    """Return the absolute differences of neighbours along the second axis, shape [n, L - 1]."""
    return np.abs(samples[:, 1:] - samples[:, :-1])
