"""From tracks and a goal to everything that is told about one label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reelcheck.calibration.choose import Choice, Goal, choose, durations_of, halves
from reelcheck.calibration.curve import Curve
from reelcheck.calibration.reliability import Reliability, reliability
from reelcheck.calibration.sweep import sweep
from reelcheck.calibration.targets import Target
from reelcheck.calibration.tracks import Track


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibrated:
    """One label."""

    target: Target
    choice: Choice
    reliability: Reliability | None
    unit: str
    videos: int
    unseen: int
    """Labelled events of which too little was seen."""


def calibrate(target: Target, tracks: Sequence[Track], goal: Goal) -> Calibrated:
    """Set the threshold of one rule."""
    whole = sweep(tracks, target.rule, durations_of(target.rule))
    sides = [{whole.groups[place] for place in side} for side in halves(whole)]
    first, second = ([track for track in tracks if track.group in side] for side in sides)
    return Calibrated(
        target=target,
        choice=choose(whole, target.rule, goal),
        reliability=reliability(first, second),
        unit=next((track.unit for track in tracks if track.streams), ""),
        videos=len(tracks),
        unseen=whole.unseen,
    )


def record(one: Calibrated) -> dict[str, Any]:
    """Return everything about one label as plain JSON; unknown figures are ``None``."""
    choice, target = one.choice, one.target
    kept = choice.rule
    return {
        "label": target.label,
        "rule": target.rule.code,
        "signal": target.rule.signal,
        "outcome": choice.outcome,
        "reason": choice.reason,
        "chosen": None if kept is None else kept.model_dump(exclude={"why"}),
        "videos": one.videos,
        "unseen_events": one.unseen,
        "min_durations_tried_seconds": list(choice.tried),
        "curve_min_duration_seconds": choice.min_duration_seconds,
        "calibration_half": _curve(choice.calibration),
        "check_half": _curve(choice.check),
        "score_to_probability": None if one.reliability is None else _map(one.reliability),
    }


def _curve(curve: Curve) -> dict[str, Any]:
    return {
        "groups": curve.groups,
        "hours_without_events": round(curve.hours, 6),
        "events": curve.events,
        "thresholds": list(curve.thresholds),
        "false_alarms": curve.alarms.astype(int).tolist(),
        "false_alarms_per_hour_upper": _numbers(curve.per_hour_upper),
        "found": curve.found.astype(int).tolist(),
        "recall_lower": _numbers(curve.recall_lower),
    }


def _map(found: Reliability) -> dict[str, Any]:
    return {
        "scores": _numbers(found.steps.scores),
        "probabilities": _numbers(found.steps.probabilities),
        "error_before": round(found.error_before, 6),
        "error_after": round(found.error_after, 6),
    }


def _numbers(values: Any) -> list[float | None]:  # noqa: ANN401 - an array of any shape [N]
    return [round(float(one), 6) if np.isfinite(one) else None for one in values]
