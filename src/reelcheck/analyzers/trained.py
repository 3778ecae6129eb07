"""A network of the user's own, on every stretch of a video.

Method: the network of a card in the model store, made by ``reelcheck lab export``, on clips of
``card.input.clip_seconds`` that follow each other by half their length; pictures are prepared by
the code that prepared them in training. Each clip's probabilities stand for the half that the next
clip does not cover.

Limits: those of the card. Clips that begin less than half their length before the end are not
looked at; the last clip stands for them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import NDArray

from reelcheck.errors import SettingError
from reelcheck.frames import FrameBatch, FrameNeeds, Layout, VideoInfo
from reelcheck.models.card import Card, load_card
from reelcheck.models.session import Runner, open_session
from reelcheck.models.tensors import places, to_clip
from reelcheck.spans import Observation, TimeSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedAnalyzer:
    """Run one trained network.

    Signals: one per label, its probability, 0 to 1. Events: one per label that has a threshold in
    the card, for as long as the probability stays at or above it.
    """

    card: Card
    name: str
    models: tuple[str, ...]
    needs: tuple[FrameNeeds, ...] = field(default=())

    @classmethod
    def of(cls, name: str) -> Self:
        """Return the recipe for a model of the store.

        Raises:
            SettingError: there is no such model, or it does not take clips.
        """
        card = load_card(name)
        _refuse_what_is_no_clip(card)
        rate = Fraction(card.input.frames) / Fraction(card.input.clip_seconds).limit_denominator()
        needs = (FrameNeeds(layout=Layout.RGB, rate_fps=rate),)
        return cls(card=card, name=name, models=(name,), needs=needs)

    def watch(self, video: VideoInfo) -> "_TrainedWatch":
        """Start on one stream.

        Raises:
            ModelError: the weights are missing or were changed.
        """
        del video  # the view is upright and tone-mapped already
        return _TrainedWatch(self, open_session(self.card))


class _TrainedWatch:
    def __init__(self, recipe: TrainedAnalyzer, session: Runner) -> None:
        self._recipe = recipe
        self._session = session
        self._pictures: list[NDArray[np.float32]] = []
        self._spans: list[TimeSpan] = []
        self._told_until: Fraction | None = None
        self._last = np.zeros(0)
        self._open: dict[str, tuple[Fraction, float]] = {}

    def see(self, batch: FrameBatch) -> Iterator[Observation]:
        spec = self._recipe.card.input
        for index, span in enumerate(batch.spans()):
            self._pictures.append(to_clip(batch.pixels[index : index + 1], spec)[0])
            self._spans.append(span)
            if len(self._pictures) == spec.frames:
                yield from self._tell(self._spans[-1].end)
                half = max(1, spec.frames // 2)
                del self._pictures[:half], self._spans[:half]

    def end(self) -> Iterator[Observation]:
        if self._spans and self._told_until != self._spans[-1].end:
            yield from self._tell(self._spans[-1].end)
        if self._told_until is not None:
            yield from self._events(np.zeros(len(self._last)), self._told_until)

    def _tell(self, end: Fraction) -> Iterator[Observation]:
        chosen = places(len(self._pictures), self._recipe.card.input)
        clip = np.stack(self._pictures)[chosen]
        if self._recipe.card.input.layout == "NTCHW":
            clip = clip[np.newaxis]  # else a network for pictures: its batch is the one picture
        probabilities = _softmax(self._session.run(clip)[0])
        start = self._spans[0].start if self._told_until is None else self._told_until
        self._told_until, self._last = end, probabilities
        for label, score in zip(self._labels, probabilities, strict=True):
            yield Observation(
                analyzer=self._recipe.name,
                signal=label,
                span=TimeSpan(start, end),
                score=round(float(score), 4),
            )
        yield from self._events(probabilities, start)

    @property
    def _labels(self) -> tuple[str, ...]:
        return self._recipe.card.output.labels

    def _events(self, probabilities: NDArray[np.float64], at: Fraction) -> Iterator[Observation]:
        """Open and close events at a time; zeros close all."""
        for label, score in zip(self._labels, probabilities, strict=True):
            threshold = self._recipe.card.thresholds.get(label)
            if threshold is None:
                continue
            start, highest = self._open.get(label, (at, 0.0))
            if score >= threshold:
                self._open[label] = (start, max(highest, round(float(score), 4)))
            elif label in self._open:
                del self._open[label]
                yield Observation(
                    analyzer=self._recipe.name,
                    signal=label,
                    label=label,
                    span=TimeSpan(start, at),
                    score=highest,
                    note=f"probability {highest:.2f}, the card's threshold is {threshold:g}",
                )


def _refuse_what_is_no_clip(card: Card) -> None:
    spec = card.input
    if card.extra_inputs:
        others = ", ".join(one.name for one in card.extra_inputs)
        reason = f"it also takes {others}"
    elif card.output.kind != "classes":
        reason = f"it tells {card.output.kind}, not classes"
    elif spec.layout != "NTCHW" and (spec.layout, spec.frames) != ("NCHW", 1):
        reason = f"it takes {spec.layout} with {spec.frames} pictures"
    elif spec.channels != "RGB" or spec.crop_px or spec.jpeg_round_trip:
        reason = "clips get no channels = BGR, crop_px or jpeg_round_trip"
    else:
        return
    raise SettingError(
        f"model {card.name!r} cannot be run on a video by itself: {reason}",
        hint="only networks that tell the class of a clip or a picture can",
    )


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = np.exp(logits.astype(np.float64) - float(logits.max()))
    return np.asarray(shifted / shifted.sum())
