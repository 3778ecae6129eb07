"""Everything that one pass over one file found out, before anybody judges it."""

from dataclasses import dataclass, field
from fractions import Fraction

from reelcheck.frames import MediaInfo
from reelcheck.spans import CoverageSpan, Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The file that was looked at."""

    name: str
    """Base name as given, with undecodable bytes escaped; for showing, never for opening."""
    path: str
    """Path as given."""
    size_bytes: int
    sha256: str
    """Of the whole file; empty when it could not be read to the end."""
    container: str
    """Our name of the container, such as ``mp4``."""
    duration_seconds_from_header: float | None
    start_seconds: float
    """Presentation time of the container at which our second 0 lies."""
    metadata: dict[str, str]
    """Tags of the container, cut at the limits. Hostile text: escape wherever it is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Which stretches were decoded, sampled, skipped or damaged, and why."""

    duration: Fraction
    """Seconds that should have been seen: the longest of what the streams hold or claim."""
    decoded_ratio: float
    """Decoded share of that duration, of the worst video stream, 0 to 1."""
    spans: tuple[CoverageSpan, ...]
    """Per video stream in order; they tile the duration without overlap."""
    frames_decoded: int
    """Over all video streams."""
    frames_declared: int | None
    """What the container claims, over all video streams; ``None`` when it claims nothing."""
    warnings: tuple[str, ...]
    """``CODE: words`` with codes of ``reelcheck.errors.WARNING_CODES``, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Something that stopped, so that the run knows less than it should."""

    code: str
    """One of ``reelcheck.errors.ERROR_CODES``."""
    message: str
    analyzer: str = ""
    """Name of the analyzer that broke; empty when the pass itself was hit."""
    at_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A small JPEG of one frame, kept as evidence."""

    stream: int
    at: Fraction
    """Seconds from the start of the video."""
    jpeg: bytes = field(repr=False)
    """About 240 px wide, upright, sRGB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUse:
    """A model that took part in the pass."""

    name: str
    version: str
    sha256: str
    licence: str
    signed_by: tuple[str, ...] = ()
    """Keys whose signatures were checked when it was loaded, as SHA-256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """All observations of one video in order, with its coverage and what failed."""

    source: Source
    media: MediaInfo
    profile: str
    analyzers: tuple[str, ...]
    """Names of the analyzers that were asked to run, sorted."""
    coverage: Coverage
    observations: tuple[Observation, ...]
    """Sorted by stream, analyzer, signal, span."""
    failures: tuple[Failure, ...] = ()
    pictures: tuple[Picture, ...] = ()
    models: tuple[ModelUse, ...] = ()
    isolation: dict[str, bool] = field(default_factory=dict)
    """Which layers of isolation held the decoder process."""
    isolation_missing: dict[str, str] = field(default_factory=dict)
    """Why a layer did not hold, by its name."""
    limits: dict[str, float] = field(default_factory=dict)
    """What the file was allowed to cost."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of what took part in the decoder process."""
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds; the only part that may differ between two runs."""
