"""The report: everything that reelcheck says about one video, as plain JSON.

Numbers are rounded to six decimals by their type (``Number``) and nowhere else. Text that came
from a file is kept as data; whoever shows it must escape it.
"""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationError, model_validator

from reelcheck.errors import ReportError
from reelcheck.spans import CoverageState
from reelcheck.verdict.canonical import canonical
from reelcheck.verdict.parts import Number, Part, Text
from reelcheck.verdict.sealing import Seal
from reelcheck.verdict.streams import AudioStream, VideoStream

SCHEMA_VERSION: Final = "1.0"
"""The part before the point changes when a reader of the old form would misread the new one."""

Severity = Literal["info", "warn", "fail"]
Decision = Literal["PASS", "WARN", "INCONCLUSIVE", "FAIL"]
Outcome = Literal["clear", "found", "waived", "not_checked"]

SEVERITY_ORDER: Final[tuple[Severity, ...]] = ("info", "warn", "fail")
"""From weak to strong."""
DECISION_ORDER: Final[tuple[Decision, ...]] = ("PASS", "WARN", "INCONCLUSIVE", "FAIL")
"""From weak to strong: a proven fault outweighs missing knowledge, and that outweighs a doubt."""


class Video(Part):
    """The file that was looked at, and how."""

    name: Text
    """Base name as given; for showing, never for opening."""
    path: Text
    """Path as given."""
    size_bytes: int
    sha256: Text
    """Of the whole file; empty when it could not be read to the end."""
    container: Text
    duration_seconds_from_header: Number | None
    start_seconds: Number
    """Presentation time of the container at which second 0 of this report lies."""
    metadata: dict[Text, Text]
    """Tags of the container. Hostile text: escape wherever it is shown."""
    video_streams: tuple[VideoStream, ...]
    audio_streams: tuple[AudioStream, ...]
    profile: Text
    """One of fast, balanced and accurate."""
    analyzers: tuple[Text, ...]
    """Names of the analyzers that were asked to run, sorted; those that broke stand in failures."""


class Span(Part):
    """A half-open stretch of presentation time of one stream, in seconds from the start."""

    start_seconds: Number
    end_seconds: Number
    stream: int = 0
    """Index of the stream in its container."""

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.end_seconds < self.start_seconds:
            message = (
                f"a span must not end before it starts, got {self.start_seconds} to "
                f"{self.end_seconds}"
            )
            raise ValueError(message)
        return self


class CoverageStretch(Span):
    """What happened to one stretch of one video stream."""

    state: CoverageState
    cause: Text
    """Why it was not fully decoded, as code and words; empty for decoded."""


class CoverageReport(Part):
    """Which stretches were decoded, sampled, skipped or damaged, and why."""

    decoded_ratio: Number
    """Decoded share of the duration, of the worst video stream, 0 to 1."""
    duration_seconds: Number
    """What should have been seen: the longest of what the streams hold or claim."""
    spans: tuple[CoverageStretch, ...]
    frames_decoded: int
    frames_declared: int | None
    """What the container claims; null when it claims nothing."""
    warnings: tuple[Text, ...]
    """Code and words, sorted."""


class Reason(Part):
    """One thing that speaks about the decision."""

    code: Text
    """An event as analyzer.label, or a code such as COVERAGE_GAP, W_PARTIAL or E_TIMEOUT."""
    leads_to: Decision
    """What the decision would be if this were the only reason."""
    text: Text
    """One sentence for a person."""
    spans: tuple[Span, ...] = ()
    """The first 20 stretches it is about."""


class Check(Part):
    """One rule of the policy, and what came of it."""

    code: Text
    """The event it speaks about, as analyzer.label."""
    severity: Severity
    """What a finding means."""
    outcome: Outcome
    limit: Text
    """The numbers of the rule."""
    why: Text
    """The standard or the source of the numbers."""


class Verdict(Part):
    """The decision, and what led to it."""

    decision: Decision
    policy: Text
    """Name of the policy."""
    policy_sha256: Text = ""
    """Of its canonical JSON, with every default written out."""
    reasons: tuple[Reason, ...]
    """Those that decide come first."""
    checks: tuple[Check, ...]
    """Every rule of the policy, in its order."""


class Place(Part):
    """A box in the upright picture, as ratios of its width and height."""

    x: Number
    y: Number
    width: Number
    height: Number


class Evidence(Part):
    """A picture of the moment."""

    time_seconds: Number
    jpeg_base64: str
    sensitive: bool
    """True when it may show what nobody should see unasked: blur it until a person asks."""


class Event(Part):
    """One finding on one stretch of time."""

    analyzer: Text
    label: Text
    start_seconds: Number
    end_seconds: Number
    score: Number
    """In unit; what it measures stands in the documentation of the analyzer."""
    unit: Text = ""
    severity: Severity
    stream: int
    """Index of the stream in its container."""
    origin: Literal["observed", "judged"]
    """Found by an analyzer, or made by the policy from a signal."""
    place: Place | None = None
    note: Text = ""
    """One sentence for a person: numbers and rule behind it."""
    waived: Text | None = None
    """Why the policy lets it pass although a rule speaks against it."""
    evidence: Evidence | None = None

    @property
    def code(self) -> str:
        """Its name in policies and reasons."""
        return f"{self.analyzer}.{self.label}"


class Signal(Part):
    """One curve: sample i stands for ``times_seconds[i]`` and the ``durations_seconds[i]`` after.

    Its name is analyzer.signal, with a suffix such as @2 for every stream but the first video and
    the first audio stream.
    """

    unit: Text
    stream: int
    """Index of the stream in its container."""
    times_seconds: tuple[Number, ...]
    durations_seconds: tuple[Annotated[Number, Field(ge=0)], ...]
    values: tuple[Number, ...]

    @model_validator(mode="after")
    def _columns_are_equally_long(self) -> Self:
        lengths = [len(self.times_seconds), len(self.durations_seconds), len(self.values)]
        if len(set(lengths)) > 1:
            message = f"need one time, one duration and one value per sample, got {lengths}"
            raise ValueError(message)
        return self


class Worst(Part):
    """The picture with the lowest score."""

    start_seconds: Number
    end_seconds: Number
    """Until when it stands: the next judged picture."""
    score: Number
    place: Text | None = None
    """The quarter that shows the likely cause far more than the others, such as "top left"; null
    when that is spread over the picture, or no cause is told."""
    evidence: Evidence | None = None


class QualityCause(Part):
    """What likely makes a part of the video look bad."""

    cause: Text
    """Such as compression, blur, noise, banding, scaling, sharpening, loss or exposure."""
    share: Number
    """Of the judged time, 0 to 1. Shares need not add up to 1: where it looks good, or no cause is
    clear, none is told."""


class QualityShot(Part):
    """One shot."""

    start_seconds: Number
    end_seconds: Number
    score: Number | None
    """Mean over its judged pictures; null when there is none."""


class Quality(Part):
    """How good the first video stream looks to people, as a network estimates it."""

    score: Number
    """Mean over time."""
    scale: tuple[Number, Number]
    """Lowest and highest possible score."""
    interval: tuple[Number, Number]
    """Low and high end of the 90 % interval of the score."""
    worst_5_percent: Number
    """Mean score of the worst twentieth of the time."""
    worst: Worst
    causes: tuple[QualityCause, ...]
    """Likely causes, the most frequent first."""
    shots: tuple[QualityShot, ...]
    """In order of time; empty when shots were not looked for."""
    judged_seconds: Number
    """For how long judged pictures stand. Plain pictures, such as black, are not judged."""
    attack_suspected_seconds: Number | None = None
    """Of that time, for how long somebody may have pushed the score; null when that was not looked
    for."""


class ModelReport(Part):
    """A model that took part in the pass."""

    name: Text
    version: Text
    sha256: Text
    licence: Text
    signed_by: tuple[Text, ...] = ()
    """Keys whose signatures were checked at this start, as SHA-256; models of the catalogue are
    pinned by the SHA-256 in the package instead."""


class FailureReport(Part):
    """Something that stopped, so that the report knows less than it should."""

    code: Text
    """A code such as E_TIMEOUT."""
    message: Text
    analyzer: Text
    """Name of the analyzer that broke; empty when the pass itself was hit."""
    at_seconds: Number | None


class Report(Part):
    """Everything that reelcheck says about one video."""

    schema_version: Literal["1.0"] = SCHEMA_VERSION
    reelcheck_version: Text
    video: Video
    coverage: CoverageReport
    verdict: Verdict
    events: tuple[Event, ...]
    """In order of time."""
    signals: dict[Text, Signal]
    quality: Quality | None
    """Null when no quality model took part, when it broke, or when no picture could be judged."""
    models: tuple[ModelReport, ...]
    scores: Literal["full", "rounded", "labels"] = "full"
    """How much is told: rounded to two decimals, or labels without signals, quality and notes and
    with a score of 1 for each event. The verdict is always that of the full scores."""
    isolation: dict[Text, bool]
    """Which layers of isolation held the decoder process."""
    isolation_missing: dict[Text, Text] = Field(default_factory=dict)
    """Why a layer did not hold, by its name."""
    limits: dict[Text, Number] = Field(default_factory=dict)
    """What the file was allowed to cost."""
    versions: dict[Text, Text] = Field(default_factory=dict)
    """Of what took part in the decoder process: Python, FFmpeg's libraries, numpy and so on."""
    failures: tuple[FailureReport, ...]
    timings: dict[Text, Number]
    """Seconds; the only part that may differ between two runs."""
    seal: Seal | None = None
    """What the report said when it was made, and who vouches for it."""


def json_schema() -> dict[str, Any]:
    """Return the published JSON Schema (draft 2020-12) of ``Report``."""
    schema = Report.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"reelcheck-report-{SCHEMA_VERSION}",
    } | schema


def canonical_json(report: Report, *, timings: Literal["keep", "drop"]) -> bytes:
    """Return the same bytes for the same content, as RFC 8785 has it.

    With ``timings="drop"`` the timings are empty and the seal, which covers them, is gone, so that
    two runs can be compared.
    """
    content = report.model_dump(mode="python")
    if timings == "drop":
        content |= {"timings": {}, "seal": None}
    return canonical(content)


def parse_report(data: bytes | str) -> Report:
    """Read a report back from its JSON.

    Raises:
        ReportError: it is no JSON, or no report of this schema version.
    """
    try:
        return Report.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise ReportError(
            f"not a reelcheck report of schema {SCHEMA_VERSION}: {where!r}: {first['msg']}",
            hint="reelcheck schema prints what a report looks like",
        ) from error
