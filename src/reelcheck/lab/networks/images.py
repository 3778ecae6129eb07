"""Networks that name a single picture: VGG-16, ResNet-18 and -50, Inception-v3, MobileNetV2.

The layers are torchvision's (BSD-3-Clause), built without weights; the last layer has as many
outputs as the task has classes. Start values come from a file of the user, in the key names of
torchvision (see ``images_weights``). Input is float32 RGB [N, 3, H, W], already normalised the way
the weights expect; output is logits [N, outputs]. ImageNet figures of these designs, from
torchvision's metadata: VGG-16 with batch norm 73.4 % top-1, ResNet-18 69.8, ResNet-50 80.9 (V2),
Inception-v3 77.3, MobileNetV2 72.2 (V2).
"""

from pathlib import Path
from typing import Any, Final

import torch.nn.functional as F  # noqa: N812 - what everybody calls it
from torch import Tensor, nn
from torchvision import models

from reelcheck.lab.networks.images_weights import load_weights
from reelcheck.lab.networks.layers import (
    NORMS,
    check_choice,
    check_count,
    check_range,
    to_group_norm,
)

_AUX_MAP_CELLS: Final = 17
STRIDES: Final = (8, 16, 32)
"""Input pixels per cell of the last map; 32 is published, less suits pictures below 100 px."""


class AuxHead(nn.Module):
    """Inception's auxiliary head, for maps smaller than the published 17 x 17 as well.

    Key names are torchvision's. From 17 x 17 on it pools 5 x 5 with stride 3 as published; below,
    it pools to the 5 x 5 cells that its convolution needs.
    """

    def __init__(self, published: nn.Module) -> None:
        super().__init__()
        for name, layer in published.named_children():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        """Name the pictures of a [N, 768, h, w] map: logits [N, outputs]."""
        published = min(x.shape[-2:]) >= _AUX_MAP_CELLS
        x = F.avg_pool2d(x, 5, stride=3) if published else F.adaptive_avg_pool2d(x, 5)
        x = self.get_submodule("conv1")(self.get_submodule("conv0")(x))
        logits: Tensor = self.get_submodule("fc")(x.mean(dim=(2, 3)))
        return logits


class ImageNetwork(nn.Module):
    """A network of kind "image": [N, 3, H, W] to logits [N, outputs].

    In training mode Inception-v3 with its auxiliary head returns (logits, auxiliary logits).
    """

    kind = "image"

    def __init__(self, body: nn.Module, *, smallest_px: int) -> None:
        super().__init__()
        self.body = body
        self.smallest_px = smallest_px
        """Pictures with a shorter side cannot pass all layers."""

    def forward(self, x: Tensor) -> Any:  # noqa: ANN401 - a tensor, or a pair of them in training
        """Name every picture."""
        return self.body(x)


def finish(
    body: nn.Module,
    *,
    norm: str,
    weights_file: str,
    heads: tuple[str, ...],
    spare: tuple[str, ...] = (),
) -> nn.Module:
    """Load start values into ``body`` if a file is named, then swap the norm if asked.

    Raises:
        SettingError: ``norm`` is unknown.
        ModelError: the file cannot be read or does not fit.
    """
    check_choice("norm", norm, NORMS)
    if weights_file:
        load_weights(body, Path(weights_file), heads=heads, spare=spare)
    return to_group_norm(body) if norm == "group" else body


def resnet(depth: int, *, outputs: int, stride: int = 32) -> Any:  # noqa: ANN401 - torchvision's
    """Make torchvision's ResNet-18 or -50 with fresh values.

    Source: He et al., Deep Residual Learning, CVPR 2016, table 1. With ``stride`` 16 the max pool
    after the first convolution is left out, with 8 that convolution keeps the resolution as well:
    no weight changes its shape.
    """
    check_choice("stride", str(stride), tuple(map(str, STRIDES)))
    make = models.resnet18 if depth == 18 else models.resnet50  # noqa: PLR2004 - its name
    body: Any = make(weights=None, num_classes=check_count("outputs", outputs))
    if stride <= 16:  # noqa: PLR2004 - see the docstring
        body.maxpool = nn.Identity()
    if stride == 8:  # noqa: PLR2004 - see the docstring
        body.conv1.stride = (1, 1)
    return body


def mobilenet_v2(*, outputs: int, width_mult: float = 1.0, stride: int = 32) -> Any:  # noqa: ANN401 - torchvision's
    """Make torchvision's MobileNetV2 with fresh values.

    Source: Sandler et al., MobileNetV2, CVPR 2018, table 2. With ``stride`` 16 the first
    convolution keeps the resolution, with 8 the first inverted residual that halves it as well.
    """
    check_choice("stride", str(stride), tuple(map(str, STRIDES)))
    check_range("width_mult", width_mult, low=0.1, high=4)
    body: Any = models.mobilenet_v2(
        weights=None, num_classes=check_count("outputs", outputs), width_mult=float(width_mult)
    )
    if stride <= 16:  # noqa: PLR2004 - see the docstring
        body.features[0][0].stride = (1, 1)
    if stride == 8:  # noqa: PLR2004 - see the docstring
        body.features[2].conv[1][0].stride = (1, 1)
    return body


def build_resnet18(
    *, outputs: int, norm: str = "batch", stride: int = 32, weights_file: str = ""
) -> ImageNetwork:
    """Build ResNet-18 (11.7 M parameters, 1.8 GMAC at 224 px for 1,000 classes).

    Raises:
        SettingError: an option is out of range.
        ModelError: the weights file cannot be read or does not fit.
    """
    body = resnet(18, outputs=outputs, stride=stride)
    body = finish(body, norm=norm, weights_file=weights_file, heads=("fc.",))
    return ImageNetwork(body, smallest_px=stride)


def build_resnet50(
    *, outputs: int, norm: str = "batch", stride: int = 32, weights_file: str = ""
) -> ImageNetwork:
    """Build ResNet-50 (25.6 M parameters, 4.1 GMAC at 224 px for 1,000 classes).

    Raises:
        SettingError: an option is out of range.
        ModelError: the weights file cannot be read or does not fit.
    """
    body = resnet(50, outputs=outputs, stride=stride)
    body = finish(body, norm=norm, weights_file=weights_file, heads=("fc.",))
    return ImageNetwork(body, smallest_px=stride)


def build_mobilenet_v2(
    *,
    outputs: int,
    norm: str = "batch",
    width_mult: float = 1.0,
    stride: int = 32,
    weights_file: str = "",
) -> ImageNetwork:
    """Build MobileNetV2 (3.5 M parameters, 0.3 GMAC at 224 px for 1,000 classes).

    Raises:
        SettingError: an option is out of range.
        ModelError: the weights file cannot be read or does not fit.
    """
    body = mobilenet_v2(outputs=outputs, width_mult=width_mult, stride=stride)
    body = finish(body, norm=norm, weights_file=weights_file, heads=("classifier.1.",))
    return ImageNetwork(body, smallest_px=stride)


def build_vgg16(
    *, outputs: int, norm: str = "batch", head: str = "full", weights_file: str = ""
) -> ImageNetwork:
    """Build VGG-16 with normalisation (138 M parameters, 15.5 GMAC at 224 px for 1,000 classes).

    Source: Simonyan and Zisserman, ICLR 2015, configuration D; the batch norm is torchvision's.
    ``head`` "full" is the published one: three linear layers on a 7 x 7 map, nine tenths of all
    parameters. "pooled" is ours: mean over the map and one linear layer (14.7 M parameters), for
    small pictures and small data sets. With "full", the older of
    torch's ONNX exporters (``dynamo=False``) takes only sides that are multiples of 224 px.

    Raises:
        SettingError: an option is out of range.
        ModelError: the weights file cannot be read or does not fit.
    """
    check_choice("head", head, ("full", "pooled"))
    body = models.vgg16_bn(weights=None, num_classes=check_count("outputs", outputs))
    if head == "pooled":
        body.avgpool = nn.AdaptiveAvgPool2d(1)
        body.classifier = nn.Sequential(nn.Dropout(0.5), nn.Linear(512, outputs))
    pooled = ("classifier.",) if head == "pooled" else ()
    heads = pooled or ("classifier.6.",)
    body = finish(body, norm=norm, weights_file=weights_file, heads=heads, spare=pooled)
    return ImageNetwork(body, smallest_px=32)


def build_inception_v3(
    *, outputs: int, norm: str = "batch", auxiliary: str = "on", weights_file: str = ""
) -> ImageNetwork:
    """Build Inception-v3 (27.2 M parameters with its auxiliary head, 5.7 GMAC at 299 px).

    Source: Szegedy et al., Rethinking the Inception Architecture, CVPR 2016, section 4 for the
    auxiliary head. With ``auxiliary`` "on" a forward pass in training returns (logits, auxiliary
    logits); "off" leaves that head out. Published for 299 px, works from 75 px.

    Raises:
        SettingError: an option is out of range.
        ModelError: the weights file cannot be read or does not fit.
    """
    check_choice("auxiliary", auxiliary, ("on", "off"))
    body = models.inception_v3(
        weights=None,
        num_classes=check_count("outputs", outputs),
        aux_logits=auxiliary == "on",
        init_weights=True,
        transform_input=False,
    )
    if auxiliary == "on":
        body.AuxLogits = AuxHead(body.AuxLogits)
    heads = ("fc.", "AuxLogits.fc.")
    spare = () if auxiliary == "on" else ("AuxLogits.",)
    body = finish(body, norm=norm, weights_file=weights_file, heads=heads, spare=spare)
    return ImageNetwork(body, smallest_px=75)
