"""Stretches of either file that got no score, and why."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from reelcheck.onepass.reference.align import Alignment
from reelcheck.onepass.reference.pairing import NO_PARTNER
from reelcheck.onepass.reference.track import Track
from reelcheck.spans import TimeSpan, merge

_ALONE: Final = "the reference shows nothing at this time"
_UNSHOWN: Final = "the distorted file does not show this"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unscored:
    """One stretch of one file, in seconds from its start."""

    file: str
    """``reference`` or ``distorted``."""
    span: TimeSpan
    reason: str
    damaged: bool
    """Whether it is damage, and not a part that the other file just does not have."""


def unscored(alignment: Alignment) -> list[Unscored]:
    """Return what of both files is not scored, in order of time for each file."""
    ours, theirs = alignment.reference.track, alignment.distorted.track
    alone = [
        TimeSpan(theirs.starts[j], theirs.ends[j])
        for j in np.flatnonzero(alignment.found == NO_PARTNER)
    ]
    used = alignment.found[alignment.found != NO_PARTNER]
    unshown = list[TimeSpan]()
    if len(used):
        first, last = int(used[0]), int(used[-1])
        unshown = [
            TimeSpan(ours.starts[0], ours.starts[first]),
            TimeSpan(ours.ends[last], max(ours.ends[-1], ours.ends[last])),
        ]
    return [
        *_parts("distorted", alone, _ALONE),
        *_damage("distorted", theirs),
        *_parts("reference", unshown, _UNSHOWN),
        *_damage("reference", ours),
    ]


def _parts(file: str, spans: list[TimeSpan], reason: str) -> list[Unscored]:
    return [Unscored(file=file, span=span, reason=reason, damaged=False) for span in merge(spans)]


def _damage(file: str, track: Track) -> list[Unscored]:
    return [
        Unscored(file=file, span=part.span, reason=part.cause, damaged=True)
        for part in track.account.spans
        if part.stream == track.info.stream and part.state == "damaged"
    ]
