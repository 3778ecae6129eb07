"""From two views of a video to one row of numbers for each moment that is looked at.

A moment is one picture and the pairs of small pictures around it. Its row joins, ours:

- how the picture looks *where it moves*: maps of EfficientNet-Lite0, averaged with the motion of
  each place as weight (card ``moving-look``);
- how it moves: statistics of block matching (``motion``), mean and highest of the pairs.

Black borders are trimmed first, so that a letterbox changes nothing.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.analyzers.fights.motion import Motion, block_motion, small_levels, statistics
from reelcheck.frames import FrameBatch, Layout
from reelcheck.models.card import Card
from reelcheck.models.session import Runner
from reelcheck.models.tensors import to_tensor

_AROUND: Final = Fraction(4, 25)
"""Pairs whose middle is no farther from the picture belong to the moment: four at 12.5 a second."""
_WAIT: Final = Fraction(1, 2)
"""When no small picture came for so long, none will be missed: the slowest video has 2 a second."""
_BORDER_LEVEL: Final = 24
_MIN_CONTENT_RATIO: Final = 0.25
"""As in ``nudity``."""
_COARSE: Final = 7
_FINE: Final = 14
"""Sides of the maps of the network."""
_CHANGE_TOP: Final = 40.0
_REST_TOP: Final = 20.0
"""Levels beyond which more change tells of light, not of people. Ours."""

Floats = NDArray[np.float32]
_NO_ROW: Final[Floats] = np.empty(0, dtype=np.float32)


@dataclass(slots=True)
class Moment:
    """One picture with what moves around it."""

    start: Fraction
    end: Fraction
    """Where the pictures that follow without a gap end; final when the next moment is there."""
    pixels: NDArray[np.uint8]
    row: Floats
    """Shape [1542]; empty until it is made."""


@dataclass(frozen=True, slots=True)
class _Small:
    start: Fraction
    luma: Floats
    changed: bool


class MomentMaker:
    """Gathers both views and makes a moment as soon as everything around it is there.

    Args:
        card: Of the network that looks; its session beside it.
        session: To run it.
        every_seconds: Distance of the moments.
    """

    def __init__(self, card: Card, session: Runner, *, every_seconds: Fraction) -> None:
        self._card = card
        self._session = session
        self._every = every_seconds
        self._slot = -1
        self._small = deque[_Small]()
        self._waiting = deque[Moment]()
        self._newest: Moment | None = None
        self._seen_until = Fraction(-1)

    def see(self, batch: FrameBatch) -> Iterator[Moment]:
        """Take frames of either view."""
        for index in range(len(batch)):
            if batch.layout is Layout.GRID:
                luma = batch.pixels[index][0]
                changed = bool(batch.changed[index])
                self._small.append(_Small(batch.start(index), luma, changed))
            else:
                self._consider(batch, index)
        yield from self._ready()

    def end(self) -> Iterator[Moment]:
        """Make what is left."""
        while self._waiting:
            yield self._made(self._waiting.popleft())

    def _consider(self, batch: FrameBatch, index: int) -> None:
        start, end = batch.start(index), batch.end(index)
        self._seen_until = start
        slot = int(start // self._every)
        if slot > self._slot:
            self._slot = slot
            self._newest = Moment(start, end, batch.pixels[index], _NO_ROW)
            self._waiting.append(self._newest)
        elif self._newest and start <= self._newest.end:
            self._newest.end = end

    def _ready(self) -> Iterator[Moment]:
        while self._waiting and self._small:
            if self._small[-1].start < self._waiting[0].start + _WAIT:
                break
            yield self._made(self._waiting.popleft())
        oldest = self._waiting[0].start if self._waiting else self._seen_until
        while len(self._small) > 1 and self._small[1].start < oldest - _WAIT:
            self._small.popleft()

    def _made(self, moment: Moment) -> Moment:
        near = min(self._small, key=lambda one: abs(one.start - moment.start))
        rows, columns = _content(near.luma)
        pairs = self._pairs(moment.start, rows, columns)
        look = self._look(_cut(moment.pixels, near.luma.shape, rows, columns), pairs)
        moves = statistics(pairs)
        moment.row = np.concatenate([look, moves.mean(axis=0), moves.max(axis=0)])
        return moment

    def _pairs(self, time: Fraction, rows: slice, columns: slice) -> list[Motion]:
        """Return the motion around a time; of a picture that stands still if there is none."""
        found = list[tuple[Fraction, int]]()
        small = self._small
        for index in range(1, len(small)):
            distance = abs((small[index - 1].start + small[index].start) / 2 - time)
            if not small[index].changed:
                found.append((distance, index))
        near = [index for distance, index in found if distance <= _AROUND]
        if not near and found and min(found)[0] <= _WAIT:
            near = [min(found)[1]]
        if not near:
            nothing = np.zeros((1, 1), dtype=np.int16)
            return [block_motion(nothing, nothing, seconds=1.0)]
        levels = {
            index: small_levels(small[index].luma[rows, columns])
            for index in sorted({one for index in near for one in (index - 1, index)})
        }
        return [
            block_motion(
                levels[index - 1],
                levels[index],
                seconds=float(small[index].start - small[index - 1].start),
            )
            for index in near
        ]

    def _look(self, picture: NDArray[np.uint8], pairs: list[Motion]) -> Floats:
        speed, change, rest = (
            np.mean([getattr(one, name) for one in pairs], axis=0)
            for name in ("speed", "change", "rest")
        )
        coarse = np.stack(
            [
                np.ones((_COARSE, _COARSE)),
                np.minimum(_resampled(change, _COARSE), _CHANGE_TOP) * (4 / _CHANGE_TOP),
                np.minimum(_resampled(rest, _COARSE), _REST_TOP) * (4 / _REST_TOP),
                _resampled(speed, _COARSE),
            ]
        )
        fine = _resampled(change, _FINE)
        fine = np.maximum(fine - np.median(fine), 0) + 1e-3
        extra = {
            "coarse": coarse[None].astype(np.float32),
            "fine": (fine / fine.sum())[None].astype(np.float32),
        }
        described: Floats = self._session.run(to_tensor(picture, self._card), extra)[0]
        return described


def _content(luma: Floats) -> tuple[slice, slice]:
    levels = luma * 255
    return _lit(levels.max(axis=1)), _lit(levels.max(axis=0))


def _lit(brightest: Floats) -> slice:
    lit = np.flatnonzero(brightest > _BORDER_LEVEL)
    if not len(lit) or lit[-1] - lit[0] < _MIN_CONTENT_RATIO * len(brightest):
        return slice(0, len(brightest))
    return slice(int(lit[0]), int(lit[-1]) + 1)


def _cut(
    picture: NDArray[np.uint8], cells: tuple[int, ...], rows: slice, columns: slice
) -> NDArray[np.uint8]:
    """Return the part of a picture that the rows and columns of its small view cover."""
    height, width = picture.shape[:2]
    top, bottom = (round(one * height / cells[0]) for one in (rows.start, rows.stop))
    left, right = (round(one * width / cells[1]) for one in (columns.start, columns.stop))
    return picture[top : max(bottom, top + 1), left : max(right, left + 1)]


def _resampled(blocks: Floats, side: int) -> Floats:
    """Return a map of blocks as [side, side], each the mean of the area that it covers."""
    down, across = (_areas(length, side) for length in blocks.shape)
    return np.asarray(down @ blocks @ across.T, dtype=np.float32)


@cache
def _areas(length: int, side: int) -> Floats:
    edges = np.arange(side + 1) * (length / side)
    cells = np.arange(length)
    ends = np.minimum(edges[1:, None], cells + 1)
    shares = np.maximum(ends - np.maximum(edges[:-1, None], cells), 0)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=np.float32)
