"""The pairs of an alignment, compared frame by frame in one more decoding of both files."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from av.video.frame import VideoFrame

from reelcheck.media.fidelity import mean_squared_error, ssim
from reelcheck.media.fitting import Target, planes_of
from reelcheck.onepass.reference.fitted import Side, fitted_frames

Pair = tuple[int, int]
"""(frame of the reference, frame of the distorted file); both never go back."""
Show = Callable[[VideoFrame, VideoFrame], None]
"""Takes the fitted frames of one pair, the reference first."""
Ready = Callable[[Target], Show]
"""Is told the form of the frames before the first pair comes."""

_DECIMALS: Final = 9
"""Of squared errors and SSIM: far finer than what is reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one pair of frames gave."""

    reference: int
    """Index of the frame."""
    distorted: int
    squared_errors: tuple[float, float, float]
    """Mean squared error of Y, Cb and Cr, in code values of the target's bit depth."""
    ssim: float | None
    """``None`` when the picture is smaller than the window."""


def scores(
    reference: Side, distorted: Side, pairs: Sequence[Pair], ready: Ready
) -> Iterator[Score]:
    """Yield the score of each pair, in order; a frame that does not come again is left out.

    Args:
        reference: The file that is measured against.
        distorted: The other one.
        pairs: What to compare.
        ready: Is called once.
    """
    ours = fitted_frames(reference, None, sorted({pair[0] for pair in pairs}))
    first = next(ours, None)
    if first is None:
        return
    index, frame, target = first
    show = ready(target)
    partner = {j: i for i, j in pairs}
    for j, theirs, _ in fitted_frames(distorted, target, sorted(partner)):
        while index < partner[j]:
            following = next(ours, None)
            if following is None:
                return
            index, frame, _ = following
        if index == partner[j]:
            show(frame, theirs)
            yield _score((index, j), frame, theirs, target.bit_depth)


def _score(pair: Pair, ours: VideoFrame, theirs: VideoFrame, bit_depth: int) -> Score:
    planes = list(zip(planes_of(ours), planes_of(theirs), strict=True))
    errors = [round(mean_squared_error(a, b), _DECIMALS) for a, b in planes]
    like = ssim(*planes[0], bit_depth=bit_depth)
    return Score(
        reference=pair[0],
        distorted=pair[1],
        squared_errors=(errors[0], errors[1], errors[2]),
        ssim=None if like is None else round(like, _DECIMALS),
    )
