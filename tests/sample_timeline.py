"""A timeline as a pass would hand it over, built by hand, with hostile text where files put it."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from reelcheck.frames import AudioInfo, Colour, MediaInfo, VideoInfo
from reelcheck.spans import Box, CoverageSpan, CoverageState, Observation, TimeSpan
from reelcheck.verdict.timeline import Coverage, Failure, ModelUse, Picture, Source, Timeline

RATE_FPS = Fraction(30000, 1001)
DURATION = Fraction(1001 * 1800, 30000)
"""1800 frames: 60.06 s."""
ALL_ANALYZERS = ("defects", "flashes", "loudness", "nudity", "shots")


def span(start: float | Fraction, end: float | Fraction) -> TimeSpan:
    return TimeSpan(Fraction(start), Fraction(end))


def event(
    code: str,
    start: float | Fraction,
    end: float | Fraction,
    *,
    score: float = 1.0,
    **more: Any,  # noqa: ANN401 - any further field of an observation
) -> Observation:
    analyzer, _, label = code.partition(".")
    return Observation(
        analyzer=analyzer, signal=label, label=label, span=span(start, end), score=score, **more
    )


def samples(
    name: str,
    values: Iterable[float],
    *,
    step: float | Fraction = 1,
    start: float | Fraction = 0,
    unit: str = "",
    stream: int = 0,
) -> list[Observation]:
    """Return equally long samples that follow each other without a hole."""
    analyzer, _, signal = name.partition(".")
    begin, length = Fraction(start), Fraction(step)
    return [
        Observation(
            analyzer=analyzer,
            signal=signal,
            span=TimeSpan(begin + index * length, begin + (index + 1) * length),
            score=value,
            unit=unit,
            stream=stream,
        )
        for index, value in enumerate(values)
    ]


def picture(at: float | Fraction, stream: int = 0) -> Picture:
    return Picture(stream=stream, at=Fraction(at), jpeg=f"{at}@{stream}".encode())


def source(name: str = "holiday.mp4") -> Source:
    return Source(
        name=name,
        path=f"in/{name}",
        size_bytes=1_234_567,
        sha256="ab" * 32,
        container="mp4",
        duration_seconds_from_header=60.06,
        start_seconds=0.0,
        metadata={"title": "<b>Sun & sea</b>", "encoder": "Lavf62"},
    )


def media(rate_fps: Fraction | None = RATE_FPS) -> MediaInfo:
    video = VideoInfo(
        stream=0,
        codec="h264",
        width_px=1920,
        height_px=1080,
        sample_aspect_ratio=Fraction(1),
        rotation_degrees=0,
        pixel_format="yuv420p",
        colour=Colour(),
        rate_fps_from_header=rate_fps,
        duration_seconds_from_header=DURATION,
        frames_from_header=1800,
    )
    audio = AudioInfo(
        stream=1,
        codec="aac",
        rate_hz=48000,
        channels=2,
        layout="stereo",
        duration_seconds_from_header=DURATION,
    )
    return MediaInfo(video=(video,), audio=(audio,))


def coverage(
    *stretches: tuple[float | Fraction, float | Fraction, CoverageState],
    decoded_ratio: float = 1.0,
    warnings: tuple[str, ...] = (),
    frames_decoded: int = 1800,
) -> Coverage:
    """Return the coverage of stream 0; without stretches, everything was decoded."""
    spans = stretches or ((0, DURATION, "decoded"),)
    return Coverage(
        duration=DURATION,
        decoded_ratio=decoded_ratio,
        spans=tuple(
            CoverageSpan(
                span=span(start, end),
                state=state,
                cause="" if state == "decoded" else "W_DECODE_ERRORS: packets were damaged",
            )
            for start, end, state in spans
        ),
        frames_decoded=frames_decoded,
        frames_declared=1800,
        warnings=warnings,
    )


def timeline(
    *observations: Observation,
    covered: Coverage | None = None,
    failures: tuple[Failure, ...] = (),
    pictures: tuple[Picture, ...] = (),
    analyzers: tuple[str, ...] = ALL_ANALYZERS,
    name: str = "holiday.mp4",
    rate_fps: Fraction | None = RATE_FPS,
) -> Timeline:
    """Return a healthy pass that found ``observations`` and nothing else."""
    return Timeline(
        source=source(name),
        media=media(rate_fps),
        profile="balanced",
        analyzers=analyzers,
        coverage=covered or coverage(),
        observations=observations,
        failures=failures,
        pictures=pictures,
        models=(ModelUse(name="nudity", version="1", sha256="cd" * 32, licence="BSD-2-Clause"),),
        isolation={"child_process": True, "memory_limit": True, "no_network": False},
        timings={"decode": 1.25, "total": 2.5},
    )


def frame(index: int) -> Fraction:
    """Return the exact time of frame ``index``."""
    return index / RATE_FPS


def realistic_timeline() -> Timeline:
    """Return a minute with faults of every severity, a hole, a failure and evidence.

    Black (warn) 2.002 to 5.005 s, a flash (fail) at 20.02 s, nudity 0.9 (fail) 30 to 32 s,
    two cuts (info), an inner stretch that was damaged, and a broken analyzer.
    """
    nudity = [0.02] * 29 + [0.55, 0.92, 0.9, 0.45] + [0.01] * 27
    found = [
        event("defects.black", frame(60), frame(150), note="mean luma 0.01, limit 0.1"),
        event("defects.blur", 40, 41, score=0.7, place=Box(x=0.1, y=0.2, width=0.5, height=0.5)),
        event("flashes.general_flash", frame(600), frame(660), score=4.0, unit="1/s"),
        event("shots.cut", frame(300), frame(301)),
        event("shots.cut", frame(900), frame(901)),
        event("loudness.silence", 45, 56, stream=1, unit="LUFS", score=-70.0),
        *samples("nudity.score", nudity),
        *samples("loudness.true_peak_dbtp", [0.8], step=60, unit="dBTP", stream=1),
        *samples("defects.luma_mean", [0.5, 0.4, 0.01], step=20),
    ]
    return timeline(
        *found,
        covered=coverage(
            (0, 50, "decoded"),
            (50, 51, "damaged"),
            (51, DURATION, "decoded"),
            decoded_ratio=0.98,
            warnings=("W_DECODE_ERRORS: 12 packets could not be decoded", "W_VFR: 29.9 to 30.1"),
        ),
        failures=(
            Failure(code="E_ANALYZER", message="division by zero", analyzer="shots", at_seconds=9),
        ),
        pictures=tuple(picture(at) for at in (3, 20, 31, 40)),
    )
