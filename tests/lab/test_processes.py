"""Two processes train and measure what one would."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch

RECIPE = """
name = "shared"
seed = 5
[data]
task = "motion-classes"
train_count = 40
test_count = 7
[input]
frames = 2
size_px = [32, 32]
[augmentation]
temporal_jitter = false
[network]
name = "tsm"
[network.options]
width_mult = 0.1
norm = "group"
stride = 8
dropout = 0.0
[training]
epochs = 4
batch = {batch}
rate = 1e-3
precision = "64-true"
"""


def trained(folder: Path, *, processes: int, batch: int) -> Path:
    folder.mkdir()
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE.format(batch=batch))
    launch = [sys.executable, "-m"]
    if processes > 1:
        share = ["--standalone", "--nproc-per-node", str(processes)]
        launch += ["torch.distributed.run", *share, "-m"]
    done = subprocess.run(
        [*launch, "reelcheck", "lab", "train", str(recipe), "--out", str(folder / "run")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return folder / "run"


def test_two_processes_give_the_weights_and_figures_of_one(tmp_path: Path) -> None:
    """Twenty steps on the joined batch; the test part has an odd number of samples.

    In double precision, because twenty steps of a fresh network blow up rounding in single.
    """
    alone = trained(tmp_path / "alone", processes=1, batch=8)
    shared = trained(tmp_path / "shared", processes=2, batch=4)

    one, other = (torch.load(run / "network.pt", weights_only=True) for run in (alone, shared))
    worst = max(float((one[key].float() - other[key].float()).abs().max()) for key in one)
    assert worst <= 1e-5
    first, second = (json.loads((run / "evaluation.json").read_text()) for run in (alone, shared))
    assert first["samples"] == second["samples"] == 7
    assert first["confusion"] == second["confusion"]
    assert first["worst"] == second["worst"]
    assert (shared / "evaluation.html").is_file()
