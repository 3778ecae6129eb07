"""A new user's way, by commands alone: labelled videos in folders to times in a report."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from reelcheck.lab.tasks.motion import motion_clip
from reelcheck.media.synth import write_video

PAGE = Path(__file__).parents[2] / "docs" / "lab-tutorial.md"


def blocks(language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )


def labelled_videos(folder: Path, count: int) -> None:
    """Write clips of half a second whose squares move right or left."""
    for number in range(count):
        label, kind = ("right", 0) if number % 2 else ("left", 1)
        clip = motion_clip(7 * number + kind, seed=1, difficulty=0.1, frames=13)
        path = folder / label / f"{number}.mkv"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, ((picture, tick) for tick, picture in enumerate(clip.frames)))


def run(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "reelcheck", *words],
        cwd=folder,
        env={**os.environ, "REELCHECK_MODELS": str(folder / "store"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 4}, done.stderr[-2000:]
    return done.stdout


def test_the_tutorial_leads_from_sixty_clips_to_an_analyzer(tmp_path: Path) -> None:
    labelled_videos(tmp_path / "videos", 60)
    (tmp_path / "videos" / "left" / "broken.mkv").write_bytes(b"no video")
    clip = motion_clip(0, seed=9, difficulty=0.1, frames=50)
    write_video(tmp_path / "clip.mkv", ((one, i) for i, one in enumerate(clip.frames)))
    (recipe,) = blocks("toml")
    (tmp_path / "recipe.toml").write_text(recipe)

    told = {
        line: run(tmp_path, *shlex.split(line)[1:])
        for block in blocks("sh")
        for line in block.splitlines()
    }
    report = json.loads(
        run(tmp_path, "analyze", "clip.mkv", "--only", "mymotion", "--format", "json")
    )

    assert (tmp_path / "clips.html").is_file()
    assert (tmp_path / "run" / "evaluation.html").is_file()
    assert "top1" in told["reelcheck lab evaluate run"]
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert list(record["unreadable"]) == ["left/broken.mkv"]
    assert set(report["signals"]) == {"mymotion.left", "mymotion.right"}
    times = report["signals"]["mymotion.left"]["times_seconds"]
    assert times[0] == 0
    assert len(times) >= 5
    pair = zip(*(report["signals"][name]["values"] for name in report["signals"]), strict=True)
    assert all(sum(two) == pytest.approx(1, abs=1e-3) for two in pair)
