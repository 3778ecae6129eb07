"""Probes: a model that computes something else than it did is found, an honest one never is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from protected_bundles import Direct, changed_weights, make_key, sign, write_bundle
from reelcheck.cli.protecting import probe_models
from reelcheck.errors import ModelError
from reelcheck.models.card import Card, card_names, load_card
from reelcheck.models.protect.making import make_probes
from reelcheck.models.protect.probes import (
    PROBES_FILE,
    Probes,
    Sample,
    ask,
    deviations,
    from_bytes,
    to_bytes,
)
from reelcheck.models.protect.trust import STRICT_VARIABLE, trust
from reelcheck.models.session import open_session
from reelcheck.models.store import add_bundle, locate, read_parts, read_probes

SHIPPED = ["open-nsfw", "quality", "moving-look", "fights", "shots"]
PICTURES = ["open-nsfw", "quality", "moving-look"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REELCHECK_MODELS", str(tmp_path / "store"))
    monkeypatch.setenv("REELCHECK_CONFIG", str(tmp_path / "config"))
    monkeypatch.delenv(STRICT_VARIABLE, raising=False)
    return tmp_path


def shipped(name: str) -> tuple[Card, bytes, Probes]:
    card = load_card(name)
    probes = read_probes(card)
    assert probes is not None, "run tools/make_probes.py"
    return card, read_parts(card).content[card.weights.file], probes


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("threads", [1, 2])
def test_an_honest_model_passes_whatever_threads_and_batches(name: str, threads: int) -> None:
    card, model, probes = shipped(name)
    runner = Direct(model, card, threads=threads)

    for batch in (1, 2, 3, len(probes.samples)):
        assert ask(probes, card, runner, batch=batch).worst < probes.margin / 10


@pytest.mark.parametrize("name", SHIPPED)
def test_one_percent_of_noise_on_the_weights_is_found(name: str) -> None:
    card, model, probes = shipped(name)
    for seed in range(3):
        rng = np.random.default_rng(seed)

        def noisy(values: NDArray[np.float32], rng: np.random.Generator = rng) -> NDArray[Any]:
            return values * (1 + 0.01 * rng.normal(size=values.shape))

        assert not ask(probes, card, Direct(changed_weights(model, noisy), card)).sound


@pytest.mark.parametrize("name", SHIPPED)
def test_weights_that_were_badly_quantised_are_found(name: str) -> None:
    card, model, probes = shipped(name)

    def coarse(values: NDArray[np.float32]) -> NDArray[Any]:
        """Return int8 steps with the range cut at half: what a wrong calibration does."""
        step = max(float(np.abs(values).max()) / 2 / 127, 1e-12)
        whole = values.size >= 64
        return np.clip(np.round(values / step), -127, 127) * step if whole else values

    assert not ask(probes, card, Direct(changed_weights(model, coarse), card)).sound


def with_input(card: Card, **changed: object) -> Card:
    return card.model_copy(update={"input": card.input.model_copy(update=changed)})


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("open-nsfw", {"channels": "RGB"}),
        ("moving-look", {"channels": "BGR"}),
        *[(name, {"mean": (123.675, 116.28, 103.53)}) for name in PICTURES],
        *[(name, {"scale": (58.395, 57.12, 57.375)}) for name in PICTURES],
        ("open-nsfw", {"resize_px": (224, 224)}),
        ("open-nsfw", {"resize_px": (260, 260)}),
        ("open-nsfw", {"jpeg_round_trip": False}),
        ("quality", {"resize": "crop"}),
        ("quality", {"resize": "letterbox"}),
        ("moving-look", {"resize_px": (200, 200)}),
    ],
)
def test_wrong_preprocessing_is_found(name: str, wrong: dict[str, object]) -> None:
    card, model, probes = shipped(name)
    card = with_input(card, **wrong)

    try:
        sound = ask(probes, card, Direct(model, card)).sound
    except ModelError as error:
        sound = error.code != "E_MODEL_PROBE"

    assert not sound


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("how", [Image.Resampling.NEAREST, Image.Resampling.BICUBIC])
def test_another_way_to_resize_is_found(name: str, how: Image.Resampling) -> None:
    card, model, probes = shipped(name)
    samples = []
    for sample in probes.samples:
        assert sample.pixels is not None
        frames = [Image.fromarray(one).resize(card.input.resize_px, how) for one in sample.pixels]
        samples.append(Sample(pixels=np.stack([np.asarray(one) for one in frames]), raw=sample.raw))
    wrong = Probes(
        samples=tuple(samples),
        chosen=probes.chosen,
        answers=probes.answers,
        margin=probes.margin,
        weights="",
    )

    assert not ask(wrong, card, Direct(model, card)).sound


def test_every_model_of_the_catalogue_that_is_here_answers_its_probes() -> None:
    told = probe_models("")

    here = [name for name in card_names() if locate(load_card(name)) is not None]
    assert [line.split()[0] for line in told.splitlines()] == here == sorted(SHIPPED)


def probed(folder: Path) -> Path:
    """Write a bundle that carries probes."""
    bundle = write_bundle(folder)
    add_bundle(bundle)
    card = load_card("mine")
    probes = make_probes(card, open_session(card))
    assert probes is not None
    assert {"channels", "mean", "scale", "interpolation"} == set(probes.sees)
    (bundle / PROBES_FILE).write_bytes(to_bytes(probes))
    return bundle


def test_a_bundle_is_asked_where_it_lies_and_in_the_store(home: Path) -> None:
    bundle = probed(home / "bundle")
    assert "4 probes on onnx answered as expected" in probe_models(str(bundle))

    add_bundle(bundle)

    assert "mine 1.2: 4 probes" in probe_models("mine")


@pytest.mark.parametrize("strict", [False, True])
def test_strict_mode_asks_at_every_start(
    strict: bool,  # noqa: FBT001 - a parameter of the test
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundle = probed(home / "bundle")
    card = (bundle / "card.toml").read_text()
    (bundle / "card.toml").write_text(card.replace("[120.0, 110.0, 100.0]", "[0.0, 0.0, 0.0]"))
    key = make_key(home / "keys")
    sign(bundle, key)
    trust(key.with_name(f"{key.name}.pub"))
    add_bundle(bundle)
    with pytest.raises(ModelError, match="answers its probes otherwise"):
        probe_models("mine")

    if not strict:
        assert open_session(load_card("mine")).sha256
        return
    monkeypatch.setenv(STRICT_VARIABLE, "1")
    with pytest.raises(ModelError) as caught:
        open_session(load_card("mine"))
    assert caught.value.code == "E_MODEL_PROBE"


def test_a_model_without_probes_says_so(home: Path) -> None:
    add_bundle(write_bundle(home / "bundle"))

    with pytest.raises(ModelError, match="carries no probes"):
        probe_models("mine")


def test_probes_of_other_weights_are_refused_by_name(home: Path) -> None:
    bundle = probed(home / "bundle")
    model = (bundle / "model.onnx").read_bytes()
    (bundle / "model.onnx").write_bytes(changed_weights(model, lambda values: values * 1.5))

    with pytest.raises(ModelError, match="made with other weights"):
        probe_models(str(bundle))


def test_a_model_that_always_says_the_same_gets_no_probes(home: Path) -> None:
    bundle = write_bundle(home / "bundle")
    model = (bundle / "model.onnx").read_bytes()
    (bundle / "model.onnx").write_bytes(changed_weights(model, lambda values: values * 0))
    add_bundle(bundle)
    card = load_card("mine")

    assert make_probes(card, open_session(card)) is None


def test_probes_come_out_of_their_file_as_they_went_in() -> None:
    _, _, probes = shipped("quality")

    again = from_bytes(to_bytes(probes))

    assert to_bytes(again) == to_bytes(probes)
    assert (again.margin, again.weights, again.sees) == (probes.margin, probes.weights, probes.sees)
    assert (again.answers == probes.answers).all()


@given(at=st.integers(0, 1 << 30), bit=st.integers(0, 7))
def test_a_flipped_bit_in_a_file_of_probes_never_crashes(at: int, bit: int) -> None:
    _, _, probes = shipped("fights")
    file = bytearray(to_bytes(probes))
    at %= len(file)
    file[at] ^= 1 << bit

    if at >= 8 + int.from_bytes(to_bytes(probes)[:8], "little"):
        with pytest.raises(ModelError, match="its numbers were changed"):
            from_bytes(bytes(file))
    else:
        try_to_read(bytes(file))


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader_of_probes(data: bytes) -> None:
    assert not try_to_read(data)
    assert not try_to_read(len(data).to_bytes(8, "little") + data)


def try_to_read(file: bytes) -> bool:
    try:
        from_bytes(file)
    except ModelError:
        return False
    return True


def test_probes_cannot_be_made_blind() -> None:
    _, _, probes = shipped("fights")
    blind = Probes(
        samples=probes.samples,
        chosen=probes.chosen,
        answers=probes.answers,
        margin=0.11,
        weights=probes.weights,
    )

    assert not try_to_read(to_bytes(blind))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_answer_that_is_no_number_is_infinitely_far(bad: float) -> None:
    expected = np.array([[1.0, 2.0], [3.0, 5.0]], np.float32)
    told = expected.copy()
    told[1, 0] = bad

    assert deviations(told, expected).tolist() == [0.0, np.inf]
