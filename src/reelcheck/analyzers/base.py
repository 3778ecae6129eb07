"""What an analyzer is: an immutable recipe, and a watch that holds the state of one stream."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Final, Protocol, runtime_checkable

from reelcheck.frames import (
    AudioBatch,
    AudioInfo,
    AudioNeeds,
    FrameBatch,
    FrameNeeds,
    Layout,
    VideoInfo,
)
from reelcheck.spans import Observation, TimeSpan

Needs = FrameNeeds | AudioNeeds

SAMPLED_PICTURES: Final = FrameNeeds(
    layout=Layout.RGB,
    rate_fps=Fraction(4),
    on_change=True,
    size_px=(256, 256),
    batch_frames=4,
)
"""What networks for single pictures ask for, so that it is made once for all of them. Ours."""


class Watch(Protocol):
    """One analyzer watching one stream from its first frame to its last. Holds all state.

    Batches of different needs may interleave, but the batches of one need arrive in order, and
    what a watch reports must depend neither on batch sizes nor on how needs interleave.
    """

    def see(self, batch: FrameBatch) -> Iterable[Observation]:
        """Take the next frames of one view; return what is certain by now."""
        ...

    def end(self) -> Iterable[Observation]:
        """Return what only the end of the stream makes certain. Called once, last."""
        ...


class Listen(Protocol):
    """One analyzer listening to one audio stream. Holds all state."""

    def hear(self, batch: AudioBatch) -> Iterable[Observation]:
        """Take the next samples; return what is certain by now."""
        ...

    def end(self, picture: TimeSpan | None) -> Iterable[Observation]:
        """Return what only the end of the stream makes certain. Called once, last.

        Args:
            picture: From the first to the last frame of the first video stream; ``None`` when
                it had none.
        """
        ...


@runtime_checkable
class ModelUser(Protocol):
    """A recipe that runs models; the report names each with version, hash and licence."""

    @property
    def models(self) -> tuple[str, ...]:
        """Names in the catalogue of ``reelcheck.models``."""
        ...


@runtime_checkable
class ByProfile(Protocol):
    """A class of recipes that has different ones for different profiles."""

    def for_profile(self, profile: str) -> object:
        """Return the recipe for one of ``reelcheck.settings.Profile``."""
        ...


@runtime_checkable
class VideoAnalyzer(Protocol):
    """A recipe for watching video streams. Immutable: one instance serves many at once."""

    @property
    def name(self) -> str:
        """Name in ``reelcheck.registry.ANALYZERS``, and in every observation it makes."""
        ...

    @property
    def needs(self) -> tuple[FrameNeeds, ...]:
        """Views it wants to see. A batch's ``layout`` tells which one it belongs to."""
        ...

    def watch(self, video: VideoInfo) -> Watch:
        """Start on one stream. Models are loaded here, not on import and not per batch."""
        ...


@runtime_checkable
class AudioAnalyzer(Protocol):
    """A recipe for listening to audio streams. Immutable: one instance serves many at once."""

    @property
    def name(self) -> str:
        """Name in ``reelcheck.registry.ANALYZERS``, and in every observation it makes."""
        ...

    @property
    def needs(self) -> tuple[AudioNeeds, ...]:
        """How it wants to hear."""
        ...

    def listen(self, audio: AudioInfo) -> Listen:
        """Start on one stream."""
        ...
