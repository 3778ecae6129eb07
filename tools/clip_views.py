"""Shows a clip to code that learns, by the very code that shows it to analyzers."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from reelcheck.frames import FrameBatch, FrameNeeds
from reelcheck.media.decode import StreamDecoder, packets
from reelcheck.media.describe import describe_video, origin_of
from reelcheck.media.source import Source
from reelcheck.media.views import Views
from reelcheck.settings import Limits


def see_clip(path: Path, needs: Iterable[FrameNeeds], see: Callable[[FrameBatch], None]) -> None:
    """Hand every batch of the first video stream of a file to ``see``."""
    fd = os.open(path, os.O_RDONLY)
    try:
        source = Source(fd, extension=path.suffix, limits=Limits())
        stream = source.video[0]
        decoder = StreamDecoder(stream, limits=Limits(), threads=1, key_frames_only=False)
        found = [
            timed
            for packet in packets(source.container, [stream], damaged=False)
            for timed in decoder.feed(packet)
        ]
        found += decoder.flush()
        info = describe_video(decoder, found[0].frame, None)
        views = Views(
            {one: [see] for one in needs},
            time_base=decoder.clock.time_base,
            origin=origin_of(source),
            colour=info.colour,
            rotation_degrees=info.rotation_degrees,
        )
        for timed in found:
            views.see(timed)
        views.end()
        source.close()
    finally:
        os.close(fd)
