"""Limits and profiles: what a run may be told from outside. Unknown names are refused."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from reelcheck.errors import SettingError

_GIB = 1 << 30


class Profile(StrEnum):
    """How much of the video is looked at."""

    FAST = "fast"
    """Key frames only: a first look at about a quarter of the cost. Never proves anything safe."""
    BALANCED = "balanced"
    """Every frame is decoded; costly models see samples steered by the cheap signals."""
    ACCURATE = "accurate"
    """Like balanced, with the larger models where their weights are present."""


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
