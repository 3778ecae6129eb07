"""What the quality network says of one picture."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.analyzers.quality.cutting import (
    Levels,
    as_levels,
    fragments,
    in_bytes,
    resized,
    trimmed,
)
from reelcheck.frames import Colour
from reelcheck.models.card import Card
from reelcheck.models.session import Runner

GRID: Final = 4
"""Fragments per side, as in ``recipes/quality.toml``."""
_JUDGED: Final = 3
"""Score, lower and upper; logits of causes come behind them."""
LOWEST: Final = 1.0
HIGHEST: Final = 5.0
"""Ends of the scale: ITU-T P.910."""
_LEAST_SIDE_PX: Final = 16
"""Ours: a macroblock; less is no picture that anybody looks at."""
_PLAIN_LEVELS: Final = 8
"""Ours: with all levels this close together, there is nothing to judge."""
_CLIPPED_LEVEL: Final = 250
_CRUSHED_LEVEL: Final = 8
_EXPOSURE_RATIO: Final = 0.5
"""Ours: with half of the picture at one end of the range, exposure is the first thing to blame."""
_CLEAN: Final = "clean"
QUARTERS: Final = ("top left", "top right", "bottom left", "bottom right")
FAR: Final = 4.4
"""Log odds by which a quarter must be ahead of the next to be named. Ours: a tenth of held-out
pictures that are spoilt evenly lie above (``tools/quality_places.py``)."""
_NOWHERE: Final = "loss"
"""The cause whose quarter is not told: torn by lost data, the right one comes first in 29 % of 136
pictures, which is chance (``tools/quality_places.py``)."""
_LIKELY: Final = 0.5
"""Ours: a cause is named when it is more likely than all others together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the network says of one picture."""

    score: float
    """1 to 5, as are the ends of the interval."""
    lower: float
    upper: float
    cause: str
    """Empty when it is not clear, or nothing is wrong."""
    cause_probability: float


class Judge:
    """Prepares a luma plane as in training, and asks the network."""

    def __init__(self, card: Card, session: Runner) -> None:
        self._session = session
        self._mean, self._scale = card.input.mean[0], card.input.scale[0]
        self._patch_px = card.input.resize_px[0] // GRID
        self._glance_px = card.extra_inputs[0].shape[-1]
        self._causes = card.output.labels[_JUDGED:]

    def __call__(
        self, codes: NDArray[Any], colour: Colour | None = None, *, turns: int = 0
    ) -> Judged | None:
        """Judge one picture; ``None`` when there is nothing to judge.

        Args:
            codes: Luma as coded, uint8 or uint16, shape [H, W].
            colour: How to read the codes; 8 bits of full range when left out.
            turns: Quarter turns against the clock that show it upright.
        """
        seen = self.views(codes, colour or Colour(full_range=True), turns=turns)
        return None if seen is None else self.judged(*seen)

    def views(
        self, codes: NDArray[Any], colour: Colour, *, turns: int = 0
    ) -> tuple[Levels, Levels] | None:
        """Return fragments and glance in levels of full range; ``None`` with nothing to judge.

        Args:
            codes: As for the call.
            colour: How to read the codes.
            turns: As for the call.
        """
        picture = trimmed(in_bytes(codes, colour), colour)
        if min(picture.shape) < _LEAST_SIDE_PX:
            return None
        mosaic = fragments(picture, grid=GRID, patch_px=self._patch_px)
        glance = resized(picture, (self._glance_px, self._glance_px))
        mosaic, glance = (np.rot90(as_levels(one, colour), turns) for one in (mosaic, glance))
        if max(int(np.ptp(one)) for one in (mosaic, glance)) < _PLAIN_LEVELS:
            return None
        return mosaic, glance

    def judged(self, mosaic: Levels, glance: Levels) -> Judged:
        """Return what the network says of fragments and glance."""
        told = self._ask(mosaic, glance)
        score, lower, upper = np.clip(told[:_JUDGED], LOWEST, HIGHEST).round(4).tolist()
        cause, probability = self._cause(told[_JUDGED:], glance)
        return Judged(
            score=score, lower=lower, upper=upper, cause=cause, cause_probability=probability
        )

    def quarter(self, mosaic: Levels, glance: Levels, cause: str) -> tuple[str, float] | None:
        """Return which quarter of the picture shows a cause, and how far it is ahead in log odds.

        ``None`` when no quarter is ahead of all others by ``FAR``, or the cause is lost data or
        none that the network knows. Each quarter is judged as if the whole picture were made of
        its fragments: by the odds of the cause against a clean picture. Ours.

        Args:
            mosaic: Of ``views``, as is the glance.
            glance: Of the whole picture.
            cause: As ``judged`` named it.
        """
        if cause not in self._causes or cause == _NOWHERE:
            return None
        odds = self.quarter_odds(mosaic, glance, cause)
        *_, second, first = np.argsort(odds)
        ahead = round(float(odds[first] - odds[second]), 4)
        return None if ahead < FAR else (QUARTERS[first], ahead)

    def quarter_odds(self, mosaic: Levels, glance: Levels, cause: str) -> NDArray[np.float64]:
        """Return the log odds of a cause that the network knows in each of ``QUARTERS``."""
        named, clean = (_JUDGED + self._causes.index(one) for one in (cause, _CLEAN))
        half = len(mosaic) // 2
        told = [
            self._ask(np.tile(mosaic[y : y + half, x : x + half], (2, 2)), glance)
            for y in (0, half)
            for x in (0, half)
        ]
        return np.array([one[named] - one[clean] for one in told])

    def _ask(self, mosaic: Levels, glance: Levels) -> NDArray[np.float64]:
        extra = {"glance": self._tensor(glance)}
        told = self._session.run(self._tensor(mosaic)[:, None], extra)[0]
        return np.asarray(told, dtype=np.float64)

    def _cause(self, logits: NDArray[np.float64], glance: Levels) -> tuple[str, float]:
        at_ends = float(((glance >= _CLIPPED_LEVEL) | (glance <= _CRUSHED_LEVEL)).mean())
        if at_ends >= _EXPOSURE_RATIO:
            return "exposure", round(at_ends, 4)
        chances = np.exp(logits - logits.max())
        likeliest = int(chances.argmax())
        probability = round(float(chances[likeliest] / chances.sum()), 4)
        name = self._causes[likeliest]
        return ("", 0.0) if name == _CLEAN or probability < _LIKELY else (name, probability)

    def _tensor(self, picture: Levels) -> NDArray[np.float32]:
        """Return grey as the three equal colours that the network takes, shape [1, 3, h, w]."""
        values = (picture.astype(np.float32) - np.float32(self._mean)) / np.float32(self._scale)
        return np.ascontiguousarray(np.broadcast_to(values, (1, 3, *values.shape)))
