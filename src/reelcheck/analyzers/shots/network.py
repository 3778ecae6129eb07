"""Cuts and gradual transitions by TransNetV2, for the accurate profile.

Method: Soucek and Lokoc, "TransNet V2", arXiv 2008.04838, with the sampling of the authors'
inference code: windows of 100 frames of 48 x 27 pixels every 50 frames, of which the middle 50
count, the first and last frame repeated at the ends.

Limits: see the card. Fades and dissolves are not told apart, and count as dissolves. Cost: about
15 ms of CPU a frame, more than decoding 1080p.
"""

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

from .analyzer import event

Network = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Takes 100 RGB frames, uint8 [100, 27, 48, 3]; returns how likely each is the last frame of a
shot or within a transition, float32 [100], 0 to 1."""

_WINDOW: Final = 100
_HOP: Final = 50
_EDGE: Final = (_WINDOW - _HOP) // 2
_MODEL: Final = "transnetv2"
_SIZE_PX: Final = (48, 27)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransNetShots:
    """Find the borders of shots with a network.

    Events as those of ``ShotsAnalyzer``: ``cut`` and ``dissolve``, with the network's highest
    answer, 0 to 1, as score.
    """

    name: str = "shots"
    models: tuple[str, ...] = (_MODEL,)
    needs: tuple[FrameNeeds, ...] = (
        FrameNeeds(layout=Layout.RGB, size_px=_SIZE_PX, batch_frames=16),
    )
    threshold: float = 0.5
    """Answer from which a frame counts: the authors' choice."""
    longest_cut_frames: int = 2
    """A longer run of such frames is a gradual transition. Ours: the network marks one frame of
    a cut, sometimes a neighbour too."""

    def watch(self, video: VideoInfo) -> "_NetworkWatch":
        """Start on one stream.

        Raises:
            ModelError: the weights are missing.
        """
        del video  # the view is upright and tone-mapped already
        session = open_session(load_card(self.models[0]))

        def ask(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
            return session.run(frames[np.newaxis]).reshape(-1)

        return _NetworkWatch(self, ask)


class _NetworkWatch:
    def __init__(self, recipe: TransNetShots, network: Network) -> None:
        self._windows = Windows(network)
        self._transitions = _Transitions(recipe)
        self._spans: list[TimeSpan] = []

    def see(self, batch: FrameBatch) -> Iterator[Observation]:
        for index, span in enumerate(batch.spans()):
            self._spans.append(span)
            yield from self._take(self._windows.see(batch.pixels[index]))

    def end(self) -> Iterator[Observation]:
        # A run that lasts to the end leads to no new shot: it is none.
        yield from self._take(self._windows.end())

    def _take(self, answers: NDArray[np.float32]) -> Iterator[Observation]:
        for answer in answers:
            yield from self._transitions.step(self._spans.pop(0), float(answer))


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
