"""Nudity: how likely sampled frames are pornographic.

Method: the network of the card ``open-nsfw`` on single frames. Candidates come four times a
second and at every sudden change of the picture. One is scored at least every two seconds; after
one second already when it looks unlike the latest scored ones; and at once when that follows a
sudden change, so every shot is scored at least once. Around a suspicious score all candidates
are scored. Black borders are trimmed first: they alone can raise a score severalfold.

Where one of the optional second models is on this machine, it judges the same frame whenever the
first is not calm about it, and the score is the mean of both where that is lower: a second opinion
can take back, not add. What it calls pornographic counts, drawn or not; ``sexy`` (swimwear,
underwear) does not. A plain mean would add: on 461 frames of 30 harmless clips the second models
alone give 0.5 or more to 30 % (MobileNetV2) and 18 % (InceptionV3), mostly skin and beds, the first
to 3.9 %. With the plain mean 8.5 % and 8.0 % of the frames come to 0.5, with this rule 2.8 %.

Limits: see the cards. Recall was not measured by us; a low score is no proof of anything, and a
second model can wrongly take back what the first one found. A shot without a sudden start that
lasts less than a quarter of a second can fall between candidates.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.analyzers.base import SAMPLED_PICTURES
from reelcheck.frames import FrameBatch, FrameNeeds, VideoInfo
from reelcheck.models.card import Card, load_card
from reelcheck.models.session import Runner, open_session
from reelcheck.models.store import locate
from reelcheck.models.tensors import to_tensor
from reelcheck.settings import Profile
from reelcheck.spans import Observation, TimeSpan

_LOOK_CELLS: Final = 8
_REMEMBERED: Final = 8
_BORDER_LEVEL: Final = 24
"""8-bit level up to which a border row counts as black: FFmpeg cropdetect's default."""
_COUNTING: Final = {"nsfw", "porn", "hentai"}
"""Labels of the cards that mean pornographic."""
SECOND_MODELS: Final = ("nsfwjs-inception-v3", "nsfwjs-mobilenet-v2")
"""The better one first; the fast profile takes the quicker one first."""
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
    """The one that judges every scored frame, and perhaps a second one."""
    needs: tuple[FrameNeeds, ...] = (SAMPLED_PICTURES,)
    every_seconds: Fraction = Fraction(1)
    """Longest time without a score while the picture goes on to look new. Ours."""
    still_seconds: Fraction = Fraction(2)
    """Longest time without a score at all. Ours."""
    new_look_levels: float = 12.0
    """Mean difference of 8 x 8 cells, 0-255, above which a picture looks new. Ours."""
    second_from_score: float = 0.2
    """Score of the first model from which the second is asked too. Ours: half of the 0.4 at which
    the default policy lets go of a finding, so that no finding rests on one model."""
    suspicious_score: float = 0.5
    """From here on the neighbourhood is scored densely. Ours: 1 in 50 frames of harmless clips
    goes beyond it."""
    dense_seconds: Fraction = Fraction(1)
    """How far the neighbourhood reaches, before and after. Ours."""

    @classmethod
    def for_profile(cls, profile: str) -> "NudityAnalyzer":
        """Return the recipe with the best second model that is on this machine, if any is."""
        alone = cls()
        order = reversed(SECOND_MODELS) if profile == Profile.FAST else SECOND_MODELS
        here = [name for name in order if locate(load_card(name)) is not None]
        return replace(alone, models=(*alone.models, *here[:1]))

    def watch(self, video: VideoInfo) -> "_NudityWatch":
        """Start on one stream.

        Raises:
            ModelError: the weights are missing or were changed.
        """
        del video  # the views are upright and tone-mapped already
        cards = [load_card(name) for name in self.models]
        return _NudityWatch(self, *[_Judge(card, open_session(card)) for card in cards])


class _Judge:
    """One model, and what of its answer counts."""

    def __init__(self, card: Card, session: Runner) -> None:
        self._card, self._session = card, session
        labels = card.output.labels
        self._counting = [index for index, label in enumerate(labels) if label in _COUNTING]

    def score(self, picture: NDArray[np.uint8]) -> float:
        """Return how likely an RGB picture, uint8 [H, W, 3], is pornographic, 0 to 1."""
        answer = self._session.run(to_tensor(picture, self._card))
        return float(answer[0, self._counting].sum())


@dataclass(slots=True)
class _Candidate:
    start: Fraction
    end: Fraction
    pixels: NDArray[np.uint8]
    changed: bool
    score: float | None = None


class _NudityWatch:
    def __init__(self, recipe: NudityAnalyzer, first: _Judge, second: _Judge | None = None) -> None:
        self._recipe = recipe
        self._first, self._second = first, second
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
            first = self._score(candidate, look)
            # By the first model alone: a second one must never make us look less.
            if first >= recipe.suspicious_score:
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

    def _score(self, candidate: _Candidate, look: NDArray[np.float32]) -> float:
        """Score a candidate; return what the first model alone says of it."""
        picture = _trimmed(candidate.pixels)
        first = score = self._first.score(picture)
        if self._second is not None and first >= self._recipe.second_from_score:
            score = min(first, (first + self._second.score(picture)) / 2)
        candidate.score = round(score, 4)
        self._looks.append(look)
        self._last_scored = candidate.start
        return first

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
    tall, wide = height // _LOOK_CELLS, width // _LOOK_CELLS
    # Whole rows are added first: a mean over both axes at once takes fifteen times as long.
    rows = picture.reshape(_LOOK_CELLS, tall, width * 3).sum(axis=1, dtype=np.uint16)
    sums = rows.reshape(_LOOK_CELLS, _LOOK_CELLS, wide, 3).sum(axis=2, dtype=np.uint32)
    return np.asarray(sums / (tall * wide), dtype=np.float32)


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
