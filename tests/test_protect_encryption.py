"""Encrypted models: they run, they are never plain on the disk, and no changed byte is taken."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protected_bundles import make_key, network, sign, weights, write_bundle
from reelcheck.errors import InputError, ModelError, ReelcheckError
from reelcheck.models.card import load_card
from reelcheck.models.protect.encrypting import decrypt_folder, encrypt_folder
from reelcheck.models.protect.folder import read_folder
from reelcheck.models.protect.model_key import KEY_VARIABLE, model_key
from reelcheck.models.protect.sealing import seal, unseal
from reelcheck.models.protect.trust import STRICT_VARIABLE, trust
from reelcheck.models.session import open_session
from reelcheck.models.store import add_bundle, locate, read_parts, verify_bundle

KEY = bytes(range(32))
ABOUT = {"name": "mine", "version": "1", "licence": "MIT", "file": "model.onnx"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REELCHECK_MODELS", str(tmp_path / "store"))
    monkeypatch.setenv("REELCHECK_CONFIG", str(tmp_path / "config"))
    monkeypatch.delenv(STRICT_VARIABLE, raising=False)
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    return tmp_path


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return make_key(tmp_path / "secret", kind="aes256", name="weights")


@pytest.fixture
def sealed(tmp_path: Path, key_file: Path) -> Path:
    bundle = write_bundle(tmp_path / "bundle")
    encrypt_folder(bundle, model_key(key_file), out=tmp_path / "sealed")
    return tmp_path / "sealed"


def settings(home: Path, text: str) -> None:
    (home / "config").mkdir(exist_ok=True)
    (home / "config" / "models.toml").write_text(text)


@given(
    data=st.binary(max_size=5000),
    chunk=st.sampled_from([1024, 1025, 4096]),
)
def test_what_is_sealed_comes_out_again(data: bytes, chunk: int) -> None:
    assert unseal(seal(data, KEY, ABOUT, chunk=chunk), KEY, ABOUT) == data


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 2048])
def test_sizes_around_a_chunk_come_out_again(size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert unseal(seal(data, KEY, ABOUT, chunk=1024), KEY, ABOUT) == data


def test_two_seals_of_one_file_share_nothing() -> None:
    first, second = (seal(b"weights" * 100, KEY, ABOUT, chunk=1024) for _ in range(2))
    start = len(first) - 700 - 16

    assert first[start:] != second[start:]


def test_every_flipped_bit_of_a_sealed_file_is_found() -> None:
    rng = random.Random(6)
    good = seal(rng.randbytes(3000), KEY, ABOUT, chunk=1024)

    for _ in range(1000):
        data = bytearray(good)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        with pytest.raises(ModelError, match=r"model\.onnx\.sealed"):
            unseal(bytes(data), KEY, ABOUT)


def test_chunks_cannot_be_swapped_left_out_or_cut_off() -> None:
    piece = 1024 + 16
    good = seal(random.Random(7).randbytes(3 * 1024), KEY, ABOUT, chunk=1024)
    start = len(good) - 3 * piece
    head, one, two, three = good[:start], *(good[start + i * piece :][:piece] for i in range(3))

    assert unseal(head + one + two + three, KEY, ABOUT)
    for body in (two + one + three, one + three, one + two, one + two + three + three, b""):
        with pytest.raises(ModelError):
            unseal(head + body, KEY, ABOUT)


@pytest.mark.parametrize("word", sorted(ABOUT))
def test_a_sealed_file_cannot_pass_as_one_of_another_model(word: str) -> None:
    with pytest.raises(ModelError, match=word):
        unseal(seal(b"weights", KEY, ABOUT), KEY, {**ABOUT, word: "other"})


def test_another_key_is_refused() -> None:
    with pytest.raises(ModelError) as caught:
        unseal(seal(b"weights", KEY, ABOUT), KEY[::-1], ABOUT)
    assert caught.value.code == "E_MODEL_KEY"


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda rest: b"RCSEAL1\n" + rest))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    with pytest.raises(ReelcheckError):
        unseal(data, KEY, ABOUT)


def test_decrypting_gives_the_very_bundle_back_with_its_signature(
    tmp_path: Path, key_file: Path
) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    release = make_key(tmp_path / "keys")
    trusted = [sign(bundle, release).public]
    out, back = tmp_path / "sealed", tmp_path / "back"

    encrypt_folder(bundle, model_key(key_file), out=out)
    decrypt_folder(out, model_key(key_file), out=back)

    assert sorted(path.name for path in out.iterdir()) == [
        "LICENSE",
        "card.toml",
        "model.onnx.sealed",
        "model.sig.sealed",
        "notes",
        "signature.json.sealed",
    ]
    assert read_folder(back) == read_folder(bundle)
    assert verify_bundle(out, trusted=trusted, key_file=key_file).files == 4


@pytest.mark.parametrize("source", ["file", "variable", "command"])
def test_an_encrypted_model_runs_with_the_key_from(
    source: str, sealed: Path, key_file: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if source == "file":
        settings(home, f'key_file = "{key_file}"\n')
    elif source == "variable":
        monkeypatch.setenv(KEY_VARIABLE, key_file.read_text())
    else:
        settings(home, f'key_command = ["cat", "{key_file}"]\n')
    add_bundle(sealed)
    card = load_card("mine")
    picture = np.random.default_rng(1).normal(size=(2, 3, 16, 24)).astype(np.float32)

    told = open_session(card).run(picture)

    assert locate(card) == home / "store" / "mine" / "model.onnx.sealed"
    assert np.allclose(told, picture.reshape(2, -1) @ weights(), atol=1e-4)


def test_without_the_key_nothing_runs(sealed: Path, home: Path) -> None:
    with pytest.raises(ModelError, match="no key was named"):
        add_bundle(sealed)

    settings(home, f'key_command = ["false", "{home}"]\n')
    with pytest.raises(ModelError, match="the key command false failed"):
        add_bundle(sealed)


def test_a_key_that_others_may_read_or_that_is_none_is_refused(
    key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_file.chmod(0o644)
    with pytest.raises(InputError, match="0644"):
        model_key(key_file)

    monkeypatch.setenv(KEY_VARIABLE, "abc-secret")
    with pytest.raises(ModelError) as caught:
        model_key()
    assert "abc-secret" not in f"{caught.value} {caught.value.hint}"


def test_a_plain_file_put_in_the_place_of_a_sealed_one_is_refused(
    sealed: Path, key_file: Path, home: Path
) -> None:
    settings(home, f'key_file = "{key_file}"\n')
    add_bundle(sealed)
    (home / "store" / "mine" / "model.onnx").write_bytes(network(weights(1)))

    with pytest.raises(ModelError, match=r"model\.onnx does not belong"):
        read_parts(load_card("mine"))


def test_an_encrypted_bundle_can_be_signed_in_its_turn(
    sealed: Path, key_file: Path, home: Path
) -> None:
    release = make_key(home / "keys")
    trusted = [sign(sealed, release).public]
    trust(release.with_name(f"{release.name}.pub"))
    settings(home, f'key_file = "{key_file}"\nmode = "strict"\n')

    add_bundle(sealed)
    assert read_parts(load_card("mine")).sha256

    path = sealed / "model.onnx.sealed"
    path.write_bytes(path.read_bytes() + b"0")
    with pytest.raises(ModelError, match=r"model\.onnx\.sealed was changed"):
        verify_bundle(sealed, trusted=trusted)


def test_encrypting_into_a_full_folder_or_twice_is_refused(
    sealed: Path, key_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="something in"):
        encrypt_folder(tmp_path / "bundle", model_key(key_file), out=sealed)
    with pytest.raises(ModelError, match="encrypted already"):
        encrypt_folder(sealed, model_key(key_file), out=tmp_path / "twice")


RUN = """
import sys, numpy as np
from reelcheck.cli.models import add_model
from reelcheck.models.card import load_card
from reelcheck.models.session import open_session
from pathlib import Path
add_model(Path(sys.argv[1]))
print(open_session(load_card("mine")).run(np.ones((1, 3, 16, 24), np.float32)))
"""


def test_after_an_encrypted_run_the_plain_weights_are_nowhere_on_the_disk(
    sealed: Path, key_file: Path, home: Path
) -> None:
    shutil.rmtree(home / "bundle")
    settings(home, f'key_file = "{key_file}"\n')
    for name in ("tmp", "user"):
        (home / name).mkdir()
    places = {"TMPDIR": str(home / "tmp"), "HOME": str(home / "user")}

    done = subprocess.run(
        [sys.executable, "-c", RUN, str(sealed)],
        cwd=home / "tmp",
        env={**os.environ, **places},
        capture_output=True,
        check=True,
    )

    plain = weights().tobytes()
    probes = [plain[at : at + 16] for at in range(0, len(plain) - 16, 256)]
    texts = [done.stdout, done.stderr, *(path.read_bytes() for path in files_below(home))]
    assert b"[[" in done.stdout, "it ran"
    assert not [one for one in probes for text in texts if one in text]
    assert any(probes[0] in text for text in [network(weights())]), "the search can find them"


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
