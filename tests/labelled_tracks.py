"""Tracks of a signal with a known truth, for tests of calibration."""

from collections.abc import Sequence

import numpy as np

from reelcheck.calibration.tracks import Track
from reelcheck.verdict.hysteresis import Sample
from reelcheck.verdict.policy import SignalRule

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
RULE = SignalRule(signal="nudity.score", label="nudity", on_at=0.5, severity="fail", why="ours")


def track(
    values: Sequence[float],
    *,
    name: str = "a",
    group: str = "",
    events: Sequence[tuple[int, int]] = (),
    step_us: int = SECOND,
) -> Track:
    """Return samples that are a microsecond apart, so that each can be an alarm of its own.

    Events are given as first and last sample, the last one excluded.
    """
    samples = tuple(
        Sample(place * step_us, (place + 1) * step_us - 1, value)
        for place, value in enumerate(values)
    )
    stretches = tuple((first * step_us, last * step_us) for first, last in events)
    labelled = sum(end - start for start, end in stretches)
    return Track(
        video=name,
        group=group or name,
        streams=(samples,),
        events=stretches,
        seen=(True,) * len(stretches),
        clean_us=len(samples) * step_us - labelled,
        unit="",
    )


def harmless(rng: np.random.Generator, *, videos: int, minutes: int, burst: int = 1) -> list[Track]:
    """Return videos with nothing in them, one sample a minute.

    Each minute's score is uniform, so that a threshold of ``t`` alarms ``60 * (1 - t)`` times an
    hour. With ``burst``, so many minutes in a row share one score: alarms come in bursts.
    """
    return [
        track(
            np.repeat(rng.random(minutes // burst), burst).tolist(),
            name=f"video {number:04}",
            step_us=MINUTE,
        )
        for number in range(videos)
    ]
