"""Limits and profiles: what a run may be told from outside. Unknown names are refused."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final

from reelcheck.errors import SettingError

_GIB = 1 << 30

DECODER_THREADS: Final = max(1, min(2, (os.cpu_count() or 1) - 1))
"""Threads that decode a video unless told otherwise: two, or one where the analyzers need the
other core. Ours: on two cores a second one costs 5 % more CPU time and saves 6 % of the time."""


class Profile(StrEnum):
    """How much of the video is looked at."""

    FAST = "fast"
    """Key frames only: a first look at about a quarter of the cost. Never proves anything safe."""
    BALANCED = "balanced"
    """Every frame is decoded; costly models see samples steered by the cheap signals."""
    ACCURATE = "accurate"
    """Like balanced, with the larger models where their weights are present."""


class Scores(StrEnum):
    """How much of its scores a report tells; verdicts are always those of the full ones."""

    FULL = "full"
    """As they are."""
    ROUNDED = "rounded"
    """To two decimals."""
    LABELS = "labels"
    """Only what was found and when."""


def scores_from(word: str) -> Scores:
    """Return how much to tell.

    Raises:
        SettingError: the word is unknown.
    """
    if word not in set(Scores):
        raise SettingError(f"unknown scores {word!r}", hint=f"known: {', '.join(Scores)}")
    return Scores(word)


class Isolation(StrEnum):
    """What to do when a layer between the decoder and this machine cannot be had."""

    AUTO = "auto"
    """Go on with the layers that there are; the report names the others."""
    STRICT = "strict"
    """Refuse to open the video."""
    OFF = "off"
    """Only a process of its own with limits: to find a fault, with a debugger. Never otherwise."""


ISOLATION_VARIABLE: Final = "REELCHECK_ISOLATION"
"""Set to ``strict``, it makes every run strict. It can make none weaker."""


def isolation_from(word: str) -> Isolation:
    """Return how to isolate, as asked for and as the environment demands.

    Raises:
        SettingError: the word is unknown.
    """
    for given in (word, os.environ.get(ISOLATION_VARIABLE, "") or Isolation.AUTO):
        if given not in set(Isolation):
            known = ", ".join(Isolation)
            raise SettingError(f"unknown isolation {given!r}", hint=f"known: {known}")
    if os.environ.get(ISOLATION_VARIABLE) == Isolation.STRICT:
        return Isolation.STRICT
    return Isolation(word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one file may cost. Defaults after reference table "bad inputs", section 4."""

    file_bytes: int = 10 * _GIB
    duration_seconds: float = 6 * 3600.0
    frame_pixels: int = 8192 * 4352
    side_px: int = 32768
    streams: int = 64
    metadata_value_bytes: int = 64 << 10
    metadata_total_bytes: int = 1 << 20
    total_pixels: int = 5 * 10**12
    """Over all decoded frames of a file."""
    open_seconds: float = 20.0
    no_progress_seconds: float = 30.0
    wall_base_seconds: float = 60.0
    wall_per_second: float = 20.0
    """The wall clock allows ``wall_base_seconds`` plus this for every claimed second of video."""
    address_space_bytes: int = 4 * _GIB
    resident_bytes: int = 2 * _GIB

    def __post_init__(self) -> None:
        """Refuse limits that are not positive."""
        for item in fields(self):
            value = getattr(self, item.name)
            if not isinstance(value, int | float) or value <= 0:
                raise SettingError(f"limit {item.name} must be a positive number, got {value!r}")


def limits_from(values: Mapping[str, Any]) -> Limits:
    """Return limits with ``values`` in place of the defaults.

    Raises:
        SettingError: a name is unknown or a value is not a positive number.
    """
    known = {item.name for item in fields(Limits)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise SettingError(
            f"unknown limit {unknown[0]!r}", hint=f"known limits: {', '.join(sorted(known))}"
        )
    return Limits(**values)
