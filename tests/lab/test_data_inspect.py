"""``lab import`` and ``lab inspect`` as a user meets them."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reelcheck.lab.commands import main
from reelcheck.lab.data.findings import inspect_manifest
from reelcheck.lab.data.manifest import Row, read_manifest, write_manifest
from reelcheck.lab.data.page import write_page
from reelcheck.lab.tasks.shapes import write_shapes
from reelcheck.media.synth import textured, write_video

NASTY = "<script>alert(1)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes, one with a name that is no name; two copies; one file that is no video."""
    root = tmp_path_factory.mktemp("videos")
    for number in range(8):
        path = root / ("calm" if number % 2 else NASTY) / f"{number}.mkv"
        path.parent.mkdir(exist_ok=True)
        write_video(path, ((textured(i, seed=7 * number), i) for i in range(10 + number)))
    shutil.copy(root / "calm" / "1.mkv", root / "calm" / "copy.mkv")
    (root / "calm" / "broken.mkv").write_bytes(b"no video")
    return root


def split_rows(folder: Path) -> list[Row]:
    parts = {"1.mkv": "test", "2.mkv": "test", "3.mkv": "validation", "4.mkv": "validation"}
    names = sorted(path for path in folder.rglob("*.mkv"))
    return [
        Row(
            file=path.relative_to(folder).as_posix(),
            label=path.parent.name,
            split=parts.get(path.name, "train"),
        )
        for path in names
    ]


def test_everything_that_is_wrong_is_found_at_once(folder: Path) -> None:
    rows = split_rows(folder)
    group = [Row(file=rows[0].file, label="rare", split="test", group=rows[-1].file)]
    write_manifest([*rows, *group], folder / "wrong.csv")

    found = inspect_manifest(folder / "wrong.csv", seed=0)

    counts = {one.label: (*one.parts, one.groups) for one in found.counts}
    assert counts["calm"] == (3, 1, 1, 5)
    assert found.total.total == 10
    assert list(found.unreadable) == ["calm/broken.mkv"]
    leaks = {(pair.one.file, pair.other.file) for pair in found.pairs if pair.is_leak}
    assert ("calm/1.mkv", "calm/copy.mkv") in leaks
    told = "\n".join(found.refusals)
    assert "stands in test and train" in told
    assert "class 'rare' has nothing to train on" in told
    assert "pairs across training and test" in told
    (lengths,) = found.histograms
    assert sum(lengths.counts) == 10
    assert lengths.edges[0] == pytest.approx(0.5, abs=0.13)


def test_the_page_holds_everything_itself_and_runs_nothing(folder: Path, tmp_path: Path) -> None:
    write_manifest(split_rows(folder), folder / "clips.csv")
    path = tmp_path / "data.html"

    write_page(inspect_manifest(folder / "clips.csv", seed=0), path, per_class=2)

    text = path.read_text("utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert not re.search(r"(src|href)=[\"'](?!data:)", text)
    assert text.count('<img src="data:image/jpeg;base64,') == 4
    assert "calm/broken.mkv" in text
    assert "leak" in text


def test_scores_are_shown_from_low_to_high(folder: Path, tmp_path: Path) -> None:
    rows = [row for row in split_rows(folder) if "broken" not in row.file]
    scores = [Row(file=row.file, score=1 + number / 2) for number, row in enumerate(rows)]
    write_manifest(scores, folder / "scores.csv")
    path = tmp_path / "data.html"

    found = inspect_manifest(folder / "scores.csv", seed=0)
    write_page(found, path, per_class=1)

    assert [one.title for one in found.histograms] == ["Length of a clip", "Score"]
    text = path.read_text("utf-8")
    titles = re.findall(r"<h3>(.*?)</h3>", text)
    assert titles == [f"{band} scores" for band in ("lowest", "low", "middle", "high", "highest")]


def test_pictures_are_shown_with_their_objects(tmp_path: Path) -> None:
    annotations = write_shapes(tmp_path, count=6, seed=2, size_px=64)

    found = inspect_manifest(annotations, seed=0)
    write_page(found, tmp_path / "data.html", per_class=1)

    assert found.unit == "pictures"
    assert sum(one.total for one in found.counts) >= 6
    assert "<img" in (tmp_path / "data.html").read_text("utf-8")


def test_plain_clips_are_not_taken_for_copies(tmp_path: Path) -> None:
    for number in range(4):
        level = np.full((48, 64, 3), 60 * number, dtype=np.uint8)
        write_video(tmp_path / f"{number}.mkv", ((level, tick) for tick in range(10)))
    write_manifest(
        [Row(file=f"{number}.mkv", label="a") for number in range(4)], tmp_path / "clips.csv"
    )

    assert inspect_manifest(tmp_path / "clips.csv", seed=0).pairs == ()


def test_import_and_inspect_by_command(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = shutil.copytree(folder, tmp_path / "videos", ignore=shutil.ignore_patterns("*.csv"))
    (root / "loose.mp4").touch()
    main(["import", str(root)])
    told = capsys.readouterr()
    assert "10 clips of 2 classes" in told.out
    assert "loose.mp4 lies beside" in told.err
    assert len(read_manifest(root / "clips.csv")) == 10

    main(["inspect", str(root / "clips.csv"), "--out", str(tmp_path / "data.html")])
    told = capsys.readouterr()
    assert "left out calm/broken.mkv" in told.out
    assert (tmp_path / "data.html").is_file()


def test_boxes_are_imported_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    for number in range(24):
        Image.new("RGB", (8, 8)).save(tmp_path / "images" / f"{number}.png")
    (tmp_path / "classes.txt").write_text("cat\n")

    main(["import", str(tmp_path), "--layout", "yolo"])

    told = capsys.readouterr()
    assert "24 pictures with 0 objects of 1 classes" in told.out
    assert "and 4 more like this" in told.err
    assert len((tmp_path / "import-notes.txt").read_text().splitlines()) == 24
