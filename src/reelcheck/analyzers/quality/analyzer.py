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
trained on; where in the picture the damage lies is told of the worst picture only, by quarters.
Plain pictures (black, one colour) and those of less than 16 lines or columns have nothing to judge
and get no score.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from reelcheck.analyzers.quality.cutting import Levels
from reelcheck.analyzers.quality.defence import Defended, DefendedJudge
from reelcheck.analyzers.quality.judge import Judge, Judged
from reelcheck.frames import FrameBatch, FrameNeeds, Layout, VideoInfo
from reelcheck.models.card import load_card
from reelcheck.models.session import open_session
from reelcheck.spans import Observation, TimeSpan

UNIT: Final = "MOS"
"""Mean opinion score, 1 to 5: estimated, nobody was asked."""
_CLOSEST_SECONDS: Final = Fraction(1, 4)
"""Ours: strobes and fast edits cost no more than five pictures a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityAnalyzer:
    """Judge one picture a second, and the first of every shot that begins with a cut.

    Signals: ``score``, ``lower`` and ``upper`` (MOS, 1 to 5), one sample for each judged picture,
    which stands until the next one; ``cause_compression``, ``cause_blur``, ... (0 to 1), one sample
    for each stretch on which this cause is the likeliest: its mean probability. Pictures that are
    good (``blamed_below``) or whose cause is not clear have none. ``place_top_left``, ...: one
    sample for the picture with the lowest score, if this quarter of it shows the cause far more
    than the others: by how many log odds.

    Event ``poor_picture``: for as long as the score stays below ``poor_score``; its score is the
    lowest, its note tells the interval and the likeliest cause.

    Defended, also the signal ``excess`` (MOS): how far the score of a picture lies above what it
    should be by its second opinion; and the event ``attack_suspected`` for as long as that is too
    much. The scores of suspected pictures are replaced by what they should be.
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
    defended: bool = False
    """Whether every picture is judged twice, to find scores that somebody pushed: ``defence``. No
    profile does: of honest pictures 4.6 % are suspected too."""

    def watch(self, video: VideoInfo) -> "_QualityWatch":
        """Start on one stream.

        Raises:
            ModelError: the weights are missing or were changed.
        """
        card = load_card(self.models[0])
        turns = (-video.rotation_degrees // 90) % 4
        return _QualityWatch(self, Judge(card, open_session(card)), turns=turns)


@dataclass(slots=True, kw_only=True)
class _Worst:
    """The picture with the lowest score."""

    judged: Judged
    seen: tuple[Levels, Levels]
    span: TimeSpan | None = None
    """Known once the picture is settled."""


class _QualityWatch:
    """Holds the newest picture until the next one tells how long it stands."""

    def __init__(self, recipe: QualityAnalyzer, judge: Judge, *, turns: int) -> None:
        self._recipe = recipe
        self._plain_judge = judge
        self._judge = DefendedJudge(judge) if recipe.defended else judge
        self._turns = turns
        self._worst: _Worst | None = None
        self._newest: tuple[TimeSpan, Judged | Defended | None] | None = None
        self._last_change: Fraction | None = None
        self._poor: list[tuple[TimeSpan, Judged]] = []
        self._blamed: list[tuple[TimeSpan, Judged]] = []
        self._suspected: list[tuple[TimeSpan, float]] = []

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
            self._remember(judged, batch, index)

    def end(self) -> Iterator[Observation]:
        yield from self._settle()
        yield from self._close_poor()
        yield from self._close_blamed()
        yield from self._close_suspected()
        yield from self._place_worst()

    def _remember(self, judged: Judged | Defended | None, batch: FrameBatch, index: int) -> None:
        """Keep what the network sees of the worst picture until now."""
        told = judged.judged if isinstance(judged, Defended) else judged
        if told is None or (self._worst and self._worst.judged.score <= told.score):
            return
        seen = self._plain_judge.views(batch.pixels[index], batch.colour, turns=self._turns)
        if seen is not None:
            self._worst = _Worst(judged=told, seen=seen)

    def _place_worst(self) -> Iterator[Observation]:
        worst = self._worst
        if not worst or not worst.judged.cause or worst.judged.score >= self._recipe.blamed_below:
            return
        found = self._plain_judge.quarter(*worst.seen, worst.judged.cause)
        if found and worst.span:
            signal = f"place_{found[0].replace(' ', '_')}"
            yield self._sample(signal, worst.span, found[1], unit="")

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
        if isinstance(judged, Defended):
            yield from self._take_second(span, judged)
            judged = judged.judged
        if judged is None:
            return
        if self._worst and self._worst.judged is judged:
            self._worst.span = span
        for signal in ("score", "lower", "upper"):
            yield self._sample(signal, span, getattr(judged, signal), unit=UNIT)
        yield from self._take_poor(span, judged)
        yield from self._take_blamed(span, judged)

    def _take_second(self, span: TimeSpan, defended: Defended) -> Iterator[Observation]:
        yield self._sample("excess", span, defended.excess, unit=UNIT)
        if not defended.suspected or not _goes_on(self._suspected, span):
            yield from self._close_suspected()
        if defended.suspected:
            self._suspected.append((span, defended.excess))

    def _close_suspected(self) -> Iterator[Observation]:
        if not self._suspected:
            return
        excess = max(one for _, one in self._suspected)
        yield Observation(
            analyzer=self._recipe.name,
            signal="excess",
            label="attack_suspected",
            span=TimeSpan(self._suspected[0][0].start, self._suspected[-1][0].end),
            score=excess,
            unit=UNIT,
            note=f"coded once more, the picture loses up to {excess:.1f} more than it should: "
            "somebody may have pushed its score, which is replaced",
        )
        self._suspected.clear()

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


def _goes_on(stretch: Sequence[tuple[TimeSpan, object]], span: TimeSpan) -> bool:
    return bool(stretch) and stretch[-1][0].end == span.start
