"""A network as its attacker sees it: from pixels to an answer, and what harm is.

The attacker moves pixels from 0 to 1, before they are normalised. Of networks of the lab these are
the pixels after resizing, as the network is shown them: the attacker needs not care what a resizer
loses, which is in his favour. Models of the catalogue are attacked before all of it (``shipped``).

Harm is a number per sample that the attacker raises. Of a classifier it is the margin: the largest
logit of a wrong class less that of the right one (Carlini and Wagner, arXiv 1608.04644), above zero
exactly when the answer is wrong; of a score, the score itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal

import torch
import torch.nn.functional as F  # noqa: N812 - what everybody calls it
from torch import Tensor

from reelcheck.errors import SettingError
from reelcheck.lab.data.sources import Samples
from reelcheck.lab.engine.run import Trained
from reelcheck.lab.recipe import InputPart, Recipe

WHITE: Final = 255.0
CLIP_FPS: Final = Fraction(25, 2)
"""Frames a second of clips on which models of the catalogue are attacked, or what a slower video
has: those of the small view of ``fights``."""
CLIP_SIDE_PX: Final = 256
"""Side of their square frames: the other view."""
_GREY: Final = (0.299, 0.587, 0.114)
"""ITU-R BT.601, as Pillow turns RGB into grey."""
Kind = Literal["classes", "score"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Victim:
    """A network to attack."""

    name: str
    kind: Kind
    tell: Callable[[Tensor], Tensor]
    """Takes pixels from 0 to 1, shape [N, ...]; returns logits [N, K], or scores [N]."""
    classes: tuple[str, ...] = ()
    highest: float = 1.0
    """Best score that there is."""
    real: Callable[[Tensor], Tensor] | None = None
    """The shipped code's own answers, where ``tell`` is a copy with gradients."""
    clip_frames: int = 1
    """Frames of a sample, of models of the catalogue."""
    white_box: bool = True
    """Whether gradients of ``tell`` can be had."""
    notes: tuple[str, ...] = ()
    """What a reader of the figures has to know."""

    def harm(self, answers: Tensor, targets: Tensor) -> Tensor:
        """Return what the attacker wants to be large, shape [N]."""
        if self.kind == "score":
            return answers
        own = answers.gather(1, targets[:, None])[:, 0]
        hidden = F.one_hot(targets, answers.shape[1]).bool()
        return answers.masked_fill(hidden, -torch.inf).amax(dim=1) - own

    def loss(self, answers: Tensor, targets: Tensor) -> Tensor:
        """Return what a first ascent follows: cross entropy, or the score, shape [N]."""
        if self.kind == "score":
            return answers
        return F.cross_entropy(answers, targets, reduction="none")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Targets:
    """Samples under attack."""

    pixels: Tensor
    """From 0 to 1, in whole levels of 0-255, shape [N, T, C, H, W]."""
    labels: Tensor
    """Right classes, int64 [N]; zeros where scores are told."""
    groups: tuple[str, ...]

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(self.labels)

    def take(self, places: Tensor) -> "Targets":
        """Return some samples by their places."""
        return Targets(
            pixels=self.pixels[places],
            labels=self.labels[places],
            groups=tuple(self.groups[place] for place in places.tolist()),
        )


def victim_of(plan: Recipe, trained: Trained) -> Victim:
    """Return the network of a training as its attacker sees it.

    Raises:
        SettingError: it is no network that names clips or pictures, or judges quality.
    """
    network, part = trained.network.eval(), plan.input
    kind = str(network.kind)
    network.requires_grad_(requires_grad=False)
    if kind == "clip":
        return Victim(
            name=plan.name,
            kind="classes",
            tell=lambda pixels: network(normalised(_seen(pixels, part), part)),
            classes=trained.data.classes,
        )
    if kind == "quality":
        side = part.fragments_grid * part.fragments_px
        return Victim(
            name=plan.name,
            kind="score",
            tell=lambda pixels: network(*_unpacked(normalised(pixels, part), side, part))[:, 0],
            highest=5.0,
            notes=(
                "Fragments and glance are moved apart, as no real picture allows: an upper end.",
            ),
        )
    raise SettingError(
        f"a network of kind {kind!r} cannot be attacked here",
        hint="networks that name clips or pictures, or judge quality",
    )


def targets_of(plan: Recipe, samples: Samples, *, count: int) -> Targets:
    """Return the first samples of a part, spread evenly, as pixels."""
    step = max(1, len(samples) // count)
    chosen = range(0, len(samples), step)[:count]
    inputs, truths = [], []
    for number in chosen:
        seen, target, _ = samples[number]
        inputs.append(_packed(seen))
        truths.append(0 if isinstance(seen, Sequence) else int(target))
    mean, scale = _of_channels(plan.input)
    pixels = (torch.stack(inputs) * scale + mean).round().clamp(0, WHITE) / WHITE
    return Targets(
        pixels=pixels,
        labels=torch.tensor(truths),
        groups=tuple(samples.groups[number] for number in chosen),
    )


def normalised(pixels: Tensor, part: InputPart) -> Tensor:
    """Return pixels as a network takes them."""
    mean, scale = _of_channels(part)
    return (pixels * WHITE - mean) / scale


def _of_channels(part: InputPart) -> tuple[Tensor, Tensor]:
    return torch.tensor(part.mean)[:, None, None], torch.tensor(part.scale)[:, None, None]


def _seen(pixels: Tensor, part: InputPart) -> Tensor:
    """Return grey where the recipe asks for it: the attacker cannot paint in colour then."""
    if not part.grayscale:
        return pixels
    grey = (pixels * torch.tensor(_GREY)[:, None, None]).sum(dim=-3, keepdim=True)
    return grey.expand_as(pixels)


def _packed(seen: Any) -> Tensor:  # noqa: ANN401 - a clip, or fragments and glance
    """Return one sample as one tensor [T, 3, S, S]; a glance is padded to the size of fragments."""
    if isinstance(seen, Tensor):
        return seen
    fragments, glance = seen
    height, width = (
        max(a, b) for a, b in zip(fragments.shape[-2:], glance.shape[-2:], strict=True)
    )
    fill = [
        F.pad(one, (0, width - one.shape[-1], 0, height - one.shape[-2]))
        for one in (fragments, glance[None])
    ]
    return torch.cat(fill)


def _unpacked(packed: Tensor, side: int, part: InputPart) -> tuple[Tensor, Tensor]:
    width, height = part.size_px
    return packed[:, :-1, :, :side, :side], packed[:, -1, :, :height, :width]
