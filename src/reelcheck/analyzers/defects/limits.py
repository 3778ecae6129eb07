"""Every threshold of the defect checks, with its unit and where it comes from.

"Chosen on the clips" means: on 71 everyday and studio clips (240 to 2,160 lines, 4 to 120 fps,
H.264, HEVC, MPEG-4 and raw; a fifth of them soft or visibly coded), 18 of which were also made
worse in twelve known ways (H.264 at CRF 45 and without deblocking, MPEG-2, Motion JPEG, Gaussian
blur of 1.5 and 3 px, noise of 12 and 30, grey steps of 4 and 6, interlacing, borders, scaling).
``Y'`` is normalised luma: 0 is nominal black, 1 nominal white. HDR pictures (PQ, HLG) are
measured on their normalised code values too, not in light: the same limit is then darker than
in SDR.
"""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectLimits:
    """Thresholds, by check. All may be changed; none depends on another."""

    black_luma_ratio: float = 0.10
    """A pixel at or below this Y' is black. FFmpeg ``blackdetect`` pix_th."""
    black_area_ratio: float = 0.98
    """A picture with at least this share of black pixels is black. ``blackdetect`` pic_th."""
    plain_tolerance_ratio: float = 0.02
    """How far a pixel of a plain picture may lie from its median in Y', Cb and Cr. Ours: about
    four 8-bit steps, above coding noise and below any texture of the clips."""
    plain_area_ratio: float = 0.98
    """Share of such pixels that makes a picture plain. Ours, as for black."""
    plain_min_seconds: Fraction = Fraction(1, 5)
    """Shortest black, plain or test picture that is reported, unless it holds
    ``plain_min_frames``. Ours: short flashes are reported, the policy judges (usually at 2 s)."""
    plain_min_frames: int = 3
    bars_tolerance_ratio: float = 0.07
    """How far a colour bar may lie from its nominal Y', Cb and Cr. Ours: strict enough that all
    of seven or eight bars fit no picture of the clips, wide enough for lossy coding."""

    still_mean_ratio: float = 0.0001
    """Mean change of Y' between two frames, up to which they show the same. FFmpeg
    ``freezedetect`` allows 0.001 at native size; the small view averages noise away, so that
    a live but static scene with sensor noise falls below that. Ours: half of all steps of
    frozen parts coded by eight codecs lie below 0.00004, static live scenes above 0.00008."""
    still_max_ratio: float = 0.02
    """Largest change of Y' of any cell between two such frames. Ours: lips, eyes and hands move
    more."""
    refresh_mean_ratio: float = 0.006
    """Mean change up to which a step inside a freeze may be the coder improving its picture (a
    new key frame). Ours, on the same frozen parts: up to 0.005 at sane bit rates."""
    refresh_max_ratio: float = 0.10
    """The same for the largest change of any cell."""
    refresh_frames: int = 3
    """How many refreshing steps may follow each other inside a freeze. Ours: an I and two P."""
    settle_frames: int = 4
    """How many frames a coder may need to settle on a held picture: steps that would pass as
    repeats, right before the first still one, belong to the freeze. Ours, on the same."""
    freeze_still_ratio: float = 0.6
    """Share of the steps of a freeze that must be still. Ours."""
    dead_mean_ratio: float = 0.00004
    """Mean change up to which nothing at all happens. Ours; see ``freeze_dead_ratio``."""
    freeze_dead_ratio: float = 0.25
    """Share of the steps of a freeze in which nothing at all may happen. Ours: of frozen parts
    coded by eight codecs a quarter of the steps stays below 0.000032; of a static live scene
    whose noise survived coding, above 0.0001."""
    drift_mean_ratio: float = 0.01
    """Mean change since the first frame of a freeze that ends it: slow fades and pans."""
    freeze_min_seconds: Fraction = Fraction(3, 4)
    """Shortest freeze that is reported. Ours: shorter ones are repeated frames, and a live but
    static scene that is coded hard stands still for up to 0.65 s."""
    freeze_min_frames: int = 3
    repeat_ratio: float = 0.15
    """A frame repeats the one before when it changes less than this share of what the moving
    frames before and after change. Ours: 0.01 to 0.12 in clips with a true repeat cadence."""
    repeat_max_ratio: float = 0.0025
    """Mean change up to which a frame can be a repeat at all. Ours: repeats coded at CRF 38
    reach 0.002; after a cut, ordinary motion is small against the cut but larger than this."""
    repeat_motion_ratio: float = 0.001
    """Mean change of Y' from which a step counts as motion; without it repeats do not show."""
    repeat_bridge_seconds: Fraction = Fraction(1)
    """Repeats at most this far apart belong to one stretch. Ours."""
    repeat_min_count: int = 3
    """Fewest repeats of a stretch that is reported. Ours."""
    gap_ratio: float = 1.5
    """A frame that stands longer than this many nominal intervals hides dropped frames."""
    gap_steady_ratio: float = 0.9
    """Share of the intervals around that must lie near their median; below, the rate varies and
    nothing is reported. Ours."""
    gap_window_frames: int = 31
    """How many intervals the running median looks at, half of them after the one that is judged:
    a lasting change of rate is no gap. Ours: about a second."""
    gap_learn_frames: int = 12
    """How many intervals a stream must have to be judged. Ours."""
    gap_bridge_seconds: Fraction = Fraction(1)
    """Gaps at most this far apart belong to one event. Ours."""

    dark_luma_ratio: float = 0.15
    """Y' at or below which a pixel counts as too dark. Ours, chosen on the clips."""
    dark_area_ratio: float = 0.90
    """Share of such pixels that makes a picture underexposed. Ours; the darkest clip that is
    lit on purpose has 0.6."""
    clipped_luma_ratio: float = 0.95
    """Y' at or above which a pixel counts as burnt out. Ours."""
    clipped_area_ratio: float = 0.35
    """Share of such pixels that makes a picture overexposed. Ours; clean clips stay below
    0.16."""
    exposure_min_seconds: Fraction = Fraction(1)

    border_luma_ratio: float = 0.07
    """Y' at or below which a border is black. Ours; FFmpeg ``cropdetect`` uses 24 of 255, which
    is 0.04 above nominal black."""
    border_lit_ratio: float = 0.02
    """Share of lit pixels up to which a row still is border. Ours."""
    border_edge_ratio: float = 0.6
    """Share of lit pixels that the first picture row inside must have: a border has a straight
    edge, an object before a dark background has none. Ours."""
    border_min_ratio: float = 0.02
    """Thinnest border, as a share of the height or width. Ours."""
    border_min_seconds: Fraction = Fraction(1)
    """How long new borders must stand before they are believed. Ours."""

    sampled_min_seconds: Fraction = Fraction(2)
    """Shortest event of the checks that see one frame a second. Ours: two samples."""
    blur_score: float = 0.68
    """Ours, chosen on the clips."""
    blockiness_score: float = 0.37
    """Ours, chosen on the clips: MPEG-4 at quantiser 4 stays below 0.32, dark scenes too."""
    noise_score: float = 0.30
    """A standard deviation of 3 steps of 255. Ours, chosen on the clips."""
    banding_score: float = 0.20
    """Ours, chosen on the clips."""
    levels_area_percent: float = 1.0
    """EBU R 103: signals outside are tolerated on at most 1 % of the picture."""
    levels_low_ratio: float = -11 / 219
    """EBU R 103: 8-bit code 5, 10-bit code 20."""
    levels_high_ratio: float = 230 / 219
    """EBU R 103: 8-bit code 246, 10-bit code 984 (exactly 1.0502 of nominal white)."""
    combing_ratio: float = 1.5
    """How much less a row resembles its neighbours than the rows after next for a block to be
    combed. FFmpeg ``idet`` calls a picture progressive above the same ratio of its own."""
    combing_area_ratio: float = 0.03
    """Share of the moving blocks that must be combed. Ours, chosen on the clips."""
