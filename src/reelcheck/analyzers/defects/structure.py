"""Measures of native pictures: blur, blocks, noise, banding, combs; once a second."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reelcheck.analyzers.defects.banding import banding_score
from reelcheck.analyzers.defects.blockiness import blockiness_score
from reelcheck.analyzers.defects.blur import blur_score
from reelcheck.analyzers.defects.found import Measure, event, sample
from reelcheck.analyzers.defects.frame_edges import Borders
from reelcheck.analyzers.defects.interlace import Combs, combed_ratio, combs_of
from reelcheck.analyzers.defects.limits import DefectLimits
from reelcheck.analyzers.defects.lines import lines_of
from reelcheck.analyzers.defects.noise import noise_score
from reelcheck.analyzers.defects.pictures import LumaPicture
from reelcheck.analyzers.defects.runs import Run, Runs
from reelcheck.spans import Observation, TimeSpan

BLUR = Measure(signal="blur_score", label="blur")
BLOCKINESS = Measure(signal="blockiness_score", label="blockiness")
NOISE = Measure(signal="noise_score", label="noise")
BANDING = Measure(signal="banding_score", label="banding")
COMBING = Measure(signal="combed_block_ratio", label="combing")
_CURVES = (BLUR, BLOCKINESS, NOISE, BANDING)

_MIN_SIDE_PX = 64
"""Smaller pictures are not measured: there is too little of them."""
_PROBE = 16


@dataclass(frozen=True, slots=True)
class Scores:
    """What one native picture gave; ``None`` where nothing can be said."""

    by_measure: dict[Measure, float | None]


class Structure:
    """Measure the structure of native pictures.

    Signals ``blur_score``, ``blockiness_score``, ``noise_score`` and ``banding_score``, events of
    the same kinds, and the event ``combing``. Each method says at its function what it does and
    where it ends. All look inside the black borders, and none at black or plain pictures.
    """

    def __init__(self, limits: DefectLimits) -> None:
        self._limits = limits
        self._combs: Combs | None = None
        self._thresholds = {
            BLUR: limits.blur_score,
            BLOCKINESS: limits.blockiness_score,
            NOISE: limits.noise_score,
            BANDING: limits.banding_score,
            COMBING: limits.combing_area_ratio,
        }
        self._runs = {measure: Runs() for measure in self._thresholds}

    def measure(self, picture: LumaPicture, borders: Borders | None) -> Scores:
        """Measure the next native picture inside its borders (as coded)."""
        combs, before = None, self._combs
        if min(picture.luma.shape) >= _MIN_SIDE_PX:
            combs = combs_of(picture, self._limits)
        self._combs = combs
        active = picture.cropped(borders.rows, borders.columns) if borders else picture
        if min(active.luma.shape) < _MIN_SIDE_PX or _is_plain(active, self._limits):
            return Scores(dict.fromkeys(self._thresholds))
        lines = lines_of(active)
        combed = combed_ratio(combs, before, step=picture.step) if combs else None
        return Scores(
            {
                BLUR: blur_score(lines),
                BLOCKINESS: blockiness_score(lines),
                NOISE: noise_score(active),
                BANDING: banding_score(active),
                COMBING: combed,
            }
        )

    def report(self, scores: Scores, span: TimeSpan) -> Iterator[Observation]:
        """Yield the samples of one picture, and the events that ended before it."""
        for measure, score in scores.by_measure.items():
            if score is not None and measure in _CURVES:
                yield sample(measure, span, score)
            bad = score is not None and score >= self._thresholds[measure]
            yield from self._event(measure, self._runs[measure].feed(score if bad else None, span))

    def end(self) -> Iterator[Observation]:
        """Yield what lasts until the end."""
        for measure, runs in self._runs.items():
            yield from self._event(measure, runs.close())

    def _event(self, measure: Measure, run: Run | None) -> Iterator[Observation]:
        if run is None or run.span.seconds < self._limits.sampled_min_seconds:
            return
        note = (
            f"{measure.signal} {run.mean_score:.2f} over {run.frames} samples, "
            f"limit {self._thresholds[measure]:g}"
        )
        yield event(measure, run.span, run.mean_score, note)


def _is_plain(picture: LumaPicture, limits: DefectLimits) -> bool:
    """Return whether luma is black or plain, by the rules of the small view."""
    probe = picture.luma[::_PROBE, ::_PROBE].astype(np.int32)
    black = np.count_nonzero(probe <= picture.code(limits.black_luma_ratio))
    if black >= limits.black_area_ratio * probe.size:
        return True
    away = np.abs(probe - int(np.median(probe)))
    tolerance = picture.code(limits.plain_tolerance_ratio) - picture.code(0)
    return int(np.count_nonzero(away <= tolerance)) >= limits.plain_area_ratio * probe.size
