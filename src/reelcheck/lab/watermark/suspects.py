"""A suspect: a network whose weights may be read, or one that can only be asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from reelcheck.errors import ModelError, SettingError
from reelcheck.lab.data.prepare import Prepare
from reelcheck.lab.engine.run import load_trained
from reelcheck.lab.recipe import Recipe
from reelcheck.lab.watermark.embedding import takes_triggers, told_by
from reelcheck.lab.watermark.secret import Pictures
from reelcheck.models.card import CARD_FILE, Card, card_names, load_card, parse_card
from reelcheck.models.protect.probes import Sample, answer
from reelcheck.models.session import open_session
from reelcheck.models.store import own_names, read_parts

Table = NDArray[np.float32]
_LEAST_DIMENSIONS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """What a claim looks at."""

    name: str
    tables: dict[str, Table] = field(default_factory=dict)
    """Weights of convolutions by name; empty where they cannot be read."""
    classes: tuple[str, ...] = ()
    tell: Callable[[Pictures], NDArray[np.int64]] | None = None
    """Says the class of clips, uint8 RGB [N, T, H, W, 3]; ``None`` where it is no classifier."""


def suspect_of(place: str) -> Suspect:
    """Open a suspect.

    Args:
        place: Folder of a training, folder of a bundle, or name of a model in the store.

    Raises:
        SettingError: it is none of these.
        ModelError: its weights are missing or were changed.
    """
    folder = Path(place)
    if (folder / "run.json").is_file():
        return _of_training(folder)
    if (folder / CARD_FILE).is_file():
        card = parse_card((folder / CARD_FILE).read_text("utf-8"), where=place)
        return _of_card(card, folder)
    if place in {*card_names(), *own_names()}:
        return _of_card(load_card(place), None)
    raise SettingError(
        f"{place!r} is no training, no bundle and no model of the store",
        hint="give a folder with run.json or card.toml, or a name of `reelcheck models list`",
    )


def _of_training(folder: Path) -> Suspect:
    plan, trained = load_trained(folder)
    return suspect_in(str(folder), plan, trained.network, trained.data.classes)


def suspect_in(name: str, plan: Recipe, network: nn.Module, classes: tuple[str, ...]) -> Suspect:
    """Return a network in memory as a suspect."""
    tables = {
        one: weights.detach().float().cpu().numpy()
        for one, weights in network.named_parameters()
        if weights.ndim >= _LEAST_DIMENSIONS
    }
    if not takes_triggers(network):
        return Suspect(name=name, tables=tables)
    prepare = Prepare(plan.input)

    def tell(clips: Pictures) -> NDArray[np.int64]:
        return told_by(network, torch.stack([prepare(prepare.fit(clip)) for clip in clips]))

    return Suspect(name=name, tables=tables, classes=classes, tell=tell)


def _of_card(card: Card, folder: Path | None) -> Suspect:
    tables: dict[str, Table] = {}
    if card.runtime == "onnx":
        content = read_parts(card, folder=folder).content
        tables = weights_in(next(iter(content.values())))
    is_classifier = card.output.kind == "classes" and not card.extra_inputs
    if not is_classifier or card.input.layout == "NTF":
        return Suspect(name=card.name, tables=tables)
    runner = open_session(card, folder=folder)

    def tell(clips: Pictures) -> NDArray[np.int64]:
        told = answer([Sample(pixels=clip, raw={}) for clip in clips], card, runner)
        return np.asarray(told.argmax(axis=1), dtype=np.int64)

    return Suspect(name=card.name, tables=tables, classes=card.output.labels, tell=tell)


def weights_in(data: bytes) -> dict[str, Table]:
    """Return the weights of convolutions in an ONNX file, as floats, by name.

    Weights of 8 bits are taken through their ``DequantizeLinear``. Of integers without one (the
    operator form of quantisation) the numbers themselves are taken, which is right for those around
    zero with one scale per filter, as ONNX Runtime writes them.

    Raises:
        ModelError: it is no ONNX file.
    """
    try:
        graph = onnx.load_from_string(data).graph
        values = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
        values |= {name: one for node in graph.node for name, one in _constant(node)}
    except (ValueError, TypeError, RuntimeError, onnx.checker.ValidationError) as error:
        message = f"the weights cannot be read: {error}"
        raise ModelError(message, code="E_MODEL_INTEGRITY") from error
    found = {name: one for name, one in values.items() if one.ndim >= _LEAST_DIMENSIONS}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in found:
            found[node.input[0]] = _as_floats(node, values)
    return {name: np.asarray(one, dtype=np.float32) for name, one in found.items()}


def _constant(node: Any) -> list[tuple[str, NDArray[Any]]]:  # noqa: ANN401 - onnx has no types
    if node.op_type != "Constant":
        return []
    tensors = [one.t for one in node.attribute if one.name == "value"]
    return [(node.output[0], numpy_helper.to_array(one)) for one in tensors]


def _as_floats(node: Any, values: dict[str, NDArray[Any]]) -> NDArray[np.float32]:  # noqa: ANN401 - as above
    whole = values[node.input[0]].astype(np.float32)
    axis = next((one.i for one in node.attribute if one.name == "axis"), 1)
    shape = [1] * whole.ndim
    scale = values[node.input[1]]
    if scale.ndim == 1 and scale.size > 1:
        shape[axis] = scale.size
    if len(node.input) > 2 and node.input[2]:  # noqa: PLR2004 - the zero point
        zero = values[node.input[2]].astype(np.float32)
        whole = whole - (zero.reshape(shape) if zero.size > 1 else zero.reshape(()))
    found: NDArray[np.float32] = whole * (scale.reshape(shape) if scale.size > 1 else scale)
    return found
