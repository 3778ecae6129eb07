"""The one pass over a file, inside the child: decode once, show every analyzer what it asked for.

The decoding thread makes the views; each analyzer works in a thread of its own behind a short
queue. What they find goes to the parent at once, so that a crash loses only what is in flight.
"""

import functools
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from reelcheck.analyzers.base import AudioAnalyzer, ByProfile, ModelUser, VideoAnalyzer
from reelcheck.analyzers.trained import TrainedAnalyzer
from reelcheck.errors import SetupError, VideoError
from reelcheck.media.account import Account
from reelcheck.media.channel import Channel
from reelcheck.media.coverage import Pass, settle
from reelcheck.media.decode import StreamDecoder, TimedFrame, packets
from reelcheck.media.describe import origin_of
from reelcheck.media.sniff import HEAD_BYTES, sniff
from reelcheck.media.source import Source
from reelcheck.media.versions import libraries, too_old, versions
from reelcheck.media.wire import pack_account
from reelcheck.models.card import Card, load_card
from reelcheck.models.session import load_early
from reelcheck.models.store import signers_of
from reelcheck.onepass.streams import SoundPass, VideoPass
from reelcheck.registry import ANALYZERS
from reelcheck.settings import Isolation, Limits, Profile, limits_from
from reelcheck.spans import TimeSpan

_PROGRESS_SECONDS: Final = 0.2


@functools.cache  # made while files can still be opened by name, used when they no longer can
def _recipe(name: str, profile: str) -> object:
    if name not in set(ANALYZERS):
        return TrainedAnalyzer.of(name)
    kind = ANALYZERS.load(name)
    return kind.for_profile(profile) if isinstance(kind, ByProfile) else kind()


@functools.cache  # beside it
def _card(name: str) -> Card:
    return load_card(name)


def prepare(job: Mapping[str, Any], fd: int, channel: Channel) -> str:
    """Load what takes files by name, before the doors shut and FFmpeg sees the video.

    Returns:
        The first model that is asked over the network, or nothing.

    Raises:
        VideoError: the first bytes are not those of an allowed container.
        ReelcheckError: an analyzer cannot be made. A model that cannot be loaded breaks its
            analyzer only, later.
        SetupError: FFmpeg is below the floor, and isolation is strict.
    """
    sniff(os.pread(fd, HEAD_BYTES, 0))
    recipes = [_recipe(name, job["profile"]) for name in job["analyzers"]]
    remote = ""
    for name in _model_names(recipes):
        card = _card(name)
        load_early(card)
        channel.send({"kind": "loaded", "name": name})
        if card.runtime == "serving":
            remote = remote or name
    old = too_old(libraries())
    if old and job["isolation"] == Isolation.STRICT:
        raise SetupError(
            f"FFmpeg is too old to be trusted: {old[0]}",
            code="E_FFMPEG_OLD",
            hint="pip install --upgrade av; --isolation auto goes on, with a warning",
        )
    channel.send({"kind": "versions", "versions": versions(), "too_old": old})
    return remote


def _model_names(recipes: Sequence[object]) -> list[str]:
    return sorted({name for r in recipes if isinstance(r, ModelUser) for name in r.models})


class _Pass:
    """The pass over one file."""

    def __init__(self, source: Source, job: Mapping[str, Any], channel: Channel) -> None:
        self._source = source
        self._channel = channel
        self._limits: Limits = limits_from(job["limits"])
        self._fast = job["profile"] == Profile.FAST
        recipes = [_recipe(name, job["profile"]) for name in job["analyzers"]]
        video_recipes = [recipe for recipe in recipes if isinstance(recipe, VideoAnalyzer)]
        self._name_models(recipes)
        self._origin = origin_of(source)
        structure = source.claims.structure
        self._damaged = bool(structure.cut or structure.broken)
        self._videos = {
            stream.index: VideoPass(
                StreamDecoder(
                    stream,
                    limits=self._limits,
                    # At an error PyAV drops the frames that other threads have ready.
                    threads=1 if self._damaged else job["threads"],
                    key_frames_only=self._fast,
                ),
                video_recipes,
                channel,
            )
            for stream in source.video
        }
        sound_recipes = [recipe for recipe in recipes if isinstance(recipe, AudioAnalyzer)]
        self._sounds = {
            stream.index: SoundPass(stream, sound_recipes, channel, origin=self._origin)
            for stream in source.audio
            if stream.codec_context is not None
        }
        self._told = 0.0
        self._frames = 0

    def _name_models(self, recipes: Sequence[object]) -> None:
        for name in _model_names(recipes):
            card = _card(name)
            use = {
                "name": card.name,
                "version": card.version,
                "sha256": card.sha256,
                "licence": card.licence,
                "signed_by": signers_of(name),
            }
            self._channel.send({"kind": "model", "use": use})

    def run(self) -> Account:
        """Decode everything; return the account."""
        stopped: VideoError | None = None
        try:
            streams: list[VideoStream | AudioStream] = [
                *(video.decoder.stream for video in self._videos.values()),
                *(sound.decoder.stream for sound in self._sounds.values()),
            ]
            for packet in packets(self._source.container, streams, damaged=self._damaged):
                self._feed(packet)
            self._flush()
        except VideoError as error:
            stopped = error
            self._channel.send({"kind": "failure", "code": error.code, "message": str(error)})
        for video in self._videos.values():
            video.finish()
        for sound in self._sounds.values():
            sound.finish(self._picture())
        if not any(video.started for video in self._videos.values()):
            raise stopped or VideoError(
                "not one frame could be decoded",
                code="E_NO_FRAMES",
                hint=self._source.claims.structure.cut or self._source.claims.structure.broken,
            )
        return settle(
            Pass(
                source=self._source,
                decoders=[video.decoder for video in self._videos.values()],
                sounds=[sound.decoder for sound in self._sounds.values()],
                origin=self._origin,
                stopped=f"{stopped.code}: {stopped}" if stopped else "",
                limits=self._limits,
            )
        )

    def _picture(self) -> TimeSpan | None:
        """Return from where to where the first video stream had frames, when all were decoded."""
        if self._fast:
            return None
        first = next(iter(self._videos.values())).decoder
        base = first.clock.time_base
        start, end = (tick * base - self._origin for tick in (first.start_tick, first.end_tick))
        return TimeSpan(start, end) if end > start else None

    def _feed(self, packet: Any) -> None:  # noqa: ANN401 - PyAV's packets of any stream
        index = packet.stream_index
        if index in self._videos:
            video = self._videos[index]
            for timed in video.decoder.feed(packet):
                self._show(video, timed)
        elif index in self._sounds:
            sound = self._sounds[index]
            sound.feed(packet)

    def _flush(self) -> None:
        for video in self._videos.values():
            for timed in video.decoder.flush():
                self._show(video, timed)
        for sound in self._sounds.values():
            sound.flush()

    def _show(self, video: VideoPass, timed: TimedFrame) -> None:
        reached = video.until(timed, self._origin)
        if reached > self._limits.duration_seconds:
            raise VideoError(  # before an analyzer spends a step on every moment of it
                f"longer than {self._limits.duration_seconds:g} s", code="E_DURATION_LIMIT"
            )
        if not video.started:
            video.start(timed, self._origin, self._source.claims.duration)
        video.see(timed)
        self._frames += 1
        now = time.monotonic()
        if now - self._told > _PROGRESS_SECONDS:
            self._told = now
            self._channel.send(
                {
                    "kind": "progress",
                    "stream": video.decoder.stream.index,
                    "seconds": reached,
                    "frames": self._frames,
                }
            )


def run(job: Mapping[str, Any], fd: int, channel: Channel) -> None:
    """Watch one open file; report everything on ``channel``.

    Args:
        job: ``limits`` (fields of ``Limits``), ``profile``, ``analyzers`` (names), ``threads``
            (of the decoder), ``extension`` (of the file's name, lower case).
        fd: The open file.
        channel: Where messages go; see ``reelcheck.pipeline`` for their kinds.

    Raises:
        VideoError: the gate refuses the file, or not one frame can be decoded.
    """
    limits = limits_from(job["limits"])
    with Source(fd, extension=job["extension"], limits=limits) as source:
        claims = source.claims
        channel.send(
            {
                "kind": "opened",
                "container": claims.container.name,
                "seconds": None if claims.duration is None else float(claims.duration),
                "metadata": claims.metadata,
                "start_seconds": float(origin_of(source)),
            }
        )
        account = _Pass(source, job, channel).run()
    channel.send({"kind": "account", **pack_account(account)})
