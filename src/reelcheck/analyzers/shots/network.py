"""Cuts and gradual transitions by TransNetV2, for the accurate profile.

Method: Soucek and Lokoc, "TransNet V2", arXiv 2008.04838, with the sampling of the authors'
inference code: windows of 100 frames of 48 x 27 pixels every 50 frames, of which the middle 50
count, the first and last frame repeated at the ends. The network marks one frame of a dissolve, as
of a cut; how far a gradual transition reaches is taken from the classical detector.

Limits: see the card. A gradual transition that only the network sees is reported as a cut, or as
a dissolve of the frames that it marks when these are more than two. The network misses some cuts
that the classical detector finds: on generated videos (see ``ShotsAnalyzer``) precision was 100 %
and recall 94.9 % of 99 cuts. Cost: 16 ms of CPU a frame, more than decoding 1080p.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.frames import FrameBatch, FrameNeeds, Layout, VideoInfo
from reelcheck.models.card import load_card
from reelcheck.models.session import open_session
from reelcheck.spans import Observation, TimeSpan

from .analyzer import ShotsAnalyzer, ShotsWatch, event

Network = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Takes 100 RGB frames, uint8 [100, 27, 48, 3]; returns how likely each is the last frame of a
shot or within a transition, float32 [100], 0 to 1."""

_WINDOW: Final = 100
_HOP: Final = 50
_EDGE: Final = (_WINDOW - _HOP) // 2
_MODEL: Final = "transnetv2"
_SIZE_PX: Final = (48, 27)
_NEAR: Final = Fraction(1, 10)
"""A cut this close to a gradual transition is part of it. Ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransNetShots:
    """Find the borders of shots with a network.

    Events as those of ``ShotsAnalyzer``: ``cut`` and ``dissolve``, with the network's highest
    answer, 0 to 1, as score.
    """

    name: str = "shots"
    models: tuple[str, ...] = (_MODEL,)
    needs: tuple[FrameNeeds, ...] = (
        FrameNeeds(layout=Layout.GRID, batch_frames=16),
        FrameNeeds(layout=Layout.RGB, size_px=_SIZE_PX, batch_frames=16),
    )
    threshold: float = 0.5
    """Answer from which a frame counts: the authors' choice."""
    longest_cut_frames: int = 2
    """A longer run of such frames is a gradual transition. Ours: the network marks one frame of
    a cut, sometimes a neighbour too."""

    def watch(self, video: VideoInfo) -> "NetworkWatch":
        """Start on one stream.

        Raises:
            ModelError: the weights are missing.
        """
        session = open_session(load_card(self.models[0]))

        def ask(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
            return session.run(frames[np.newaxis]).reshape(-1)

        return NetworkWatch(self, ask, ShotsAnalyzer().watch(video))


class NetworkWatch:
    """Cuts of the network and gradual transitions of the classical detector, each in order."""

    def __init__(self, recipe: TransNetShots, network: Network, classical: ShotsWatch) -> None:
        self._windows = Windows(network)
        self._transitions = _Transitions(recipe)
        self._classical = classical
        self._spans: list[TimeSpan] = []
        self._graduals: list[Observation] = []
        self._waiting: list[Observation] = []

    def see(self, batch: FrameBatch) -> Iterator[Observation]:
        """Take the next frames of either view."""
        if batch.layout is Layout.GRID:
            yield from self._keep(self._classical.see(batch))
            yield from self._release(self._classical.settled)
            return
        for index, span in enumerate(batch.spans()):
            self._spans.append(span)
            self._take(self._windows.see(batch.pixels[index]))

    def end(self) -> Iterator[Observation]:
        """Yield the rest."""
        # A run that lasts to the end leads to no new shot: it is none.
        self._take(self._windows.end())
        yield from self._keep(self._classical.end())
        yield from self._release(None)

    def _keep(self, found: Iterable[Observation]) -> Iterator[Observation]:
        graduals = [one for one in found if one.label != "cut"]
        self._graduals += graduals
        yield from graduals

    def _take(self, answers: NDArray[np.float32]) -> None:
        for answer in answers:
            self._waiting += self._transitions.step(self._spans.pop(0), float(answer))

    def _release(self, until: Fraction | None) -> Iterator[Observation]:
        """Yield what the network found before ``until`` outside gradual transitions."""
        while self._waiting and (until is None or self._waiting[0].span.end < until):
            border = self._waiting.pop(0)
            near = TimeSpan(max(Fraction(0), border.span.start - _NEAR), border.span.end + _NEAR)
            self._graduals = [one for one in self._graduals if one.span.end >= near.start]
            if not any(gradual.span.overlaps(near) for gradual in self._graduals):
                yield border


class Windows:
    """Asks a network of 100 frames about every frame of a stream of any length."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._frames: list[NDArray[np.uint8]] = []
        self._unanswered = 0

    def see(self, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Take the next frame; return the answers that became known, in order."""
        if not self._frames:
            self._frames = [frame] * _EDGE
        self._frames.append(frame)
        self._unanswered += 1
        return self._ask() if len(self._frames) == _WINDOW else np.zeros(0, np.float32)

    def end(self) -> NDArray[np.float32]:
        """Return the answers for the last frames."""
        known = [np.zeros(0, np.float32)]
        while self._unanswered:
            self._frames += [self._frames[-1]] * (_WINDOW - len(self._frames))
            known.append(self._ask())
        return np.concatenate(known)

    def _ask(self) -> NDArray[np.float32]:
        answers = self._network(np.stack(self._frames))[_EDGE : _EDGE + _HOP]
        answers = answers[: self._unanswered]
        self._unanswered -= len(answers)
        del self._frames[:_HOP]
        return answers


class _Transitions:
    """Turns one answer per frame into cuts and gradual transitions."""

    def __init__(self, recipe: TransNetShots) -> None:
        self._recipe = recipe
        self._run = 0
        self._start = Fraction(0)
        self._highest = 0.0

    def step(self, span: TimeSpan, answer: float) -> Iterator[Observation]:
        """Take the answer for the frame of ``span``."""
        if answer > self._recipe.threshold:
            self._start = span.start if not self._run else self._start
            self._run += 1
            self._highest = max(self._highest, answer)
        elif self._run:
            # The network marks the last frames of the old shot: the new one begins here.
            cut = self._run <= self._recipe.longest_cut_frames
            yield self._event("cut", span) if cut else self._dissolve(span.start)
            self._run, self._highest = 0, 0.0

    def _dissolve(self, end: Fraction) -> Observation:
        return self._event("dissolve", TimeSpan(self._start, end))

    def _event(self, label: str, span: TimeSpan) -> Observation:
        notes = {"cut": "the first frame of a new shot", "dissolve": "one shot turns into the next"}
        return event(label, span, self._highest, notes[label])
