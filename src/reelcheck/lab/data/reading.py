"""Pictures of a stretch of a video, through reelcheck's own gate and decoder."""

import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from reelcheck.errors import VideoError
from reelcheck.frames import FrameBatch, FrameNeeds, Layout
from reelcheck.lab.errors import DataError
from reelcheck.media.decode import StreamDecoder, packets
from reelcheck.media.describe import describe_video, origin_of
from reelcheck.media.source import Source
from reelcheck.media.views import Views
from reelcheck.settings import Limits

Pictures = NDArray[np.uint8]
Change = Callable[[Pictures], Pictures]


def read_pictures(
    path: Path,
    *,
    rate_fps: Fraction,
    start_seconds: float = 0.0,
    end_seconds: float | None = None,
    size_px: tuple[int, int] | None = None,
    change: Change | None = None,
) -> Pictures:
    """Return the pictures of a stretch of the first video stream, upright and tone-mapped.

    Training data are the user's own: decoding runs in this process, without the guard.

    Args:
        path: The video.
        rate_fps: Pictures a second.
        start_seconds: First moment, from the start of the video.
        end_seconds: Where to stop; ``None`` for the end of the video.
        size_px: (width, height) to which pictures are stretched; ``None`` for their own.
        change: Applied to each picture, shape [1, H, W, 3], as soon as it is decoded, so that a
            long stretch of large pictures need not fit into memory.

    Returns:
        uint8 RGB, shape [T, H, W, 3], at least one.

    Raises:
        VideoError: the file was refused, or the stretch has no picture.
        DataError: the pictures of the stretch are not all of one size.
    """
    fd = os.open(path, os.O_RDONLY)
    try:
        with Source(fd, extension=path.suffix.lower(), limits=Limits()) as source:
            span = (Fraction(start_seconds), None if end_seconds is None else Fraction(end_seconds))
            needs = FrameNeeds(layout=Layout.RGB, rate_fps=rate_fps, size_px=size_px)
            found = _collect(source, needs, span, change)
    finally:
        os.close(fd)
    if not found:
        raise VideoError(f"{path} has no picture there", code="E_NO_FRAMES")
    if any(one.shape != found[0].shape for one in found):
        raise DataError(f"{path} changes the size of its pictures there")
    return np.stack(found)


def _collect(
    source: Source,
    needs: FrameNeeds,
    span: tuple[Fraction, Fraction | None],
    change: Change | None,
) -> Sequence[Pictures]:
    start, end = span
    stream = source.video[0]
    decoder = StreamDecoder(stream, limits=Limits(), threads=1, key_frames_only=False)
    found: list[Pictures] = []
    views: Views | None = None

    def keep(batch: FrameBatch) -> None:
        for index in range(len(batch)):
            if batch.start(index) >= start and (end is None or batch.start(index) < end):
                one = batch.pixels[index : index + 1]
                found.append(one[0] if change is None else change(one)[0])

    origin = origin_of(source)
    for packet in packets(source.container, [stream], damaged=False):
        for timed in decoder.feed(packet):
            views = views or _views(decoder, timed.frame, {needs: [keep]}, origin)
            views.see(timed)
        if end is not None and decoder.end_tick * decoder.clock.time_base - origin > end + 1:
            break
    for timed in decoder.flush():
        if views is not None:
            views.see(timed)
    if views is not None:
        views.end()
    return found


def _views(
    decoder: StreamDecoder,
    first: VideoFrame,
    wishes: dict[FrameNeeds, list[Callable[[FrameBatch], None]]],
    origin: Fraction,
) -> Views:
    info = describe_video(decoder, first, None)
    return Views(
        wishes,
        time_base=decoder.clock.time_base,
        origin=origin,
        colour=info.colour,
        rotation_degrees=info.rotation_degrees,
    )
