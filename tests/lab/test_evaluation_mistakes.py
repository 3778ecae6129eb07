"""Wrong labels, a leaking split and corrupt clips: refused, listed, and found among the worst.

``demonstrate`` is the same with more clips, for a closing note; nothing calls it in the tests.
"""

import csv
import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from reelcheck.lab.commands import app
from reelcheck.lab.errors import DataError
from reelcheck.media.synth import write_video

CLASSES = ("red", "green", "blue")
SIDE_PX = 32
FRAMES = 7
RECIPE = """
name = "planted"
seed = 3
[data]
manifest = "clips.csv"
clip_seconds = 0.28
[input]
frames = 2
size_px = [32, 32]
[network]
name = "tsn"
[network.options]
width_mult = 0.25
stride = 8
[training]
epochs = {epochs}
batch = 8
optimiser = "sgd"
rate = 3e-2
label_smoothing = 0.1
"""


@dataclass
class Planted:
    """What is wrong with a manifest."""

    folder: Path
    rows: list[dict[str, str]]
    wrong: set[str] = field(default_factory=set)
    corrupt: set[str] = field(default_factory=set)

    def write(self, name: str, extra: list[dict[str, str]]) -> Path:
        path = self.folder / name
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ("file", "label", "group", "split"))
            writer.writeheader()
            writer.writerows([*self.rows, *extra])
        return path


def clip(kind: int, rng: np.random.Generator) -> np.ndarray:
    """Return noise in which a square of the class's colour moves; so does a grey one."""
    frames = rng.normal(110, 25, (FRAMES, SIDE_PX, SIDE_PX, 3))
    for colour in (np.full(3, rng.uniform(20, 235)), 40 + 180 * np.eye(3)[kind]):
        top, left = rng.integers(0, SIDE_PX - 12, 2)
        step = rng.integers(-1, 2, 2)
        for at, frame in enumerate(frames):
            y, x = np.clip((top + at * step[0], left + at * step[1]), 0, SIDE_PX - 12)
            frame[y : y + 12, x : x + 12] = colour + rng.normal(0, 20, (12, 12, 3))
    return np.clip(frames, 0, 255).astype(np.uint8)


def planted(folder: Path, *, clips: int, wrong: int, corrupt: int) -> Planted:
    """Write tiny lossless videos, and plant mistakes.

    The wrong labels and the corrupt files are drawn from all parts.
    """
    chance = random.Random(7)
    rows: list[dict[str, str]] = []
    for number in range(clips + corrupt):
        kind = number % len(CLASSES)
        name = f"{number:04}.mkv"
        pictures = clip(kind, np.random.default_rng(number))
        write_video(folder / name, ((picture, tick) for tick, picture in enumerate(pictures)))
        place = number // len(CLASSES) % 7
        split = {0: "test", 1: "validation"}.get(place, "train")
        rows.append({"file": name, "label": CLASSES[kind], "group": f"g{number}", "split": split})
    chosen = chance.sample(range(clips + corrupt), wrong + corrupt)
    for number in chosen[:wrong]:
        kind = number % len(CLASSES)
        rows[number]["label"] = CLASSES[(kind + chance.randrange(1, len(CLASSES))) % len(CLASSES)]
    for place, number in enumerate(chosen[wrong:]):
        path = folder / rows[number]["file"]
        data = path.read_bytes()
        path.write_bytes((b"no video", b"", data[: len(data) // 10])[place % 3])
    return Planted(
        folder=folder,
        rows=rows,
        wrong={rows[number]["file"] for number in chosen[:wrong]},
        corrupt={rows[number]["file"] for number in chosen[wrong:]},
    )


def command(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def found_wrong(data: Planted, *, epochs: int, listed: int) -> tuple[int, dict[str, Any]]:
    """Train, and return how many planted errors are among the worst, and the record of the run."""
    data.write("clips.csv", [])
    recipe = data.folder / "recipe.toml"
    recipe.write_text(RECIPE.format(epochs=epochs))
    run = data.folder / "run"
    command("train", str(recipe), "--out", str(run))
    command("evaluate", str(run), "--part", "all", "--worst", str(listed), "--slice", "split")
    record = json.loads((run / "evaluation-all.json").read_text())
    record["run"] = json.loads((run / "run.json").read_text())
    worst = {one["file"] for one in record["worst"]}
    return len(worst & data.wrong), record


def test_planted_mistakes_are_refused_listed_and_found(tmp_path: Path) -> None:
    data = planted(tmp_path, clips=126, wrong=12, corrupt=3)

    leak = [{**data.rows[0], "split": "train"}]  # it stands in the test part too
    data.write("clips.csv", leak)
    (tmp_path / "recipe.toml").write_text(RECIPE.format(epochs=1))
    with pytest.raises(DataError, match=r"'g0' stands in test and train"):
        command("train", str(tmp_path / "recipe.toml"), "--out", str(tmp_path / "leak"))
    found, record = found_wrong(data, epochs=8, listed=12)

    assert set(record["run"]["unreadable"]) == data.corrupt
    assert record["samples"] == 126
    # by chance 12 of 126 clips would hold 1.1 of the wrong labels
    assert found >= 8
    assert [one["column"] for one in record["slices"]] == ["split"] * 3
    page = (tmp_path / "run" / "evaluation-all.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 12
    assert not (tmp_path / "leak" / "network.pt").exists()


def demonstrate(folder: Path, *, epochs: int = 6) -> None:
    """Print the figures of must show 7: 100 wrong labels and 20 corrupt clips among 1020."""
    folder.mkdir(parents=True, exist_ok=True)
    data = planted(folder, clips=1000, wrong=100, corrupt=20)
    found, record = found_wrong(data, epochs=epochs, listed=100)
    print(f"{found} of 100 planted errors among the 100 least probable labels")  # noqa: T201 - its purpose
    print(f"corrupt clips listed: {len(record['run']['unreadable'])}")  # noqa: T201
