"""A second opinion on the score: does the picture keep it when it is coded once more?

Whoever knows the network can push pixels by four levels of 255, which hardly anybody sees, so that
any picture gets five points (``docs/attacks.md``). Such a push does not survive strong coding;
quality that was there mostly does. So what the network sees is coded with H.264 at a high quantiser
and judged again, and from that second score it is told what the first should be. A score far above
that is called suspected, and replaced.

Sources: that coding takes such pushes out is Das et al., arXiv 1705.02900 (with JPEG); to compare
answers before and after a simplification is feature squeezing, Xu, Evans and Qi, arXiv 1704.01155.
To code only what the network sees, with H.264, and the constants are ours: they are fitted by
``tools/quality_defence.py``, and are those of the weights in the package.

Limits: an attacker who knows this too pays for it, but is not stopped; ``docs/attacks.md`` says how
far he gets. Excellent pictures can hardly be inflated, and are hardly told. One honest
picture in twenty is suspected, more where there is fine grain, which strong coding takes out too;
it loses about a point and a half.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

from reelcheck.analyzers.quality.cutting import Levels
from reelcheck.analyzers.quality.judge import HIGHEST, LOWEST, Judge, Judged
from reelcheck.frames import Colour

QUANTISER: Final = 44
"""Of H.264, 0 to 51: below it more of an attack survives, above it less of the quality."""
INTERCEPT: Final = 0.254
SLOPE: Final = 1.144
"""From the score of the coded picture to that of the picture: least squares over training scenes,
unattacked, as they are and coded with x264 at a rate factor of 23 and 30."""
LIMIT: Final = 0.924
"""How far a score may lie above what it should be: 97 % of those pictures do not reach it."""
_GREY: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Defended:
    """A score with its second opinion."""

    judged: Judged
    """What the report tells: replaced where it is suspected."""
    excess: float
    """How far the first score lies above what it should be, MOS."""

    @property
    def suspected(self) -> bool:
        """Whether somebody may have pushed the score."""
        return self.excess > LIMIT


class DefendedJudge:
    """Judges every picture twice. Costs about two and a half times as much as once."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def __call__(
        self, codes: NDArray[Any], colour: Colour | None = None, *, turns: int = 0
    ) -> Defended | None:
        """Judge one picture; ``None`` when there is nothing to judge. Arguments: ``Judge``."""
        seen = self._judge.views(codes, colour or Colour(full_range=True), turns=turns)
        if seen is None:
            return None
        first = self._judge.judged(*seen)
        second = self._judge.judged(*(recoded(np.ascontiguousarray(one)) for one in seen))
        return second_opinion(first, second)


def second_opinion(first: Judged, second: Judged) -> Defended:
    """Return a score, replaced where the score of the coded picture speaks against it."""
    should = min(HIGHEST, max(LOWEST, INTERCEPT + SLOPE * second.score))
    excess = round(first.score - should, 4)
    if excess <= LIMIT:
        return Defended(judged=first, excess=excess)
    lower, upper = (
        round(min(HIGHEST, max(LOWEST, end - second.score + should)), 4)
        for end in (second.lower, second.upper)
    )
    told = replace(first, score=round(should, 4), lower=lower, upper=upper, cause="")
    return Defended(judged=replace(told, cause_probability=0.0), excess=excess)


def recoded(picture: Levels) -> Levels:
    """Return a picture, shape [H, W] with even sides, as one intra frame of H.264 gives it back.

    The quantiser is the same everywhere, one thread, no rate control: the same bytes every time.
    """
    height, width = picture.shape
    chroma = np.full(height * width // 2, _GREY, dtype=np.uint8)
    planes = np.concatenate([picture.reshape(-1), chroma]).reshape(height * 3 // 2, width)
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base = Fraction(1, 25)
    encoder.thread_count = 1
    encoder.options = {"qp": str(QUANTISER), "preset": "veryfast"}
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    frames = [one for packet in packets for one in decoder.decode(packet)]
    frames += decoder.decode(None)
    return np.asarray(frames[0].to_ndarray()[:height], dtype=np.uint8)
