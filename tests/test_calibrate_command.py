"""``reelcheck calibrate`` from generated videos to a policy that judges them."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from reelcheck.media.synth import write_scenes
from reelcheck.verdict.policy import SignalRule, load_policy
from test_cli import PROGRAM

HEAD = "file,start_seconds,end_seconds,label"
DARK, BRIGHT = (40, 40, 40), (230, 230, 230)
BEFORE_SECONDS, BRIGHT_SECONDS, AFTER_SECONDS = 3.0, 2.0, 3.0
VIDEOS = 6
PROMISE = ("--max-false-alarms-per-hour", "1000")
"""Two halves of 18 harmless seconds: 2.303 / 1000 h are 8.3 s."""


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [PROGRAM, "calibrate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with videos that are bright from 3 to 5 s, one broken file, and the table."""
    folder = tmp_path_factory.mktemp("clips")
    rows = [HEAD]
    scenes = [(DARK, BEFORE_SECONDS), (BRIGHT, BRIGHT_SECONDS), (DARK, AFTER_SECONDS)]
    write_scenes(folder / "0.mkv", scenes, rate_fps=5)
    for number in range(VIDEOS):
        if number:
            shutil.copy(folder / "0.mkv", folder / f"{number}.mkv")
        rows.append(f"{number}.mkv,3,5,defects.luma_mean")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    (folder / "broken.mkv").write_bytes(b"no video")
    return folder


@pytest.fixture(scope="module")
def calibrated(clips: Path) -> subprocess.CompletedProcess[str]:
    out, reports = clips / "out" / "bright.toml", clips / "reports"
    return run(clips / "labels.csv", *PROMISE, "--reports", reports, "--out", out)


def test_a_threshold_between_dark_and_bright_is_promised_and_written(
    calibrated: subprocess.CompletedProcess[str], clips: Path
) -> None:
    assert calibrated.returncode == 0, calibrated.stderr
    assert "PROMISED" in calibrated.stdout
    assert "3 of 3" in calibrated.stdout

    policy = load_policy(clips / "out" / "bright.toml")
    rule = policy.rules[-1]
    assert isinstance(rule, SignalRule)
    assert rule.code == "defects.luma_mean"
    assert 40 / 255 < rule.on_at < 230 / 255
    assert policy.rules[:-1] == load_policy("default").rules
    assert policy.name == "bright"


def test_the_new_policy_finds_the_event_in_a_stored_report(
    calibrated: subprocess.CompletedProcess[str], clips: Path
) -> None:
    stored = sorted(clips.glob("reports/*/report.json"))
    assert len(stored) == VIDEOS

    command = [PROGRAM, "judge", str(stored[0]), "--policy", str(clips / "out" / "bright.toml")]
    done = subprocess.run([*command, "--format", "json"], capture_output=True, check=False)

    found = [one for one in json.loads(done.stdout)["events"] if one["label"] == "luma_mean"]
    assert [(one["start_seconds"], one["end_seconds"]) for one in found] == [(3.0, 5.0)]


def test_stored_reports_give_the_same_files_without_the_videos(
    calibrated: subprocess.CompletedProcess[str], clips: Path, tmp_path: Path
) -> None:
    shutil.copy(clips / "labels.csv", tmp_path)
    out = tmp_path / "bright.toml"

    done = run(tmp_path / "labels.csv", *PROMISE, "--reports", clips / "reports", "--out", out)

    assert done.returncode == 0, done.stderr
    for suffix in (".toml", ".json", ".html"):
        again, before = (one.with_suffix(suffix) for one in (out, clips / "out" / "bright.toml"))
        assert again.read_bytes() == before.read_bytes()


def test_the_page_shows_the_curve_and_loads_nothing(
    calibrated: subprocess.CompletedProcess[str], clips: Path
) -> None:
    page = (clips / "out" / "bright.html").read_text("utf-8")

    assert "Operating curve" in page
    assert page.count("<polyline") >= 8
    assert "default-src &#39;none&#39;" in page
    assert "http://" not in page
    assert "https://" not in page


def test_what_is_wrong_is_listed_and_the_rest_goes_on(
    calibrated: subprocess.CompletedProcess[str], clips: Path, tmp_path: Path
) -> None:
    table = tmp_path / "labels.csv"
    rows = [f"{number}.mkv,3,5,defects.luma_mean" for number in range(VIDEOS)]
    rows += ["broken.mkv,,,", "missing.mkv,,,", "0.mkv,1,2,nuditi", "x.mkv,5,4,defects.luma_mean"]
    rows += ["<b>.mkv,,,"]
    table.write_text("\n".join([HEAD, *(f"{clips}/{row}" for row in rows)]) + "\n")
    out = tmp_path / "p.toml"

    done = run(table, *PROMISE, "--reports", clips / "reports", "--out", out)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("left out")]
    told = {
        8: "E_FORMAT_NOT_ALLOWED",
        9: "E_NOT_FOUND",
        10: "'nuditi'",
        11: "end after",
        12: "E_NOT_FOUND",
    }
    for row, words in told.items():
        (line,) = (one for one in lines if f"{table}, row {row}: " in one)
        assert words in line
    assert len(lines) == len(told)
    assert out.exists(), "five videos are left"
    page = out.with_suffix(".html").read_text("utf-8")
    assert "Left out (5)" in page
    assert "&lt;b&gt;.mkv" in page
    assert "<b>.mkv" not in page


def test_too_little_data_is_said_and_no_policy_is_written(
    calibrated: subprocess.CompletedProcess[str], clips: Path, tmp_path: Path
) -> None:
    out = tmp_path / "p.toml"

    done = run(
        clips / "labels.csv", "--max-false-alarms-per-hour", 1, "--reports", clips / "reports",
        "--out", out,
    )  # fmt: skip

    assert done.returncode == 4
    assert "TOO LITTLE DATA" in done.stdout
    assert "2.3 hours without events are needed" in " ".join(done.stdout.split())
    assert "no policy was written" in done.stderr
    assert not out.exists()
    assert out.with_suffix(".html").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give either"),
        ((*PROMISE, "--min-recall", "0.9"), "give either"),
        ((*PROMISE, "--policy", "none"), "no policy 'none'"),
        ((*PROMISE, "--labels", "luma_mean,nuditi"), "unknown label 'nuditi'"),
        ((*PROMISE, "--profile", "quick"), "unknown profile"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_2(
    arguments: tuple[str, ...],
    words: str,
    calibrated: subprocess.CompletedProcess[str],
    clips: Path,
    tmp_path: Path,
) -> None:
    done = run(
        clips / "labels.csv", *arguments, "--reports", clips / "reports", "--out", tmp_path / "p"
    )

    assert done.returncode == 2
    assert words in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_to_is_exit_3(
    calibrated: subprocess.CompletedProcess[str], clips: Path
) -> None:
    out = clips / "labels.csv" / "p.toml"

    done = run(clips / "labels.csv", *PROMISE, "--reports", clips / "reports", "--out", out)

    assert done.returncode == 3
    assert "E_STORAGE_READONLY" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_signal_that_no_report_has_is_said(
    calibrated: subprocess.CompletedProcess[str], clips: Path, tmp_path: Path
) -> None:
    out = tmp_path / "p.toml"

    done = run(
        clips / "labels.csv", *PROMISE, "--labels", "defects.luma_meen", "--reports",
        clips / "reports", "--out", out,
    )  # fmt: skip

    assert done.returncode == 2
    assert "no report has the signal 'defects.luma_meen'" in done.stderr
    assert not out.exists()


def test_a_table_without_events_needs_to_be_told_what_it_is_about(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(f"{HEAD}\na.mkv,,,\n")

    done = run(table, *PROMISE, "--out", tmp_path / "p.toml")

    assert done.returncode == 2
    assert "--labels nudity" in done.stderr
