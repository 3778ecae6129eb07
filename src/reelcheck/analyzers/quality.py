"""How good the picture looks, second by second, without knowing the original.

Method: a small network (card ``quality``) on one picture a second and on the first one after every
sudden change, so every shot that begins with a cut is judged. It sees the native luma plane in two
ways, after FAST-VQA (Wu et al., ECCV 2022): sixteen fragments at full resolution, where coding,
noise and blur show, and a glance at the whole, shrunk. Black borders are left out first. The answer
is on the five-point scale of ITU-T P.910 (1 bad, 2 poor, 3 fair, 4 good, 5 excellent), with an
interval that is meant to hold 90 % of scores; the card says how often it did.

The score is that of the picture as it is coded, pixel by pixel: small pictures are not punished for
being small, enlarged ones are. Pictures of more than about 1600 lines are judged at half their size
(or a third, ...): on a screen they are seen from as far as one of 1080 lines.

Limits: single pictures, so freezes, judder and sound do not count (see ``defects`` and
``loudness``); colour does not count; HDR is judged by its code values, which the network was not
trained on; where in the picture the damage lies is not told, because the network pools its
fragments. Plain pictures (black, one colour) and those of less than 16 lines or columns have
nothing to judge and get no score.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reelcheck.frames import Colour, FrameBatch, FrameNeeds, Layout, VideoInfo
from reelcheck.models.card import Card, load_card
from reelcheck.models.session import Runner, open_session
from reelcheck.spans import Observation, TimeSpan

UNIT: Final = "MOS"
"""Mean opinion score, 1 to 5: estimated, nobody was asked."""

GRID: Final = 4
"""Fragments per side, as in ``recipes/quality.toml``."""
_JUDGED: Final = 3
"""Score, lower and upper; logits of causes come behind them."""
_LOWEST: Final = 1.0
_HIGHEST: Final = 5.0
_LINES: Final = 1080
"""Short side of the largest picture that is judged at its own size."""
_LEAST_SIDE_PX: Final = 16
"""Ours: a macroblock; less is no picture that anybody looks at."""
_BLACK: Final = 16
_LIMITED_LEVELS: Final = 219
"""8-bit limited range, ITU-R BT.709: black at 16, white at 235."""
_BORDER_STEPS: Final = 8
"""8-bit codes above black up to which a border counts as black: FFmpeg cropdetect's 24 less 16."""
_MIN_CONTENT_RATIO: Final = 0.25
"""Ours: less picture than this is a dark scene, not a border."""
_PLAIN_LEVELS: Final = 8
"""Ours: with all levels this close together, there is nothing to judge."""
_CLIPPED_LEVEL: Final = 250
_CRUSHED_LEVEL: Final = 8
_EXPOSURE_RATIO: Final = 0.5
"""Ours: with half of the picture at one end of the range, exposure is the first thing to blame."""
_CLEAN: Final = "clean"
_LIKELY: Final = 0.5
"""Ours: a cause is named when it is more likely than all others together."""
_CLOSEST_SECONDS: Final = Fraction(1, 4)
"""Ours: strobes and fast edits cost no more than five pictures a second."""

Levels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityAnalyzer:
    """Judge one picture a second, and the first of every shot that begins with a cut.

    Signals: ``score``, ``lower`` and ``upper`` (MOS, 1 to 5), one sample for each judged picture,
    which stands until the next one; ``cause_compression``, ``cause_blur``, ... (0 to 1), one sample
    for each stretch on which this cause is the likeliest: its mean probability. Pictures that are
    good (``blamed_below``) or whose cause is not clear have none.

    Event ``poor_picture``: for as long as the score stays below ``poor_score``; its score is the
    lowest, its note tells the interval and the likeliest cause.
    """

    name: str = "quality"
    models: tuple[str, ...] = ("quality",)
    needs: tuple[FrameNeeds, ...] = (
        FrameNeeds(layout=Layout.LUMA, rate_fps=Fraction(1), on_change=True),
    )
    poor_score: float = 2.0
    """ITU-T P.910 calls a score of 2 poor."""
    blamed_below: float = 4.0
    """ITU-T P.910 calls a score of 4 good. Ours: what is good needs no cause."""

    def watch(self, video: VideoInfo) -> "_QualityWatch":
        """Start on one stream.

        Raises:
            ModelError: the weights are missing or were changed.
        """
        card = load_card(self.models[0])
        turns = (-video.rotation_degrees // 90) % 4
        return _QualityWatch(self, Judge(card, open_session(card)), turns=turns)


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
        colour = colour or Colour(full_range=True)
        picture = trimmed(in_bytes(codes, colour), colour)
        if min(picture.shape) < _LEAST_SIDE_PX:
            return None
        mosaic = fragments(picture, grid=GRID, patch_px=self._patch_px)
        glance = _resized(picture, (self._glance_px, self._glance_px))
        mosaic, glance = (np.rot90(as_levels(one, colour), turns) for one in (mosaic, glance))
        if max(int(np.ptp(one)) for one in (mosaic, glance)) < _PLAIN_LEVELS:
            return None
        return self._judged(mosaic, glance)

    def _judged(self, mosaic: Levels, glance: Levels) -> Judged:
        extra = {"glance": self._tensor(glance)}
        told = self._session.run(self._tensor(mosaic)[:, None], extra)[0].astype(np.float64)
        score, lower, upper = np.clip(told[:_JUDGED], _LOWEST, _HIGHEST).round(4).tolist()
        cause, probability = self._cause(told[_JUDGED:], glance)
        return Judged(
            score=score, lower=lower, upper=upper, cause=cause, cause_probability=probability
        )

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


class _QualityWatch:
    """Holds the newest picture until the next one tells how long it stands."""

    def __init__(self, recipe: QualityAnalyzer, judge: Judge, *, turns: int) -> None:
        self._recipe = recipe
        self._judge = judge
        self._turns = turns
        self._newest: tuple[TimeSpan, Judged | None] | None = None
        self._last_change: Fraction | None = None
        self._poor: list[tuple[TimeSpan, Judged]] = []
        self._blamed: list[tuple[TimeSpan, Judged]] = []

    def see(self, batch: FrameBatch) -> Iterator[Observation]:
        for index, span in enumerate(batch.spans()):
            changed = bool(batch.changed[index])
            if self._follows_closely(span, changed=changed):
                continue
            if changed:
                self._last_change = span.start
            yield from self._settle()
            judged = self._judge(batch.pixels[index], batch.colour, turns=self._turns)
            self._newest = (span, judged)

    def end(self) -> Iterator[Observation]:
        yield from self._settle()
        yield from self._close_poor()
        yield from self._close_blamed()

    def _follows_closely(self, span: TimeSpan, *, changed: bool) -> bool:
        """Let the newest picture stand for another one that comes too soon after it.

        The first picture of a shot comes too soon only after that of another shot.
        """
        if self._newest is None:
            return False
        seen, judged = self._newest
        before = self._last_change if changed else seen.start
        if span.start > seen.end or before is None or span.start - before >= _CLOSEST_SECONDS:
            return False
        self._newest = (TimeSpan(seen.start, max(seen.end, span.end)), judged)
        return True

    def _settle(self) -> Iterator[Observation]:
        """Report the newest picture, now that it is known how long it stands."""
        if self._newest is None:
            return
        span, judged = self._newest
        self._newest = None
        if judged is None:
            return
        for signal in ("score", "lower", "upper"):
            yield self._sample(signal, span, getattr(judged, signal), unit=UNIT)
        yield from self._take_poor(span, judged)
        yield from self._take_blamed(span, judged)

    def _take_poor(self, span: TimeSpan, judged: Judged) -> Iterator[Observation]:
        is_poor = judged.score < self._recipe.poor_score
        if not is_poor or not _goes_on(self._poor, span):
            yield from self._close_poor()
        if is_poor:
            self._poor.append((span, judged))

    def _take_blamed(self, span: TimeSpan, judged: Judged) -> Iterator[Observation]:
        is_blamed = bool(judged.cause) and judged.score < self._recipe.blamed_below
        same = bool(self._blamed) and self._blamed[-1][1].cause == judged.cause
        if not (is_blamed and same and _goes_on(self._blamed, span)):
            yield from self._close_blamed()
        if is_blamed:
            self._blamed.append((span, judged))

    def _close_poor(self) -> Iterator[Observation]:
        if not self._poor:
            return
        worst = min((judged for _, judged in self._poor), key=lambda one: one.score)
        yield Observation(
            analyzer=self._recipe.name,
            signal="score",
            label="poor_picture",
            span=TimeSpan(self._poor[0][0].start, self._poor[-1][0].end),
            score=worst.score,
            unit=UNIT,
            note=f"lowest score {worst.score:.1f} of 5 (90 % interval {worst.lower:.1f} to "
            f"{worst.upper:.1f}); likely cause: {worst.cause or 'not clear'}",
        )
        self._poor.clear()

    def _close_blamed(self) -> Iterator[Observation]:
        if not self._blamed:
            return
        mean = math.fsum(one.cause_probability for _, one in self._blamed) / len(self._blamed)
        span = TimeSpan(self._blamed[0][0].start, self._blamed[-1][0].end)
        yield self._sample(f"cause_{self._blamed[0][1].cause}", span, round(mean, 4), unit="")
        self._blamed.clear()

    def _sample(self, signal: str, span: TimeSpan, score: float, *, unit: str) -> Observation:
        return Observation(
            analyzer=self._recipe.name, signal=signal, span=span, score=score, unit=unit
        )


def _goes_on(stretch: list[tuple[TimeSpan, Judged]], span: TimeSpan) -> bool:
    return bool(stretch) and stretch[-1][0].end == span.start


def in_bytes(codes: NDArray[Any], colour: Colour) -> Levels:
    """Return the eight highest bits of luma codes, shape [H, W]."""
    if colour.bit_depth > 8:  # noqa: PLR2004 - more than a byte
        codes = codes >> (colour.bit_depth - 8)
    return codes.astype(np.uint8, copy=False)


def as_levels(codes: Levels, colour: Colour) -> Levels:
    """Return 8-bit codes as levels from 0 black to 255 white, of the same shape."""
    if colour.full_range:
        return codes
    stretched = (np.arange(256, dtype=np.float64) - _BLACK) * (255 / _LIMITED_LEVELS)
    table = np.clip(stretched.round(), 0, 255).astype(np.uint8)
    return table[codes]


def trimmed(codes: Levels, colour: Colour) -> Levels:
    """Return the picture of 8-bit codes without black rows and columns at its edges."""
    limit = _BORDER_STEPS + (0 if colour.full_range else _BLACK)
    rows, columns = (_content(codes.max(axis=axis), limit) for axis in (1, 0))
    return codes[rows, columns]


def _content(brightest: Levels, limit: int) -> slice:
    lit = np.flatnonzero(brightest > limit)
    if not len(lit) or lit[-1] - lit[0] < _MIN_CONTENT_RATIO * len(brightest):
        return slice(None)
    return slice(int(lit[0]), int(lit[-1]) + 1)


def fragments(picture: Levels, *, grid: int, patch_px: int) -> Levels:
    """Return patches of a picture side by side, shape [grid * patch_px, grid * patch_px].

    One patch from the middle of every cell of a grid, as ``reelcheck.lab`` cuts them for training.
    Pictures that are smaller than a patch are enlarged first; large ones are seen as from far, see
    the module.
    """
    short = min(picture.shape)
    if short < patch_px:
        height, width = (math.ceil(side * patch_px / short) for side in picture.shape)
        picture = _resized(picture, (width, height))
    step = halvings(short)
    wide = patch_px * step
    rows, columns = (corners(side, grid=grid, patch_px=wide) for side in picture.shape)
    joined = np.block([[picture[y : y + wide, x : x + wide] for x in columns] for y in rows])
    if step == 1:
        return joined
    side = grid * patch_px
    cells = joined.reshape(side, step, side, step).mean(axis=(1, 3), dtype=np.float32)
    return np.asarray(cells.round(), dtype=np.uint8)


def halvings(short_px: int) -> int:
    """Return how many pixels of a picture become one before it is judged: 1 up to 1600 lines."""
    return max(1, round(short_px / _LINES))


def corners(length_px: int, *, grid: int, patch_px: int) -> list[int]:
    """Return where the patches along one axis begin: in the middles of cells, or spread evenly."""
    if length_px < grid * patch_px:
        return [round(one) for one in np.linspace(0, length_px - patch_px, grid).tolist()]
    edges = [number * length_px // grid for number in range(grid + 1)]
    return [a + (b - a - patch_px) // 2 for a, b in pairwise(edges)]


def _resized(picture: Levels, size_px: tuple[int, int]) -> Levels:
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize(size_px, Image.Resampling.BILINEAR))
