"""One small recipe for every network: what ``lab compare --score`` trains and measures."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reelcheck.errors import SettingError
from reelcheck.lab.engine.run import train
from reelcheck.lab.evaluate import measure
from reelcheck.lab.evaluation.figures import main_figure
from reelcheck.lab.measure.bootstrap import Interval
from reelcheck.lab.recipe import Recipe

_TRAINING: Final = {"batch": 16, "rate": 2e-3, "warmup_epochs": 0.5, "clip_norm": 10.0}
"""The same for all of a kind, tuned to none."""
_CLIP_TRAINING: Final = {
    "batch": 16,
    "optimiser": "sgd",
    "rate": 0.02,
    "weight_decay": 1e-4,
    "warmup_epochs": 0.5,
}
"""AdamW leaves networks that shift features in time near chance for the first epochs; see
``examples/recipes/motion-tsm.toml``."""
_TASKS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "image": ("shapes-classes", {"frames": 1, "size_px": (32, 32)}),
    "clip": ("motion-classes", {"frames": 8, "size_px": (32, 32)}),
    "streams": ("streams", {}),
    "boxes": ("shapes-boxes", {"frames": 1, "size_px": (96, 96)}),
    "quality": (
        "distortions",
        {"frames": 2, "size_px": (32, 32), "fragments_grid": 2, "fragments_px": 32},
    ),
}
"""Kind of network -> generated task, and what it sees of it."""
_CLIP: Final = {"width_mult": 0.35, "stride": 16, "dropout": 0.1}
_SMALL: Final[dict[str, dict[str, Any]]] = {
    "action": _CLIP,
    "efficientnet_lite0": {"drop_path": 0.1},
    "faster_rcnn": {"backbone": "small"},
    "mobilenet_v2": {"width_mult": 0.5, "stride": 8},
    "quality": {"width_mult": 0.25},
    "quality_lite0": {"grid": 2, "trained_blocks": 8},
    "resnet18": {"stride": 8},
    "resnet50": {"stride": 16},
    "single": _CLIP,
    "tsm": _CLIP,
    "tsn": _CLIP,
    "vgg16": {"head": "pooled"},
    "yolo": {"depth": 0.33, "width": 0.25},
}
"""Options that suit pictures of 32 px and two cores."""
_LARGER_PX: Final = {"inception_v3": (80, 80), "efficientnet_lite0": (64, 64)}
"""Networks whose strides need more pixels."""
_DIFFICULTY: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one network learned."""

    task: str
    figure: str
    """Name of what was measured: ``top1``, ``ap`` or ``srocc``."""
    score: Interval
    seconds: float
    """Of the training."""


def trial_recipe(name: str, kind: str, *, samples: int, epochs: int) -> Recipe:
    """Return the recipe of one network.

    Raises:
        SettingError: there is no generated task for networks of this kind.
    """
    if kind not in _TASKS:
        raise SettingError(f"there is no generated task for networks of kind {kind!r}")
    task, seen = _TASKS[kind]
    size = {"size_px": _LARGER_PX[name]} if name in _LARGER_PX else {}
    parts: Mapping[str, Any] = {
        "name": f"trial-{name.replace('_', '-')}",
        "data": {
            "task": task,
            "train_count": samples,
            "test_count": max(40, samples // 10),
            "difficulty": _DIFFICULTY,
        },
        "input": {**seen, **size},
        "network": {"name": name, "options": _SMALL.get(name, {})},
        "training": {**(_CLIP_TRAINING if kind == "clip" else _TRAINING), "epochs": epochs},
    }
    return Recipe.model_validate(parts)


def run_trial(name: str, kind: str, *, samples: int, epochs: int) -> Trial:
    """Train one network on its generated task and measure it on the test part."""
    recipe = trial_recipe(name, kind, samples=samples, epochs=epochs)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        trained = train(recipe, out=Path(folder))
        seconds = time.monotonic() - started
        evaluation = measure(recipe, trained).evaluation
    figure = main_figure(evaluation.rows)
    return Trial(
        task=str(recipe.data.task),
        figure=figure,
        score=evaluation.figures[figure],
        seconds=seconds,
    )
