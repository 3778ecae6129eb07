"""Clips of a manifest: scores, stretches, augmentation, the cache, and clips that break."""

import functools
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.utils.data import DataLoader

from reelcheck.lab.data.cache import PictureCache
from reelcheck.lab.data.clips import ManifestClips, check_manifest
from reelcheck.lab.data.manifest import Row, read_manifest, write_manifest
from reelcheck.lab.data.prepare import Prepare, input_spec
from reelcheck.lab.data.recompress import recompressed
from reelcheck.lab.data.sampler import EpochSampler
from reelcheck.lab.data.sources import failed_clips, open_data
from reelcheck.lab.data.survey import Survey
from reelcheck.lab.errors import DataError
from reelcheck.lab.recipe import AugmentationPart, InputPart, Recipe, load_recipe
from reelcheck.media.synth import textured, write_video
from reelcheck.models.tensors import to_clip

COUNT = 9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine clips of two seconds, with labels in one manifest and scores in another."""
    root = tmp_path_factory.mktemp("clips")
    splits = ["train"] * 5 + ["validation"] * 2 + ["test"] * 2
    rows = []
    for number in range(COUNT):
        name = f"{number}.mkv"
        write_video(root / name, ((textured(i, seed=7 * number), i) for i in range(50)))
        rows.append(Row(file=name, label="ab"[number % 2], split=splits[number]))
    write_manifest(rows, root / "labels.csv")
    scores = [
        replace(row, label="", score=1 + number / 2, half_width=0.1)
        for number, row in enumerate(rows)
    ]
    write_manifest(scores, root / "scores.csv")
    return root


def recipe(
    manifest: Path,
    *,
    data: dict[str, object] | None = None,
    varied: dict[str, object] | None = None,
    **input_part: object,
) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "own",
            "data": {"manifest": str(manifest), **(data or {})},
            "input": {"frames": 4, "size_px": [32, 24], "fragments_grid": 2, **input_part},
            "augmentation": varied or {},
            "network": {"name": "tsn"},
        }
    )


def test_scores_are_learned_from_fragments_at_the_resolution_of_the_video(folder: Path) -> None:
    data = open_data(recipe(folder / "scores.csv", data={"score_range": [1, 5]}))
    (fragments, glance), score, _ = data.test[1]

    assert fragments.shape == (4, 3, 64, 64)
    assert glance.shape == (3, 24, 32)
    assert float(score) == 5
    assert data.train.labels == [1, 1.5, 2, 2.5, 3]
    assert data.fits == {"quality"}
    assert getattr(data.test, "half_widths") == [0.1, 0.1]  # noqa: B009 - only manifests have it


@pytest.mark.parametrize(
    ("change", "data", "complaint"),
    [
        ({"score": 5.5}, {"score_range": [1, 5]}, r"row 4: the score 5.5 lies outside of 1 to 5"),
        ({"score": None, "label": "a"}, {"target": "score"}, r"row 4: there is no score"),
        ({}, {"target": "label"}, r"row 2: there is no label"),
    ],
)
def test_a_row_without_the_right_target_is_refused(
    change: dict[str, object], data: dict[str, object], complaint: str, folder: Path
) -> None:
    rows = read_manifest(folder / "scores.csv")
    rows[2] = replace(rows[2], **change)  # type: ignore[arg-type]  # fields by name
    write_manifest(rows, folder / "wrong.csv")

    with pytest.raises(DataError, match=rf"wrong\.csv, {complaint}"):
        open_data(recipe(folder / "wrong.csv", data=data))


INPUTS = [
    dict(zip(("resize", "grayscale", "denoise"), one, strict=True))
    for one in itertools.product(
        ("stretch", "crop", "letterbox"), (False, True), ("none", "median")
    )
]


@pytest.mark.parametrize("choice", INPUTS, ids=str)
def test_training_shows_exactly_what_inference_computes(choice: dict[str, object]) -> None:
    part = InputPart.model_validate({"frames": 2, "size_px": [40, 32], **choice})
    frames = np.stack([textured(i, seed=2) for i in range(2)])
    prepare = Prepare(part)

    shown = prepare(prepare.fit(frames))

    assert (shown.numpy() == to_clip(frames, input_spec(part))).all()


def test_all_pictures_of_a_clip_are_varied_alike() -> None:
    varied = AugmentationPart(flip=0.5, crop_scale=(0.3, 1.0), colour=0.5)
    part = InputPart(frames=3, size_px=(32, 32))
    prepare = Prepare(part, varied)
    still = np.stack([textured(0, seed=4)] * 3)
    shown = []
    for seed in range(6):
        torch.manual_seed(seed)
        clip = prepare(prepare.fit(still))
        assert clip.shape == (3, 3, 32, 32)
        assert (clip[0] == clip[1]).all()
        assert (clip[0] == clip[2]).all()
        shown.append(clip)
    assert not any(one.equal(other) for one, other in itertools.combinations(shown, 2))


@pytest.mark.parametrize("size_px", [(48, 64), (47, 63)])
def test_recompression_loses_more_with_a_higher_crf_and_keeps_the_shape(
    size_px: tuple[int, int],
) -> None:
    frames = np.stack(
        [textured(i, width_px=size_px[0], height_px=size_px[1], seed=1) for i in range(3)]
    )
    losses = []
    for crf in (18, 40):
        coded = recompressed(frames, crf=crf)
        assert coded.shape == frames.shape
        assert (coded == recompressed(frames, crf=crf)).all()
        losses.append(np.abs(coded.astype(int) - frames).mean())
    assert 0 < losses[0] < losses[1] < 60


@functools.cache
def checked(manifest: Path) -> Survey:
    return check_manifest(manifest, seed=0)


def clips(plan: Recipe, part: str = "train") -> ManifestClips:
    assert plan.data.manifest is not None
    return ManifestClips(checked(plan.data.manifest), plan, part=part)


def test_jitter_takes_other_stretches_and_the_test_always_the_middle(folder: Path) -> None:
    plan = recipe(folder / "labels.csv", data={"clip_seconds": 0.5})
    train, test = clips(plan), clips(plan, "test")
    seen, same = [], []
    for epoch in range(5):
        train.epoch = test.epoch = epoch
        seen.append(train[0][0])
        same.append(test[0][0])

    assert len({one.sum().item() for one in seen}) > 1
    assert all(one.equal(same[0]) for one in same)
    middle = np.stack([textured(i, seed=49) for i in (19, 22, 25, 29)])
    shown = to_clip(middle, input_spec(plan.input))
    assert np.abs(same[0].numpy() - shown).max() < 0.05


@pytest.mark.parametrize("sampling", ["segments", "dense"])
def test_the_cache_changes_no_sample(sampling: str, folder: Path, tmp_path: Path) -> None:
    plain = recipe(folder / "labels.csv", data={"clip_seconds": 1.0}, sampling=sampling)
    part = {"cache_mib": 1, "cache_folder": tmp_path, "clip_seconds": 1.0}
    kept = recipe(folder / "labels.csv", data=part, sampling=sampling)
    without, first, again = clips(plain), clips(kept), clips(kept)

    for epoch, number in itertools.product(range(2), range(len(without))):
        without.epoch = first.epoch = again.epoch = epoch
        expected = without[number][0]
        assert expected.equal(first[number][0])
        assert expected.equal(again[number][0])
    assert any(tmp_path.iterdir())


def test_what_clips_look_like_is_remembered(folder: Path, tmp_path: Path) -> None:
    cache = PictureCache(tmp_path, limit_bytes=1 << 20)
    first, again = (check_manifest(folder / "labels.csv", seed=0, cache=cache) for _ in range(2))

    assert first == again == checked(folder / "labels.csv")
    assert len(list(tmp_path.iterdir())) == COUNT


def test_places_in_a_recipe_are_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(
        'name = "a"\n[data]\nmanifest = "m.csv"\ncache_folder = "kept"\n[network]\nname = "tsn"\n'
    )
    part = load_recipe(path).data

    assert (part.manifest, part.cache_folder) == (tmp_path / "m.csv", tmp_path / "kept")


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("varied", {"crop_scale": [0, 1]}),
        ("varied", {"crop_scale": [0.9, 0.5]}),
        ("data", {"score_range": [5, 1]}),
    ],
)
def test_a_range_that_falls_is_refused(part: str, values: dict[str, object], folder: Path) -> None:
    with pytest.raises(ValidationError, match=next(iter(values))):
        recipe(folder / "labels.csv", **{part: values})


def test_rare_scores_are_drawn_as_often_as_others() -> None:
    scores = [1.0 + number / 1000 for number in range(95)] + [4.9, 4.95, 5.0, 5.0, 5.0]
    drawn = list(EpochSampler(scores * 10, seed=0, balance="classes"))

    share = sum((scores * 10)[one] > 4 for one in drawn) / len(drawn)
    assert 0.45 < share < 0.55


@pytest.fixture
def breaking(folder: Path, tmp_path: Path) -> Iterator[Recipe]:
    """Clips of which two are truncated after they were looked at."""
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return iter([recipe(tmp_path / "labels.csv")])


@pytest.mark.parametrize("workers", [0, 1])
def test_clips_that_break_are_listed_wherever_they_were_read(
    workers: int, breaking: Iterator[Recipe], tmp_path: Path
) -> None:
    data = open_data(next(breaking))
    (tmp_path / "1.mkv").write_bytes(b"gone bad")
    (tmp_path / "8.mkv").unlink()
    for samples in (data.train, data.validation, data.test):
        loader: DataLoader[object] = DataLoader(samples, batch_size=2, num_workers=workers)  # type: ignore[arg-type]
        assert sum(1 for _ in loader) == (len(samples) + 1) // 2

    failed = failed_clips(data)

    assert set(failed) == {"1.mkv", "8.mkv"}
    assert "containers" in failed["1.mkv"]
