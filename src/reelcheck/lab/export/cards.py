"""The card of an exported network."""

import json
from typing import Any, Final

from reelcheck.lab.data.prepare import input_spec
from reelcheck.lab.engine.run import Trained
from reelcheck.lab.export.interface import Interface
from reelcheck.lab.recipe import Recipe
from reelcheck.models.card import InputSpec

_INTERVAL_SECONDS: Final = 0.25
"""Of a stream, see ``reelcheck.lab.networks.deepsense``."""
_JUDGED: Final = ("score", "lower", "upper")
_TASKS: Final = {
    "clip": "clip classification",
    "image": "picture classification",
    "rgb": "classification of streams",
}
_SUMMARIES: Final = {
    "motion": "Motion in each interval of 0.25 s, as the samples of the recipe have it.",
    "audio": "Sound in each interval of 0.25 s, as the samples of the recipe have it.",
    "present": "1 where rgb, motion and audio are there, else 0.",
    "glance": "The middle picture, small and normalised like the fragments.",
}
_NOTES: Final = {
    "boxes": "Rows of centre x, centre y, width, height (pixels), objectness and class scores: "
    "boxes that overlap are not yet suppressed.",
    "quality": "Takes fragments cut from the full picture, see reelcheck.lab.data.prepare.",
}


def card_of(
    recipe: Recipe,
    trained: Trained,
    interface: Interface,
    *,
    figures: dict[str, str],
    licence: str,
) -> dict[str, Any]:
    """Return what a card says of a network, without name, runtime, weights and checksum."""
    spec = _input(recipe, interface)
    labels = trained.data.classes
    if interface.kind == "quality":
        told = interface.run(interface.batch(1)).shape[1]
        labels = (*_JUDGED, *labels[: told - len(_JUDGED)])
    tasks = {"boxes": "detection", "quality": "quality without a reference"}
    output: dict[str, Any] = {"name": interface.output, "labels": list(labels)}
    if interface.kind != "classes":
        output["kind"] = interface.kind
    notes = ["Measured on its own test part only; see the figures."]
    notes += [_NOTES[interface.kind]] if interface.kind in _NOTES else []
    _, *others = interface.sample
    extra = [
        {"name": name, "shape": list(interface.sample[name].shape), "summary": _SUMMARIES[name]}
        for name in others
    ]
    return {
        "version": "1",
        "task": tasks.get(interface.kind) or _TASKS[spec.name],
        "summary": f"{recipe.network.name} trained by the recipe {recipe.name!r}.",
        "licence": licence,
        "source": f"reelcheck lab, recipe sha256 {recipe.digest}",
        "input": spec.model_dump(exclude_none=True),
        "output": output,
        "training": {"data": _data_words(recipe, trained)},
        "figures": figures,
        "limits": {"notes": notes},
        **({"extra_inputs": extra} if extra else {}),
    }


def _input(recipe: Recipe, interface: Interface) -> InputSpec:
    name, *_ = interface.sample
    shape = interface.sample[name].shape
    seconds = recipe.data.clip_seconds or 1.0
    if name == "rgb":
        seconds = shape[0] * _INTERVAL_SECONDS
    spec = input_spec(recipe.input, clip_seconds=seconds)
    layout = "NTCHW" if len(shape) == len("TCHW") else "NCHW"
    frames = shape[0] if layout == "NTCHW" else 1
    changed = {
        "name": name,
        "layout": layout,
        "frames": frames,
        "resize_px": (shape[-1], shape[-2]),
    }
    return spec.model_copy(update=changed)


def _data_words(recipe: Recipe, trained: Trained) -> str:
    origin = recipe.data.task or str(recipe.data.manifest and recipe.data.manifest.name)
    groups = len(set(trained.data.train.groups))
    return f"{origin}: {len(trained.data.train)} samples of {groups} groups"


def to_toml(values: dict[str, Any]) -> str:
    """Return plain values as TOML. A JSON string is a TOML string."""
    tables = {key: value for key, value in values.items() if _is_table(value)}
    plain = {key: value for key, value in values.items() if key not in tables}
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in plain.items()]
    for key, value in tables.items():
        head = f"[{key}]" if isinstance(value, dict) else f"[[{key}]]"
        for one in [value] if isinstance(value, dict) else value:
            inside = [f"{_key(name)} = {json.dumps(item)}" for name, item in one.items()]
            lines += ["", head, *inside]
    return "\n".join(lines) + "\n"


def _is_table(value: object) -> bool:
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict)


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() else json.dumps(name)
