"""Networks by name. Built-in and strangers' ones come through the same table."""

import inspect
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Final

from torch import nn

from reelcheck.errors import SettingError
from reelcheck.lab.recipe import Option

BUILTIN: Final[dict[str, str]] = {
    "action": "reelcheck.lab.networks.action:build_action",
    "deepsense": "reelcheck.lab.networks.deepsense:build_deepsense",
    "efficientnet_lite0": "reelcheck.lab.networks.images_lite0:build_efficientnet_lite0",
    "faster_rcnn": "reelcheck.lab.networks.faster_rcnn:build_faster_rcnn",
    "inception_v3": "reelcheck.lab.networks.images:build_inception_v3",
    "mobilenet_v2": "reelcheck.lab.networks.images:build_mobilenet_v2",
    "quality": "reelcheck.lab.networks.quality:build_quality",
    "quality_lite0": "reelcheck.lab.networks.quality_lite0:build_quality_lite0",
    "resnet8": "reelcheck.lab.networks.small:build_resnet8",
    "resnet18": "reelcheck.lab.networks.images:build_resnet18",
    "resnet50": "reelcheck.lab.networks.images:build_resnet50",
    "single": "reelcheck.lab.networks.action:build_single",
    "tsm": "reelcheck.lab.networks.action:build_tsm",
    "tsn": "reelcheck.lab.networks.action:build_tsn",
    "vgg16": "reelcheck.lab.networks.images:build_vgg16",
    "yolo": "reelcheck.lab.networks.yolo.network:build_yolo",
}


def table() -> dict[str, str]:
    """Return name -> ``module:function`` of every network, built in or installed."""
    added = {point.name: point.value for point in entry_points(group="reelcheck.networks")}
    return {**added, **BUILTIN}


def build(name: str, *, outputs: int, options: dict[str, Option] | None = None) -> Any:  # noqa: ANN401 - any nn.Module
    """Return a network with fresh weights.

    Args:
        name: A key of ``table()``.
        outputs: Classes, without background; of quality networks the causes that they may tell.
        options: Of its builder.

    Raises:
        SettingError: the name or an option is unknown.
    """
    known = table()
    if name not in known:
        hint = f"known networks: {', '.join(sorted(known))}"
        raise SettingError(f"unknown network {name!r}", hint=hint)
    module, _, attribute = known[name].partition(":")
    builder = getattr(import_module(module), attribute)
    allowed = set(inspect.signature(builder).parameters) - {"outputs"}
    for key in options or {}:
        if key not in allowed:
            hint = f"known options: {', '.join(sorted(allowed))}"
            raise SettingError(f"network {name!r} has no option {key!r}", hint=hint)
    network: nn.Module = builder(outputs=outputs, **(options or {}))
    return network
