"""A bundle: a folder with ``model.onnx`` and ``card.toml``, ready for the model store."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import torch

from reelcheck.lab.data.prepare import input_spec
from reelcheck.lab.engine.run import Trained
from reelcheck.lab.export.onnx import export_onnx
from reelcheck.lab.recipe import Recipe
from reelcheck.models.card import CARD_FILE, parse_card

MODEL_FILE: Final = "model.onnx"


def export_bundle(
    recipe: Recipe, trained: Trained, *, figures: dict[str, str], licence: str, out: Path
) -> Path:
    """Write model and card; return the folder.

    Args:
        recipe: Of the training.
        trained: What it left behind.
        figures: What was measured, for the card.
        licence: Of the weights: the user's to say.
        out: Folder of the bundle; its name is the name of the model.

    Raises:
        TrainingError: the exported network differs from the trained one.
    """
    out.mkdir(parents=True, exist_ok=True)
    part = recipe.input
    width, height = part.size_px
    example = torch.zeros((2, part.frames, 3, height, width))
    worst = export_onnx(trained.network, example, out / MODEL_FILE)
    spec = input_spec(part, clip_seconds=recipe.data.clip_seconds or 1.0)
    card: dict[str, Any] = {
        "name": out.name,
        "version": "1",
        "task": "clip classification",
        "summary": f"{recipe.network.name} trained by the recipe {recipe.name!r}.",
        "licence": licence,
        "source": f"reelcheck lab, recipe sha256 {recipe.digest}",
        "sha256": hashlib.sha256((out / MODEL_FILE).read_bytes()).hexdigest(),
        "weights": {"file": MODEL_FILE},
        "input": spec.model_dump(exclude_none=True),
        "output": {"name": "logits", "labels": list(trained.data.classes)},
        "training": {"data": _data_words(recipe, trained)},
        "figures": {**figures, "onnx_difference": f"{worst:.2g}"},
        "limits": {"notes": ["Measured on its own test part only; see the figures."]},
    }
    text = to_toml(card)
    parse_card(text, where=str(out))
    (out / CARD_FILE).write_text(text, "utf-8")
    return out


def _data_words(recipe: Recipe, trained: Trained) -> str:
    origin = recipe.data.task or str(recipe.data.manifest and recipe.data.manifest.name)
    groups = len(set(trained.data.train.groups))
    return f"{origin}: {len(trained.data.train)} clips of {groups} groups"


def to_toml(values: dict[str, Any]) -> str:
    """Return plain values as TOML. A JSON string is a TOML string."""
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in plain.items()]
    for key, value in values.items():
        if isinstance(value, dict):
            inside = [f"{_key(name)} = {json.dumps(one)}" for name, one in value.items()]
            lines += ["", f"[{key}]", *inside]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() else json.dumps(name)
