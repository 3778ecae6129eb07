"""DeepSense: the paper's size, live streams, and streams that are missing."""

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402 - torch may be missing

from reelcheck.errors import SettingError  # noqa: E402
from reelcheck.lab.networks import deepsense  # noqa: E402
from reelcheck.lab.networks.deepsense_parts import SensorNet  # noqa: E402
from reelcheck.lab.networks.layers import count_macs, count_parameters, group_norm  # noqa: E402

torch.set_num_threads(1)

Table = dict[str, Tensor]
INTERVALS = 6


def build(fusion: str = "merge", **options: float) -> deepsense.VideoDeepSense:
    torch.manual_seed(7)
    network = deepsense.build_deepsense(
        outputs=4,
        fusion=fusion,
        width=16,
        hidden=12,
        motion_bins=16,
        audio_bands=24,
        **options,
    )
    with torch.no_grad():
        network.absent.normal_()
    return network.eval()


def table(clips: int = 2, intervals: int = INTERVALS) -> Table:
    torch.manual_seed(9)
    return {
        "rgb": torch.randn(clips, intervals, 3, 20, 24),
        "motion": torch.randn(clips, intervals, 16),
        "audio": torch.randn(clips, intervals, 24),
        "present": torch.ones(clips, 3),
    }


def test_the_form_of_the_paper_has_the_published_size() -> None:
    network = deepsense.build_inertial_deepsense(outputs=6)
    assert count_parameters(network) == pytest.approx(516_150, rel=0.01)
    assert count_macs(network, torch.zeros(1, 20, 120)) == pytest.approx(35e6, rel=0.01)


def test_the_form_of_the_paper_trains_every_parameter() -> None:
    network = deepsense.build_inertial_deepsense(outputs=6)
    network(torch.randn(4, 5, 120)).square().sum().backward()
    assert all(item.grad is not None and item.grad.any() for item in network.parameters())
    assert network.eval()(torch.randn(2, 20, 120)).shape == (2, 6)


@pytest.mark.parametrize("fusion", deepsense.FUSIONS)
@pytest.mark.parametrize("sizes", [(1,) * INTERVALS, (2, 3, 1), (INTERVALS,)])
def test_a_live_stream_in_pieces_gives_the_logits_of_the_whole(
    fusion: str, sizes: tuple[int, ...]
) -> None:
    network, whole = build(fusion), table()
    whole["present"][1, 2] = 0
    state, start = None, 0
    with torch.no_grad():
        for size in sizes:
            piece = {
                name: item if name == "present" else item[:, start : start + size]
                for name, item in whole.items()
            }
            start += size
            so_far = {
                name: item if name == "present" else item[:, :start] for name, item in whole.items()
            }
            logits, state = network.step(piece, state)
            assert torch.allclose(logits, network(so_far), atol=1e-5)
    assert state is not None
    assert state.intervals == INTERVALS


@pytest.mark.parametrize("fusion", deepsense.FUSIONS)
def test_an_interval_knows_nothing_of_later_ones(fusion: str) -> None:
    network, first = build(fusion), table()
    changed = {name: item.clone() for name, item in first.items()}
    changed["motion"][:, 4:] += 1
    with torch.no_grad():
        before, after = network.per_interval(first), network.per_interval(changed)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])


@pytest.mark.parametrize("fusion", deepsense.FUSIONS)
@pytest.mark.parametrize("stream", deepsense.STREAMS)
@pytest.mark.parametrize("content", [0.0, 1e30, float("inf"), float("nan")])
def test_what_stands_in_the_place_of_a_missing_stream_has_no_effect(
    fusion: str, stream: str, content: float
) -> None:
    network, whole = build(fusion), table()
    column = deepsense.STREAMS.index(stream)
    whole["present"][0, column] = 0
    spoilt = {name: item.clone() for name, item in whole.items()}
    spoilt[stream][0] = content
    network.zero_grad()
    out = network(spoilt)
    out.sum().backward()
    with torch.no_grad():
        assert torch.equal(out, network(whole))
        assert not torch.allclose(out[0], network({**whole, "present": torch.ones(2, 3)})[0])
    assert all(item.grad.isfinite().all() for item in network.parameters() if item.grad is not None)


@pytest.mark.parametrize("fusion", deepsense.FUSIONS)
@pytest.mark.parametrize("stream", deepsense.STREAMS)
def test_a_stream_that_is_not_in_the_table_is_missing(fusion: str, stream: str) -> None:
    network, whole = build(fusion), table()
    masked = {**whole, "present": whole["present"].clone()}
    masked["present"][:, deepsense.STREAMS.index(stream)] = 0
    without = {name: item for name, item in whole.items() if name != stream}
    nor_present = {name: item for name, item in without.items() if name != "present"}
    with torch.no_grad():
        assert torch.equal(network(without), network(masked))
        assert torch.equal(network(nor_present), network(masked))


def test_a_clip_without_any_stream_still_has_finite_logits() -> None:
    network, whole = build(), table()
    whole["present"][:] = 0
    whole["rgb"][:] = float("nan")
    with torch.no_grad():
        assert network(whole).isfinite().all()


def test_a_table_without_any_stream_is_refused() -> None:
    with pytest.raises(SettingError, match="none of the streams rgb, motion, audio"):
        build()({"present": torch.ones(2, 3)})


def test_a_missing_stream_of_one_clip_does_not_change_another_in_training() -> None:
    network, whole = build(dropout=0.0, stream_dropout=0.0).train(), table()
    lacking = {**whole, "present": whole["present"].clone()}
    lacking["present"][0] = torch.tensor([1.0, 0, 0])
    with torch.no_grad():
        assert torch.allclose(network(whole)[1], network(lacking)[1], atol=1e-6)


def test_training_drops_streams_by_chance_and_never_the_last_one() -> None:
    network = build(dropout=0.0, stream_dropout=0.5)
    many = table(clips=200, intervals=1)
    many["present"] = torch.tensor([[1.0, 1, 0]]).repeat(200, 1)
    network.train()
    seen = [network._present(many, clips=200) for _ in range(5)]  # noqa: SLF001 - chance is inside
    kept = torch.cat(seen).float()
    assert kept.sum(dim=1).min() == 1
    assert not kept[:, 2].any()
    # Half of the clips keep a stream, and those that would lose both keep both.
    assert kept[:, 0].mean().item() == pytest.approx(0.75, abs=0.05)
    assert torch.equal(network.eval()._present(many, clips=200), many["present"] > 0)  # noqa: SLF001 - the same


@pytest.mark.parametrize("numbers", [1, 7, 16, 60, 64, 257])
def test_a_sensor_of_any_width_becomes_four_positions(numbers: int) -> None:
    net = SensorNet(numbers, width=8, norm=group_norm, dropout=0.0)
    assert net(torch.randn(3, numbers)).shape == (3, 8, 4)


def test_every_number_of_a_sensor_is_heard() -> None:
    net = SensorNet(23, width=8, norm=group_norm, dropout=0.0)
    x = torch.randn(1, 23, requires_grad=True)
    (net(x) * torch.randn(1, 8, 4)).sum().backward()
    assert x.grad is not None
    assert x.grad.all()


WRONG: tuple[tuple[dict[str, object], str], ...] = (
    ({"outputs": 0}, "outputs"),
    ({"outputs": 2, "fusion": "middle"}, "fusion"),
    ({"outputs": 2, "motion_bins": 0}, "motion_bins"),
    ({"outputs": 2, "audio_bands": -1}, "audio_bands"),
    ({"outputs": 2, "width": 4}, "width"),
    ({"outputs": 2, "hidden": 0}, "hidden"),
    ({"outputs": 2, "dropout": 1}, "dropout"),
    ({"outputs": 2, "stream_dropout": 1.5}, "stream_dropout"),
)


@pytest.mark.parametrize(("options", "named"), WRONG)
def test_a_wrong_option_is_named(options: dict[str, object], named: str) -> None:
    make: Callable[..., nn.Module] = deepsense.build_deepsense
    with pytest.raises(SettingError, match=f"^{named} must be"):
        make(**options)
