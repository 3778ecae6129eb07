"""How much of its scores a report tells: all, rounded, or nothing but the labels.

Whoever may send a video again and again, and sees exact scores, can change it step by step until
it passes (black-box attacks climb the score; see ``docs/leaks.md``). So a service can tell its
uploaders less than it knows. The verdict is always that of the full scores.

Limits: verdicts and the times of findings stay exact, and each tells a little: with enough uploads
a limit can be found by labels alone.
"""

import re
from collections.abc import Iterable
from typing import Final

from reelcheck.settings import Scores
from reelcheck.verdict.report import Event, Quality, Report, Signal

ROUNDED_DECIMALS: Final = 2
"""Ours: a hundredth of the range of a probability; docs/leaks.md measures what that is worth."""
_FOUND: Final = 1.0
"""Score of an event where scores are not told: it was found."""
_NUMBER: Final = re.compile(r"\d+\.\d+(?:e-?\d+)?")


def shown(report: Report, scores: Scores) -> Report:
    """Return a judged report with as much of its scores as may be told."""
    if scores is Scores.FULL:
        return report
    if scores is Scores.LABELS:
        return report.model_copy(
            update={
                "scores": scores.value,
                "events": tuple(_labelled(report.events)),
                "signals": {},
                "quality": None,
            }
        )
    return report.model_copy(
        update={
            "scores": scores.value,
            "events": tuple(_rounded(report.events)),
            "signals": {name: _coarse(one) for name, one in report.signals.items()},
            "quality": None if report.quality is None else _coarse_quality(report.quality),
        }
    )


def shown_value(value: float, scores: Scores) -> float:
    """Return a score as a text may tell it; not for labels alone, which tell none."""
    return value if scores is Scores.FULL else round(value, ROUNDED_DECIMALS) + 0.0


def _labelled(events: Iterable[Event]) -> Iterable[Event]:
    for event in events:
        yield event.model_copy(update={"score": _FOUND, "unit": "", "note": "", "place": None})


def _rounded(events: Iterable[Event]) -> Iterable[Event]:
    for event in events:
        note = _NUMBER.sub(lambda found: f"{_two(float(found[0])):g}", event.note)
        yield event.model_copy(update={"score": _two(event.score), "note": note})


def _coarse(signal: Signal) -> Signal:
    return signal.model_copy(update={"values": tuple(_two(one) for one in signal.values)})


def _coarse_quality(quality: Quality) -> Quality:
    low, high = quality.interval
    worst = quality.worst.model_copy(update={"score": _two(quality.worst.score)})
    shots = (
        shot.model_copy(update={"score": None if shot.score is None else _two(shot.score)})
        for shot in quality.shots
    )
    causes = (one.model_copy(update={"share": _two(one.share)}) for one in quality.causes)
    return quality.model_copy(
        update={
            "score": _two(quality.score),
            "interval": (_two(low), _two(high)),
            "worst_5_percent": _two(quality.worst_5_percent),
            "worst": worst,
            "causes": tuple(causes),
            "shots": tuple(shots),
        }
    )


def _two(value: float) -> float:
    return shown_value(value, Scores.ROUNDED)
