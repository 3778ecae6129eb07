"""Fights: how likely people hit, kick or wrestle each other, half second by half second.

Method, ours: twice a second one picture and the motion around it become a row of numbers
(``moments``). A small head (card ``fights``) judges the rows of every two seconds: each is
described, mean and highest over time are joined, five such heads are averaged. A half second
scores the mean of all windows that hold it. The form was chosen by cross-validation over source
videos against GRUs (DeepSense), trees on motion alone and frozen pictures alone: docs/fights.md.

Limits: trained on short clips of surveillance cameras and of ice hockey; play-fighting, dancing
and sport with contact look alike. Sound is not heard. A score is no proof of anything.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from reelcheck.analyzers.base import SAMPLED_PICTURES
from reelcheck.analyzers.fights.moments import Moment, MomentMaker
from reelcheck.frames import FrameBatch, FrameNeeds, Layout, VideoInfo
from reelcheck.models.card import load_card
from reelcheck.models.session import Runner, open_session
from reelcheck.spans import Observation, TimeSpan

_WINDOW_SECONDS: Final = 2
"""Length of the clips in training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FightsAnalyzer:
    """Judge two seconds at a time.

    Signal ``score``: calibrated probability that people fight, 0 to 1, one sample per moment; each
    stands until the next one.
    """

    name: str = "fights"
    models: tuple[str, ...] = ("moving-look", "fights")
    needs: tuple[FrameNeeds, ...] = (
        FrameNeeds(layout=Layout.GRID, rate_fps=Fraction(25, 2), batch_frames=8),
        SAMPLED_PICTURES,
    )
    every_seconds: Fraction = Fraction(1, 2)

    def watch(self, video: VideoInfo) -> "_FightsWatch":
        """Start on one stream.

        Raises:
            ModelError: the weights are missing or were changed.
        """
        del video  # the views are upright and tone-mapped already
        look, judge = (load_card(name) for name in self.models)
        maker = MomentMaker(look, open_session(look), every_seconds=self.every_seconds)
        return _FightsWatch(self, maker, open_session(judge))


@dataclass(frozen=True, slots=True)
class _Scored:
    moment: Moment
    told: list[float]


class _FightsWatch:
    def __init__(self, recipe: FightsAnalyzer, maker: MomentMaker, judge: Runner) -> None:
        self._recipe = recipe
        self._maker = maker
        self._judge = judge
        self._size = int(_WINDOW_SECONDS / recipe.every_seconds)
        self._open = deque[_Scored]()

    def see(self, batch: FrameBatch) -> Iterator[Observation]:
        for moment in self._maker.see(batch):
            yield from self._take(moment)

    def end(self) -> Iterator[Observation]:
        for moment in self._maker.end():
            yield from self._take(moment)
        if self._open and not self._open[-1].told:
            self._ask()
        while self._open:
            yield self._give()

    def _take(self, moment: Moment) -> Iterator[Observation]:
        self._open.append(_Scored(moment, []))
        if len(self._open) >= self._size:
            self._ask()
        if len(self._open) >= self._size:
            yield self._give()

    def _ask(self) -> None:
        """Judge the newest window; a shorter video stands still at its end, as in training."""
        window = list(self._open)[-self._size :]
        rows = [one.moment.row for one in window]
        rows += rows[-1:] * (self._size - len(rows))
        told = float(self._judge.run(np.stack(rows)[None])[0, 0])
        for scored in window:
            scored.told.append(told)

    def _give(self) -> Observation:
        scored = self._open.popleft()
        return Observation(
            analyzer=self._recipe.name,
            signal="score",
            span=TimeSpan(scored.moment.start, scored.moment.end),
            score=round(sum(scored.told) / len(scored.told), 4),
        )
