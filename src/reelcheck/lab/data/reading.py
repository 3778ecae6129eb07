"""Pictures of a stretch of a video, through reelcheck's own gate and decoder."""

import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelcheck.errors import ReelcheckError, VideoError
from reelcheck.frames import FrameBatch, FrameNeeds, Layout
from reelcheck.media.decode import StreamDecoder, packets
from reelcheck.media.describe import describe_video, origin_of
from reelcheck.media.source import Source
from reelcheck.media.views import Views
from reelcheck.settings import Limits

Pictures = NDArray[np.uint8]


def read_pictures(
    path: Path,
    *,
    rate_fps: Fraction,
    start_seconds: float = 0.0,
    end_seconds: float | None = None,
    size_px: tuple[int, int] | None = None,
) -> Pictures:
    """Return the pictures of a stretch of the first video stream, upright and tone-mapped.

    Training data are the user's own: decoding runs in this process, without the guard.

    Args:
        path: The video.
        rate_fps: Pictures a second.
        start_seconds: First moment, from the start of the video.
        end_seconds: Where to stop; ``None`` for the end of the video.
        size_px: (width, height) to which pictures are stretched; ``None`` for their own.

    Returns:
        uint8 RGB, shape [T, H, W, 3], at least one.

    Raises:
        VideoError: the file was refused, or the stretch has no picture.
    """
    fd = os.open(path, os.O_RDONLY)
    try:
        with Source(fd, extension=path.suffix.lower(), limits=Limits()) as source:
            span = (Fraction(start_seconds), None if end_seconds is None else Fraction(end_seconds))
            needs = FrameNeeds(layout=Layout.RGB, rate_fps=rate_fps, size_px=size_px)
            found = _collect(source, needs, span)
    finally:
        os.close(fd)
    if not found:
        raise VideoError(f"{path} has no picture there", code="E_NO_FRAMES")
    return np.stack(found)


def _collect(
    source: Source, needs: FrameNeeds, span: tuple[Fraction, Fraction | None]
) -> Sequence[Pictures]:
    start, end = span
    stream = source.video[0]
    decoder = StreamDecoder(stream, limits=Limits(), threads=1, key_frames_only=False)
    found: list[Pictures] = []
    views: Views | None = None

    def keep(batch: FrameBatch) -> None:
        found.extend(
            batch.pixels[index]
            for index in range(len(batch))
            if batch.start(index) >= start and (end is None or batch.start(index) < end)
        )

    origin = origin_of(source)
    for packet in packets(source.container, [stream], damaged=False):
        for timed in decoder.feed(packet):
            if views is None:
                info = describe_video(decoder, timed.frame, None)
                views = Views(
                    {needs: [keep]},
                    time_base=decoder.clock.time_base,
                    origin=origin,
                    colour=info.colour,
                    rotation_degrees=info.rotation_degrees,
                )
            views.see(timed)
        if end is not None and decoder.end_tick * decoder.clock.time_base - origin > end + 1:
            break
    for timed in decoder.flush():
        if views is not None:
            views.see(timed)
    if views is not None:
        views.end()
    return found


def problem_of(path: Path) -> str:
    """Return why a video cannot be read, empty when its first second can."""
    try:
        read_pictures(path, rate_fps=Fraction(2), end_seconds=1.0, size_px=(32, 32))
    except (ReelcheckError, OSError) as error:
        return str(error)
    return ""
