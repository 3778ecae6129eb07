"""What the report says of the quality of a whole video, and what happens without the weights."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reelcheck
from quality_pictures import clip, scene
from reelcheck.cli.summary import print_summary
from reelcheck.exporters.base import grade
from reelcheck.exporters.html import HtmlExporter
from reelcheck.frames import MediaInfo
from reelcheck.media.synth import plain, textured, write_video
from reelcheck.models.card import load_card
from reelcheck.spans import Observation
from reelcheck.verdict.judge import judge, rejudge
from reelcheck.verdict.policy import load_policy
from reelcheck.verdict.quality import Sample, mean_over_time
from reelcheck.verdict.report import Quality, QualityShot, Report
from reelcheck.verdict.timeline import Failure, Timeline
from sample_policy import OPEN
from sample_timeline import ALL_ANALYZERS, event, picture, samples, span, timeline

ANALYZERS = (*ALL_ANALYZERS, "quality")
SCORES = [4.0] * 58 + [1.0, 2.0]


def judged_pictures(scores: list[float], *, stream: int = 0) -> list[Observation]:
    """Return what the analyzer says, one picture a second, with half a point to both sides."""
    return [
        *samples("quality.score", scores, unit="MOS", stream=stream),
        *samples("quality.lower", [one - 0.5 for one in scores], unit="MOS", stream=stream),
        *samples("quality.upper", [one + 0.5 for one in scores], unit="MOS", stream=stream),
    ]


def watched(*more: Observation, scores: list[float] | None = None) -> Timeline:
    return timeline(*judged_pictures(scores or SCORES), *more, analyzers=ANALYZERS)


def quality(whole: Timeline) -> Quality:
    found = judge(whole, OPEN).quality
    assert found is not None
    return found


def test_the_section_holds_mean_interval_and_worst() -> None:
    found = quality(watched())

    assert found.score == pytest.approx((58 * 4 + 3) / 60, abs=1e-4)
    assert found.interval == pytest.approx((found.score - 0.5, found.score + 0.5), abs=1e-4)
    assert found.scale == (1, 5)
    assert found.worst_5_percent == pytest.approx((1 + 2 + 4) / 3, abs=1e-4)
    assert (found.worst.start_seconds, found.worst.end_seconds, found.worst.score) == (58, 59, 1)
    assert found.judged_seconds == 60
    assert found.causes == ()


def test_the_worst_five_percent_are_those_of_the_time_not_of_the_samples() -> None:
    seen = [Sample(span(0, 1), 1.0), Sample(span(1, 20), 4.0)]

    assert mean_over_time(seen, share=Fraction(1, 20)) == 1.0
    assert mean_over_time(seen, share=Fraction(1, 10)) == 2.5
    assert mean_over_time(seen) == pytest.approx(3.85)


def test_pictures_whose_time_nobody_knows_count_the_same() -> None:
    assert mean_over_time([Sample(span(0, 0), 2.0), Sample(span(1, 1), 3.0)]) == 2.5


@given(
    st.lists(st.tuples(st.integers(0, 9), st.floats(1, 5)), min_size=1, max_size=9),
    st.sampled_from([Fraction(1, 20), Fraction(3, 10), Fraction(1)]),
)
def test_the_worst_share_is_never_better_than_the_whole(
    parts: list[tuple[int, float]], share: Fraction
) -> None:
    at, seen = 0, []
    for seconds, score in parts:
        seen.append(Sample(span(at, at + seconds), score))
        at += seconds

    worst = mean_over_time(seen, share=share)

    assert min(one.value for one in seen) - 1e-4 <= worst
    assert worst <= mean_over_time(seen) + 1e-4


def test_causes_are_told_by_their_share_of_the_judged_time() -> None:
    found = quality(
        watched(
            *samples("quality.cause_blur", [0.8], step=6, start=0),
            *samples("quality.cause_noise", [0.9, 0.7], step=15, start=30),
        )
    )

    assert [(one.cause, one.share) for one in found.causes] == [("noise", 0.5), ("blur", 0.1)]


def test_shots_have_the_mean_of_the_pictures_that_lie_in_them() -> None:
    borders = (
        event("shots.cut", 20, Fraction(41, 2)),
        event("shots.dissolve", 57, 58),
        event("shots.cut", Fraction(599, 10), 60),
    )

    assert quality(watched(*borders)).shots == (
        QualityShot(start_seconds=0, end_seconds=20, score=4),
        QualityShot(start_seconds=20, end_seconds=57, score=4),
        QualityShot(start_seconds=58, end_seconds=59.9, score=1.4737),
        QualityShot(start_seconds=59.9, end_seconds=60.06, score=None),
    )


@pytest.mark.parametrize("broken", [False, True])
def test_no_shots_are_told_when_nobody_looked_for_them(*, broken: bool) -> None:
    failure = Failure(code="E_ANALYZER", message="words", analyzer="shots")
    blind = (
        replace(watched(), failures=(failure,))
        if broken
        else replace(watched(), analyzers=("quality",))
    )

    assert quality(watched()).shots
    assert not quality(blind).shots


def test_without_a_judged_picture_or_after_a_failure_there_is_no_section() -> None:
    failure = Failure(code="E_MODEL_MISSING", message="words", analyzer="quality")

    assert judge(timeline(analyzers=ANALYZERS), OPEN).quality is None
    assert judge(replace(watched(), failures=(failure,)), OPEN).quality is None
    assert judge(replace(watched(), media=MediaInfo(video=(), audio=())), OPEN).quality is None


def test_the_section_is_about_the_first_video_stream() -> None:
    other = judged_pictures([1.5] * 60, stream=3)

    assert quality(watched(*other)) == quality(watched())


@pytest.mark.parametrize(
    ("at", "stream", "expected"),
    [(58, 0, 58), (58.9, 0, 58.9), (59, 0, None), (57.9, 0, None), (58, 1, None)],
)
def test_the_worst_picture_is_shown_when_it_was_kept(
    at: float, stream: int, expected: float | None
) -> None:
    report = judge(replace(watched(), pictures=(picture(at, stream),)), OPEN)

    assert report.quality
    evidence = report.quality.worst.evidence
    assert (evidence and evidence.time_seconds) == expected


@pytest.mark.parametrize("label", ["nudity.breast", "defects.black"])
def test_the_worst_picture_is_marked_where_it_may_show_what_nobody_should_see(label: str) -> None:
    report = judge(replace(watched(event(label, 58, 59)), pictures=(picture(58),)), OPEN)

    assert report.quality
    assert report.quality.worst.evidence
    assert report.quality.worst.evidence.sensitive == label.startswith("nudity")


def test_a_report_that_is_judged_anew_keeps_the_section_and_its_picture() -> None:
    whole = replace(watched(), pictures=(picture(58), picture(3)))
    report = judge(whole, load_policy("default"))

    again = rejudge(judge(whole, OPEN), load_policy("default"))

    assert again == report
    assert report.quality
    assert report.quality.worst.evidence


@pytest.mark.parametrize("policy", ["default", "ugc-strict"])
@pytest.mark.parametrize(("seconds", "decision"), [(1.9, "PASS"), (2.0, "WARN"), (60, "WARN")])
def test_a_poor_picture_warns_and_never_fails(policy: str, seconds: float, decision: str) -> None:
    poor = event("quality.poor_picture", 0, Fraction(seconds), score=1.0)
    rules = load_policy(policy)
    own = rules.model_copy(update={"rules": tuple(r for r in rules.rules if "quality" in r.code)})

    report = judge(watched(poor), own)

    assert report.verdict.decision == decision


def printed(report: Report, output: pytest.CaptureFixture[str]) -> str:
    print_summary(report, to_stdout=True)
    return " ".join(output.readouterr().out.split())


SHOWN: dict[str, Callable[[Report, pytest.CaptureFixture[str]], str]] = {
    "summary": printed,
    "html": lambda report, _: HtmlExporter().render(report).decode(),
}


@pytest.mark.parametrize("shown", list(SHOWN))
def test_people_are_told_the_score_the_worst_moment_and_what_would_help(
    shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report = judge(watched(*samples("quality.cause_compression", [0.9], step=30)), OPEN)

    text = SHOWN[shown](report, capsys)

    assert "3.9 of 5, good (90 % interval 3.4 to 4.4); worst 1.0 at 0:58.000" in text
    assert "likely cause: compression, 50 % of the time (code it at a higher bit rate" in text


@pytest.mark.parametrize("shown", list(SHOWN))
def test_nothing_is_told_of_a_quality_that_was_not_judged(
    shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert " of 5" not in SHOWN[shown](judge(timeline(), OPEN), capsys)


def test_the_curve_of_the_page_shows_the_worst_of_each_group_within_its_interval() -> None:
    scores = [4.0] * 3000
    scores[1234] = 1.0
    page = HtmlExporter().render(judge(watched(scores=scores), OPEN)).decode()

    drawn = page.split('aria-label="quality over time"')[1].split("</svg>")[0]
    band, curve = (drawn.split(f'<{tag} points="')[1].split('"')[0] for tag in SHAPES)
    heights = [float(point.split(",")[1]) for point in curve.split()]
    assert max(heights) == 60
    assert len(band.split()) == 2 * len(heights) <= 2400


SHAPES = ("polygon", "polyline")


def test_a_report_without_one_end_of_the_interval_is_drawn_without_it() -> None:
    report = judge(watched(), OPEN)
    signals = {name: one for name, one in report.signals.items() if name != "quality.upper"}
    page = HtmlExporter().render(report.model_copy(update={"signals": signals})).decode()

    drawn = page.split('aria-label="quality over time"')[1].split("</svg>")[0]
    assert "<polyline" in drawn
    assert "<polygon" not in drawn


@pytest.mark.parametrize("at", [58, 3])
def test_the_place_is_told_where_it_is_that_of_the_worst_picture(
    at: int, capsys: pytest.CaptureFixture[str]
) -> None:
    report = judge(watched(*samples("quality.place_top_left", [5.0], start=at)), OPEN)

    is_worst = SCORES[at] == min(SCORES)
    assert report.quality is not None
    assert report.quality.worst.place == ("top left" if is_worst else None)
    assert ("most of all top left" in printed(report, capsys)) == is_worst


def test_the_curve_is_blank_where_no_picture_was_judged() -> None:
    parts = (("score", 3.0), ("lower", 2.5), ("upper", 3.5))
    held = [
        one
        for name, value in parts
        for start in (0, 6)
        for one in samples(f"quality.{name}", [value] * 4, unit="MOS", start=start)
    ]
    page = HtmlExporter().render(judge(timeline(*held, analyzers=ANALYZERS), OPEN)).decode()

    drawn = page.split('aria-label="quality over time"')[1].split("</svg>")[0]
    length = judge(timeline(*held, analyzers=ANALYZERS), OPEN).coverage.duration_seconds
    for tag in SHAPES:
        pieces = [part.split('"')[0] for part in drawn.split(f'<{tag} points="')[1:]]
        across = [[float(point.split(",")[0]) for point in piece.split()] for piece in pieces]
        seconds = [(min(one) * length / 1000, max(one) * length / 1000) for one in across]
        assert seconds == [pytest.approx((0, 4), abs=0.01), pytest.approx((6, 10), abs=0.01)]


@pytest.mark.parametrize(
    ("score", "word"),
    [(1, "bad"), (1.49, "bad"), (1.5, "poor"), (3.2, "fair"), (4.49, "good"), (5, "excellent")],
)
def test_words_are_those_of_the_nearest_grade(score: float, word: str) -> None:
    assert grade(score) == word


def test_a_video_of_one_picture_and_a_black_one_give_a_report(tmp_path: Path) -> None:
    one = write_video(tmp_path / "one.mkv", [(textured(0), 0)])
    black = write_video(tmp_path / "black.mkv", [(plain((0, 0, 0)), i) for i in range(30)])

    assert reelcheck.analyze(one, only=["quality"]).quality is not None
    report = reelcheck.analyze(black, only=["quality"])
    assert report.quality is None
    assert not report.failures


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda path: path.unlink(), "E_MODEL_MISSING"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"), "E_MODEL_INTEGRITY"),
    ],
)
def test_missing_or_altered_weights_lead_to_inconclusive(
    change: Callable[[Path], object], code: str, tmp_path: Path
) -> None:
    """A copy of the package without its weights: the rest goes on, the verdict is no PASS."""
    video = clip(tmp_path / "clip.mkv", lambda _: scene(1))
    home = Path(reelcheck.__file__).parent
    copy = tmp_path / "site" / "reelcheck"
    shutil.copytree(home, copy, ignore=shutil.ignore_patterns("lab", "__pycache__"))
    change(copy / load_card("quality").weights.file)

    asked = ["--format", "json", "--only", "quality,flashes"]
    done = subprocess.run(
        [sys.executable, "-m", "reelcheck", "analyze", str(video), *asked],
        env={**os.environ, "PYTHONPATH": str(copy.parent)},
        capture_output=True,
        check=False,
    )

    report = json.loads(done.stdout)
    assert done.returncode == 4
    assert report["verdict"]["decision"] == "INCONCLUSIVE"
    assert [(one["analyzer"], one["code"]) for one in report["failures"]] == [("quality", code)]
    assert report["quality"] is None
    assert any("'quality' broke" in one["text"] for one in report["verdict"]["reasons"])
    assert "flashes.transitions" in report["signals"]
