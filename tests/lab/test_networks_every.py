"""What every network must do, whatever it is for."""

import copy
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from torch import Tensor, nn  # noqa: E402 - torch may be missing

from reelcheck.lab.networks import (  # noqa: E402
    action,
    deepsense,
    images,
    images_lite0,
    quality,
    quality_lite0,
)
from reelcheck.lab.networks.layers import count_parameters  # noqa: E402
from reelcheck.lab.networks.small import build_resnet8  # noqa: E402

torch.set_num_threads(1)

Inputs = tuple[Tensor, ...]
PARITY = 1e-4  # of the largest logit where that is above 1, as an untrained Inception's are
OPSET = 17


@dataclass(frozen=True, kw_only=True)
class Case:
    """One network at a tiny size."""

    name: str
    build: Callable[[], nn.Module]
    inputs: Callable[[int], Inputs]
    outputs: int = 3


def pictures(side_px: int) -> Callable[[int], Inputs]:
    """Make smooth pictures that differ: noise looks all the same to a deep network."""

    def make(count: int) -> Inputs:
        coarse = torch.randn(count, 3, 4, 4)
        return (nn.functional.interpolate(coarse, size=(side_px, side_px), mode="bilinear"),)

    return make


def clips(count: int) -> Inputs:
    return (torch.randn(count, 4, 3, 32, 32),)


def streams(count: int) -> Inputs:
    present = torch.ones(count, 3)
    present[-1, 1] = 0
    rgb = torch.randn(count, 3, 3, 16, 16)
    return rgb, torch.randn(count, 3, 10), torch.randn(count, 3, 24), present


def fragments(count: int) -> Inputs:
    return torch.randn(count, 3, 3, 64, 64), torch.randn(count, 3, 48, 64)


def deepsense_of(fusion: str) -> nn.Module:
    network = deepsense.build_deepsense(
        outputs=3, motion_bins=10, audio_bands=24, fusion=fusion, width=16, hidden=8
    )
    return deepsense.FlatStreams(network)


def small(build: Callable[..., nn.Module], **options: float | str) -> Callable[[], nn.Module]:
    return lambda: build(outputs=3, **options)


CASES = (
    Case(
        name="vgg16",
        build=small(images.build_vgg16, head="pooled"),
        inputs=pictures(32),
    ),
    Case(name="resnet8", build=small(build_resnet8, width=8), inputs=pictures(32)),
    Case(name="resnet18", build=small(images.build_resnet18, stride=16), inputs=pictures(32)),
    Case(name="resnet50", build=small(images.build_resnet50), inputs=pictures(64)),
    Case(name="inception_v3", build=small(images.build_inception_v3), inputs=pictures(139)),
    Case(
        name="mobilenet_v2",
        build=small(images.build_mobilenet_v2, width_mult=0.25, stride=8),
        inputs=pictures(32),
    ),
    Case(
        name="efficientnet_lite0",
        build=small(images_lite0.build_efficientnet_lite0, drop_path=0.0),
        inputs=pictures(45),
    ),
    Case(
        name="single",
        build=small(action.build_single, width_mult=0.25, stride=16),
        inputs=clips,
    ),
    Case(name="tsn", build=small(action.build_tsn, width_mult=0.25, stride=16), inputs=clips),
    Case(name="tsm", build=small(action.build_tsm, width_mult=0.25, stride=16), inputs=clips),
    Case(
        name="action",
        build=small(action.build_action, width_mult=0.25, stride=16),
        inputs=clips,
    ),
    Case(
        name="action on resnet18",
        build=small(action.build_action, backbone="resnet18", stride=16),
        inputs=clips,
    ),
    Case(
        name="action on efficientnet_lite0",
        build=small(action.build_action, backbone="efficientnet_lite0"),
        inputs=clips,
    ),
    Case(name="deepsense merge", build=lambda: deepsense_of("merge"), inputs=streams),
    Case(name="deepsense late", build=lambda: deepsense_of("late"), inputs=streams),
    Case(
        name="quality",
        build=lambda: quality.build_quality(width_mult=0.25),
        inputs=fragments,
    ),
    Case(
        name="quality_lite0",
        build=lambda: quality_lite0.build_quality_lite0(outputs=3, grid=2, trained_blocks=8),
        inputs=fragments,
        outputs=6,  # score, lower, upper, and three causes
    ),
)


def used(case: Case) -> nn.Module:
    """Build a network as it is after some training: running statistics fit, nothing is zero."""
    torch.manual_seed(3)
    network = case.build()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # average over all passes
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.copy_(0.1 * torch.randn_like(parameter))
        for _ in range(2):
            network(*case.inputs(8))
    return network.eval()


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    chosen: Case = request.param
    return chosen


@pytest.fixture(scope="module")
def network(case: Case) -> nn.Module:
    return used(case)


def test_the_output_has_one_row_per_input_and_one_column_per_class(
    case: Case, network: nn.Module
) -> None:
    with torch.no_grad():
        assert network(*case.inputs(2)).shape == (2, case.outputs)


def test_the_same_input_gives_the_same_output_alone_and_among_others(
    case: Case, network: nn.Module
) -> None:
    inputs = case.inputs(3)
    with torch.no_grad():
        together = network(*inputs)
        again = network(*inputs)
        alone = network(*(item[2:] for item in inputs))
    assert torch.equal(together, again)
    assert torch.allclose(together[2:], alone, rtol=PARITY, atol=PARITY)
    assert not torch.allclose(together[0], together[1], atol=PARITY)


def test_a_gradient_reaches_every_parameter(case: Case, network: nn.Module) -> None:
    learner = copy.deepcopy(network).train()
    out = learner(*case.inputs(4))
    every_head = out if isinstance(out, tuple) else (out,)
    sum((head * torch.randn_like(head)).sum() for head in every_head).backward()
    missed = [
        name
        for name, parameter in learner.named_parameters()
        if parameter.grad is None or not parameter.grad.isfinite().all() or not parameter.grad.any()
    ]
    assert missed == []


def test_the_exported_graph_gives_the_same_numbers_for_another_batch_size(
    case: Case, network: nn.Module
) -> None:
    inputs = case.inputs(2)
    names = [f"input_{index}" for index in range(len(inputs))]
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces its other exporter
        torch.onnx.export(
            network,
            inputs,
            file,
            input_names=names,
            output_names=["output"],
            dynamic_axes={name: {0: "batch"} for name in [*names, "output"]},
            opset_version=OPSET,
            dynamo=False,
        )
    session = ort.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    for count in (1, 3):
        inputs = case.inputs(count)
        with torch.no_grad():
            wanted = network(*inputs).numpy()
        fed = {name: item.numpy() for name, item in zip(names, inputs, strict=True)}
        (got,) = session.run(None, fed)
        assert np.abs(got - wanted).max() <= PARITY * max(1, np.abs(wanted).max())


NORM_OPTIONS: dict[str, tuple[Callable[..., nn.Module], dict[str, str]]] = {
    "vgg16": (images.build_vgg16, {"head": "pooled"}),
    "resnet8": (build_resnet8, {}),
    "resnet18": (images.build_resnet18, {}),
    "resnet50": (images.build_resnet50, {}),
    "inception_v3": (images.build_inception_v3, {}),
    "mobilenet_v2": (images.build_mobilenet_v2, {}),
    "efficientnet_lite0": (images_lite0.build_efficientnet_lite0, {}),
    "single": (action.build_single, {}),
    "tsn": (action.build_tsn, {}),
    "tsm": (action.build_tsm, {}),
    "action": (action.build_action, {}),
    "quality": (quality.build_quality, {}),
}


@pytest.mark.parametrize("name", NORM_OPTIONS)
def test_group_norm_takes_the_place_of_every_batch_norm(name: str) -> None:
    build, options = NORM_OPTIONS[name]
    with torch.device("meta"):
        batch = build(outputs=3, norm="batch", **options)
        group = build(outputs=3, norm="group", **options)
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in batch.modules())
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in group.modules())
    assert count_parameters(group) == count_parameters(batch)


def test_a_group_norm_network_trains_on_one_sample_as_among_others() -> None:
    torch.manual_seed(0)
    network = action.build_action(
        outputs=3, width_mult=0.25, stride=8, norm="group", dropout=0.0
    ).train()
    (batch,) = clips(3)
    assert torch.allclose(network(batch)[1:2], network(batch[1:2]), atol=1e-5)
