"""One analyzer on one file without the guard, for tests of analyzers on real decoded frames."""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from reelcheck.frames import FrameBatch, FrameNeeds
from reelcheck.media.decode import StreamDecoder, TimedFrame, packets
from reelcheck.media.describe import describe_video, origin_of
from reelcheck.media.source import Source
from reelcheck.media.views import Views
from reelcheck.settings import Limits
from reelcheck.spans import Observation


def decoded(path: Path) -> tuple[Source, StreamDecoder, list[TimedFrame]]:
    fd = os.open(path, os.O_RDONLY)
    source = Source(fd, extension=path.suffix, limits=Limits())
    stream = source.video[0]
    decoder = StreamDecoder(stream, limits=Limits(), threads=1, key_frames_only=False)
    frames = [
        timed
        for packet in packets(source.container, [stream], damaged=False)
        for timed in decoder.feed(packet)
    ]
    frames += decoder.flush()
    return source, decoder, frames


def watched(
    path: Path,
    recipe: Any,  # noqa: ANN401 - any frozen dataclass with needs and watch
    *,
    batch_frames: int | None = None,
) -> list[Observation]:
    """Return what one video analyzer says of the first video stream, sorted."""
    if batch_frames is not None:
        needs = tuple(replace(one, batch_frames=batch_frames) for one in recipe.needs)
        recipe = replace(recipe, needs=needs)
    source, decoder, frames = decoded(path)
    info = describe_video(decoder, frames[0].frame, None)
    watch = recipe.watch(info)
    found = list[Observation]()

    def see(batch: FrameBatch) -> None:
        found.extend(watch.see(batch))

    wishes: dict[FrameNeeds, Iterable[Any]] = {one: [see] for one in recipe.needs}
    views = Views(
        {needs: list(sinks) for needs, sinks in wishes.items()},
        time_base=decoder.clock.time_base,
        origin=origin_of(source),
        colour=info.colour,
        rotation_degrees=info.rotation_degrees,
    )
    for timed in frames:
        views.see(timed)
    views.end()
    found.extend(watch.end())
    source.close()
    os.close(source.fd)
    return sorted(found, key=lambda one: (one.signal, one.label, one.span, one.score, one.note))
