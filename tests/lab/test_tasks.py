"""Generated tasks hold what they promise: where the class lies, and where it does not."""

from pathlib import Path

import numpy as np
import pytest

from reelcheck.errors import SettingError
from reelcheck.lab.data.sources import TASKS, open_data
from reelcheck.lab.engine.run import train
from reelcheck.lab.evaluate import evaluate, predict
from reelcheck.lab.recipe import Recipe
from reelcheck.lab.tasks import motion, streams


def nearest_mean(features: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy of the nearest class mean, fitted on one half and measured on the other."""
    half = len(labels) // 2
    classes = np.unique(labels)
    means = np.stack([features[:half][labels[:half] == one].mean(axis=0) for one in classes])
    gaps = ((features[half:, None] - means[None]) ** 2).sum(axis=2)
    return float((classes[gaps.argmin(axis=1)] == labels[half:]).mean())


def test_single_frames_of_motion_clips_tell_nothing_and_neighbours_do() -> None:
    clips = [motion.motion_clip(index, seed=1, difficulty=0.1) for index in range(420)]
    labels = np.array([clip.label for clip in clips])
    frames = np.stack([clip.frames[3].mean(axis=2).ravel() for clip in clips])
    pair = [clip.frames[:2].astype(np.float32).mean(axis=3) for clip in clips]
    # In which direction the second frame must be moved back to be like the first.
    moves = [(0, 3), (0, -3), (3, 0), (-3, 0), (0, 6)]
    shifts = np.stack(
        [
            [np.abs(np.roll(two, shift, axis=(0, 1)) - one).mean() for shift in moves]
            for one, two in pair
        ]
    )

    chance = 1 / len(motion.CLASSES)
    assert nearest_mean(frames, labels) < chance + 0.1
    assert nearest_mean(shifts, labels) > chance + 0.25


def test_each_stream_tells_one_half_of_the_class_and_pictures_none() -> None:
    samples = [streams.stream_sample(index, seed=1, difficulty=0.2) for index in range(400)]
    labels = np.array([sample.label for sample in samples])
    when = np.stack([sample.motion.sum(axis=1) for sample in samples])
    steps = np.arange(streams.INTERVALS)
    slope = np.stack([[np.cov(steps, sample.audio.argmax(axis=1))[0, 1]] for sample in samples])
    pictures = np.stack([sample.rgb.mean(axis=(1, 2, 3)) for sample in samples])

    assert nearest_mean(when, labels // 2) > 0.9
    assert nearest_mean(slope, labels % 2) > 0.9
    assert nearest_mean(when, labels) < 0.7
    assert nearest_mean(slope, labels) < 0.7
    assert nearest_mean(pictures, labels) < 0.4


def small(task: str, network: str, **options: float | str) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "small",
            "data": {"task": task, "train_count": 8, "test_count": 4},
            "input": {"frames": 4, "size_px": [64, 64], "fragments_grid": 2},
            "augmentation": {"flip": 0.5, "mosaic": 0.5, "mosaic_off_epochs": 1},
            "network": {"name": network, "options": options},
            "training": {"epochs": 2, "batch": 4, "ema_decay": 0.5},
        }
    )


@pytest.mark.parametrize("task", list(TASKS))
def test_parts_of_a_task_share_no_sample_and_repeat_themselves(task: str) -> None:
    recipe = small(task, "tsm")
    data, again = open_data(recipe), open_data(recipe)

    assert set(data.train.groups).isdisjoint(data.test.groups)
    assert set(data.train.groups).isdisjoint(data.validation.groups)
    first, second = data.test[2], again.test[2]
    flat = [np.concatenate([np.ravel(v) for v in _arrays(one)]) for one in (first, second)]
    assert (flat[0] == flat[1]).all()


def _arrays(sample: object) -> list[np.ndarray]:
    inputs = sample[0]  # type: ignore[index]  # a tuple of many kinds
    values = inputs.values() if isinstance(inputs, dict) else inputs
    values = [values] if hasattr(values, "numpy") else values
    return [value.numpy() for value in values]


def test_a_task_that_nobody_knows_is_refused() -> None:
    with pytest.raises(SettingError, match="nothing") as refusal:
        open_data(small("nothing", "tsm"))

    assert "motion-classes" in refusal.value.hint


@pytest.mark.parametrize(
    ("network", "options"),
    [("yolo", {"depth": 0.33, "width": 0.125}), ("faster_rcnn", {"backbone": "small"})],
)
def test_detectors_train_by_recipe_and_are_measured(
    network: str, options: dict[str, float | str], tmp_path: Path
) -> None:
    trained = train(small("shapes-boxes", network, **options), out=tmp_path)

    rows = predict(trained.network, trained.data.test, batch=2)
    assert 0 <= evaluate(rows, trained.data.classes).figures["ap50"].value <= 1
    assert (tmp_path / "network.pt").is_file()


def test_streams_train_by_recipe_and_may_be_left_out(tmp_path: Path) -> None:
    recipe = small("streams", "deepsense", width=16, hidden=16)
    data = recipe.data.model_copy(update={"streams": ("motion",)})
    trained = train(recipe.model_copy(update={"data": data}), out=tmp_path)

    rows = predict(trained.network, trained.data.test, batch=2)
    assert rows.probabilities.shape == (4, 4)
    assert trained.data.test[0][0]["present"].tolist() == [0, 1, 0]
