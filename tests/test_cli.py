"""The command: verdicts in exit codes, machine output on stdout, talk on stderr, no traceback."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from planted import H264, tone, write_event, write_two_streams, zero_middle
from reelcheck.media.synth import LOSSLESS, textured, write_scenes, write_video

PROGRAM = str(Path(sys.executable).with_name("reelcheck"))


def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clean") / "clean.mkv"
    return write_video(path, ((textured(i), i) for i in range(50)))


@pytest.fixture(scope="module")
def black(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("black") / "black.mkv"
    return write_scenes(path, [((90, 120, 60), 0.4), ((0, 0, 0), 3.0)])


def test_a_clean_clip_passes_and_the_summary_says_so(clean: Path) -> None:
    done = run("analyze", clean, "--only", "flashes,shots")

    assert done.returncode == 0
    assert done.stdout.startswith(" PASS")
    assert "Everything was seen" in done.stdout
    assert done.stderr == ""


def test_json_on_stdout_is_nothing_but_json(black: Path) -> None:
    done = run("analyze", black, "--only", "defects", "--format", "json")

    report = json.loads(done.stdout)
    assert report["verdict"]["decision"] == "WARN"
    assert {event["label"] for event in report["events"]} >= {"black"}
    assert done.stderr == ""


def test_strict_makes_a_warning_fail(black: Path) -> None:
    assert run("analyze", black, "--only", "defects").returncode == 0
    assert run("analyze", black, "--only", "defects", "--strict").returncode == 1


def test_reports_go_to_the_folder(black: Path, tmp_path: Path) -> None:
    done = run(
        "analyze",
        black,
        "--only",
        "defects",
        "--out",
        "o",
        "--format",
        "json,html,csv,edl,otio,webvtt,junit",
        cwd=tmp_path,
    )

    assert done.returncode == 0
    names = {path.name for path in (tmp_path / "o").iterdir()}
    assert {"report.json", "report.html", "report.csv", "report.edl", "report.otio"} <= names
    assert len(names) == 7
    assert "wrote" in done.stderr


def test_a_folder_is_searched_and_the_strongest_verdict_counts(
    clean: Path, black: Path, tmp_path: Path
) -> None:
    inbox = tmp_path / "in" / "deep"
    inbox.mkdir(parents=True)
    (inbox / "a.mkv").write_bytes(clean.read_bytes())
    (inbox / "b.mkv").write_bytes(black.read_bytes()[:-2000])
    (inbox / "c.mkv").write_bytes(b"")
    (inbox / "notes.txt").write_text("no video")

    done = run(
        "analyze", tmp_path / "in", "--only", "defects", "--workers", "2", "--out", tmp_path / "o"
    )

    assert done.returncode == 2
    assert "E_EMPTY" in done.stderr
    assert len(list((tmp_path / "o").glob("*/report.json"))) == 2
    (inbox / "c.mkv").unlink()
    assert run("analyze", tmp_path / "in", "--only", "defects", "--quiet").returncode == 4


def test_a_stored_report_is_judged_anew(black: Path, tmp_path: Path) -> None:
    run("analyze", black, "--only", "defects", "--out", tmp_path, "--quiet")
    policy = tmp_path / "mine.toml"
    policy.write_text(
        'name = "mine"\n[[rules]]\nevent = "defects.black"\nseverity = "fail"\nwhy = "No black."\n'
    )

    done = run("judge", tmp_path / "report.json", "--policy", policy)

    assert done.returncode == 1
    assert done.stdout.startswith(" FAIL")


MISTAKES: list[tuple[list[str], int, str]] = [
    (["analyze", "nope.mp4"], 2, "E_NOT_FOUND"),
    (["analyze", "{clean}", "--only", "blub"], 2, "unknown analyzer 'blub'"),
    (["analyze", "{clean}", "--policy", "blub"], 2, "blub"),
    (["analyze", "{clean}", "--format", "blub"], 2, "unknown exporter 'blub'"),
    (["analyze", "{clean}", "--profile", "blub"], 2, "unknown profile 'blub'"),
    (["analyze", "{clean}", "--only", "flashes", "--profile", "fast"], 2, "needs every frame"),
    (["analyze", "{clean}", "--format", "json,csv"], 2, "--out"),
    (["analyze", "."], 2, "no video"),
    (["judge", "nope.json"], 2, "nope.json"),
    (["models", "show", "blub"], 2, "unknown model 'blub'"),
    (["analyze", "{clean}", "--out", "/proc/nowhere"], 3, "E_STORAGE_READONLY"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), MISTAKES, ids=lambda one: str(one)[:40])
def test_a_mistake_is_one_line_with_a_code(
    arguments: list[str], code: int, words: str, clean: Path, tmp_path: Path
) -> None:
    done = run(*(one.format(clean=clean) for one in arguments), cwd=tmp_path)

    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.splitlines()) <= 3


def damaged_clips(folder: Path) -> Iterator[tuple[str, Path]]:
    whole = write_event(folder / "whole.mp4", H264).read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) * 6 // 10])
    yield "cut", folder / "cut.mp4"
    (folder / "zeroed.mp4").write_bytes(zero_middle(whole))
    yield "zeroed", folder / "zeroed.mp4"
    yield "second stream", write_two_streams(folder / "two.mkv", event_in_second=True)


def test_damage_and_hidden_streams_never_exit_with_zero(tmp_path: Path) -> None:
    for name, path in damaged_clips(tmp_path):
        done = run("analyze", path, "--only", "defects")
        assert done.returncode in {1, 4}, name


def test_the_event_in_a_second_stream_is_found(tmp_path: Path) -> None:
    path = write_two_streams(tmp_path / "two.mkv", event_in_second=True)

    report = json.loads(run("analyze", path, "--only", "defects", "--format", "json").stdout)

    (event,) = [one for one in report["events"] if one["label"] == "solid_colour"]
    assert (event["start_seconds"], event["end_seconds"]) == (15.0, 17.0)
    assert event["stream"] == 1


def test_hostile_names_and_tags_reach_no_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[2J\u202egpm.mkv"
    write_video(path, ((textured(i), i) for i in range(10)), LOSSLESS)

    done = run("analyze", path, "--only", "shots")

    assert "\x1b[2J" not in done.stdout
    assert "\u202e" not in done.stdout
    assert "\\u001b" in done.stdout


def test_the_schema_is_a_schema() -> None:
    schema = json.loads(run("schema").stdout)

    assert schema["$id"] == "reelcheck-report-1.0"


def test_models_are_listed_and_shown() -> None:
    assert "open-nsfw" in run("models", "list").stdout
    shown = run("models", "show", "open-nsfw").stdout
    assert "BSD-2-Clause" in shown
    assert "Not measured by us" in shown


def test_the_doctor_finds_this_machine_healthy() -> None:
    done = run("doctor")

    assert done.returncode == 0, done.stdout
    assert "self-test: black from 1 s found at [1.0], saw 100%" in done.stdout
    assert "isolation" in done.stdout


@pytest.mark.parametrize(
    "command", [[], ["analyze"], ["judge"], ["models"], ["doctor"], ["schema"]]
)
def test_help_has_examples_or_says_what_it_does(command: list[str]) -> None:
    done = run(*command, "--help")

    assert done.returncode == 0
    assert len(done.stdout.splitlines()) > 5
    if command in (["analyze"], ["judge"]):
        assert f"reelcheck {command[0]} " in done.stdout


def test_a_closed_pipe_is_no_error(clean: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{PROGRAM} analyze {clean} --only shots --format json | head -c 10"],  # noqa: S607 - a shell's pipe
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""


def test_streams_are_named_in_the_summary(tmp_path: Path) -> None:
    frames = ((textured(i), i) for i in range(25))
    path = write_video(tmp_path / "a.mp4", frames, replace(H264, tone=tone(1.0)))

    said = run("analyze", path, "--only", "loudness").stdout

    assert "h264 160x96 25 fps" in said
    assert "aac mono 48000 Hz" in said
