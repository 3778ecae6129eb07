"""Borders of shots by the classical detectors, and what only the network of this package sees.

The network (card ``shots``, trained by ``tools/shots_train.py``) sees tiny pictures of every frame,
144 at a time, of which the middle 96 count; the first and last frame are repeated at the ends. It
tells which frames are first after a cut, or lie within a dissolve, a fade or a wipe. The classical
detectors know to a frame where cuts and most dissolves are; the network adds wipes, and what they
miss.

Limits: see the card. A wipe that takes less than three frames is found as a cut, or missed.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.frames import FrameBatch, FrameNeeds, Layout, VideoInfo
from reelcheck.models.card import load_card
from reelcheck.models.session import open_session
from reelcheck.spans import Observation, TimeSpan

from .analyzer import NAME, ShotsAnalyzer, ShotsWatch, event
from .tiny import tiny_levels

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Takes the levels of 144 frames, float32 [144, 3888]; returns for each how likely it is the first
one after a cut, or lies within a dissolve, a fade or a wipe: float32 [144, 4], 0 to 1."""

WINDOW: Final = 144
"""Frames that the network sees at once."""
_HOP: Final = 96
_EDGE: Final = (WINDOW - _HOP) // 2
_MODEL: Final = "shots"
_GRADUAL: Final = ("dissolve", "fade", "wipe")
_NOTES: Final = {
    "cut": "the first frame of a new shot",
    "dissolve": "one shot blends into the next",
    "fade": "the picture fades from or to a plain one",
    "wipe": "the next shot takes the place of the one before, part by part",
}
_NEAR: Final = Fraction(1, 10)
"""A cut so close to a gradual transition is part of it. Ours."""
_USUAL_FPS: Final = 30
"""Training had 24 to 30 frames a second; of faster videos some are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedShots:
    """Find cuts, dissolves, fades and wipes.

    Events as those of ``ShotsAnalyzer``, and ``wipe``: the span holds the frames that show both
    shots; the score is the highest answer of the network, 0 to 1.
    """

    name: str = NAME
    models: tuple[str, ...] = (_MODEL,)
    needs: tuple[FrameNeeds, ...] = (FrameNeeds(layout=Layout.GRID, batch_frames=16),)
    threshold: float = 0.6
    """Answer from which a frame counts."""
    least_frames: int = 3
    """Of a gradual transition; fewer are mostly motion."""

    def watch(self, video: VideoInfo) -> "LearnedWatch | ShotsWatch":
        """Start on one stream.

        Raises:
            ModelError: the weights are missing or were changed.
        """
        classical = ShotsAnalyzer().watch(video)
        if video.key_frames_only:
            return classical
        session = open_session(load_card(self.models[0]))

        def ask(frames: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.asarray(session.run(frames[np.newaxis])[0], dtype=np.float32)

        rate = video.rate_fps_from_header or Fraction(_USUAL_FPS)
        return LearnedWatch(self, ask, classical, every=max(1, round(rate / _USUAL_FPS)))


class LearnedWatch:
    """Puts both kinds of findings together, in order of time."""

    def __init__(
        self, recipe: LearnedShots, network: Network, classical: ShotsWatch, *, every: int
    ) -> None:
        self._classical = classical
        self._network = _Borders(recipe, network, every=every)
        self._sure: list[Observation] = []
        """Found by the classical detectors."""
        self._learned: list[Observation] = []
        """Found by the network."""
        self._told = Fraction(0)
        """Time in seconds up to which everything was reported."""

    def see(self, batch: FrameBatch) -> Iterator[Observation]:
        """Take the next frames."""
        self._sure += self._classical.see(batch)
        for index, span in enumerate(batch.spans()):
            self._learned += self._network.see(batch.pixels[index], span)
        settled = min(self._classical.settled, self._network.settled)
        yield from self._release(settled - _NEAR)

    def end(self) -> Iterator[Observation]:
        """Yield the rest."""
        self._sure += self._classical.end()
        self._learned += self._network.end()
        last = max((one.span.end for one in [*self._sure, *self._learned]), default=self._told)
        yield from self._release(last + _NEAR)

    def _release(self, until: Fraction) -> Iterator[Observation]:
        """Yield what ends before ``until`` and after what was yielded before."""
        if until <= self._told:
            return
        graduals = [one for one in self._sure if one.label != "cut"]
        kept = [
            *(one for one in self._learned if not _touches(one, graduals)),
            *graduals,
            *(one for one in self._sure if one.label == "cut" and not _touches(one, self._learned)),
        ]
        due = [one for one in kept if self._told <= one.span.end < until]
        yield from sorted(due, key=lambda one: one.span)
        self._told = until
        # What was reported still stands beside what comes within the distance of two findings.
        for found in (self._sure, self._learned):
            found[:] = [one for one in found if one.span.end >= until - 2 * _NEAR]


def _touches(one: Observation, others: list[Observation]) -> bool:
    near = TimeSpan(max(Fraction(0), one.span.start - _NEAR), one.span.end + _NEAR)
    return any(other.span.overlaps(near) for other in others)


class _Borders:
    """Turns answers of the network into borders."""

    def __init__(self, recipe: LearnedShots, network: Network, *, every: int) -> None:
        self._recipe = recipe
        self._network = network
        self._every = every
        self._number = 0
        self._shape: tuple[int, ...] = ()
        self._frames: list[NDArray[np.uint8]] = []
        self._spans = deque[TimeSpan]()
        self._run: list[tuple[TimeSpan, NDArray[np.float32]]] = []
        self._cut = False

    @property
    def settled(self) -> Fraction:
        """Time in seconds before which nothing new will begin."""
        if self._run:
            return self._run[0][0].start
        return self._spans[0].start if self._spans else Fraction(0)

    def see(self, grid: NDArray[np.float32], span: TimeSpan) -> Iterator[Observation]:
        """Take the next frame; a picture of another shape begins anew."""
        if grid.shape != self._shape:
            yield from self.end()
            self._shape = grid.shape
        self._number += 1
        if (self._number - 1) % self._every:
            self._spans[-1] = TimeSpan(self._spans[-1].start, span.end)
            return
        tiny = tiny_levels(grid)
        if not self._frames:
            self._frames = [tiny] * _EDGE
        self._frames.append(tiny)
        self._spans.append(span)
        if len(self._frames) == WINDOW:
            yield from self._ask()

    def end(self) -> Iterator[Observation]:
        """Answer for the last frames, and begin anew."""
        while self._spans:
            self._frames += self._frames[-1:] * (WINDOW - len(self._frames))
            yield from self._ask()
        yield from self._close()
        self._frames, self._number = [], 0

    def _ask(self) -> Iterator[Observation]:
        levels = np.stack(self._frames).reshape(WINDOW, -1).astype(np.float32)
        answers = self._network(levels)[_EDGE : _EDGE + _HOP]
        del self._frames[:_HOP]
        for answer in answers[: len(self._spans)]:
            span, sure = self._spans.popleft(), answer > self._recipe.threshold
            if sure[0] and not self._cut:
                yield event("cut", span, float(answer[0]), _NOTES["cut"])
            self._cut = bool(sure[0])
            if sure[1:].any():
                self._run.append((span, answer[1:]))
            else:
                yield from self._close()

    def _close(self) -> Iterator[Observation]:
        run, self._run = self._run, []
        if len(run) < self._recipe.least_frames:
            return
        answers = np.stack([answer for _, answer in run])
        label = _GRADUAL[int(answers.mean(axis=0).argmax())]
        span = TimeSpan(run[0][0].start, run[-1][0].end)
        yield event(label, span, float(answers.max()), _NOTES[label])
