"""Models on every runtime: what a card may say, what is checked, and the remote one."""

import hashlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from reelcheck.analyzers.trained import TrainedAnalyzer
from reelcheck.errors import MissingExtraError, ModelError, SettingError
from reelcheck.models.card import Card, parse_card
from reelcheck.models.runtimes.serving import ServingSession
from reelcheck.models.session import open_session
from reelcheck.models.store import add_bundle, locate, read_parts
from serving_rest import serve

CARD = """
name = "mine"
version = "1"
task = "clip classification"
summary = "A test."
licence = "Apache-2.0"
source = "made here"
{more}
[input]
name = "clip"
layout = "{layout}"
channels = "RGB"
resize_px = [4, 4]
[output]
name = "logits"
labels = ["calm", "wild"]
kind = "{kind}"
[training]
data = "none"
[figures]
none = "not measured"
{tables}
"""
FILES = {
    "onnx": ("model.onnx",),
    "savedmodel": ("1/saved_model.pb", "1/variables/variables.index"),
    "caffe": ("model.prototxt", "model.caffemodel"),
}
WEIGHTS = {
    "onnx": '[weights]\nfile = "model.onnx"',
    "savedmodel": '[weights]\nfile = "1"',
    "caffe": '[weights]\nfile = "model.caffemodel"\nstructure = "model.prototxt"',
}


def card_text(
    more: str = "", tables: str = WEIGHTS["onnx"], *, kind: str = "classes", layout: str = "NTCHW"
) -> str:
    return CARD.format(more=more, tables=tables, kind=kind, layout=layout)


def card_of(*args: str, **words: str) -> Card:
    return parse_card(card_text(*args, **words), where="here")


def bundle(folder: Path, runtime: str, *, sha256: str = "") -> Path:
    for name in FILES[runtime]:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"bytes of {name}".encode())
    more = f'runtime = "{runtime}"\nsha256 = "{sha256}"'
    (folder / "card.toml").write_text(card_text(more, WEIGHTS[runtime]))
    return folder


def digest_by_sha256sum(folder: Path, runtime: str) -> str:
    """Return what the command line tool says of a bundle."""
    inside = folder / "1" if runtime == "savedmodel" else folder
    names = sorted(str((folder / name).relative_to(inside)) for name in FILES[runtime])
    done = subprocess.run(["sha256sum", *names], cwd=inside, check=True, capture_output=True)  # noqa: S607
    lines = done.stdout
    return lines.split()[0].decode() if len(names) == 1 else hashlib.sha256(lines).hexdigest()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "store"
    monkeypatch.setenv("REELCHECK_MODELS", str(folder))
    return folder


@pytest.mark.parametrize("runtime", FILES)
def test_every_file_of_a_bundle_is_covered_by_the_checksum_of_its_card(
    runtime: str, store: Path, tmp_path: Path
) -> None:
    folder = bundle(tmp_path / "b", runtime)
    right = digest_by_sha256sum(folder, runtime)
    bundle(folder, runtime, sha256=right)

    card = add_bundle(folder)

    assert read_parts(card).sha256 == right
    assert locate(card) == store / "mine" / card.weights.file
    for name in FILES[runtime]:
        path = store / "mine" / name
        kept = path.read_bytes()
        assert kept == (folder / name).read_bytes()
        path.write_bytes(kept[:-1] + b"!")
        with pytest.raises(ModelError, match="were changed") as refusal:
            open_session(card)
        assert refusal.value.code == "E_MODEL_INTEGRITY"
        path.write_bytes(kept)


@pytest.mark.parametrize(
    ("runtime", "name"), [(runtime, name) for runtime in FILES for name in FILES[runtime][:1]]
)
def test_a_missing_file_is_named(runtime: str, name: str, store: Path, tmp_path: Path) -> None:
    folder = bundle(tmp_path / "b", runtime)
    card = add_bundle(folder)
    for root in (folder, store / "mine"):
        for path in sorted((root / name).parent.rglob("*"), reverse=True):
            if path.name != "card.toml":
                path.rmdir() if path.is_dir() else path.unlink()
        if runtime == "savedmodel":
            (root / "1").rmdir()

    assert locate(card) is None
    for attempt in (lambda: open_session(card), lambda: add_bundle(folder)):
        with pytest.raises(ModelError, match=card.weights.file) as refusal:
            attempt()
        assert refusal.value.code == "E_MODEL_MISSING"


def test_files_of_an_older_model_of_the_same_name_do_not_stay(store: Path, tmp_path: Path) -> None:
    add_bundle(bundle(tmp_path / "a", "savedmodel"))
    add_bundle(bundle(tmp_path / "b", "caffe"))

    kept = {str(path.relative_to(store)) for path in store.rglob("*") if path.is_file()}
    assert kept == {"mine/card.toml", "mine/model.prototxt", "mine/model.caffemodel"}


@pytest.mark.parametrize(
    "table",
    [
        '[weights]\nfile = "../model.onnx"',
        '[weights]\nfile = "/etc/passwd"',
        '[weights]\nfile = "a/../../b"',
        "[weights]\nfile = 'a\\b'",
    ],
)
def test_weights_outside_the_bundle_are_refused(table: str) -> None:
    with pytest.raises(SettingError, match="inside the bundle"):
        card_of("", table)


def test_a_link_inside_a_saved_model_is_refused(store: Path, tmp_path: Path) -> None:
    folder = bundle(tmp_path / "b", "savedmodel")
    (tmp_path / "secret").write_text("x")
    (folder / "1" / "more").symlink_to(tmp_path / "secret")

    with pytest.raises(ModelError, match="is a link"):
        add_bundle(folder)
    assert not store.exists()


@pytest.mark.parametrize(
    ("more", "tables", "reason"),
    [
        ('runtime = "torch"', WEIGHTS["onnx"], "runtime"),
        ('runtime = "serving"', "", "url belongs"),
        ('url = "http://h:8501/v1/models/m"', WEIGHTS["onnx"], "url belongs"),
        ('runtime = "serving"\nurl = "ftp://h/v1/models/m"', "", "must look like"),
        ('runtime = "serving"\nurl = "http://h:8501/v2/models/m"', "", "must look like"),
        ('runtime = "serving"\nurl = "http://a:b@h:8501/v1/models/m"', "", "must look like"),
        ('runtime = "serving"\nurl = "http://h:99999/v1/models/m"', "", "must look like"),
        ('runtime = "serving"\nurl = "http://h/v1/models/m"', WEIGHTS["onnx"], "weights.file"),
        (f'runtime = "serving"\nurl = "http://h/v1/models/m"\nsha256 = "{"0" * 64}"', "", "sha256"),
        ('runtime = "caffe"', WEIGHTS["onnx"], "structure belongs"),
        ('runtime = "onnx"', WEIGHTS["caffe"], "structure belongs"),
        ("", "", "weights.file"),
    ],
)
def test_a_card_that_does_not_fit_its_runtime_is_refused(
    more: str, tables: str, reason: str
) -> None:
    with pytest.raises(SettingError, match=reason):
        card_of(more, tables)


@pytest.mark.parametrize(
    ("runtime", "module", "extra"),
    [("savedmodel", "tensorflow", "tensorflow"), ("caffe", "cv2", "caffe")],
)
def test_a_runtime_that_is_not_installed_is_named_with_its_extra(
    runtime: str, module: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    card = card_of(f'runtime = "{runtime}"', WEIGHTS[runtime])

    with pytest.raises(MissingExtraError) as refusal:
        open_session(card, folder=bundle(tmp_path / "b", runtime))

    assert refusal.value.code == "E_EXTRA_MISSING"
    assert refusal.value.hint == f"pip install 'reelcheck[{extra}]'"


@pytest.mark.parametrize(
    ("words", "tables", "reason"),
    [
        ({"kind": "boxes"}, "", "boxes, not classes"),
        ({"kind": "quality"}, "", "quality, not classes"),
        ({"layout": "NHWC"}, "", "takes NHWC"),
        (
            {},
            '[[extra_inputs]]\nname = "audio"\nshape = [20, 64]\nsummary = "x"',
            "also takes audio",
        ),
    ],
)
def test_a_model_that_is_no_classifier_of_clips_is_no_analyzer(
    words: dict[str, str], tables: str, reason: str, store: Path, tmp_path: Path
) -> None:
    folder = bundle(tmp_path / "b", "onnx")
    (folder / "card.toml").write_text(card_text("", f"{WEIGHTS['onnx']}\n{tables}", **words))
    add_bundle(folder)

    with pytest.raises(SettingError, match=reason):
        TrainedAnalyzer.of("mine")


def sums(inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    clip = inputs["clip"]
    return {"logits": np.stack([clip.mean(axis=(1, 2, 3, 4)), clip.sum(axis=(1, 2, 3, 4))], 1)}


def remote(url: str) -> Card:
    return card_of(f'runtime = "serving"\nurl = "{url}"', "")


@pytest.mark.parametrize("version", ["", "/versions/1"])
@pytest.mark.parametrize("count", [1, 3])
def test_a_remote_model_is_asked_as_documented(version: str, count: int) -> None:
    clips = np.random.default_rng(0).normal(size=(count, 1, 3, 4, 4)).astype(np.float32)
    with serve(sums, name="mine", inputs=("clip",)) as url:
        session = open_session(remote(url + version))
        told = session.run(clips)

    assert session.sha256 == ""
    assert told.dtype == np.float32
    assert np.array_equal(told, sums({"clip": clips})["logits"])


def test_of_several_outputs_that_of_the_card_is_taken() -> None:
    clips = np.ones((2, 1, 3, 4, 4), np.float32)

    def both(inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        return {"other": np.zeros((2, 1), np.float32), **sums(inputs)}

    with serve(both, name="mine", inputs=("clip",)) as url:
        told = open_session(remote(url)).run(clips)

    assert np.array_equal(told, sums({"clip": clips})["logits"])


@pytest.mark.parametrize("path", ["/v1/models/other", "/v1/models/mine/versions/7"])
def test_a_model_or_version_that_is_not_served_is_told_in_the_servers_words(path: str) -> None:
    with serve(sums, name="mine", inputs=("clip",)) as url:
        wrong = url.replace("/v1/models/mine", path)
        with pytest.raises(ModelError, match="HTTP 404: Servable not found"):
            open_session(remote(wrong))


def test_another_name_of_the_input_is_told_in_the_servers_words() -> None:
    with (
        serve(sums, name="mine", inputs=("video",)) as url,
        pytest.raises(ModelError, match="HTTP 400: Failed to process element"),
    ):
        open_session(remote(url)).run(np.zeros((1, 1, 3, 4, 4), np.float32))


@contextmanager
def raw_server(answer: bytes | None) -> Iterator[str]:
    """Answer every connection with these bytes, or never."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        done = threading.Event()

        def listen() -> None:
            guest, _ = door.accept()
            with guest:
                guest.recv(1 << 16)
                if answer is None:
                    done.wait(10)
                else:
                    guest.sendall(answer)

        thread = threading.Thread(target=listen)
        thread.start()
        yield f"http://127.0.0.1:{door.getsockname()[1]}/v1/models/mine"
        done.set()
        thread.join()


OK = b"HTTP/1.0 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "code", "reason"),
    [
        (b"", "E_MODEL_REMOTE", "closed connection"),
        (b"nonsense\r\n\r\n", "E_MODEL_REMOTE", "nonsense"),
        (OK + b"<html>", "E_MODEL_REMOTE", "no JSON"),
        (b"HTTP/1.0 502 Bad Gateway\r\n\r\n<html>", "E_MODEL_REMOTE", "HTTP 502"),
        (OK + b'{"error": "two\\nlines"}', "E_MODEL_REMOTE", "two lines"),
        (OK + b"[1]", "E_MODEL_REMOTE", "no JSON object"),
        (OK + b"{}", "E_MODEL_REMOTE", "no version of it is available"),
        (
            OK + b'{"model_version_status": [{"version": "1", "state": "LOADING"}]}',
            "E_MODEL_REMOTE",
            "no version of it is available",
        ),
        (b"HTTP/1.0 302 Found\r\nLocation: http://x/\r\n\r\n{}", "E_MODEL_REMOTE", "HTTP 302"),
        (None, "E_TIMEOUT", r"no answer within 0\.3 s"),
    ],
)
def test_a_server_that_answers_something_else_is_one_clear_line(
    answer: bytes | None, code: str, reason: str
) -> None:
    with raw_server(answer) as url, pytest.raises(ModelError, match=reason) as refusal:
        ServingSession(remote(url), timeout_seconds=0.3)

    assert refusal.value.code == code
    assert url in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_server_that_is_not_there_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]

    with pytest.raises(ModelError, match="refused") as refusal:
        open_session(remote(f"http://127.0.0.1:{port}/v1/models/mine"))

    assert refusal.value.exit_code == 3


@pytest.mark.parametrize("wrong", [np.zeros((3, 2)), np.zeros((1, 0)), np.zeros(())])
def test_outputs_for_another_number_of_inputs_are_refused(wrong: NDArray[np.float64]) -> None:
    def model(inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        return {"logits": wrong.astype(np.float32)}

    with (
        serve(model, name="mine", inputs=("clip",)) as url,
        pytest.raises(ModelError, match="outputs of shape"),
    ):
        open_session(remote(url)).run(np.zeros((1, 1, 3, 4, 4), np.float32))
