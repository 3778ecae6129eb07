"""The model in service: another training, or a bundle as ``reelcheck lab export`` writes it.

It sees the samples of the recipe that is measured, prepared as its own recipe or card says.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from reelcheck.errors import SettingError
from reelcheck.lab.data.sources import open_data
from reelcheck.lab.engine.run import load_trained
from reelcheck.lab.evaluation.parts import samples_of
from reelcheck.lab.evaluation.rows import ClassRows, Tell, gather, predict
from reelcheck.lab.recipe import InputPart, Recipe
from reelcheck.models.card import CARD_FILE, Card, is_trained, load_card, parse_card
from reelcheck.models.session import Runner, open_session

_RUN_FILE: Final = "run.json"


def rows_of(other: str, plan: Recipe, *, classes: tuple[str, ...], part: str) -> Any:  # noqa: ANN401 - rows by kind
    """Return what another model says of the samples of a recipe.

    Args:
        other: Folder of a training, folder of a bundle, or name of a model in the store.
        plan: The recipe whose samples are used.
        classes: Its classes, in their order.
        part: Part of the data.

    Raises:
        SettingError: there is no such model, its classes are others, or its input cannot be made
            from these samples.
        ModelError: its weights are missing or were changed.
    """
    folder = Path(other)
    if (folder / _RUN_FILE).is_file():
        theirs, trained = load_trained(folder)
        _check_classes(other, trained.data.classes, classes)
        seen = _seen_by(plan, theirs.input, theirs.data.clip_seconds, name=other)
        samples = samples_of(seen, open_data(seen), part)
        rows = predict(trained.network, samples, batch=plan.training.batch)
        return _in_order(rows, trained.data.classes, classes)
    if (folder / CARD_FILE).is_file():
        card = parse_card((folder / CARD_FILE).read_text("utf-8"), where=other)
        session = open_session(card, folder=folder)
    elif is_trained(other):
        card = load_card(other)
        session = open_session(card)
    else:
        raise SettingError(
            f"{other!r} is no training, no bundle and no model of the store",
            hint="give a folder with run.json or card.toml, or a name of `reelcheck models list`",
        )
    _check_classes(other, card.output.labels, classes)
    seen = _seen_by(plan, _input_of(card), card.input.clip_seconds, name=other)
    samples = samples_of(seen, open_data(seen), part)
    rows = gather(_teller(session), samples, kind="clip", batch=plan.training.batch)
    return _in_order(rows, card.output.labels, classes)


def _teller(session: Runner) -> Tell:
    def tell(inputs: torch.Tensor) -> list[Any]:
        logits = torch.from_numpy(np.array(session.run(inputs.numpy())))
        return list(logits.double().softmax(dim=1).numpy())

    return tell


def _input_of(card: Card) -> InputPart:
    """Return the input of a card as a recipe says it.

    Raises:
        SettingError: the card asks for what the lab's samples cannot be.
    """
    spec = card.input
    if card.output.kind != "classes":
        raise SettingError(
            f"model {card.name!r} is no classifier: only those are compared from a bundle",
            hint="give the folder of its training",
        )
    if spec.layout != "NTCHW" or spec.channels != "RGB" or spec.crop_px or spec.jpeg_round_trip:
        raise SettingError(f"model {card.name!r} does not take clips as the lab makes them")
    return InputPart(
        frames=spec.frames,
        size_px=spec.resize_px,
        sampling=spec.sampling,
        resize=spec.resize,
        grayscale=spec.grayscale,
        denoise=spec.denoise,
        mean=spec.mean,
        scale=spec.scale,
    )


def _seen_by(plan: Recipe, part: InputPart, seconds: float | None, *, name: str) -> Recipe:
    """Return the recipe with the preprocessing of another model."""
    drawn = (plan.input.frames, plan.input.size_px)
    if plan.data.task is not None and (part.frames, part.size_px) != drawn:
        raise SettingError(
            f"{name} takes {part.frames} pictures of {part.size_px[0]} x {part.size_px[1]}: "
            "generated samples are drawn for one input only",
            hint="compare on a manifest, or train both with the same input",
        )
    data = plan.data
    if plan.data.task is None:
        data = data.model_copy(update={"clip_seconds": seconds})
    return plan.model_copy(update={"input": part, "data": data})


def _check_classes(name: str, theirs: tuple[str, ...], mine: tuple[str, ...]) -> None:
    if set(theirs) != set(mine):
        others = ", ".join(sorted(set(theirs) ^ set(mine)))
        raise SettingError(f"{name} knows other classes: {others} stand on one side only")


def _in_order(rows: Any, theirs: tuple[str, ...], mine: tuple[str, ...]) -> Any:  # noqa: ANN401 - rows by kind
    """Return rows with the columns of the classes in our order."""
    if not isinstance(rows, ClassRows) or theirs == mine:
        return rows
    columns = [theirs.index(label) for label in mine]
    return replace(rows, probabilities=rows.probabilities[:, columns])
