"""What a report says of the quality of a whole video, from the pictures that were judged.

Means are over time: each judged picture counts for as long as it stands. The interval of a mean is
the mean of the intervals, as if all errors of one video went the same way: the network sees the
same scene again and again, so they mostly do, and more pictures make nothing surer. Ours.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final

from reelcheck.spans import Observation, TimeSpan
from reelcheck.verdict.report import Quality, QualityCause, QualityShot, Worst
from reelcheck.verdict.rounding import seconds_of
from reelcheck.verdict.timeline import Timeline

ANALYZER: Final = "quality"
SCALE: Final = (1.0, 5.0)
"""ITU-T P.910: 1 bad to 5 excellent."""
_CAUSE: Final = "cause_"
_PLACE: Final = "place_"
_EXCESS: Final = "excess"
_SUSPECTED: Final = "attack_suspected"
"""Signal and event of the second opinion, see ``reelcheck.analyzers.quality.defence``."""
_WORST_SHARE: Final = Fraction(1, 20)
_DECIMALS: Final = 4
"""As the analyzer gives them."""
_SHOTS: Final = "shots"


@dataclass(frozen=True, slots=True)
class Sample:
    """One value and the time for which it stands."""

    span: TimeSpan
    value: float


def quality_of(timeline: Timeline) -> Quality | None:
    """Return the quality of the first video stream; ``None`` when no picture of it was judged.

    Nothing is said either when the analyzer broke: the rest of the video could look otherwise.
    """
    broken = {failure.analyzer for failure in timeline.failures}
    if not timeline.media.video or ANALYZER in broken:
        return None
    stream = timeline.media.video[0].stream
    mine = [
        one for one in timeline.observations if one.analyzer == ANALYZER and one.stream == stream
    ]
    scores = _samples(mine, "score")
    if not scores:
        return None
    worst = min(scores, key=lambda one: (one.value, one.span))
    low, high = (mean_over_time(_samples(mine, name) or scores) for name in ("lower", "upper"))
    return Quality(
        score=mean_over_time(scores),
        scale=SCALE,
        interval=(low, high),
        worst_5_percent=mean_over_time(scores, share=_WORST_SHARE),
        worst=Worst(
            start_seconds=seconds_of(worst.span.start),
            end_seconds=seconds_of(worst.span.end),
            score=worst.value,
            place=_place(mine, worst),
        ),
        causes=_causes(mine, scores),
        shots=tuple(_shots(timeline, scores, stream=stream)),
        judged_seconds=seconds_of(_total(scores)),
        attack_suspected_seconds=_suspected(mine),
    )


def mean_over_time(samples: Sequence[Sample], *, share: Fraction = Fraction(1)) -> float:
    """Return the mean of the lowest ``share`` of the time, above 0 up to 1, to four decimals.

    Where no time is known, as in a video of one picture, each sample counts the same.

    Args:
        samples: At least one.
        share: 1 for all of the time.
    """
    weights = [one.span.seconds for one in samples]
    if not any(weights):
        weights = [Fraction(1)] * len(samples)
    wanted = left = sum(weights, Fraction(0)) * share
    ranked = sorted(zip(samples, weights, strict=True), key=lambda one: (one[0].value, one[0].span))
    summed = Fraction(0)
    for sample, weight in ranked:
        taken = min(left, weight)
        summed += Fraction(sample.value) * taken
        left -= taken
    return round(float(summed / wanted), _DECIMALS)


def _samples(observations: Iterable[Observation], signal: str) -> list[Sample]:
    return [
        Sample(one.span, one.score)
        for one in observations
        if one.signal == signal and not one.label
    ]


def _total(samples: Iterable[Sample]) -> Fraction:
    return sum((one.span.seconds for one in samples), Fraction(0))


def _suspected(mine: Sequence[Observation]) -> float | None:
    if not _samples(mine, _EXCESS):
        return None
    spans = (one.span.seconds for one in mine if one.label == _SUSPECTED)
    return seconds_of(sum(spans, Fraction(0)))


def _place(mine: Sequence[Observation], worst: Sample) -> str | None:
    found = (
        one.signal.removeprefix(_PLACE).replace("_", " ")
        for one in mine
        if one.signal.startswith(_PLACE) and one.span == worst.span
    )
    return next(found, None)


def _causes(mine: Sequence[Observation], scores: Sequence[Sample]) -> tuple[QualityCause, ...]:
    judged = _total(scores)
    names = sorted({one.signal for one in mine if one.signal.startswith(_CAUSE)})
    told = [(_total(_samples(mine, name)), name.removeprefix(_CAUSE)) for name in names]
    return tuple(
        QualityCause(cause=name, share=round(float(seconds / judged), _DECIMALS))
        for seconds, name in sorted(told, key=lambda one: (-one[0], one[1]))
        if seconds
    )


def _shots(timeline: Timeline, scores: Sequence[Sample], *, stream: int) -> Iterator[QualityShot]:
    """Yield every shot with its mean score; what blends two shots belongs to neither."""
    broken = {failure.analyzer for failure in timeline.failures}
    if _SHOTS not in timeline.analyzers or _SHOTS in broken:
        return
    borders = sorted(
        one.span if one.label != "cut" else TimeSpan(one.span.start, one.span.start)
        for one in timeline.observations
        if one.analyzer == _SHOTS and one.label and one.stream == stream
    )
    whole = TimeSpan(Fraction(0), max(timeline.coverage.duration, scores[-1].span.end))
    edges = [TimeSpan(whole.start, whole.start), *borders, TimeSpan(whole.end, whole.end)]
    for before, after in pairwise(edges):
        if after.start <= before.end:
            continue
        shot = TimeSpan(before.end, after.start)
        inside = [
            Sample(TimeSpan(one.span.start, min(one.span.end, shot.end)), one.value)
            for one in scores
            if shot.start <= one.span.start < shot.end
        ]
        yield QualityShot(
            start_seconds=seconds_of(shot.start),
            end_seconds=seconds_of(shot.end),
            score=mean_over_time(inside) if inside else None,
        )
