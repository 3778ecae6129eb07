"""A signed bundle is refused unless it is, file by file, what a trusted key signed."""

import json
import os
import random
import shutil
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protected_bundles import make_key, sign, write_bundle
from reelcheck.errors import InputError, ModelError, OutputError, ReelcheckError, SettingError
from reelcheck.models.card import load_card
from reelcheck.models.protect.folder import read_folder
from reelcheck.models.protect.keys import (
    PublicKey,
    read_private_key,
    read_public_key,
    write_keys,
)
from reelcheck.models.protect.signing import check_signatures
from reelcheck.models.protect.trust import STRICT_VARIABLE, trust
from reelcheck.models.protect.versions import version_key
from reelcheck.models.store import add_bundle, read_parts, verify_bundle

FLIPS = 1000


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REELCHECK_MODELS", str(tmp_path / "store"))
    monkeypatch.setenv("REELCHECK_CONFIG", str(tmp_path / "config"))
    monkeypatch.delenv(STRICT_VARIABLE, raising=False)
    return tmp_path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path / "keys")


@pytest.fixture
def bundle(tmp_path: Path, key: Path) -> Path:
    folder = write_bundle(tmp_path / "bundle")
    sign(folder, key)
    return folder


def public(key: Path) -> PublicKey:
    return read_public_key(key.with_name(f"{key.name}.pub"))


def refusal(folder: Path, *keys: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        verify_bundle(folder, trusted=[public(key) for key in keys])
    return caught.value


def test_every_flipped_bit_is_found_and_its_file_named(bundle: Path, key: Path) -> None:
    content = read_folder(bundle)
    trusted = [public(key)]
    rng = random.Random(5)
    names = sorted(content)
    assert {"card.toml", "model.onnx", "LICENSE", "signature.json", "model.sig"} < set(names)

    for round_ in range(FLIPS):
        name = names[round_ % len(names)]
        data = bytearray(content[name])
        # head, middle and tail in turn, so that a large middle does not take all
        part = len(data) // 3
        start = (round_ // len(names) % 3) * part
        data[rng.randrange(start, min(len(data), start + part + 2))] ^= 1 << rng.randrange(8)
        with pytest.raises(ModelError) as caught:
            check_signatures({**content, name: bytes(data)}, trusted)
        assert name in str(caught.value), round_


def test_a_copy_and_what_comes_out_of_a_zip_are_as_signed(
    bundle: Path, key: Path, tmp_path: Path
) -> None:
    trusted = [public(key)]
    shutil.copytree(bundle, tmp_path / "elsewhere" / "other name")
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(bundle.rglob("*"), reverse=True):
            archive.write(path, path.relative_to(bundle))
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        archive.extractall(tmp_path / "unpacked")

    for folder in (bundle, tmp_path / "elsewhere" / "other name", tmp_path / "unpacked"):
        signed = verify_bundle(folder, trusted=trusted)
        assert (signed.name, signed.version, signed.files) == ("mine", "1.2", 4)


def test_a_file_that_was_added_taken_away_or_renamed_is_named(bundle: Path, key: Path) -> None:
    added = bundle / "notes" / "more.txt"
    added.write_text("more")
    assert "notes/more.txt was added" in str(refusal(bundle, key))
    added.unlink()

    licence = (bundle / "LICENSE").rename(bundle / "COPYING")
    assert "LICENSE was renamed to COPYING" in str(refusal(bundle, key))

    licence.unlink()
    assert "LICENSE is missing" in str(refusal(bundle, key))


def test_swapped_files_are_both_named(bundle: Path, key: Path) -> None:
    first, second = (bundle / name for name in ("LICENSE", "notes/origin.txt"))
    held = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(held)

    told = str(refusal(bundle, key))

    assert "LICENSE was changed" in told
    assert "notes/origin.txt was changed" in told


@pytest.mark.parametrize("name", ["signature.json", "model.sig"])
def test_the_signature_of_another_bundle_is_refused(
    name: str, bundle: Path, key: Path, tmp_path: Path
) -> None:
    other = write_bundle(tmp_path / "other", name="other")
    sign(other, key)
    shutil.copy(other / name, bundle / name)

    assert "card.toml was changed" in str(refusal(bundle, key))


@pytest.mark.parametrize("kind", ["p256", "ed25519"])
def test_a_bundle_signed_again_by_another_key_is_refused(
    kind: str, bundle: Path, key: Path, tmp_path: Path
) -> None:
    stranger = make_key(tmp_path / "stranger", kind="p256" if kind == "p256" else "ed25519")
    (bundle / "LICENSE").write_text("mine now\n")
    foreign = sign(bundle, stranger)

    error = refusal(bundle, key)

    assert error.code == "E_MODEL_SIGNATURE"
    assert f"signature.json is signed by an unknown key, {foreign.public.key_id[:16]}" in str(error)
    assert verify_bundle(bundle, trusted=[public(stranger)]).key_ids[0] == foreign.public.key_id


def test_a_signature_that_claims_a_trusted_key_but_was_made_with_another_is_refused(
    bundle: Path, key: Path, tmp_path: Path
) -> None:
    honest = json.loads((bundle / "signature.json").read_text())
    sign(bundle, make_key(tmp_path / "stranger"))
    path = bundle / "signature.json"
    forged = {**json.loads(path.read_text()), "key": honest["key"]}
    path.write_text(json.dumps(forged, sort_keys=True, separators=(",", ":")) + "\n")

    assert "signature.json was changed" in str(refusal(bundle, key))


def test_either_form_of_signature_is_enough_and_none_is_not(bundle: Path, key: Path) -> None:
    held = (bundle / "signature.json").read_bytes()
    (bundle / "signature.json").unlink()
    assert verify_bundle(bundle, trusted=[public(key)]).files == 4

    (bundle / "model.sig").unlink()
    assert refusal(bundle, key).code == "E_MODEL_SIGNATURE"

    (bundle / "signature.json").write_bytes(held)
    assert verify_bundle(bundle, trusted=[public(key)]).files == 4


def test_an_older_version_is_refused_even_when_its_signature_fits(
    bundle: Path, key: Path, tmp_path: Path
) -> None:
    newer = write_bundle(tmp_path / "newer", version="1.10")
    sign(newer, key)
    verify_bundle(bundle, trusted=[public(key)])
    verify_bundle(newer, trusted=[public(key)])

    error = refusal(bundle, key)

    assert error.code == "E_MODEL_VERSION"
    assert "version 1.2 of model 'mine' is older than 1.10" in str(error)
    verify_bundle(newer, trusted=[public(key)])


def test_the_store_takes_only_what_a_trusted_key_signed(bundle: Path, key: Path) -> None:
    with pytest.raises(ModelError, match="unknown key"):
        add_bundle(bundle)
    trust(key.with_name(f"{key.name}.pub"))

    add_bundle(bundle)

    assert read_parts(load_card("mine")).content["model.onnx"]


@pytest.mark.parametrize("name", ["model.onnx", "card.toml", "LICENSE", "signature.json"])
def test_a_signed_model_that_is_changed_in_the_store_does_not_load(
    name: str, bundle: Path, key: Path, home: Path
) -> None:
    trust(key.with_name(f"{key.name}.pub"))
    add_bundle(bundle)
    path = home / "store" / "mine" / name
    path.write_bytes(path.read_bytes() + b"\n")

    with pytest.raises(ModelError, match=name):
        read_parts(load_card("mine"))


def test_taking_the_signatures_away_does_not_help(bundle: Path, key: Path, home: Path) -> None:
    trust(key.with_name(f"{key.name}.pub"))
    add_bundle(bundle)
    for name in ("signature.json", "model.sig"):
        (home / "store" / "mine" / name).unlink()

    with pytest.raises(ModelError, match=r"has no signature, its version 1\.2 had one"):
        read_parts(load_card("mine"))


def test_an_older_model_put_into_the_store_does_not_load(
    bundle: Path, key: Path, home: Path, tmp_path: Path
) -> None:
    trust(key.with_name(f"{key.name}.pub"))
    newer = write_bundle(tmp_path / "newer", version="2")
    sign(newer, key)
    add_bundle(newer)
    shutil.rmtree(home / "store" / "mine")
    shutil.copytree(bundle, home / "store" / "mine")

    with pytest.raises(ModelError, match=r"1\.2 of model 'mine' is older than 2"):
        read_parts(load_card("mine"))


@pytest.mark.parametrize("how", ["settings", "variable"])
def test_strict_mode_refuses_unsigned_models_and_open_mode_does_not(
    how: str, bundle: Path, key: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = write_bundle(home / "plain", name="plain")
    add_bundle(plain)
    assert read_parts(load_card("plain")).sha256
    if how == "settings":
        (home / "config").mkdir()
        (home / "config" / "models.toml").write_text('mode = "strict"\n')
    else:
        monkeypatch.setenv(STRICT_VARIABLE, "1")

    with pytest.raises(ModelError, match="is not signed, and the mode is strict"):
        read_parts(load_card("plain"))
    with pytest.raises(ModelError, match="strict"):
        add_bundle(plain)
    trust(key.with_name(f"{key.name}.pub"))
    add_bundle(bundle)
    assert read_parts(load_card("mine")).sha256
    assert read_parts(load_card("quality")).sha256, "pinned by its card"


def test_settings_that_nobody_knows_are_refused(home: Path) -> None:
    add_bundle(write_bundle(home / "plain", name="plain"))
    (home / "config").mkdir()
    (home / "config" / "models.toml").write_text('mood = "strict"\n')

    with pytest.raises(SettingError, match="mood"):
        read_parts(load_card("plain"))


@pytest.mark.parametrize("kind", ["link", "folder link", "hanging link", "pipe"])
def test_what_is_no_file_is_refused_in_a_bundle(
    kind: str, bundle: Path, key: Path, tmp_path: Path
) -> None:
    place = bundle / "notes" / "odd"
    if kind == "pipe":
        os.mkfifo(place)
    else:
        targets = {"link": tmp_path / "keys" / "release.pem", "folder link": tmp_path}
        place.symlink_to(targets.get(kind, tmp_path / "nowhere"))

    assert "odd" in str(refusal(bundle, key))


def test_a_key_is_for_its_owner_alone_and_never_overwritten(key: Path) -> None:
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_text().startswith("-----BEGIN PRIVATE KEY-----")
    with pytest.raises(OutputError):
        write_keys(key, kind="ed25519")
    key.chmod(0o640)

    with pytest.raises(InputError, match="others may read") as caught:
        read_private_key(key)

    assert caught.value.code == "E_MODEL_KEY"


@pytest.mark.parametrize("text", ["", "no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n"])
def test_what_is_no_key_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.pem"
    path.write_text(text)
    path.chmod(0o600)

    with pytest.raises(SettingError):
        read_private_key(path)
    with pytest.raises(SettingError):
        read_public_key(path)


@given(st.binary(max_size=300) | st.text(alphabet='{}[]":,0a', max_size=60).map(str.encode))
def test_no_signature_file_whatever_its_bytes_crashes_or_passes(data: bytes) -> None:
    for name in ("signature.json", "model.sig"):
        with pytest.raises(ReelcheckError):
            check_signatures({name: data}, [])


@pytest.mark.parametrize("version", ["", "1.", "v1", "1.0rc1", "-1", "1.2.3.4.5.6.7", "\u0661"])
def test_a_version_that_cannot_be_compared_cannot_be_signed(version: str, tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle", version=version)
    with pytest.raises(SettingError, match="numbers with points"):
        sign(folder, make_key(tmp_path / "keys"))


def test_versions_are_compared_as_numbers() -> None:
    ordered = ["0", "0.9", "1", "1.0.1", "1.2", "1.10", "2"]

    assert sorted(ordered, key=version_key) == ordered
    assert version_key("1.0") == version_key("1")
