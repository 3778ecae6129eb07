"""Which of several shifts is right, when coarse looks cannot tell: asked of the pixels.

A few frames of the reference are compared at full size with their partner under every shift.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from reelcheck.media.fidelity import ceiling_db, mean_squared_error, psnr_db
from reelcheck.media.fitting import Target, planes_of
from reelcheck.onepass.reference.fitted import Side, fitted_frames
from reelcheck.onepass.reference.pairing import NO_PARTNER, Indices

_FRAMES: Final = 12
_SIDE_PX: Final = 512
"""The middle of the picture, at most this large, is compared."""
SAME_DB: Final = 0.1
"""Ours: shifts whose PSNR lies closer than this give the same scores for any use of them."""
_SURE_DB: Final = 1.0
_SURE_DEVIATIONS: Final = 3.0
"""Ours: a shift is better beyond doubt when it wins by 1 dB, or by three standard errors.

A common start gives way to the first of the two only: coders at their worst quality repeat old
content, and then frames of the past fit better by up to 0.6 dB (seen on real clips)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the pixels said."""

    index: int
    """Of the chosen shift."""
    doubt: int | None
    """Of a shift that gives other scores and may as well be right; ``None`` when there is none."""
    gap_db: float
    """PSNR between the two."""


def choose(
    reference: Side, distorted: Side, shifts: Sequence[Indices], *, home: int | None
) -> Choice:
    """Return which of the shifts is right.

    Args:
        reference: The file that is measured against.
        distorted: The other one.
        shifts: For each shift the partner of every frame of the distorted file, as
            ``pairing.partners`` gives them; in order of preference where scores do not differ.
        home: Index of the shift under which both files begin together, if it is among them.
    """
    chosen = _sample(reference, distorted, shifts)
    if not chosen:
        return Choice(index=0, doubt=None, gap_db=0.0)
    scores = _scores(reference, distorted, shifts, chosen)
    means = scores.mean(axis=1)
    best = int(np.argmax(means))
    if home is not None and means[best] - means[home] <= _SURE_DB:
        return Choice(index=home, doubt=None, gap_db=0.0)
    equal = [k for k in range(len(shifts)) if means[best] - means[k] <= SAME_DB]
    for k in range(len(shifts)):
        gaps = scores[best] - scores[k]
        gap = float(gaps.mean())
        error = float(gaps.std(ddof=1)) / len(gaps) ** 0.5 if len(gaps) > 1 else np.inf
        sure = gap > _SURE_DB or gap > _SURE_DEVIATIONS * error
        if k not in equal and not sure:
            return Choice(index=equal[0], doubt=k, gap_db=gap)
    return Choice(index=equal[0], doubt=None, gap_db=0.0)


def _sample(reference: Side, distorted: Side, shifts: Sequence[Indices]) -> list[int]:
    """Return frames of the distorted file that have a sound partner under every shift."""
    sound = ~distorted.track.damaged
    for found in shifts:
        sound &= found != NO_PARTNER
        sound &= ~reference.track.damaged[np.maximum(found, 0)]
    usable = np.flatnonzero(sound)
    if not len(usable):
        return []
    places = np.linspace(0, len(usable) - 1, min(_FRAMES, len(usable))).astype(np.intp)
    return [int(j) for j in usable[places]]


def _scores(
    reference: Side, distorted: Side, shifts: Sequence[Indices], chosen: Sequence[int]
) -> NDArray[np.float64]:
    """Return the luma PSNR in dB, cut at libvmaf's ceiling, shape [shifts, frames]."""
    needed = sorted({int(found[j]) for found in shifts for j in chosen})
    kept = dict[int, NDArray[Any]]()
    target: Target | None = None
    for index, frame, form in fitted_frames(reference, None, needed):
        kept[index], target = _middle(frame), form
    scores = np.zeros((len(shifts), len(chosen)))
    if target is None:
        return scores
    places = {j: place for place, j in enumerate(chosen)}
    for j, frame, _ in fitted_frames(distorted, target, chosen):
        theirs = _middle(frame)
        for k, found in enumerate(shifts):
            if int(found[j]) in kept:
                scores[k, places[j]] = _psnr(kept[int(found[j])], theirs, target.bit_depth)
    return scores


def _psnr(ours: NDArray[Any], theirs: NDArray[Any], bit_depth: int) -> float:
    value = psnr_db(mean_squared_error(ours, theirs), bit_depth=bit_depth)
    top = ceiling_db(bit_depth)
    return top if value is None else min(value, top)


def _middle(frame: VideoFrame) -> NDArray[Any]:
    luma = planes_of(frame)[0]
    height, width = luma.shape
    top, left = max(0, (height - _SIDE_PX) // 2), max(0, (width - _SIDE_PX) // 2)
    return luma[top : top + _SIDE_PX, left : left + _SIDE_PX].copy()
