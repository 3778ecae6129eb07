"""The quality network, and the fragments it reads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from pathlib import Path  # noqa: E402 - torch may be missing

from reelcheck.errors import ModelError, SettingError  # noqa: E402
from reelcheck.lab.networks import images, quality  # noqa: E402
from reelcheck.lab.networks.layers import count_macs, count_parameters  # noqa: E402
from reelcheck.lab.networks.quality_fragments import patch_corners, sample_fragments  # noqa: E402

torch.set_num_threads(1)


def unique_pixels(frames: int, height_px: int, width_px: int) -> NDArray[np.uint8]:
    """Make frames in which the three bytes of a pixel say where it is (below 256 px a side)."""
    frame, row, column = np.indices((frames, height_px, width_px))
    return np.stack((frame, row, column), axis=-1).astype(np.uint8)


@pytest.mark.parametrize("seed", [None, 0, 1])
@pytest.mark.parametrize(("height_px", "width_px"), [(90, 160), (48, 48), (50, 200), (20, 30)])
def test_every_patch_is_an_exact_crop_at_the_same_place_in_every_frame(
    seed: int | None, height_px: int, width_px: int
) -> None:
    grid, patch_px = 3, 16
    frames = unique_pixels(4, height_px, width_px)
    chance = None if seed is None else np.random.default_rng(seed)
    out = sample_fragments(frames, grid=grid, patch_px=patch_px, chance=chance)
    assert out.shape == (4, 48, 48, 3)
    assert out.dtype == np.uint8
    for row in range(0, 48, patch_px):
        for column in range(0, 48, patch_px):
            patch = out[:, row : row + patch_px, column : column + patch_px]
            top, left = patch[0, 0, 0, 1], patch[0, 0, 0, 2]
            crop = frames[:, top : top + patch_px, left : left + patch_px]
            assert np.array_equal(patch, crop)


@given(length_px=st.integers(8, 4000), grid=st.integers(1, 9), seed=st.none() | st.integers(0, 99))
def test_patches_lie_inside_their_cells_or_are_spread_evenly(
    length_px: int, grid: int, seed: int | None
) -> None:
    patch_px = 8
    chance = None if seed is None else np.random.default_rng(seed)
    corners = patch_corners(length_px, grid=grid, patch_px=patch_px, chance=chance)
    assert len(corners) == grid
    assert corners.min() >= 0
    assert corners.max() <= length_px - patch_px
    if length_px < grid * patch_px:
        steps = np.diff(corners)
        assert steps.max() - steps.min() <= 1
        return
    cells = np.arange(grid + 1) * length_px // grid
    assert (corners >= cells[:-1]).all()
    assert (corners + patch_px <= cells[1:]).all()


def test_fragments_without_chance_are_the_same_every_time_and_with_chance_are_not() -> None:
    frames = unique_pixels(2, 200, 250)
    assert np.array_equal(sample_fragments(frames, grid=2), sample_fragments(frames, grid=2))
    first = sample_fragments(frames, grid=2, chance=np.random.default_rng(0))
    other = sample_fragments(frames, grid=2, chance=np.random.default_rng(1))
    again = sample_fragments(frames, grid=2, chance=np.random.default_rng(0))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("shape", "grid", "said"),
    [
        ((2, 31, 64, 3), 2, "a side of 31 px are smaller than a patch of 32 px"),
        ((2, 64, 31, 3), 2, "a side of 31 px"),
        ((64, 64, 3), 2, r"shape \[T, H, W, 3\]; got \[64, 64, 3\]"),
        ((1, 64, 64, 3), 0, "at least 1; got 0"),
    ],
)
def test_frames_that_cannot_give_fragments_are_refused(
    shape: tuple[int, ...], grid: int, said: str
) -> None:
    with pytest.raises(SettingError, match=said):
        sample_fragments(np.zeros(shape, dtype=np.uint8), grid=grid)


def test_the_default_network_is_small() -> None:
    with torch.device("meta"):
        network = quality.build_quality()
        inputs = torch.zeros(1, 8, 3, 224, 224), torch.zeros(1, 3, 224, 224)
        assert count_parameters(network) <= 3e6
        assert count_macs(network, inputs) <= 10e9


@pytest.mark.parametrize("scale", [0.1, 10.0, 1000.0])
def test_the_score_lies_in_its_interval_whatever_the_weights(scale: float) -> None:
    torch.manual_seed(4)
    network = quality.build_quality(width_mult=0.25)
    with torch.no_grad():
        for parameter in network.head.parameters():
            parameter.normal_(std=scale)
        out = network.train()(torch.randn(8, 2, 3, 64, 64), torch.randn(8, 3, 64, 64))
    score, lower, upper = out.unbind(dim=1)
    assert (lower <= score).all()
    assert (score <= upper).all()
    assert out.std(dim=0).min() > 0


def test_a_video_of_equal_frames_is_judged_like_one_frame() -> None:
    network = quality.build_quality(width_mult=0.25).eval()
    frame, glance = torch.randn(2, 1, 3, 64, 64), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        one, five = network(frame, glance), network(frame.expand(-1, 5, -1, -1, -1), glance)
    assert torch.allclose(one, five, atol=1e-5)


def test_the_order_of_frames_does_not_matter_and_the_glance_does() -> None:
    torch.manual_seed(4)
    network = quality.build_quality(width_mult=0.25)
    frames, glance = torch.randn(4, 3, 3, 64, 64), torch.randn(4, 3, 64, 64)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None
    with torch.no_grad():
        network.train()(frames, glance)
        judged = network.eval()(frames, glance)
        assert torch.allclose(judged, network(frames.flip(1), glance), atol=1e-5)
        assert not torch.allclose(judged, network(frames, glance.flip(0)), atol=1e-3)


def test_the_trunk_starts_from_the_weights_of_mobilenet(tmp_path: Path) -> None:
    picture = images.build_mobilenet_v2(outputs=7, width_mult=0.25)
    torch.save(picture.body.state_dict(), tmp_path / "w.pth")
    network = quality.build_quality(width_mult=0.25, weights_file=str(tmp_path / "w.pth"))
    given_values = picture.body.state_dict()
    loaded = network.trunk.features.state_dict()
    assert len(loaded) > 100
    assert all(torch.equal(value, given_values[f"features.{key}"]) for key, value in loaded.items())


def test_weights_of_another_width_are_refused(tmp_path: Path) -> None:
    picture = images.build_mobilenet_v2(outputs=7, width_mult=0.5)
    torch.save(picture.body.state_dict(), tmp_path / "w.pth")
    with pytest.raises(ModelError, match=r"features\.0\.0\.weight"):
        quality.build_quality(width_mult=0.25, weights_file=str(tmp_path / "w.pth"))


@pytest.mark.parametrize(
    ("options", "named"),
    [({"norm": "layer"}, "norm"), ({"width_mult": 9.0}, "width_mult")],
)
def test_a_wrong_option_is_named(options: dict[str, object], named: str) -> None:
    with pytest.raises(SettingError, match=f"^{named}.* must be"):
        quality.build_quality(**options)  # type: ignore[arg-type]
