"""What a training leaves when it is stopped, killed, or has no room to write."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from reelcheck.errors import SettingError
from reelcheck.lab.engine.run import train
from reelcheck.lab.recipe import load_recipe

RECIPE = """
name = "stopped"
seed = 3
[data]
task = "motion-classes"
train_count = {count}
test_count = 7
[input]
frames = 2
size_px = [32, 32]
[network]
name = "tsm"
[network.options]
width_mult = 0.1
stride = 16
dropout = 0.1
[training]
epochs = 3
batch = {batch}
precision = "64-true"
"""


def written(folder: Path, *, count: int = 64, batch: int = 8) -> Path:
    folder.mkdir()
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(count=count, batch=batch))
    return path


def command(recipe: Path, *more: str, processes: int = 1) -> list[str]:
    launch = [sys.executable, "-m"]
    if processes > 1:
        share = ["--standalone", "--nproc-per-node", str(processes)]
        launch += ["torch.distributed.run", *share, "-m"]
    return [
        *launch,
        *("reelcheck", "lab", "train", str(recipe), "--out", str(recipe.parent / "run"), *more),
    ]


def started(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        arguments,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # What runs behind a shell's & ignores Ctrl-C, and would hand that down.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads
    )


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)


def difference(first: Path, second: Path) -> float:
    one, other = (torch.load(run / "network.pt", weights_only=True) for run in (first, second))
    return max(float((one[key].double() - other[key].double()).abs().max()) for key in one)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_training_says_so_and_can_go_on(number: signal.Signals, tmp_path: Path) -> None:
    recipe = written(tmp_path / "one", count=480)
    process = started(command(recipe))
    wait_for(recipe.parent / "run" / "last.ckpt", process)

    process.send_signal(number)
    _, talk = process.communicate(timeout=60)

    assert process.returncode == 4
    assert "was stopped" in talk
    assert "--resume" in talk
    assert "Traceback" not in talk
    assert not (recipe.parent / "run" / "network.pt").exists()
    assert train(load_recipe(recipe), out=recipe.parent / "run", resume=True).seconds > 0


def test_no_room_for_a_checkpoint_keeps_the_last_good_one(tmp_path: Path) -> None:
    recipe = written(tmp_path / "one", count=480)
    run = recipe.parent / "run"
    process = started(command(recipe))
    wait_for(run / "last.ckpt", process)
    process.terminate()
    process.communicate(timeout=60)
    before = (run / "last.ckpt").read_bytes()

    limited = ["bash", "-c", 'ulimit -f 64; exec "$@"', "-", *command(recipe, "--resume")]
    process = started(limited)
    _, talk = process.communicate(timeout=120)

    assert process.returncode == 3
    assert "cannot write" in talk
    assert "Traceback" not in talk
    assert (run / "last.ckpt").read_bytes() == before


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    recipe = written(tmp_path / "one", count=16)
    run = recipe.parent / "run"
    train(load_recipe(recipe), out=run)
    whole = (run / "last.ckpt").read_bytes()
    (run / "last.ckpt").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(SettingError, match=r"last\.ckpt is damaged"):
        train(load_recipe(recipe), out=run, resume=True)


def test_a_killed_rank_and_a_resume_give_the_uninterrupted_weights(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole", count=96, batch=8)
    broken = written(tmp_path / "broken", count=96, batch=8)
    process = started(command(whole, processes=2))
    _, talk = process.communicate(timeout=120)
    assert process.returncode == 0, talk

    process = started(command(broken, processes=2))
    wait_for(broken.parent / "run" / "last.ckpt", process)
    os.kill(rank_of(process.pid), signal.SIGKILL)
    process.communicate(timeout=120)
    assert process.returncode != 0
    assert not (broken.parent / "run" / "network.pt").exists()

    process = started(command(broken, "--resume", processes=2))
    _, talk = process.communicate(timeout=120)
    assert process.returncode == 0, talk
    assert difference(whole.parent / "run", broken.parent / "run") <= 1e-6


def rank_of(launcher: int) -> int:
    """Return the process of rank 1 below a launcher."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            environment = (folder / "environ").read_bytes().split(b"\0")
        except (OSError, IndexError):
            continue
        if parent == launcher and b"RANK=1" in environment:
            return int(folder.name)
    pytest.fail("no process of rank 1")
