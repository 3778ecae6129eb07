"""Values as plain JSON data and back, for the way from the child to its parent.

Times travel as ``[numerator, denominator]``: they arrive as exact as they left.
"""

from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from typing import Any

from reelcheck.frames import AudioInfo, Colour, Matrix, Transfer, VideoInfo
from reelcheck.media.account import Account
from reelcheck.spans import Box, CoverageSpan, Observation, TimeSpan


def _pair(value: Fraction | None) -> list[int] | None:
    return None if value is None else [value.numerator, value.denominator]


def _fraction(pair: list[int] | None) -> Fraction | None:
    return None if pair is None else Fraction(pair[0], pair[1])


def _pack_span(span: TimeSpan) -> list[list[int] | None]:
    return [_pair(span.start), _pair(span.end)]


def _span(pairs: list[list[int]]) -> TimeSpan:
    return TimeSpan(Fraction(*pairs[0]), Fraction(*pairs[1]))


def pack_observation(observation: Observation) -> dict[str, Any]:
    """Return an observation as JSON data."""
    data = asdict(observation)
    data["span"] = _pack_span(observation.span)
    return data


def unpack_observation(data: Mapping[str, Any]) -> Observation:
    """Return the observation that ``pack_observation`` packed."""
    place = Box(**data["place"]) if data["place"] else None
    return Observation(**{**data, "span": _span(data["span"]), "place": place})


def pack_video(info: VideoInfo) -> dict[str, Any]:
    """Return what is known of a video stream as JSON data."""
    data = asdict(info)
    for name in ("sample_aspect_ratio", "rate_fps_from_header", "duration_seconds_from_header"):
        data[name] = _pair(data[name])
    return data


def unpack_video(data: Mapping[str, Any]) -> VideoInfo:
    """Return the value that ``pack_video`` packed."""
    colour = dict(data["colour"])
    colour["matrix"] = Matrix(colour["matrix"])
    colour["transfer"] = Transfer(colour["transfer"])
    fractions = {
        name: _fraction(data[name])
        for name in ("sample_aspect_ratio", "rate_fps_from_header", "duration_seconds_from_header")
    }
    return VideoInfo(**{**data, **fractions, "colour": Colour(**colour)})


def pack_audio(info: AudioInfo) -> dict[str, Any]:
    """Return what is known of an audio stream as JSON data."""
    return {
        **asdict(info),
        "duration_seconds_from_header": _pair(info.duration_seconds_from_header),
    }


def unpack_audio(data: Mapping[str, Any]) -> AudioInfo:
    """Return the value that ``pack_audio`` packed."""
    duration = _fraction(data["duration_seconds_from_header"])
    return AudioInfo(**{**data, "duration_seconds_from_header": duration})


def pack_account(account: Account) -> dict[str, Any]:
    """Return the account of a pass as JSON data."""
    data = asdict(account)
    data["duration"] = _pair(account.duration)
    data["spans"] = [{**asdict(span), "span": _pack_span(span.span)} for span in account.spans]
    return data


def unpack_account(data: Mapping[str, Any]) -> Account:
    """Return the value that ``pack_account`` packed."""
    spans = tuple(CoverageSpan(**{**item, "span": _span(item["span"])}) for item in data["spans"])
    return Account(
        duration=Fraction(*data["duration"]),
        decoded_ratio=data["decoded_ratio"],
        spans=spans,
        frames_decoded=data["frames_decoded"],
        frames_declared=data["frames_declared"],
        warnings=tuple(data["warnings"]),
    )
