"""``reelcheck reference`` and ``reelcheck analyze --reference``: what they print and write."""

import json
import os
import stat
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from reelcheck.cli.comparing import Wishes, compare
from reelcheck.cli.vmaf import Program, find_program, model_for
from reelcheck.verdict.reference import json_bytes, json_schema
from reference_clips import compared, cut_at, moving, noisy, write

PROGRAM = str(Path(sys.executable).with_name("reelcheck"))
COUNT = 50


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("clips")
    original = write(folder / "original.mkv", (moving(i) for i in range(COUNT)))
    noise = (noisy(moving(i), deviation=5, seed=i) for i in range(10, COUNT))
    return original, write(folder / "noisy.mkv", noise)


def refuse(constant: str) -> float:
    raise ValueError(constant)


def test_json_is_valid_strict_and_names_everything(clips: tuple[Path, Path]) -> None:
    done = run("reference", *clips, "--format", "json", "--vmaf", "off")

    report = json.loads(done.stdout, parse_constant=refuse)
    assert done.returncode == 0
    assert done.stderr == ""
    Draft202012Validator(json_schema()).validate(report)
    assert report["alignment"]["offset_seconds"] == pytest.approx(0.4, abs=0.001)
    assert report["measures"]["psnr_y"]["pooled"] == pytest.approx(34.1, abs=0.2)
    assert report["measures"]["psnr_u"]["pooled"] is None
    assert len(report["seconds"]) == 2
    assert report["vmaf"]["missing"]
    assert report["isolation"]["process"]


def test_the_schema_refuses_what_the_report_never_says(clips: tuple[Path, Path]) -> None:
    document = json.loads(json_bytes(compared(*clips)))
    check = Draft202012Validator(json_schema())

    assert check.is_valid(document)
    assert not check.is_valid({**document, "more": 1})
    assert not check.is_valid({**document, "complete": None})


def test_two_runs_differ_in_nothing_but_timings(clips: tuple[Path, Path]) -> None:
    first, second = (json.loads(json_bytes(compared(*clips))) for _ in range(2))

    assert first.pop("timings").keys() == second.pop("timings").keys()
    assert first == second


def test_the_summary_says_scores_and_alignment(clips: tuple[Path, Path]) -> None:
    done = run("reference", *clips, "--vmaf", "off")

    assert done.returncode == 0
    assert "PSNR, luma" in done.stdout
    assert "the distorted file begins at 0.400 s of the reference" in done.stdout
    assert "not scored: reference, 0:00.000 to 0:00.400" in done.stdout
    assert "no VMAF" in done.stdout


def test_an_infinite_psnr_is_a_word(clips: tuple[Path, Path]) -> None:
    done = run("reference", clips[0], clips[0], "--vmaf", "off")

    assert done.stdout.count("infinite") == 6
    assert "1.0000" in done.stdout


def test_other_content_is_one_clear_line_and_exit_code_2(
    clips: tuple[Path, Path], tmp_path: Path
) -> None:
    other = write(tmp_path / "other.mkv", (moving(i, seed=3) for i in range(COUNT)))

    done = run("reference", clips[0], other, "--format", "json")

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[0].startswith("error: the two do not show the same")
    assert "hint:" in done.stderr


def test_damage_is_exit_code_4(clips: tuple[Path, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(clips[0].read_bytes())
    cut_at(broken, 0.7)

    done = run("reference", clips[0], broken, "--vmaf", "off")

    assert done.returncode == 4
    assert "INCOMPLETE" in done.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--format", "xml"), "unknown format 'xml'"),
        (("--vmaf", "maybe"), "unknown --vmaf 'maybe'"),
        (("--offset", "soon"), "--offset must be seconds"),
        (("--search", "-1"), "--search must not be negative"),
    ],
)
def test_wrong_options_are_refused(
    clips: tuple[Path, Path], options: tuple[str, str], words: str
) -> None:
    done = run("reference", *clips, *options)

    assert done.returncode == 2
    assert words in done.stderr


def test_a_given_offset_is_taken_as_it_is(clips: tuple[Path, Path]) -> None:
    report = compared(*clips, offset=Fraction(2, 5))

    assert report.alignment.searched_seconds is None
    assert report.measures["psnr_y"].pooled == pytest.approx(34.1, abs=0.2)


def test_analysis_carries_the_curves_and_the_folder_the_comparison(
    clips: tuple[Path, Path], tmp_path: Path
) -> None:
    options = ("--reference", clips[0], "--only", "shots")

    done = run("analyze", clips[1], *options, "--out", tmp_path, "--format", "json")

    assert done.returncode == 0
    assert "PASS" in done.stdout
    assert "SSIM" in done.stdout
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    comparison = json.loads((tmp_path / "reference.json").read_text("utf-8"))
    curve = report["signals"]["reference.psnr_y"]
    assert curve["values"] == [second["psnr_y"] for second in comparison["seconds"]]
    assert curve["unit"] == "dB"
    assert "reference.ssim" in report["signals"]
    assert "reference" in report["video"]["analyzers"]


def test_analysis_against_other_content_gives_no_report(
    clips: tuple[Path, Path], tmp_path: Path
) -> None:
    other = write(tmp_path / "other.mkv", (moving(i, seed=3) for i in range(COUNT)))

    done = run("analyze", other, "--reference", clips[0], "--format", "json")

    assert done.returncode == 2
    assert done.stdout == ""


def with_vmaf(clips: tuple[Path, Path], program: Program) -> Wishes:
    return Wishes(reference=clips[0], distorted=clips[1], search=Fraction(60), program=program)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 3", "the program failed: exit code 3"),
        ("echo no such model >&2; exit 1", "the program failed: no such model"),
        ("echo '{}'", "log cannot be read"),
        ("""echo '{"frames": [{"metrics": {"vmaf": 9}}]}'""", "another number of scores"),
    ],
)
def test_a_program_that_fails_costs_only_vmaf(
    clips: tuple[Path, Path], tmp_path: Path, script: str, words: str
) -> None:
    path = tmp_path / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)

    report = compare(with_vmaf(clips, Program(path=str(path), version="a script")))

    assert words in report.vmaf.missing
    assert "vmaf" not in report.measures
    assert report.measures["psnr_y"].pooled == pytest.approx(34.1, abs=0.2)


def test_a_program_that_is_gone_costs_only_vmaf(clips: tuple[Path, Path], tmp_path: Path) -> None:
    gone = Program(path=str(tmp_path / "gone"), version="")

    report = compare(with_vmaf(clips, gone))

    assert report.vmaf.missing
    assert report.alignment.frames_compared == COUNT - 10


@pytest.mark.skipif(find_program() is None, reason="no FFmpeg with libvmaf on this machine")
def test_vmaf_falls_with_noise_and_is_full_without(clips: tuple[Path, Path]) -> None:
    program = find_program()
    assert program is not None

    noisy_one = compare(with_vmaf(clips, program))
    same = compare(with_vmaf((clips[0], clips[0]), program))

    assert noisy_one.vmaf.model == "vmaf_v0.6.1"
    assert len(noisy_one.frames.vmaf) == COUNT - 10
    assert noisy_one.measures["vmaf"].harmonic_mean is not None
    worse, best = noisy_one.measures["vmaf"].mean, same.measures["vmaf"].mean
    assert worse is not None
    assert best is not None
    assert worse < best
    assert best > 90


def test_the_4k_model_is_for_4k_in_any_direction() -> None:
    assert model_for(3840, 2160) == model_for(2160, 3840) == "vmaf_4k_v0.6.1"
    assert model_for(3840, 1600) == model_for(1920, 1080) == "vmaf_v0.6.1"
