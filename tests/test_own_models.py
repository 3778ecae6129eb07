"""Models of the user's own: how they come into the store, and what their clips look like."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reelcheck.errors import ModelError, SettingError
from reelcheck.models.card import InputSpec, load_card
from reelcheck.models.store import add_bundle, own_names
from reelcheck.models.tensors import places, to_clip
from reelcheck.pipeline import choose_analyzers

CARD = """
name = "{name}"
version = "1"
task = "clip classification"
summary = "A test."
licence = "Apache-2.0"
source = "made here"
sha256 = "{sha256}"
[weights]
file = "model.onnx"
[input]
name = "clip"
layout = "NTCHW"
channels = "RGB"
resize_px = [32, 24]
frames = 4
[output]
name = "logits"
labels = ["calm", "wild"]
[training]
data = "none"
[figures]
none = "not measured"
"""
SHA256_OF_WEIGHTS = "b7c0cc1e12b9e3f1fe7b0b5ef0ad7f4d25e2d9b0f3a35c1b4cf4ea5d23f1f6a1"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "store"
    monkeypatch.setenv("REELCHECK_MODELS", str(folder))
    return folder


def bundle(folder: Path, *, name: str = "mine", sha256: str = "") -> Path:
    folder.mkdir()
    (folder / "card.toml").write_text(CARD.format(name=name, sha256=sha256))
    (folder / "model.onnx").write_bytes(b"weights")
    return folder


def test_a_bundle_comes_into_the_store_and_is_an_analyzer_by_name(
    store: Path, tmp_path: Path
) -> None:
    add_bundle(bundle(tmp_path / "bundle"))

    assert list(own_names()) == ["mine"]
    assert load_card("mine").output.labels == ("calm", "wild")
    assert (store / "mine" / "model.onnx").read_bytes() == b"weights"
    assert choose_analyzers(["mine"], "balanced") == ["mine"]


@pytest.mark.parametrize("name", ["open-nsfw", "../up", "Capital", "with space", ""])
def test_a_name_that_is_taken_or_no_plain_word_is_refused(
    name: str, store: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match="cannot be called"):
        add_bundle(bundle(tmp_path / "bundle", name=name))

    assert not store.exists()


def test_weights_that_are_not_those_of_the_card_are_refused(store: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as refusal:
        add_bundle(bundle(tmp_path / "bundle", sha256=SHA256_OF_WEIGHTS))

    assert refusal.value.code == "E_MODEL_INTEGRITY"
    assert not store.exists()


def test_a_folder_without_a_card_or_weights_is_refused(store: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"no card\.toml"):
        add_bundle(tmp_path)
    folder = bundle(tmp_path / "bundle")
    (folder / "model.onnx").unlink()
    with pytest.raises(ModelError, match="missing"):
        add_bundle(folder)

    assert not store.exists()


def spec(**more: object) -> InputSpec:
    values = {"name": "x", "layout": "NTCHW", "channels": "RGB", "resize_px": (32, 24)}
    return InputSpec.model_validate({**values, **more})


@pytest.mark.parametrize(
    ("sampling", "count", "expected"),
    [
        ("segments", 8, [1, 3, 5, 7]),
        ("segments", 2, [0, 0, 1, 1]),
        ("segments", 1, [0, 0, 0, 0]),
        ("dense", 8, [2, 3, 4, 5]),
        ("dense", 3, [0, 1, 2, 2]),
        ("middle", 9, [4, 4, 4, 4]),
    ],
)
def test_pictures_of_a_clip_are_chosen_evenly(
    sampling: str, count: int, expected: list[int]
) -> None:
    assert places(count, spec(frames=4, sampling=sampling)).tolist() == expected


def test_a_clip_of_the_right_size_is_only_normalised() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 24, 32, 3), dtype=np.uint8)

    clip = to_clip(frames, spec(mean=(10.0, 20.0, 30.0), scale=(2.0, 4.0, 8.0)))

    assert clip.shape == (3, 3, 24, 32)
    expected = (frames.astype(np.float32) - [10, 20, 30]) / [2, 4, 8]
    assert np.allclose(clip, expected.transpose(0, 3, 1, 2))


def test_a_wide_picture_is_stretched_cut_or_gets_bars() -> None:
    frames = np.zeros((1, 24, 96, 3), dtype=np.uint8)
    frames[:, :, 32:64] = 200

    stretched, cut, barred = (
        to_clip(frames, spec(resize=how))[0, 0] for how in ("stretch", "crop", "letterbox")
    )

    assert stretched[12, 0] == 0
    assert (cut == 200).mean() > 0.9
    assert barred[0, 16] == barred[23, 16] == 114


def test_grey_and_denoised_pictures_are_what_pillow_makes_of_them() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (1, 24, 32, 3), dtype=np.uint8)

    grey = to_clip(frames, spec(grayscale=True))
    calm = to_clip(frames, spec(denoise="median"))

    assert (grey[0, 0] == np.asarray(Image.fromarray(frames[0]).convert("L"))).all()
    assert calm.std() < 0.7 * frames.std()
