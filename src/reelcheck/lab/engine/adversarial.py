"""Training against an attacker: PGD-AT and TRADES, and noise for randomised smoothing.

Sources: PGD-AT is Madry et al., arXiv 1706.06083: learn from the worst point that projected
gradient ascent finds. TRADES is Zhang et al., arXiv 1901.08573: learn from the clean sample, and
pay ``beta`` times the divergence between what is said of it and of the point nearby where that
differs most; the ascent begins at a Gaussian of 0.001 (of the range of pixels), as in their code.
Noise: Cohen et al., arXiv 1902.02918, section 3.2. Ascents run in evaluation mode, as in the code
of TRADES, so that normalisations learn from the points that are learned from only.

Budgets are levels of 0-255, in pixels before normalisation: inputs come normalised by
``(pixel - mean) / scale``, so the budget of a channel is divided by its scale, and no point leaves
the range of pixels. Limits: L-infinity only; clips and pictures only.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from reelcheck.errors import SettingError
from reelcheck.lab.recipe import AdversarialPart, InputPart, Recipe

_WHITE: Final = 255.0
_START: Final = 0.001 * _WHITE
_LEAST_SHARE: Final = 1e-3
"""Of the budget, in the first step of a ramp."""


def check_hardening(recipe: Recipe, kind: str) -> None:
    """Refuse what an attacker of pixels cannot be trained against.

    Raises:
        SettingError: the network does not take clips or pictures, or has a frozen trunk.
    """
    training = recipe.training
    if training.adversarial is None and training.smoothing is None:
        return
    if kind not in {"image", "clip"}:
        raise SettingError(
            f"training.adversarial and training.smoothing do not know networks of kind {kind!r}",
            hint="they are for networks that name clips or pictures",
        )


def grown(part: AdversarialPart, epochs: float) -> AdversarialPart:
    """Return the part with the budget that it has after so many epochs."""
    if epochs >= part.ramp_epochs:
        return part
    share = max(epochs / part.ramp_epochs, _LEAST_SHARE)
    sizes = {name: getattr(part, name) * share for name in ("epsilon_levels", "step_levels")}
    return part.model_copy(update=sizes)


def noisy(inputs: Tensor, recipe: Recipe) -> Tensor:
    """Return inputs with the noise of ``training.smoothing``; not clipped, as in the paper."""
    smoothing = recipe.training.smoothing
    if smoothing is None:
        return inputs
    return inputs + torch.randn_like(inputs) * smoothing.sigma_levels / _scale(recipe.input, inputs)


def worst_nearby(
    network: nn.Module, inputs: Tensor, one_hot: Tensor, part: AdversarialPart, seen: InputPart
) -> Tensor:
    """Return the points within the budget that the ascent of the method finds.

    Args:
        network: In training mode; it is again when this returns.
        inputs: Normalised, shape [N, T, 3, H, W].
        one_hot: Soft targets, shape [N, K].
        part: Method, budget and steps.
        seen: How pixels were normalised.
    """
    mean, scale = inputs.new_tensor(seen.mean)[:, None, None], _scale(seen, inputs)
    budget, step = part.epsilon_levels / scale, part.step_levels / scale
    low = torch.maximum(inputs - budget, -mean / scale)
    high = torch.minimum(inputs + budget, (_WHITE - mean) / scale)
    network.eval()
    if part.method == "trades":
        with torch.no_grad():
            clean = network(inputs).softmax(dim=1)
        point = inputs + torch.randn_like(inputs) * _START / scale
    else:
        clean = one_hot
        point = inputs + (2 * torch.rand_like(inputs) - 1) * budget
    point = point.clamp(low, high)
    for _ in range(part.steps):
        point = point.detach().requires_grad_()
        loss = functional.cross_entropy(network(point), clean, reduction="sum")
        (slope,) = torch.autograd.grad(loss, point)
        point = (point + step * slope.sign()).clamp(low, high)
    network.train()
    return point.detach()


def divergence(clean: Tensor, nearby: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of what is said nearby from what is said, mean of N.

    Args:
        clean: Logits of the samples, shape [N, K].
        nearby: Logits of the points, shape [N, K].
    """
    return functional.kl_div(nearby.log_softmax(dim=1), clean.softmax(dim=1), reduction="batchmean")


def _scale(seen: InputPart, inputs: Tensor) -> Tensor:
    return inputs.new_tensor(seen.scale)[:, None, None]
