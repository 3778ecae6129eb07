"""Two processes measure every sample once, for every kind of network, as one process does."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, sys
import torch
from reelcheck.lab.commands.measuring import _together
from reelcheck.lab.data.sources import open_data
from reelcheck.lab.evaluate import evaluate, predict
from reelcheck.lab.evaluation.rows import processes
from reelcheck.lab.networks import build
from reelcheck.lab.recipe import Recipe

torch.set_num_threads(1)
KINDS = {
    "tsm": ("motion-classes", {"width_mult": 0.1}),
    "yolo": ("shapes-boxes", {"depth": 0.33, "width": 0.125}),
    "quality": ("distortions", {"width_mult": 0.1}),
}
found = {}
with _together():
    for name, (task, options) in KINDS.items():
        recipe = Recipe.model_validate({
            "name": name,
            "data": {"task": task, "train_count": 2, "test_count": 7},
            "input": {
                "frames": 1, "size_px": [64, 64], "fragments_grid": 2, "fragments_px": 32
            },
            "network": {"name": name, "options": options},
        })
        torch.manual_seed(0)
        data = open_data(recipe)
        network = build(name, outputs=len(data.classes) or 3, options=options)
        for module in network.modules():  # a fresh detector is sure of nothing
            if isinstance(module, torch.nn.Conv2d) and module.bias is not None:
                torch.nn.init.normal_(module.bias)
        rows = predict(network, data.test, batch=2)
        evaluation = evaluate(rows, data.classes)
        found[name] = {
            "numbers": rows.numbers,
            "groups": rows.groups,
            "figures": {key: (one.value, one.low) for key, one in evaluation.figures.items()},
        }
    if processes()[0] == 0:
        with open(sys.argv[1], "w") as file:
            json.dump(found, file)
"""


def test_two_processes_measure_what_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "measure.py"
    script.write_text(SCRIPT)
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path / "one")])
    runpy.run_path(str(script))
    launch = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, "-m", *launch, str(script), str(tmp_path / "two")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]

    one, two = (json.loads((tmp_path / name).read_text()) for name in ("one", "two"))
    for name, found in two.items():
        assert found["numbers"] == list(range(7))
        assert found["groups"] == one[name]["groups"]
        # batches are cut differently, and rounding with them
        for figure, values in found["figures"].items():
            assert values == pytest.approx(one[name]["figures"][figure], abs=1e-5)
    assert {"top1", "ap50", "srocc"} <= {key for found in two.values() for key in found["figures"]}
