"""The probe self-test ("excitation"): inputs whose answers are known, asked on the real runtime.

Hashes say that a file is the one that was signed. They do not say that the model computes here what
it computed there: with the card's preprocessing, this Pillow, this runtime, this processor. Probes
start, wherever the input is a picture, from a small picture in RGB and go through
``models.tensors``, so a swapped channel or another way to resize shows as well as other weights.

An answer is compared number by number. The difference of each is divided by its scale: how much it
varies over the probes, or a tenth of its size where that is more. The deviation of a probe is the
root mean square of those; it must stay within the margin that the probes carry. Source: ours, see
``docs/protection.md`` for what was measured.

Limits: a model that answers these probes as it should and others not (a trigger that was trained
in) is not found; neither is a change that is smaller than the margin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.errors import ModelError
from reelcheck.models.card import Card
from reelcheck.models.protect.folder import refusal
from reelcheck.models.protect.tables import pack, unpack
from reelcheck.models.tensors import places, to_clip, to_tensor

if TYPE_CHECKING:
    from reelcheck.models.session import Runner

PROBES_FILE: Final = "probes.safetensors"
MARGIN: Final = 1e-3
"""Of a model that computes in floats. Ours: over eight models, rounding (threads, batches, kinds of
kernels) differs by 7e-5 at most, 1 % of noise on the weights by 8e-2 or more."""
WIDE_MARGIN: Final = 5e-2
"""Of a model with 8-bit integers, where a rounding at an edge is a whole step. Ours: over three
models other kernels differ by 2.6e-2 at most."""
_LARGEST_MARGIN: Final = 1e-1
"""So that probes cannot be made blind."""
_MAX_ANSWERS: Final = 512
"""Numbers that are kept of one answer, spread evenly."""
_FORMAT: Final = "reelcheck-probes-1"
_SMALLEST_SCALE: Final = 1e-3
"""Of the largest number in all answers, or of 1: a probability of 1e-6 is as good as 0."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """One input."""

    pixels: NDArray[np.uint8] | None = None
    """RGB, shape [T, H, W, 3]: becomes the card's first input; ``None`` where that is raw too."""
    raw: dict[str, NDArray[Any]]
    """Inputs that are no pictures, by name, without the batch dimension."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Probes:
    """Inputs and their answers."""

    samples: tuple[Sample, ...]
    chosen: NDArray[np.int64]
    """Which numbers of an answer are kept, shape [K]."""
    answers: NDArray[np.float32]
    """Shape [N, K]."""
    margin: float
    """Largest deviation of an honest model."""
    weights: str
    """SHA-256 of the weights that gave the answers; empty for a remote model."""
    sees: tuple[str, ...] = ()
    """Faults of preprocessing that were tried when the probes were made, and showed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of asking."""

    deviations: tuple[float, ...]
    """Of each probe; infinite where the answer is no number."""
    margin: float

    @property
    def worst(self) -> float:
        """The largest deviation."""
        return max(self.deviations)

    @property
    def sound(self) -> bool:
        """Whether the model answers as it did."""
        return self.worst <= self.margin


def feed(samples: Sequence[Sample], card: Card) -> dict[str, NDArray[Any]]:
    """Return the inputs of a model for a batch of samples, by name."""
    batch: dict[str, list[NDArray[Any]]] = {}
    for sample in samples:
        fed = dict(sample.raw)
        if sample.pixels is not None:
            fed[card.input.name] = _first_input(sample.pixels, card)
        for name, value in fed.items():
            batch.setdefault(name, []).append(value)
    return {name: np.stack(values) for name, values in batch.items()}


def _first_input(pixels: NDArray[np.uint8], card: Card) -> NDArray[np.float32]:
    if card.input.layout == "NTCHW":
        return to_clip(pixels[places(len(pixels), card.input)], card.input)
    tensor: NDArray[np.float32] = to_tensor(pixels[0], card)[0]
    return tensor


def answer(
    samples: Sequence[Sample], card: Card, runner: "Runner", *, batch: int = 1
) -> NDArray[np.float32]:
    """Return what a model says to samples, shape [N, ...] made flat to [N, M]."""
    told = []
    for start in range(0, len(samples), batch):
        part = samples[start : start + batch]
        fed = feed(part, card)
        first = fed.pop(card.input.name)
        told.append(runner.run(first, fed or None).reshape(len(part), -1))
    return np.concatenate(told)


def expect(
    samples: Sequence[Sample],
    card: Card,
    runner: "Runner",
    *,
    margin: float = MARGIN,
    sees: tuple[str, ...] = (),
) -> Probes:
    """Return probes that expect what a model says now."""
    told = answer(samples, card, runner)
    size = told.shape[1]
    count = min(size, _MAX_ANSWERS)
    chosen = (np.arange(count, dtype=np.int64) * size) // count
    return Probes(
        samples=tuple(samples),
        chosen=chosen,
        answers=told[:, chosen],
        margin=margin,
        weights=runner.sha256,
        sees=sees,
    )


def ask(probes: Probes, card: Card, runner: "Runner", *, batch: int = 1) -> Outcome:
    """Return how far a model is from its answers.

    Args:
        probes: Of this model.
        card: Of the model: its preprocessing is a part of what is asked.
        runner: The model.
        batch: Probes to ask at once.

    Raises:
        ModelError: the probes were made with other weights, or the model cannot take them.
    """
    if probes.weights and runner.sha256 and probes.weights != runner.sha256:
        raise failure(card, "its probes were made with other weights")
    try:
        told = answer(probes.samples, card, runner, batch=batch)[:, probes.chosen]
    except Exception as error:  # runtimes raise kinds of their own
        raise failure(card, f"it cannot take its probes: {error}"[:300]) from error
    found = deviations(told, probes.answers)
    return Outcome(deviations=tuple(found.tolist()), margin=probes.margin)


def deviations(told: NDArray[np.float32], expected: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the deviation of each of N answers, both of shape [N, K]."""
    wide = expected.astype(np.float64)
    size = np.abs(wide)
    least = max(_SMALLEST_SCALE * min(1.0, float(size.max(initial=0.0))), 1e-30)
    scale = np.maximum(np.maximum(wide.std(axis=0), 0.1 * size.mean(axis=0)), least)
    with np.errstate(invalid="ignore", over="ignore"):
        found: NDArray[np.float64] = np.sqrt((((told - wide) / scale) ** 2).mean(axis=1))
    return np.where(np.isfinite(found), found, np.inf)


def refuse_other_answers(probes: Probes, card: Card, runner: "Runner") -> None:
    """Refuse a model that does not answer its probes as it did.

    Raises:
        ModelError: it does not.
    """
    outcome = ask(probes, card, runner)
    if not outcome.sound:
        raise failure(
            card,
            f"it answers its probes otherwise than when they were made: deviation "
            f"{outcome.worst:.2g}, at most {outcome.margin:g}",
        )


def failure(card: Card, message: str) -> ModelError:
    """Return the error for a model that does not stand its probes."""
    hint = "other weights, another card, a runtime or a Pillow that computes otherwise"
    return ModelError(f"model {card.name!r}: {message}", code="E_MODEL_PROBE", hint=hint)


def to_bytes(probes: Probes) -> bytes:
    """Return the file of probes."""
    tables: dict[str, NDArray[Any]] = {"answers": probes.answers, "chosen": probes.chosen}
    for index, sample in enumerate(probes.samples):
        if sample.pixels is not None:
            tables[f"{index}/pixels"] = sample.pixels
        for name, value in sample.raw.items():
            half = value.astype(np.float16) if value.dtype == np.float32 else value
            exact = np.array_equal(half, value)
            tables[f"{index}/raw/{name}"] = half if exact else value
    notes = {
        "format": _FORMAT,
        "margin": repr(probes.margin),
        "weights": probes.weights,
        "sees": ",".join(probes.sees),
    }
    return pack(tables, notes)


def from_bytes(file: bytes) -> Probes:
    """Return the probes in a file.

    Raises:
        ModelError: it is damaged.
    """
    tables, notes = unpack(file, what=PROBES_FILE)
    try:
        answers, chosen, margin = tables["answers"], tables["chosen"], float(notes["margin"])
        sound = answers.ndim == 2 and chosen.shape == answers.shape[1:] and len(answers) > 0  # noqa: PLR2004 - [N, K]
        if notes["format"] != _FORMAT or not sound or not 0 < margin <= _LARGEST_MARGIN:
            raise ValueError("not the form of probes")  # noqa: TRY301 - the reason is for below
        samples = tuple(_sample(tables, f"{index}/") for index in range(len(answers)))
        sees = tuple(word for word in notes["sees"].split(",") if word)
        weights = notes["weights"]
    except (ValueError, KeyError, TypeError) as error:
        raise refusal(f"{PROBES_FILE} is damaged: {error}") from error
    return Probes(
        samples=samples, chosen=chosen, answers=answers, margin=margin, weights=weights, sees=sees
    )


def _sample(tables: dict[str, NDArray[Any]], start: str) -> Sample:
    raw = {
        name.removeprefix(f"{start}raw/"): value.astype(np.float32)
        if value.dtype == "<f2"
        else value
        for name, value in tables.items()
        if name.startswith(f"{start}raw/")
    }
    pixels = tables.get(f"{start}pixels")
    if pixels is not None and (pixels.ndim != 4 or pixels.shape[-1] != 3 or pixels.dtype != "u1"):  # noqa: PLR2004 - [T, H, W, 3]
        raise ValueError("a picture of an odd shape")
    if pixels is None and not raw:
        raise ValueError("a probe without an input")
    return Sample(pixels=pixels, raw=raw)
