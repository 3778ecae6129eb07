"""Policies: rules in TOML that say what a finding means, and what not having seen means.

    name = "example"
    [coverage]
    gap = "inconclusive"
    [[rules]]
    event = "defects.black"
    min_duration_seconds = 2
    severity = "warn"
    why = "blackdetect of FFmpeg reports black from 2 s on"
    [[waivers]]
    code = "defects.black"
    until_seconds = 5
    reason = "our trailers open on black"

Unknown keys are refused, so that a misspelt limit cannot silently let everything pass.
"""

import hashlib
import tomllib
from datetime import date
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from reelcheck.errors import SettingError
from reelcheck.verdict.canonical import canonical
from reelcheck.verdict.parts import Text
from reelcheck.verdict.report import Severity

Level = Literal["inconclusive", "warn", "ignore"]
"""What missing knowledge does to the decision."""

NO_LIMIT: Final = "any"
"""What stands for the numbers of a rule that has none."""
NAME_PATTERN: Final = r"^[a-z0-9_]+\.[a-z0-9_]+$"
_Name = Annotated[str, Field(pattern=NAME_PATTERN)]
_Seconds = Annotated[float, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class CoveragePolicy(_Part):
    """What it means that part of a video was not seen."""

    min_decoded_ratio: Annotated[float, Field(ge=0, le=1)] = 0.999
    """Ours: one frame in a thousand may be missing at the ends, from rounding of durations."""
    gap: Level = "inconclusive"
    """For damaged and skipped stretches."""
    sampled: Level = "inconclusive"
    """For stretches of which only some frames were decoded."""
    analyzer_failure: Level = "inconclusive"
    extra_video_streams: Level = "inconclusive"
    """A person who presses play sees only one of them."""


class _Rule(_Part):
    severity: Severity
    why: Annotated[Text, Field(min_length=1)]
    """One sentence: the standard or the source of the numbers."""
    required: bool = False
    """Whether the decision is INCONCLUSIVE when this rule could not be checked."""


class EventRule(_Rule):
    """What the events of one kind mean that an analyzer found."""

    event: _Name
    """Such as ``defects.black``."""
    min_duration_seconds: _Seconds = 0.0
    min_score: float | None = None
    """In the unit of the event; the limit itself counts."""
    max_per_minute: Annotated[int, Field(ge=0)] | None = None
    """With it, only events count of which more than so many begin within 60 s."""

    @property
    def code(self) -> str:
        """Code of its findings."""
        return self.event

    @property
    def limit(self) -> str:
        """The numbers of the rule, for a person."""
        parts = []
        if self.min_duration_seconds:
            parts.append(f"for {self.min_duration_seconds:g} s or longer")
        if self.min_score is not None:
            parts.append(f"with a score of {self.min_score:g} or more")
        if self.max_per_minute is not None:
            parts.append(f"more than {self.max_per_minute} times a minute")
        return ", ".join(parts) or NO_LIMIT


class SignalRule(_Rule):
    """When a signal becomes a finding, with hysteresis.

    A stretch begins with a sample at ``on_at`` or beyond, and goes on while samples stay at
    ``off_at`` or beyond. Only time that samples stand for counts towards its duration.
    """

    signal: _Name
    """Such as ``nudity.score``."""
    label: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    """Label of the events that it makes."""
    direction: Literal["above", "below"] = "above"
    on_at: float
    off_at: float | None = None
    """``None``: the same as ``on_at``."""
    min_duration_seconds: _Seconds = 0.0
    bridge_seconds: _Seconds = 0.0
    """Holes up to this long do not end a stretch."""

    @model_validator(mode="after")
    def _off_must_not_lie_beyond_on(self) -> Self:
        sign = 1 if self.direction == "above" else -1
        if self.off_at is not None and sign * self.off_at > sign * self.on_at:
            message = (
                f"off_at must not lie beyond on_at, got on_at = {self.on_at:g} and "
                f"off_at = {self.off_at:g} with direction {self.direction!r}"
            )
            raise ValueError(message)
        return self

    @property
    def code(self) -> str:
        """Code of its findings."""
        return f"{self.signal.partition('.')[0]}.{self.label}"

    @property
    def limit(self) -> str:
        """The numbers of the rule, for a person."""
        side = "or more" if self.direction == "above" else "or less"
        text = f"{self.signal} at {self.on_at:g} {side}"
        if self.off_at not in {None, self.on_at}:
            text += f" (until past {self.off_at:g})"
        if self.min_duration_seconds:
            text += f", for {self.min_duration_seconds:g} s or longer"
        return text


def _kind_of_rule(value: object) -> str | None:
    if isinstance(value, EventRule) or (isinstance(value, dict) and "event" in value):
        return "event"
    if isinstance(value, SignalRule) or (isinstance(value, dict) and "signal" in value):
        return "signal"
    return None


Rule = Annotated[
    Annotated[EventRule, Tag("event")] | Annotated[SignalRule, Tag("signal")],
    Discriminator(
        _kind_of_rule,
        custom_error_type="rule_kind",
        custom_error_message="a rule needs the key 'event' or 'signal'",
    ),
]


class Waiver(_Part):
    """Lets a finding pass, and says why. It is listed in every report that it touches.

    It can let findings, ``COVERAGE_`` and ``W_`` codes pass, but never a failure (``E_``)
    or that nothing at all was seen or checked.
    """

    code: Annotated[Text, Field(min_length=1)]
    """Code of the finding; ``*`` and ``?`` stand for any characters."""
    reason: Annotated[Text, Field(min_length=1)]
    from_seconds: _Seconds = 0.0
    until_seconds: _Seconds | None = None
    """The finding must lie wholly between the two; ``None`` for the end of the video."""
    expires: date | None = None
    """Last day on which it holds (UTC)."""

    @property
    def is_limited_in_time(self) -> bool:
        """Whether it speaks about a part of the video only."""
        return self.from_seconds > 0 or self.until_seconds is not None

    def names(self, code: str) -> bool:
        """Return whether it speaks about findings with this code."""
        return fnmatchcase(code, self.code)


class Policy(_Part):
    """What is wanted of a video."""

    name: Annotated[Text, Field(min_length=1)]
    description: Text = ""
    profile: Text = ""
    """For which kind of delivery it is meant, in words."""
    coverage: CoveragePolicy = CoveragePolicy()
    rules: Annotated[tuple[Rule, ...], Field(strict=False)] = ()
    """The strongest severity that matches a finding wins, then the earlier rule."""
    waivers: Annotated[tuple[Waiver, ...], Field(strict=False)] = ()
    """The first that fits is used."""


def policy_digest(policy: Policy) -> str:
    """Return the SHA-256 of a policy: of its canonical JSON, every default written out."""
    return hashlib.sha256(canonical(policy.model_dump(mode="json"))).hexdigest()


def _builtin() -> dict[str, Any]:
    folder = files("reelcheck") / "policies"
    found = {item.name.removesuffix(".toml"): item for item in folder.iterdir()}
    return {name: item for name, item in sorted(found.items()) if item.name.endswith(".toml")}


def policy_names() -> tuple[str, ...]:
    """Return the names of the policies that come with reelcheck, sorted."""
    return tuple(_builtin())


def load_policy(name_or_path: str | Path) -> Policy:
    """Return a built-in policy by its name, or read one from a TOML file.

    Raises:
        SettingError: there is no such policy, or it is not well formed.
    """
    builtin = _builtin()
    where = str(name_or_path)
    try:
        data = (builtin.get(where) or Path(name_or_path)).read_bytes()
    except (OSError, ValueError) as error:
        raise SettingError(
            f"there is no policy {where!r}",
            hint=f"known policies: {', '.join(builtin)}; or give the path of a TOML file",
        ) from error
    return parse_policy(data, where=where)


def parse_policy(data: bytes, *, where: str) -> Policy:
    """Read a policy from TOML; ``where`` names it in messages.

    Raises:
        SettingError: it is no TOML, or has an unknown key or a value out of range.
    """
    try:
        return Policy.model_validate(tomllib.loads(data.decode("utf-8")))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        fault = min(faults, key=_unknown_keys_first)
        raise SettingError(f"policy {where!r}: {_key(fault['loc'])}: {_words(fault)}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        words = " ".join(str(error).split())
        raise SettingError(f"policy {where!r} is no TOML: {words}") from error


def _key(location: tuple[int | str, ...]) -> str:
    """Return ``'rules[2].on_at'`` for ``("rules", 2, "signal", "on_at")``."""
    if location[0] == "rules":
        location = location[:2] + location[3:]  # the third part is the tag of the union
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return repr(text.removeprefix("."))


def _unknown_keys_first(error: ErrorDetails) -> bool:
    """A misspelt key is also a missing one; the misspelling says more."""
    return error["type"] != "extra_forbidden"


def _words(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return "unknown key"
    return error["msg"].removeprefix("Value error, ")
