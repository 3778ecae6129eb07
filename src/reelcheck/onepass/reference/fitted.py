"""Frames of both files, ready to be compared pixel by pixel."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from reelcheck.errors import VideoError
from reelcheck.media.fitting import Crop, Fitter, Target, comparison_format
from reelcheck.media.planes import colour_of, planar_yuv
from reelcheck.onepass.reference.track import File, Track, open_file

_BARS_RATIO: Final = 0.02
"""Ours: pictures whose edges lie this close, as a share of the side, have the same bars."""
_SHAPE_RATIO: Final = 0.03
"""Ours: bars are cut only when what is left has the other picture's shape within this."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """One file, what is known of it, and the part of its picture that is compared."""

    file: File
    track: Track
    crop: Crop | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairing:
    """Both sides and the form in which they are compared."""

    reference: Side
    distorted: Side
    target: Target


def target_of(reference: Side, frame: VideoFrame) -> Target:
    """Return the form of compared frames, after the first frame of the reference."""
    planar = planar_yuv(frame, VideoReformatter())
    name, bits = comparison_format(planar.format)
    crop = reference.crop
    width, height = reference.track.size_px if crop is None else (crop.width, crop.height)
    return Target(
        width_px=width,
        height_px=height,
        format_name=name,
        bit_depth=bits,
        colour=colour_of(frame, planar),
    )


def crops(reference: Track, distorted: Track) -> tuple[Crop | None, Crop | None]:
    """Return the parts to compare when the bars of the two differ; ``None`` for whole pictures."""
    if _same_place(reference, distorted):
        return None, None
    ours, theirs = _shape(reference, reference.picture), _shape(distorted, distorted.picture)
    if abs(ours / theirs - 1) > _SHAPE_RATIO:
        return None, None
    return _unless_whole(reference), _unless_whole(distorted)


def _same_place(reference: Track, distorted: Track) -> bool:
    pairs = zip(_edges(reference), _edges(distorted), strict=True)
    return all(abs(ours - theirs) <= _BARS_RATIO for ours, theirs in pairs)


def _edges(track: Track) -> tuple[float, float, float, float]:
    picture, (width, height) = track.picture, track.size_px
    return (
        picture.x / width,
        picture.y / height,
        (picture.x + picture.width) / width,
        (picture.y + picture.height) / height,
    )


def _shape(track: Track, crop: Crop) -> float:
    return crop.width / crop.height * float(track.info.sample_aspect_ratio or 1)


def _unless_whole(track: Track) -> Crop | None:
    crop = track.picture
    return None if (crop.width, crop.height) == track.size_px else crop


def fitted_frames(
    side: Side, target: Target | None, wanted: Iterable[int]
) -> Iterator[tuple[int, VideoFrame, Target]]:
    """Yield (index, frame in the form of the target, target) of the wanted frames of a file.

    Frames are found again by their time, so that one that does not come a second time is left
    out instead of shifting all that follow.

    Args:
        side: The file.
        target: The form; ``None`` for the reference, whose first frame decides it.
        wanted: Indices into the track, increasing.
    """
    track = side.track
    ahead = iter(wanted)
    index = next(ahead, None)
    fitter: Fitter | None = None
    opened = open_file(side.file, threads=track.threads)
    with opened.source:
        for timed in opened.frames():
            if target is None:
                target = target_of(side, timed.frame)
            while index is not None and track.ticks[index] < timed.tick:
                index = next(ahead, None)
            if index is None:
                return
            if track.ticks[index] != timed.tick:
                continue
            fitter = fitter or _fitter(side, target)
            yield index, _fit(fitter, timed.frame), target
            index = next(ahead, None)


def _fitter(side: Side, target: Target) -> Fitter:
    info = side.track.info
    return Fitter(
        target,
        colour=info.colour,
        rotation_degrees=info.rotation_degrees,
        crop=side.crop,
    )


def _fit(fitter: Fitter, frame: VideoFrame) -> VideoFrame:
    try:
        return fitter.fit(frame)
    except (OSError, ValueError) as error:
        raise VideoError(f"a frame cannot be scaled: {error}", code="E_DIMENSIONS") from error
