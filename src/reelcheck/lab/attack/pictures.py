"""The worst that attacks did, as small pictures for a page: before, after, the difference."""

import base64
import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from reelcheck.lab.attack.battery import ENSEMBLE, Outcome
from reelcheck.lab.attack.victims import WHITE

_COUNT: Final = 12
_LEAST_PX: Final = 160
_MOST_PX: Final = 320
_MIDDLE: Final = 128
_FULL: Final = 120.0
"""Levels that a push of the whole budget is drawn with, on grey."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One sample under attack."""

    group: str
    before: str
    """Data URLs."""
    after: str
    difference: str
    told: str
    """What the network said, before and after."""


def shown(outcome: Outcome, levels: float) -> list[Shown]:
    """Return the samples that were harmed most at a budget, one of each group."""
    harm = outcome.harm[ENSEMBLE][levels]
    gained = harm - outcome.clean
    chosen: dict[str, int] = {}
    for place in np.argsort(-gained, kind="stable").tolist():
        chosen.setdefault(outcome.targets.groups[place], place)
    found = []
    for place in list(chosen.values())[:_COUNT]:
        before, after = outcome.targets.pixels[place], outcome.worst[levels][place]
        found.append(
            Shown(
                group=outcome.targets.groups[place],
                before=_url(_levels(before)),
                after=_url(_levels(after)),
                difference=_url(_push(before, after, levels)),
                told=_told(outcome, place, after),
            )
        )
    return found


def _told(outcome: Outcome, place: int, after: Tensor) -> str:
    victim = outcome.victim
    answers = victim.tell(after[None])
    if victim.kind == "score":
        return f"{outcome.clean[place]:.2f} became {float(answers[0]):.2f}"
    before = victim.tell(outcome.targets.pixels[place][None])[0].softmax(dim=0)
    told = answers[0].softmax(dim=0)
    first, last = int(before.argmax()), int(told.argmax())
    return (
        f"{victim.classes[first]} {float(before[first]):.2f} became "
        f"{victim.classes[last]} {float(told[last]):.2f}"
    )


def _middle(pixels: Tensor) -> NDArray[np.float32]:
    """Return the middle picture of a sample [T, C, H, W] as [H, W, 3], from 0 to 1."""
    picture = pixels[len(pixels) // 2]
    shaped: NDArray[np.float32] = picture.expand(3, -1, -1).permute(1, 2, 0).detach().numpy()
    return shaped


def _levels(pixels: Tensor) -> NDArray[np.uint8]:
    return (_middle(pixels) * WHITE).round().astype(np.uint8)


def _push(before: Tensor, after: Tensor, levels: float) -> NDArray[np.uint8]:
    push = (_middle(after) - _middle(before)) * WHITE / levels
    return (_MIDDLE + push * _FULL).round().clip(0, 255).astype(np.uint8)


def _url(pixels: NDArray[np.uint8]) -> str:
    """Return a picture as PNG: JPEG would take the attack out."""
    image = Image.fromarray(pixels)
    if min(image.size) < _LEAST_PX:
        zoom = -(-_LEAST_PX // min(image.size))
        size = (image.width * zoom, image.height * zoom)
        image = image.resize(size, Image.Resampling.NEAREST)
    elif max(image.size) > _MOST_PX:
        left, top = ((side - _MOST_PX) // 2 for side in image.size)
        box = (max(0, left), max(0, top))
        far = (min(image.width, box[0] + _MOST_PX), min(image.height, box[1] + _MOST_PX))
        image = image.crop((*box, *far))
    with io.BytesIO() as file:
        image.save(file, "PNG", optimize=True)
        return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
