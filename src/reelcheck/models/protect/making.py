"""Making probes: pictures that a model is sensitive to, and what of its preprocessing they show.

The pictures are made here: smooth colours, edges and fine grain, of another shape than the model's
input, so that resizing has something to do. Of a pool those are taken whose answers move most when
the picture changes a little, for a model that is sure of itself tells little. Source: ours.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reelcheck.errors import ModelError
from reelcheck.models.card import Card, InputSpec
from reelcheck.models.protect.probes import (
    MARGIN,
    Probes,
    Sample,
    answer,
    ask,
    deviations,
    expect,
)

if TYPE_CHECKING:
    from reelcheck.models.session import Runner

_POOL: Final = 16
_KEPT: Final = 4
_LONGEST_PX: Final = {"clip": 64, "picture": 112}
"""Of a side, so that a file of probes stays small."""
_SURELY: Final = 3.0
"""A fault counts as seen from this many margins on."""


def takes_pictures(card: Card) -> bool:
    """Return whether the first input of a model is made by ``models.tensors``."""
    return card.input.layout in {"NHWC", "NCHW", "NTCHW"}


def make_probes(
    card: Card,
    runner: "Runner",
    *,
    raw: Sequence[Mapping[str, NDArray[Any]]] = (),
    margin: float = MARGIN,
) -> Probes | None:
    """Return probes of a model, or ``None`` where they could not tell anything.

    That is so when all its answers are one and the same, and when they depend on which other inputs
    are in the batch, as with integers whose scale is found while it runs: rounding then moves them
    as much as other weights would.

    Args:
        card: Of the model.
        runner: The model.
        raw: Inputs that are no pictures, one table for each probe. Where they hold the first input
            too, there are no pictures.
        margin: Largest deviation of an honest model.
    """
    if raw and card.input.name in raw[0]:
        samples = [Sample(raw=dict(one)) for one in raw]
        return _if_telling(expect(samples, card, runner, margin=margin), card, runner)
    pool = [
        Sample(pixels=pixels, raw=dict(raw[index % len(raw)]) if raw else {})
        for index, pixels in enumerate(_pool(card.input))
    ]
    told = answer(pool, card, runner)
    moved = answer([_nudged(one) for one in pool], card, runner)
    order = np.argsort(-deviations(moved, told), kind="stable")[:_KEPT]
    samples = [pool[index] for index in sorted(order.tolist())]
    bare = expect(samples, card, runner, margin=margin)
    sees = tuple(name for name, other in _faults(card) if _shows(bare, other, runner))
    if _shows(_nearest(bare, card), card, runner):
        sees = (*sees, "interpolation")
    return _if_telling(expect(samples, card, runner, margin=margin, sees=sees), card, runner)


def _if_telling(probes: Probes, card: Card, runner: "Runner") -> Probes | None:
    varied = np.ptp(probes.answers, axis=0).max() if len(probes.answers) > 1 else 0.0
    if not np.isfinite(varied) or varied == 0:
        return None
    with suppress(ModelError):  # of a model that takes no batches, nothing is learnt here
        if ask(probes, card, runner, batch=len(probes.samples)).worst > probes.margin / _SURELY:
            return None
    return probes


def _shows(probes: Probes, card: Card, runner: "Runner") -> bool:
    told = answer(probes.samples, card, runner)[:, probes.chosen]
    return bool(deviations(told, probes.answers).max() > _SURELY * probes.margin)


def _faults(card: Card) -> Iterator[tuple[str, Card]]:
    """Yield the card with one thing wrong in its preprocessing, and the name of that."""
    spec = card.input
    other = "BGR" if spec.channels == "RGB" else "RGB"
    yield "channels", _with(card, channels=other)
    yield "mean", _with(card, mean=tuple(value + 3.0 for value in spec.mean))
    yield "scale", _with(card, scale=tuple(value * 1.05 for value in spec.scale))
    if spec.layout == "NTCHW":
        how = "crop" if spec.resize == "stretch" else "stretch"
        yield "resize", _with(card, resize=how)
    if spec.crop_px is not None:
        yield "crop", _with(card, resize_px=spec.crop_px)


def _with(card: Card, **changed: Any) -> Card:  # noqa: ANN401 - fields of InputSpec
    return card.model_copy(update={"input": card.input.model_copy(update=changed)})


def _nearest(probes: Probes, card: Card) -> Probes:
    """Return the probes with pictures brought to size by the nearest pixel."""
    size = card.input.resize_px
    samples = []
    for sample in probes.samples:
        if sample.pixels is None:
            continue
        frames = [
            Image.fromarray(one).resize(size, Image.Resampling.NEAREST) for one in sample.pixels
        ]
        samples.append(Sample(pixels=np.stack([np.asarray(one) for one in frames]), raw=sample.raw))
    return Probes(
        samples=tuple(samples),
        chosen=probes.chosen,
        answers=probes.answers,
        margin=probes.margin,
        weights=probes.weights,
    )


def _nudged(sample: Sample) -> Sample:
    if sample.pixels is None:
        return sample
    lighter = np.clip(sample.pixels.astype(np.int16) + 3, 0, 255).astype(np.uint8)
    return Sample(pixels=lighter, raw=sample.raw)


def _pool(spec: InputSpec) -> Iterator[NDArray[np.uint8]]:
    """Yield RGB pictures, shape [T, H, W, 3]."""
    longest = _LONGEST_PX["clip" if spec.frames > 1 else "picture"]
    width = max(8, min(longest, round(1.5 * spec.resize_px[0])))
    height = max(8, min(longest * 3 // 4, round(1.2 * spec.resize_px[1])))
    for seed in range(_POOL):
        rng = np.random.default_rng(seed)
        whole = _picture(rng, (width + spec.frames, height))
        yield np.stack([whole[:, place : place + width] for place in range(spec.frames)])


def _picture(rng: np.random.Generator, size: tuple[int, int]) -> NDArray[np.uint8]:
    coarse = rng.integers(0, 256, (int(rng.integers(2, 7)), int(rng.integers(2, 7)), 3))
    smooth = Image.fromarray(coarse.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    picture = np.asarray(smooth, dtype=np.int16).copy()
    height, width = picture.shape[:2]
    for _ in range(int(rng.integers(1, 6))):
        left, top = int(rng.integers(0, width - 4)), int(rng.integers(0, height - 4))
        right, bottom = int(rng.integers(left + 2, width)), int(rng.integers(top + 2, height))
        picture[top:bottom, left:right] = rng.integers(0, 256, 3)
    grain = rng.normal(scale=float(rng.uniform(4, 30)), size=picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)
