"""Loudness on tones of known level, and sound that is broken on purpose."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import reelcheck
from reelcheck.media.synth import LOSSLESS, textured, write_video
from reelcheck.verdict.report import Report

RATE = 48000
Sound = NDArray[np.float32]


def sine(seconds: float, peak_dbfs: float, *, hz: float = 1000.0, channels: int = 2) -> Sound:
    time = np.arange(round(seconds * RATE)) / RATE
    wave = 10 ** (peak_dbfs / 20) * np.sin(2 * np.pi * hz * time)
    return np.tile(wave.astype(np.float32), (channels, 1))


def heard(sound: Sound, folder: Path, *, picture_seconds: float | None = None) -> Report:
    seconds = picture_seconds or sound.shape[1] / RATE
    frames = ((textured(i, width_px=32, height_px=32), i) for i in range(round(seconds * 25)))
    path = write_video(folder / "clip.mkv", frames, replace(LOSSLESS, tone=sound))
    return reelcheck.analyze(path, only=["loudness"])


def whole_file(report: Report, name: str) -> float:
    (value,) = report.signals[f"loudness.{name}"].values
    return value


def spans(report: Report, label: str) -> list[tuple[float, float]]:
    return [(e.start_seconds, e.end_seconds) for e in report.events if e.label == label]


@pytest.mark.parametrize("level", [-23.0, -33.0])
def test_a_stereo_tone_has_the_loudness_of_ebu_tech_3341(level: float, tmp_path: Path) -> None:
    """Cases 1 and 2 of EBU Tech 3341: 1 kHz in both channels, 20 s, tolerance 0.1 LU."""
    report = heard(sine(20, level), tmp_path)

    assert whole_file(report, "integrated_lufs") == pytest.approx(level, abs=0.1)
    assert report.signals["loudness.momentary_lufs"].values[5] == pytest.approx(level, abs=0.1)
    assert report.signals["loudness.short_term_lufs"].values[2] == pytest.approx(level, abs=0.1)


def test_quiet_stretches_are_gated(tmp_path: Path) -> None:
    """Case 3 of EBU Tech 3341, shortened: -36, -23 and -36 dBFS give -23 LUFS."""
    parts = [sine(10, -36), sine(20, -23), sine(10, -36)]

    report = heard(np.concatenate(parts, axis=1), tmp_path)

    assert whole_file(report, "integrated_lufs") == pytest.approx(-23.0, abs=0.1)


def test_the_range_of_two_levels_is_their_difference(tmp_path: Path) -> None:
    """Case 1 of EBU Tech 3342: -20 and -30 dBFS, 20 s each, give 10 LU within 1 LU."""
    report = heard(np.concatenate([sine(20, -20), sine(20, -30)], axis=1), tmp_path)

    assert whole_file(report, "loudness_range_lu") == pytest.approx(10, abs=1)


def test_the_true_peak_lies_between_the_samples(tmp_path: Path) -> None:
    """A quarter of the sampling rate at 45 degrees: samples at -3 dB, the wave at 0 dB."""
    time = np.arange(4 * RATE)
    wave = 0.5 * np.sin(2 * np.pi * time / 4 + np.pi / 4) * np.minimum(1, time / RATE)

    report = heard(np.tile(wave.astype(np.float32), (2, 1)), tmp_path)

    assert whole_file(report, "true_peak_dbtp") == pytest.approx(-6.02, abs=0.4)
    assert np.abs(wave).max() < 0.36


@pytest.mark.parametrize("start", [0.0, 2.0, 3.123])
def test_silence_is_exact_to_the_frame(start: float, tmp_path: Path) -> None:
    sound = sine(6, -20)
    first, last = round(start * RATE), round((start + 1.5) * RATE)
    sound[:, first:last] = 0

    ((begin, end),) = spans(heard(sound, tmp_path), "silence")

    assert begin == pytest.approx(start, abs=0.002)
    assert end == pytest.approx(start + 1.5, abs=0.002)


def test_a_file_of_silence_is_one_stretch(tmp_path: Path) -> None:
    report = heard(np.zeros((2, 4 * RATE), np.float32), tmp_path)

    (found,) = spans(report, "silence")
    assert found == pytest.approx((0.0, 4.0), abs=0.03)
    assert whole_file(report, "integrated_lufs") == -70.0


def test_clipping_is_found_where_it_is(tmp_path: Path) -> None:
    sound = sine(6, -6)
    loud = slice(2 * RATE, 4 * RATE)
    sound[:, loud] = np.clip(sound[:, loud] * 6, -1, 1)

    ((begin, end),) = spans(heard(sound, tmp_path), "clipping")

    assert (begin, end) == pytest.approx((2.0, 4.0), abs=0.11)


def test_a_full_scale_tone_is_not_clipped(tmp_path: Path) -> None:
    assert spans(heard(sine(3, -0.01), tmp_path), "clipping") == []


@pytest.mark.parametrize("channel", [0, 1])
def test_a_lost_channel_is_found(channel: int, tmp_path: Path) -> None:
    sound = sine(10, -20)
    sound[channel, 2 * RATE : 7 * RATE] = 0

    ((begin, end),) = spans(heard(sound, tmp_path), "channel_loss")

    assert (begin, end) == pytest.approx((2.0, 7.0), abs=0.11)


def test_a_channel_that_pauses_is_not_lost(tmp_path: Path) -> None:
    sound = sine(10, -20)
    sound[1, 2 * RATE : 4 * RATE] = 0

    assert spans(heard(sound, tmp_path), "channel_loss") == []


@pytest.mark.parametrize(
    ("picture", "sound", "found"), [(5.0, 3.0, 1), (3.0, 5.0, 1), (4.0, 4.0, 0)]
)
def test_picture_and_sound_of_different_length_are_told(
    picture: float, sound: float, found: int, tmp_path: Path
) -> None:
    report = heard(sine(sound, -20), tmp_path, picture_seconds=picture)

    assert len(spans(report, "length_mismatch")) == found


def noises() -> Iterator[tuple[str, Sound]]:
    rng = np.random.default_rng(5)
    time = np.arange(8 * RATE) / RATE
    yield "noise", rng.normal(0, 0.05, (2, 8 * RATE)).astype(np.float32)
    speech = rng.normal(0, 0.08, (1, 8 * RATE)) * (np.sin(2 * np.pi * 2 * time) > -0.5)
    yield "speech-like", np.tile(speech, (2, 1)).astype(np.float32)
    fade = np.sin(2 * np.pi * 220 * time) * np.exp(-time / 3)
    yield "fading music", np.stack([fade * 0.5, fade * 0.3]).astype(np.float32)


@pytest.mark.parametrize(
    ("_", "sound"), list(noises()), ids=lambda one: one if isinstance(one, str) else ""
)
def test_ordinary_sound_raises_no_alarm(_: str, sound: Sound, tmp_path: Path) -> None:
    report = heard(sound, tmp_path)

    assert [event.label for event in report.events] == []


def test_the_file_without_sound_says_nothing(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mkv", ((textured(i), i) for i in range(25)))

    report = reelcheck.analyze(path, only=["loudness"])

    assert (report.events, report.signals) == ((), {})
