"""Networks that look along time: sizes, what inserting the gates changes, the ends of a clip."""

from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from torch import Tensor, nn  # noqa: E402 - torch may be missing

from reelcheck.errors import SettingError  # noqa: E402
from reelcheck.lab import networks  # noqa: E402
from reelcheck.lab.networks import action, gates  # noqa: E402
from reelcheck.lab.networks.layers import (  # noqa: E402
    count_macs,
    count_parameters,
    repeat_edges,
)

torch.set_num_threads(1)

Build = Callable[..., nn.Module]
INSERTION = 1e-4


@pytest.mark.parametrize(
    ("build", "backbone", "outputs", "millions", "gmac"),
    [
        (action.build_tsn, "resnet50", 174, 23.86, 32.70),
        (action.build_tsm, "resnet50", 174, 23.86, 32.70),
        (action.build_action, "resnet50", 174, 28.08, 34.44),
        (action.build_tsn, "mobilenet_v2", 83, 2.33, 2.397),
        (action.build_action, "mobilenet_v2", 83, 2.36, 2.410),
    ],
)
def test_a_network_has_the_size_counted_from_the_authors_code(
    build: Build, backbone: str, outputs: int, millions: float, gmac: float
) -> None:
    with torch.device("meta"):
        network = build(outputs=outputs, backbone=backbone)
        macs = count_macs(network, torch.zeros(1, 8, 3, 224, 224))
    assert count_parameters(network) / 1e6 == pytest.approx(millions, rel=0.01)
    assert macs / 1e9 == pytest.approx(gmac, rel=0.01)


@pytest.mark.parametrize(
    ("channels", "extra"), [(256, 18_123), (512, 70_523), (1024, 278_235), (2048, 1_105_307)]
)
def test_the_gates_of_one_place_have_the_published_parameters(channels: int, extra: int) -> None:
    conv = nn.Conv2d(channels, 4, 1, bias=False)
    gated = gates.ActionConv(conv, length=gates.ClipLength(), shift="tsm")
    norm = 2 * (channels // 16)  # scale and offset of the norm in ME
    assert count_parameters(gated) - count_parameters(conv) == extra
    assert count_parameters(gated.moving.norm) == norm


@pytest.mark.parametrize(
    ("backbone", "places"),
    [("mobilenet_v2", 10), ("efficientnet_lite0", 9), ("resnet18", 8), ("resnet50", 16)],
)
@pytest.mark.parametrize(
    ("build", "kind"),
    [(action.build_tsm, gates.ShiftedConv), (action.build_action, gates.ActionConv)],
)
def test_every_residual_branch_is_wrapped(
    build: Build, kind: type[nn.Module], backbone: str, places: int
) -> None:
    with torch.device("meta"):
        network = build(outputs=2, backbone=backbone)
    assert sum(isinstance(layer, kind) for layer in network.modules()) == places


def settle(network: nn.Module, inputs: Tensor) -> nn.Module:
    """Fit the running statistics, without which the logits of an untrained network vanish."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # average over all passes
    with torch.no_grad():
        network.train()(inputs)
    return network.eval()


def pretrained(backbone: str, file: Path) -> nn.Module:
    """Make a picture network with fitting running statistics, and write its weights."""
    torch.manual_seed(5)
    picture: nn.Module = networks.build(backbone, outputs=6)
    settle(picture, torch.randn(8, 3, 64, 64))
    torch.save(picture.get_submodule("body").state_dict(), file)
    return picture


@pytest.mark.parametrize("backbone", ["resnet18", "mobilenet_v2", "efficientnet_lite0"])
def test_inserting_the_gates_leaves_a_pretrained_network_as_it_was(
    tmp_path: Path, backbone: str
) -> None:
    picture = pretrained(backbone, tmp_path / "w.pth")
    network = action.build_action(
        outputs=6, backbone=backbone, weights_file=str(tmp_path / "w.pth")
    ).eval()
    moving = torch.randn(2, 4, 3, 64, 64)
    with torch.no_grad():
        before = picture(moving.flatten(0, 1)).reshape(2, 4, 6)
        after = network.per_frame(moving)
    assert before.std() > 1000 * INSERTION
    assert (before - after).abs().max() < INSERTION


def test_clips_start_from_the_weights_of_the_package() -> None:
    network = action.build_action(
        outputs=1000, backbone="efficientnet_lite0", weights="package"
    ).eval()
    picture = networks.build(
        "efficientnet_lite0", outputs=1000, options={"weights": "package"}
    ).eval()
    moving = torch.randn(1, 2, 3, 64, 64)
    with torch.no_grad():
        change = network.per_frame(moving)[0] - picture(moving[0])
    assert change.abs().max() < INSERTION


@pytest.mark.parametrize("build", [action.build_tsm, action.build_action])
def test_a_shift_leaves_clips_that_stand_still_as_they_were(tmp_path: Path, build: Build) -> None:
    picture = pretrained("mobilenet_v2", tmp_path / "w.pth")
    options = {"shift": "tsm"} if build is action.build_action else {}
    network = build(outputs=6, weights_file=str(tmp_path / "w.pth"), **options).eval()
    still = torch.randn(2, 1, 3, 64, 64)
    moving = torch.randn(2, 4, 3, 64, 64)
    with torch.no_grad():
        change = network(still.expand(-1, 4, -1, -1, -1)) - picture(still[:, 0])
        moved = network(moving) - picture(moving.flatten(0, 1)).reshape(2, 4, 6).mean(1)
    assert change.abs().max() < INSERTION
    assert moved.abs().max() > 10 * INSERTION


def open_gates(network: nn.Module) -> None:
    """Give every gate and norm a value that is not its start."""
    torch.manual_seed(11)
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.copy_(0.3 * torch.randn_like(parameter))


@pytest.mark.parametrize("build", [action.build_tsm, action.build_action])
def test_every_frame_of_a_clip_that_stands_still_looks_the_same(
    build: Callable[..., action.ClipNetwork],
) -> None:
    network = build(outputs=4, width_mult=0.35, stride=16)
    open_gates(network)
    settle(network, torch.randn(4, 4, 3, 32, 32))
    still = torch.randn(1, 1, 3, 32, 32).expand(-1, 6, -1, -1, -1)
    with torch.no_grad():
        frames = network.per_frame(still)
    assert frames.std(dim=2).min() > 1e-3
    assert torch.allclose(frames, frames[:, :1].expand_as(frames), atol=1e-5)


def test_zero_padding_is_there_for_comparison_and_does_change_the_ends() -> None:
    torch.manual_seed(2)
    network = action.build_tsm(outputs=4, width_mult=0.35, stride=16, edge="zero")
    settle(network, torch.randn(4, 4, 3, 32, 32))
    still = torch.randn(1, 1, 3, 32, 32).expand(-1, 30, -1, -1, -1)
    with torch.no_grad():
        frames = network.per_frame(still)
    assert (frames[:, 0] - frames[:, 15]).abs().max() > 1e-3


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_one_network_takes_clips_of_any_length(frames: int) -> None:
    network = action.build_action(outputs=4, width_mult=0.25, stride=16).eval()
    assert network(torch.randn(2, frames, 3, 32, 32)).shape == (2, 4)


def test_the_order_of_frames_matters_to_tsm_and_action_and_not_to_tsn() -> None:
    clip = torch.randn(1, 6, 3, 32, 32)
    changes = {}
    for build in (action.build_tsn, action.build_tsm, action.build_action):
        torch.manual_seed(1)
        network = build(outputs=4, width_mult=0.35, stride=16)
        settle(network, torch.randn(4, 4, 3, 32, 32))
        with torch.no_grad():
            changes[build] = (network(clip) - network(clip.flip(1))).abs().max().item()
    assert changes[action.build_tsn] < 1e-5
    assert changes[action.build_tsm] > 1e-3
    assert changes[action.build_action] > 1e-3


def test_the_single_frame_network_sees_the_middle_frame_only() -> None:
    network = settle(action.build_single(outputs=4, width_mult=0.25), torch.randn(4, 5, 3, 64, 64))
    clip = torch.randn(1, 5, 3, 64, 64)
    others, middle = clip.clone(), clip.clone()
    others[:, [0, 1, 3, 4]] = 0
    middle[:, 2] = 0
    with torch.no_grad():
        assert torch.equal(network(clip), network(others))
        assert not torch.allclose(network(clip), network(middle))


def numbered(frames: int = 4, channels: int = 8) -> Tensor:
    """Make maps [1, T, C, 1, 1] in which frame t holds 10 t + c + 1 in channel c."""
    frame, channel = torch.arange(frames)[:, None], torch.arange(channels)
    maps: Tensor = 10.0 * frame + channel + 1
    return maps[None, :, :, None, None]


@pytest.mark.parametrize(
    ("edge", "first_behind", "last_ahead"), [("replicate", 2, 31), ("zero", 0, 0)]
)
def test_the_shift_moves_an_eighth_each_way(
    edge: str, first_behind: float, last_ahead: float
) -> None:
    x = numbered()
    shifted = gates.shift_in_time(x, fold=1, edge=edge)[0, :, :, 0, 0]
    assert shifted[:, 0].tolist() == [11, 21, 31, last_ahead]
    assert shifted[:, 1].tolist() == [first_behind, 2, 12, 22]
    assert torch.equal(shifted[:, 2:], x[0, :, 2:, 0, 0])


def test_the_learned_shift_starts_as_the_fixed_one_or_as_nothing() -> None:
    x = numbered()
    fixed = gates.shift_in_time(x, fold=1, edge="replicate")
    assert torch.equal(gates.LearnedShift(8, start="tsm")(x), fixed)
    assert torch.equal(gates.LearnedShift(8, start="identity")(x), x)


def test_the_learned_shift_is_a_depthwise_convolution_along_time() -> None:
    torch.manual_seed(0)
    shift = gates.LearnedShift(8, start="tsm")
    nn.init.normal_(shift.taps)
    x = torch.randn(2, 5, 8, 3, 3)
    flat = repeat_edges(x, dim=1).permute(0, 3, 4, 2, 1).reshape(18, 8, 7)
    kernels = shift.taps.T[:, None]  # [C, 1, 3]
    wanted = torch.nn.functional.conv1d(flat, kernels, groups=8)
    got = shift(x).permute(0, 3, 4, 2, 1).reshape(18, 8, 5)
    assert torch.allclose(got, wanted, atol=1e-6)


def test_macs_of_every_kind_of_layer_are_counted() -> None:
    layers = nn.Sequential(nn.Conv2d(2, 6, 3, groups=2), nn.Flatten(2), nn.Conv1d(6, 4, 5))
    assert count_macs(layers, torch.zeros(3, 2, 5, 7)) == (
        3 * 6 * 3 * 5 * 9 + 3 * 4 * 11 * 6 * 5  # outputs x numbers read for each
    )
    assert count_macs(nn.Linear(7, 5), torch.zeros(2, 3, 7)) == 2 * 3 * 5 * 7
    gru = nn.GRU(4, 6, num_layers=2, batch_first=True)
    assert count_macs(gru, torch.zeros(2, 5, 4)) == 2 * 5 * 3 * 6 * (4 + 6 + 6 + 6)


def test_counting_leaves_a_network_in_its_mode_and_without_hooks() -> None:
    layer = nn.Linear(2, 2).train()
    first = count_macs(layer, (torch.zeros(1, 2),))
    assert layer.training
    assert count_macs(layer, torch.zeros(1, 2)) == first == 4


WRONG = (
    (action.build_action, {"backbone": "vgg16"}, "backbone"),
    (action.build_tsn, {"backbone": "resnet50", "width_mult": 0.5}, "width_mult of a ResNet"),
    (
        action.build_tsn,
        {"backbone": "efficientnet_lite0", "stride": 16},
        "stride of efficientnet_lite0",
    ),
    (action.build_tsm, {"weights": "package"}, "weights of mobilenet_v2"),
    (action.build_tsm, {"edge": "mirror"}, "edge"),
    (action.build_action, {"shift": "random"}, "shift"),
    (action.build_single, {"dropout": 2}, "dropout"),
    (action.build_tsn, {"norm": "none"}, "norm"),
    (action.build_tsn, {"stride": 64}, "stride"),
)


@pytest.mark.parametrize(("build", "options", "named"), WRONG)
def test_a_wrong_option_is_named(build: Build, options: dict[str, object], named: str) -> None:
    with torch.device("meta"), pytest.raises(SettingError, match=f"^{named} must be"):
        build(outputs=2, **options)
