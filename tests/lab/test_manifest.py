"""Manifests: what they say, what they refuse, and that nothing leaks through a split."""

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelcheck.lab.data.clips import ManifestClips, check_manifest
from reelcheck.lab.data.layouts import import_folders
from reelcheck.lab.data.manifest import Row, read_manifest, write_manifest
from reelcheck.lab.data.reading import read_pictures
from reelcheck.lab.data.splits import difference_hash, refuse_shared_groups, with_splits
from reelcheck.lab.errors import DataError
from reelcheck.lab.recipe import Recipe
from reelcheck.media.synth import textured, write_video


def video(path: Path, seed: int, *, count: int = 25) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_video(path, ((textured(i, seed=seed), i) for i in range(count)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of six videos, all different."""
    root = tmp_path_factory.mktemp("videos")
    for number in range(12):
        video(root / ("calm" if number % 2 else "wild") / f"{number}.mkv", seed=7 * number)
    write_manifest(import_folders(root).rows, root / "clips.csv")
    return root


def recipe(manifest: Path) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "own",
            "data": {"manifest": str(manifest), "clip_seconds": 0.8},
            "input": {"frames": 4, "size_px": [32, 24]},
            "network": {"name": "tsn"},
        }
    )


def test_folders_become_a_manifest_with_a_row_per_video(folder: Path) -> None:
    rows = read_manifest(folder / "clips.csv")

    assert len(rows) == 12
    assert {row.label for row in rows} == {"calm", "wild"}
    assert all((folder / row.file).is_file() for row in rows)


def test_the_parts_of_a_manifest_are_seen_once_and_in_full(folder: Path) -> None:
    checked = check_manifest(folder / "clips.csv", seed=0)
    parts = {
        part: ManifestClips(checked, recipe(folder / "clips.csv"), part=part)
        for part in ("train", "validation", "test")
    }

    assert sum(len(part) for part in parts.values()) == 12
    clip, label, number = parts["train"][0]
    assert clip.shape == (4, 3, 24, 32)
    assert checked.classes[label] == parts["train"].rows[0].label
    assert number == 0
    assert {row.label for row in parts["test"].rows} == {"calm", "wild"}
    assert checked.unreadable == {}
    assert set(checked.lengths_seconds) == {1.0}


def test_pictures_come_from_the_stated_stretch(tmp_path: Path) -> None:
    path = video(tmp_path / "clip.mkv", seed=1, count=50)

    pictures = read_pictures(path, rate_fps=Fraction(5), start_seconds=1.0)

    assert len(pictures) == 5
    expected = textured(25, seed=1).astype(np.float32)
    assert np.abs(pictures[0] - expected).mean() < 3


def test_a_clip_that_cannot_be_read_is_left_out_and_listed(folder: Path) -> None:
    rows = read_manifest(folder / "clips.csv")
    (folder / "calm" / "broken.mkv").write_bytes(b"\x1aE\xdf\xa3 nothing")
    path = folder / "with_broken.csv"
    write_manifest([*rows, Row(file="calm/broken.mkv", label="calm")], path)

    checked = check_manifest(path, seed=0)

    assert list(checked.unreadable) == ["calm/broken.mkv"]
    assert len(checked.rows) == 12


def test_a_clip_that_breaks_midway_is_listed_and_stops_nothing(folder: Path) -> None:
    checked = check_manifest(folder / "clips.csv", seed=0)
    broken = replace(checked.rows[0], start_seconds=90.0)
    part = ManifestClips(
        replace(checked, rows=(broken, *checked.rows[1:])),
        recipe(folder / "clips.csv"),
        part=broken.split,
    )
    clip, _, _ = part[0]

    assert float(clip.std(dim=(0, 2, 3)).max()) == 0
    assert list(part.failed) == [broken.file]


def duplicate(rows: list[Row]) -> list[Row]:
    test = next(row for row in rows if row.split == "test")
    return [*rows, replace(test, split="train", group="another")]


def shared(rows: list[Row]) -> list[Row]:
    test = next(row for row in rows if row.split == "test")
    train = next(row for row in rows if row.split == "train" and row.label == test.label)
    return [*rows, replace(train, split="test", start_seconds=0.1)]


@pytest.mark.parametrize(
    ("leak", "complaint"), [(duplicate, "shows the same"), (shared, "stands in test and train")]
)
def test_a_leaking_split_is_refused(
    leak: Callable[[list[Row]], list[Row]], complaint: str, folder: Path
) -> None:
    rows = with_splits(read_manifest(folder / "clips.csv"), seed=0)
    path = folder / "leaking.csv"
    write_manifest(leak(rows), path)

    with pytest.raises(DataError, match=complaint):
        check_manifest(path, seed=0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("file,label\nmissing.mp4,a\n", "row 2: there is no file 'missing.mp4'"),
        ("file,colour\nx.mp4,red\n", "unknown column 'colour'"),
        ("label\na\n", "no column 'file'"),
        ("file,label\nx.mp4,\n", "row 2: there is neither a label nor a score"),
        ("file,score\nx.mp4,good\n", "row 2: score is no number: 'good'"),
        ("file,label,split\nx.mp4,a,exam\n", "row 2: unknown split 'exam'"),
        ("file,label,start_seconds,end_seconds\nx.mp4,a,5,4\n", "row 2: the clip ends at 4 s"),
        ("file,label\n", "there is no row"),
        ("file,score\nx.mp4,nan\n", "row 2: score is no number: 'nan'"),
        ("file,score\nx.mp4,1e999\n", "row 2: score is no number: '1e999'"),
        ("file,score,half_width\nx.mp4,3,-1\n", "row 2: half_width is below 0"),
        ("file,label,start_seconds\nx.mp4,a,-1\n", "row 2: the clip begins at -1 s"),
        ("file,label\nx.mp4,a,b\n", "row 2: there are more values than columns"),
        ("file,label\n,a\n", "row 2: the file is not named"),
    ],
)
def test_a_wrong_manifest_is_refused_with_file_and_row(
    text: str, complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "clips.csv"
    path.write_text(text)

    with pytest.raises(DataError) as refusal:
        read_manifest(path)

    assert complaint in str(refusal.value)
    assert "clips.csv" in str(refusal.value)
    assert refusal.value.exit_code == 2


def test_json_lines_say_the_same_as_csv(folder: Path) -> None:
    rows = read_manifest(folder / "clips.csv")
    path = folder / "clips.jsonl"
    path.write_text("\n".join(json.dumps({"file": r.file, "label": r.label}) for r in rows))

    assert read_manifest(path) == rows


_WORDS = st.text("abcdefgh ,\"'", min_size=1, max_size=8).map(str.strip).filter(bool)


def test_own_columns_are_kept_by_name_and_written_back(folder: Path) -> None:
    row = Row(file="calm/1.mkv", label="calm", extra={"camera": "north", "hour": ""})
    path = folder / "own.csv"

    write_manifest([row], path)

    assert path.read_text().splitlines()[0].endswith("split,slice_camera,slice_hour")
    assert read_manifest(path) == [row]


@given(st.lists(st.tuples(_WORDS, st.sampled_from("xyz")), min_size=1, max_size=40), st.integers(0))
def test_a_split_never_parts_a_group_and_is_the_same_every_time(
    pairs: list[tuple[str, str]], seed: int
) -> None:
    rows = [
        Row(file=f"{i}.mp4", label=label, group=group) for i, (group, label) in enumerate(pairs)
    ]

    split = with_splits(rows, seed=seed)

    refuse_shared_groups(split)
    assert with_splits(rows, seed=seed) == split
    assert all(row.split for row in split)


def test_a_picture_is_known_again_after_scaling_and_noise() -> None:
    picture = textured(0, seed=3)
    grain = np.random.default_rng(0).normal(0, 4, picture.shape)
    noisy = np.asarray(np.clip(picture + grain, 0, 255), dtype=np.uint8)[::2, ::2]

    same = (difference_hash(picture) ^ difference_hash(noisy)).bit_count()
    other = (difference_hash(picture) ^ difference_hash(textured(0, seed=9))).bit_count()
    assert same <= 4 < other
