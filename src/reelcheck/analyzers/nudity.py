"""Nudity: how likely sampled frames are pornographic.

Method: the network of the card ``open-nsfw`` on single frames. Candidates come four times a
second and at every sudden change of the picture. One is scored at least every two seconds; after
one second already when it looks unlike the latest scored ones; and at once when that follows a
sudden change, so every shot is scored at least once. Around a suspicious score all candidates
are scored. Black borders are trimmed first: they alone can raise a score severalfold.

Limits: see the card. Recall was not measured by us; a low score is no proof of anything. A shot
without a sudden start that lasts less than a quarter of a second can fall between candidates.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.frames import FrameBatch, FrameNeeds, Layout, VideoInfo
from reelcheck.models.card import load_card
from reelcheck.models.session import Runner, open_session
from reelcheck.models.tensors import to_tensor
from reelcheck.spans import Observation, TimeSpan

_LOOK_CELLS: Final = 8
_REMEMBERED: Final = 8
_BORDER_LEVEL: Final = 24
"""8-bit level up to which a border row counts as black: FFmpeg cropdetect's default."""
_MIN_CONTENT_RATIO: Final = 0.25
"""Ours: less picture than this is a dark scene, not a border."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NudityAnalyzer:
    """Score sampled frames for nudity.

    Signal ``score``: 0 harmless to 1 pornographic, one sample per scored frame; each stands until
    the next one.
    """

    name: str = "nudity"
    models: tuple[str, ...] = ("open-nsfw",)
    needs: tuple[FrameNeeds, ...] = (
        FrameNeeds(layout=Layout.RGB, rate_fps=Fraction(4), on_change=True, size_px=(256, 256)),
    )
    every_seconds: Fraction = Fraction(1)
    """Longest time without a score while the picture goes on to look new. Ours."""
    still_seconds: Fraction = Fraction(2)
    """Longest time without a score at all. Ours."""
    new_look_levels: float = 12.0
    """Mean difference of 8 x 8 cells, 0-255, above which a picture looks new. Ours."""
    suspicious_score: float = 0.5
    """From here on the neighbourhood is scored densely. Ours: 1 in 50 frames of harmless clips
    goes beyond it."""
    dense_seconds: Fraction = Fraction(1)
    """How far the neighbourhood reaches, before and after. Ours."""

    def watch(self, video: VideoInfo) -> "_NudityWatch":
        """Start on one stream.

        Raises:
            ModelError: the weights are missing or were changed.
        """
        del video  # the views are upright and tone-mapped already
        card = load_card(self.models[0])
        return _NudityWatch(self, open_session(card))


@dataclass(slots=True)
class _Candidate:
    start: Fraction
    end: Fraction
    pixels: NDArray[np.uint8]
    changed: bool
    score: float | None = None


class _NudityWatch:
    def __init__(self, recipe: NudityAnalyzer, session: Runner) -> None:
        self._recipe = recipe
        self._card = load_card(recipe.models[0])
        self._session = session
        self._waiting: list[_Candidate] = []
        self._looks: deque[NDArray[np.float32]] = deque(maxlen=_REMEMBERED)
        self._last_scored: Fraction | None = None
        self._dense_until = Fraction(-1)

    def see(self, batch: FrameBatch) -> Iterator[Observation]:
        for index in range(len(batch)):
            yield from self._consider(
                _Candidate(
                    batch.start(index),
                    batch.end(index),
                    batch.pixels[index],
                    bool(batch.changed[index]),
                )
            )

    def _consider(self, candidate: _Candidate) -> Iterator[Observation]:
        recipe = self._recipe
        self._waiting.append(candidate)
        look = _look(candidate.pixels)
        if self._is_due(candidate, look):
            self._score(candidate, look)
            if (candidate.score or 0.0) >= recipe.suspicious_score:
                self._look_around(candidate)
        yield from self._release(candidate.start - recipe.dense_seconds)

    def _is_due(self, candidate: _Candidate, look: NDArray[np.float32]) -> bool:
        if self._last_scored is None or candidate.start <= self._dense_until:
            return True
        since = candidate.start - self._last_scored
        if since >= self._recipe.still_seconds:
            return True
        return (candidate.changed or since >= self._recipe.every_seconds) and self._is_new(look)

    def _is_new(self, look: NDArray[np.float32]) -> bool:
        nearest = min(float(np.abs(look - seen).mean()) for seen in self._looks)
        return nearest > self._recipe.new_look_levels

    def _score(self, candidate: _Candidate, look: NDArray[np.float32]) -> None:
        tensor = to_tensor(_trimmed(candidate.pixels), self._card)
        candidate.score = round(float(self._session.run(tensor)[0, 1]), 4)
        self._looks.append(look)
        self._last_scored = candidate.start

    def _look_around(self, centre: _Candidate) -> None:
        reach = self._recipe.dense_seconds
        self._dense_until = max(self._dense_until, centre.start + reach)
        last = self._last_scored
        for other in self._waiting:
            if other.score is None and other.start >= centre.start - reach:
                self._score(other, _look(other.pixels))
        self._last_scored = last

    def _release(self, until: Fraction) -> Iterator[Observation]:
        """Report scored candidates that nothing can come between any more."""
        while True:
            following = next(
                (i for i, c in enumerate(self._waiting) if i and c.score is not None), 0
            )
            if not following or self._waiting[following].start > until:
                return
            yield self._observation(self._waiting[:following])
            del self._waiting[:following]

    def _observation(self, stretch: list[_Candidate]) -> Observation:
        """Report the first candidate of ``stretch`` for as long as its frames follow on."""
        end = stretch[0].end
        for later in stretch[1:]:
            end = later.end if later.start <= end else end
        return Observation(
            analyzer=self._recipe.name,
            signal="score",
            span=TimeSpan(stretch[0].start, end),
            score=stretch[0].score or 0.0,
        )

    def end(self) -> Iterator[Observation]:
        if self._waiting:
            yield from self._release(self._waiting[-1].end)
            yield self._observation(self._waiting)


def _look(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the picture in 8 x 8 cells, float32, shape [8, 8, 3], 0-255."""
    height, width, _ = picture.shape
    cells = picture.reshape(
        _LOOK_CELLS, height // _LOOK_CELLS, _LOOK_CELLS, width // _LOOK_CELLS, 3
    )
    return np.asarray(cells.mean(axis=(1, 3)), dtype=np.float32)


def _trimmed(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture without black rows and columns at its edges."""
    rows = _content(picture.max(axis=(1, 2)))
    columns = _content(picture.max(axis=(0, 2)))
    return picture[rows, columns]


def _content(brightest: NDArray[np.uint8]) -> slice:
    lit = np.flatnonzero(brightest > _BORDER_LEVEL)
    if not len(lit) or lit[-1] - lit[0] < _MIN_CONTENT_RATIO * len(brightest):
        return slice(None)
    return slice(int(lit[0]), int(lit[-1]) + 1)
