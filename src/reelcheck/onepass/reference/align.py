"""From two tracks to pairs of frames that show the same moment, or a reason why there are none."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import numpy as np

from reelcheck.media.fitting import Crop
from reelcheck.onepass.reference.fitted import Side, crops
from reelcheck.onepass.reference.match import FLIPS, SAME, flipped, likeness, slip
from reelcheck.onepass.reference.offset import Look, find_shifts
from reelcheck.onepass.reference.pairing import (
    NO_PARTNER,
    Indices,
    Line,
    Shift,
    partners,
    settled,
)
from reelcheck.onepass.reference.probe import choose
from reelcheck.onepass.reference.track import File, Track

_START_HINT: Final = "say where it begins in the reference with --offset SECONDS"
_STATED_TRANSFERS: Final = "HDR and SDR pictures have no common scale; convert one of them first"

Watch = Callable[[File, Crop | None], Track]
"""Decodes a file once and gives its track."""


class NoAlignment(Exception):  # noqa: N818 - an outcome that the child tells, not an error of it
    """The two files cannot be compared, and why."""

    def __init__(self, reason: str, *, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alignment:
    """Two files, and which frames of them belong together."""

    reference: Side
    distorted: Side
    shift: Shift
    found: Indices
    """Partner of every frame of the distorted file."""
    likeness: float
    """Median correlation of coarse looks, up to 1."""

    def pairs(self) -> list[tuple[int, int]]:
        """Return the (reference, distorted) frames that may be scored: both sound."""
        sound = (self.found != NO_PARTNER) & ~self.distorted.track.damaged
        sound &= ~self.reference.track.damaged[np.maximum(self.found, 0)]
        return [(int(self.found[j]), int(j)) for j in np.flatnonzero(sound)]


def align(
    reference: File,
    distorted: File,
    *,
    watch: Watch,
    search: Fraction,
    offset: Fraction | None,
) -> Alignment:
    """Return which frames of two files belong together.

    Args:
        reference: The file that is measured against.
        distorted: The other one.
        watch: Decodes a file once.
        search: Largest offset to look for, in seconds.
        offset: What the user says it is; ``None`` to look for it.

    Raises:
        NoAlignment: they do not show the same, or it cannot be told where.
        VideoError: the gate refuses one of them.
    """
    ours, theirs = _sides(reference, distorted, watch)
    _must_share_light(ours.track, theirs.track)
    looks = _look(ours.track), _look(theirs.track)
    shifts = _shifts(looks, search=search, offset=offset)
    shift = shifts[0]
    if len(shifts) > 1:
        shift = _decide((ours, theirs), looks, shifts)
    shift = settled(looks[0].line, looks[1].line, shift)
    found = partners(looks[0].line, looks[1].line, shift)
    alike = _must_be_alike(looks, found)
    return Alignment(reference=ours, distorted=theirs, shift=shift, found=found, likeness=alike)


def _sides(reference: File, distorted: File, watch: Watch) -> tuple[Side, Side]:
    """Return both files with their tracks; where bars differ, looked at again without them."""
    ours, theirs = watch(reference, None), watch(distorted, None)
    our_crop, their_crop = crops(ours, theirs)
    if our_crop:
        ours = watch(reference, our_crop)
    if their_crop:
        theirs = watch(distorted, their_crop)
    return (
        Side(file=reference, track=ours, crop=our_crop),
        Side(file=distorted, track=theirs, crop=their_crop),
    )


def _must_share_light(ours: Track, theirs: Track) -> None:
    first, second = ours.info.colour.transfer, theirs.info.colour.transfer
    if first is not second and ours.colour_stated and theirs.colour_stated:
        reason = f"the reference is {first} light and the distorted file {second}"
        raise NoAlignment(reason, hint=_STATED_TRANSFERS)


def _look(track: Track) -> Look:
    return Look(line=Line.of(track.starts, track.ends), looks=track.looks, valid=~track.damaged)


def _shifts(looks: tuple[Look, Look], *, search: Fraction, offset: Fraction | None) -> list[Shift]:
    if offset is not None:
        return [Shift(offset=offset)]
    for look, role in zip(looks, ("reference", "distorted file"), strict=True):
        if not look.valid.any():
            raise NoAlignment(f"no frame of the {role} is sound")
    candidates = find_shifts(*looks, search=search)
    if not candidates:
        raise NoAlignment(
            f"no offset within {float(search):g} s lets half of the shorter file overlap the other",
            hint="widen the search with --search SECONDS, or cut the files to the same part",
        )
    return [one.shift for one in candidates]


def _decide(sides: tuple[Side, Side], looks: tuple[Look, Look], shifts: list[Shift]) -> Shift:
    lines = looks[0].line, looks[1].line
    founds = [partners(*lines, shift) for shift in shifts]
    homes = [partners(*lines, shift) for shift in _together(*lines)]
    order = sorted(range(len(shifts)), key=lambda k: abs(shifts[k].offset))
    ranked = [founds[k] for k in order]
    at_home = (
        place for home in homes for place, found in enumerate(ranked) if np.array_equal(found, home)
    )
    choice = choose(*sides, ranked, home=next(at_home, None))
    chosen = shifts[order[choice.index]]
    if choice.doubt is not None:
        other = shifts[order[choice.doubt]]
        raise NoAlignment(
            f"the offset is ambiguous: {float(chosen.offset):.3f} s and "
            f"{float(other.offset):.3f} s fit alike, but their scores differ by "
            f"{choice.gap_db:.2f} dB",
            hint=_START_HINT,
        )
    return chosen


def _together(reference: Line, distorted: Line) -> tuple[Shift, Shift]:
    """Return the shifts under which both files begin together: by time, and by first frame."""
    return (
        Shift(offset=Fraction(0)),
        Shift(offset=reference.starts[0] - distorted.starts[0]),
    )


def _must_be_alike(looks: tuple[Look, Look], found: Indices) -> float:
    if not (found != NO_PARTNER).any():
        raise NoAlignment("no frame of the two stands at the same time", hint=_START_HINT)
    alike = likeness(*looks, found)
    words = flipped(*looks, found)
    if not words and alike < SAME:
        words = _flipped_elsewhere(looks)
    if words:
        raise NoAlignment(f"the distorted picture is {words}", hint="turn it back first")
    moved = slip(*looks, found)
    if moved:
        raise NoAlignment(
            f"from {moved.at_seconds:.2f} s of the distorted file on, an offset changed by "
            f"{moved.by_seconds:+.2f} s fits better: something was cut out or put in",
            hint="compare the parts before and after it one by one",
        )
    if alike < SAME:
        raise NoAlignment(
            f"the two do not show the same: coarse pictures correlate by {alike:.2f}, "
            f"the same content by {SAME:g} or more",
            hint="is this the right original? A crop, another edit or a turned picture does it too",
        )
    return alike


def _flipped_elsewhere(looks: tuple[Look, Look]) -> str:
    """Return how the distorted picture is flipped, when it fits so at another offset."""
    for words, axes in FLIPS.items():
        turned = replace(looks[1], looks=np.flip(looks[1].looks, axes))
        for candidate in find_shifts(looks[0], turned)[:1]:
            found = partners(looks[0].line, turned.line, candidate.shift)
            if likeness(looks[0], turned, found) >= SAME:
                return words
    return ""
