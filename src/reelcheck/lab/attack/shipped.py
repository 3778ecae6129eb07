"""Models of the catalogue and of bundles as their attacker sees them: from whole pictures on.

Three kinds: the score ``quality`` (luma, fragments and glance as the analyzer cuts them), networks
that name single pictures, and ``fights`` (see ``shipped_fights``). Preprocessing is done again in
torch, so that gradients reach the pixels of the whole picture: resizing as Pillow's bilinear filter
without its rounding. Networks for pictures get the real values, JPEG and rounding included, with
the slopes of that copy (BPDA, Athalye et al., arXiv 1802.00420). What attacks find is rounded to
bytes and judged once more by the shipped code itself: that is the row ``as shipped``.

Weights are read as the analyzers read them, hashes and all. When a graph uses an operator that
``onnx_ops`` does not know, or the answers of both differ by more than ``_CLOSE``, only answers are
used: square attack and noise.

Limits: pictures must have one size, so all are cut from the middle to the smallest; without
``--pictures`` they are generated ones. There are no labels: right is what a model says unattacked.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - what everybody calls it
from numpy.typing import NDArray
from torch import Tensor

from reelcheck.analyzers.quality import GRID, Judge, corners, halvings
from reelcheck.errors import SettingError
from reelcheck.lab.attack.onnx_ops import UnknownOperatorError
from reelcheck.lab.attack.onnx_torch import OnnxFunction
from reelcheck.lab.attack.shipped_fights import FIGHTS, fights_victim
from reelcheck.lab.attack.victims import WHITE, Kind, Victim
from reelcheck.models.card import CARD_FILE, Card, load_card, parse_card
from reelcheck.models.session import Runner, open_session
from reelcheck.models.store import read_parts
from reelcheck.models.tensors import to_tensor

_CLOSE: Final = 1e-4
"""Between both ways to run a graph, of the largest answer where that is above 1."""
_BEST_SCORE: Final = 5.0


def shipped_victim(name: str) -> Victim:
    """Return a model of the catalogue, or in the folder of a bundle, as its attacker sees it.

    Raises:
        SettingError: it neither judges quality, nor names single pictures, nor is it ``fights``.
        ModelError: its weights are missing or were changed.
    """
    folder = Path(name) if (Path(name) / CARD_FILE).is_file() else None
    card = (
        load_card(name)
        if folder is None
        else parse_card((folder / CARD_FILE).read_text("utf-8"), where=name)
    )
    if folder is None and card.name == FIGHTS:
        return fights_victim()
    session = open_session(card, folder=folder)
    if card.output.kind == "quality":
        return _quality(card, session, folder)
    if card.output.kind == "classes" and card.input.layout in {"NCHW", "NHWC"}:
        return _pictures(card, session, folder)
    raise SettingError(
        f"model {card.name!r} neither judges quality nor names pictures",
        hint="of your own networks, give the folder of the training",
    )


def _graph(card: Card, folder: Path | None) -> OnnxFunction | None:
    """Return the graph with gradients; ``None`` where it has an operator that is not known."""
    if card.runtime != "onnx":
        return None
    model = read_parts(card, folder=folder).content[card.weights.file]
    try:
        return OnnxFunction(model, output=card.output.name)
    except UnknownOperatorError:
        return None


def _agrees(graph: OnnxFunction, session: Runner, card: Card, fed: dict[str, Tensor]) -> bool:
    """Return whether both ways to run the graph answer alike."""
    plain = {name: one.numpy() for name, one in fed.items()}
    wanted = session.run(plain.pop(card.input.name), plain)
    try:
        with torch.no_grad():
            told = graph(fed).numpy()
    except (UnknownOperatorError, RuntimeError):
        return False
    room = _CLOSE * max(1.0, float(np.abs(wanted).max()))
    return told.shape == wanted.shape and bool(np.abs(told - wanted).max() <= room)


def _quality(card: Card, session: Runner, folder: Path | None) -> Victim:
    judge = Judge(card, session)

    def real(pixels: Tensor) -> Tensor:
        judged = [judge(_bytes(one[0, 0])) for one in pixels]
        return torch.tensor([float("nan") if one is None else one.score for one in judged])

    graph = _graph(card, folder)
    chance = torch.Generator().manual_seed(0)
    sample = torch.rand((1, 1, 1, 360, 480), generator=chance)
    if graph is None or not _agrees(graph, session, card, quality_inputs(sample, card)):
        return _blind(card, real, kind="score")
    return Victim(
        name=card.name,
        kind="score",
        tell=lambda pixels: graph(quality_inputs(pixels, card))[:, 0].clamp(1.0, _BEST_SCORE),
        highest=_BEST_SCORE,
        real=real,
        notes=("The whole luma picture is attacked, before fragments and glance are cut.",),
    )


def quality_inputs(pixels: Tensor, card: Card) -> dict[str, Tensor]:
    """Return fragments and glance of luma pictures [N, 1, 1, H, W], as the analyzer cuts them."""
    picture = pixels[:, 0] * WHITE
    height, width = picture.shape[-2:]
    patch = card.input.resize_px[0] // GRID
    step = halvings(min(height, width))
    wide = patch * step
    tops, lefts = (corners(side, grid=GRID, patch_px=wide) for side in (height, width))
    rows = [
        torch.cat([picture[..., y : y + wide, x : x + wide] for x in lefts], dim=-1) for y in tops
    ]
    mosaic = F.avg_pool2d(torch.cat(rows, dim=-2), step) if step > 1 else torch.cat(rows, dim=-2)
    side = card.extra_inputs[0].shape[-1]
    glance = F.interpolate(picture, size=(side, side), mode="bilinear", antialias=True)

    def tensor(grey: Tensor) -> Tensor:
        return ((grey - card.input.mean[0]) / card.input.scale[0]).expand(-1, 3, -1, -1)

    return {card.input.name: tensor(mosaic)[:, None], card.extra_inputs[0].name: tensor(glance)}


def _pictures(card: Card, session: Runner, folder: Path | None) -> Victim:
    def real(pixels: Tensor) -> Tensor:
        told = [session.run(to_tensor(_rgb(one[0]), card))[0] for one in pixels]
        return _as_logits(torch.from_numpy(np.stack(told)))

    graph = _graph(card, folder)
    width, height = card.input.resize_px
    chance = torch.Generator().manual_seed(0)
    sample = torch.rand((1, 1, 3, height, width), generator=chance)
    if graph is None or not _agrees(graph, session, card, _picture_inputs(sample, card)):
        return _blind(card, real, kind="classes")

    def tell(pixels: Tensor) -> Tensor:
        told = [graph(_picture_inputs(one[None], card)) for one in pixels]
        return _as_logits(torch.cat(told))

    return Victim(name=card.name, kind="classes", tell=tell, classes=card.output.labels, real=real)


def _blind(card: Card, real: Callable[[Tensor], Tensor], *, kind: Kind) -> Victim:
    note = "Only answers were used: its graph has operators without gradients here."
    return Victim(
        name=card.name,
        kind=kind,
        tell=real,
        classes=card.output.labels if kind == "classes" else (),
        highest=_BEST_SCORE,
        white_box=False,
        notes=(note,),
    )


def _as_logits(told: Tensor) -> Tensor:
    """Return the logarithm of probabilities: its differences are those of logits."""
    return told.double().clamp_min(1e-12).log().float()


def _picture_inputs(pixels: Tensor, card: Card) -> dict[str, Tensor]:
    """Return the input of a network for one picture [1, 1, 3, H, W]: the real one, with slopes."""
    spec = card.input
    width, height = spec.resize_px
    x = pixels[:, 0] * WHITE
    if x.shape[-2:] != (height, width):
        x = F.interpolate(x, size=(height, width), mode="bilinear", antialias=True)
    if spec.crop_px is not None:
        left, top = (width - spec.crop_px[0]) // 2, (height - spec.crop_px[1]) // 2
        x = x[..., top : top + spec.crop_px[1], left : left + spec.crop_px[0]]
    x = x.flip(1) if spec.channels == "BGR" else x
    mean, scale = (torch.tensor(one)[:, None, None] for one in (spec.mean, spec.scale))
    x = (x - mean) / scale
    x = x if spec.layout == "NCHW" else x.permute(0, 2, 3, 1)
    real = torch.from_numpy(to_tensor(_rgb(pixels[0, 0].detach()), card))
    return {spec.name: x + (real - x).detach()}


def _bytes(grey: Tensor) -> NDArray[np.uint8]:
    levels: NDArray[np.uint8] = (grey * WHITE).round().clamp(0, WHITE).byte().numpy()
    return levels


def _rgb(picture: Tensor) -> NDArray[np.uint8]:
    return np.ascontiguousarray(_bytes(picture).transpose(1, 2, 0))
