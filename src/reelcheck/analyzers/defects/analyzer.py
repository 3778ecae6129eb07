"""The recipe: what is asked for, and every threshold."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from reelcheck.analyzers.defects.found import NAME
from reelcheck.analyzers.defects.limits import DefectLimits
from reelcheck.analyzers.defects.watch import DefectsWatch
from reelcheck.frames import FrameNeeds, Layout, VideoInfo

_SAMPLES_FPS: Final = Fraction(1)
_NEEDS: Final = (
    FrameNeeds(layout=Layout.GRID, batch_frames=16),
    FrameNeeds(layout=Layout.LUMA, rate_fps=_SAMPLES_FPS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectsAnalyzer(DefectLimits):
    """Find technical faults of the picture.

    Events: ``black``, ``solid_colour``, ``test_picture``, ``freeze``, ``duplicate_frames``,
    ``dropped_frames``, ``underexposed``, ``overexposed``, ``letterbox``, ``pillarbox``,
    ``border_change``, ``interlaced`` (edges exact to the frame), and ``blur``, ``blockiness``,
    ``noise``, ``banding``, ``combing``, ``levels`` (edges exact to the sample, one a second).

    Signals, one a second: ``luma_mean`` (0 to 1), ``blur_score``, ``blockiness_score``,
    ``noise_score``, ``banding_score`` (0 good, 1 severe), ``levels_out_percent`` (%).

    In the fast profile, which decodes key frames only, nothing is said about freezes, repeated
    and dropped frames. What each check does, where it comes from and where it ends stands at
    its class or function. Not covered: dropouts, moire, judder, field order, scratches, aliasing.
    """

    name: str = NAME
    needs: tuple[FrameNeeds, ...] = _NEEDS

    def watch(self, video: VideoInfo) -> DefectsWatch:
        """Start on one stream."""
        return DefectsWatch(self, video, sample_seconds=1 / _SAMPLES_FPS)
