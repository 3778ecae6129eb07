"""An ONNX file that could do more than compute is refused before ONNX Runtime sees it."""

import os
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protected_bundles import network, weights, write_bundle
from reelcheck.errors import ModelError
from reelcheck.models.card import card_names, load_card
from reelcheck.models.runtimes.onnx_checks import refuse_unsafe
from reelcheck.models.session import open_session
from reelcheck.models.store import add_bundle, locate


def field(number: int, value: int | str | bytes) -> bytes:
    """Return a field of a protobuf message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value % (1 << 64))
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low]) if not rest else bytes([low | 0x80]) + varint(rest)


def tensor(*parts: bytes, sizes: tuple[int, ...] = (2,), kind: int = 1) -> bytes:
    """Return a TensorProto named ``w``."""
    return (
        b"".join(field(1, size) for size in sizes)
        + field(2, kind)
        + field(8, "w")
        + b"".join(parts)
    )


RAW = field(9, struct.pack("<2f", 1, 2))


def node(operator: str, *inputs: str, domain: str = "", attributes: bytes = b"") -> bytes:
    told = b"".join(field(1, name) for name in inputs) + field(2, "y") + field(4, operator)
    return told + (field(7, domain) if domain else b"") + attributes


def model(
    *nodes: bytes, tensors: tuple[bytes, ...] = (), graph: bytes = b"", more: bytes = b""
) -> bytes:
    inside = b"".join(field(1, one) for one in nodes) + field(2, "g")
    inside += b"".join(field(5, one) for one in tensors) + graph
    return field(1, 8) + field(8, field(1, "") + field(2, 17)) + field(7, inside) + more


def elsewhere(location: str) -> bytes:
    """Return what makes the data of a tensor lie in another file."""
    return field(13, field(1, "location") + field(2, location)) + field(14, 1)


def int64(*values: int) -> bytes:
    raw = field(9, struct.pack(f"<{len(values)}q", *values))
    return tensor(raw, sizes=(len(values),), kind=7)


def subgraph(inside: bytes) -> bytes:
    return node("If", "x", attributes=field(5, field(1, "then_branch") + field(6, inside)))


def nested(depth: int) -> bytes:
    inside = field(1, node("Relu", "x"))
    for _ in range(depth):
        inside = field(1, subgraph(inside))
    return field(1, 8) + field(7, inside)


HUGE = (1 << 20, 1 << 20)
SPARSE = field(22, field(1, tensor(RAW)))
HOSTILE = {
    "other file, ../": model(tensors=(tensor(elsewhere("../../etc/passwd")),)),
    "other file, absolute": model(tensors=(tensor(elsewhere("/etc/passwd")),)),
    "other file, in the bundle": model(tensors=(tensor(elsewhere("weights.bin")),)),
    "other file, named though the data are here": model(tensors=(tensor(RAW, elsewhere("w.bin")),)),
    "other file, flag only": model(tensors=(tensor(RAW, field(14, 1)),)),
    "other file, last flag says no": model(tensors=(tensor(RAW, field(14, 1), field(14, 0)),)),
    "other file, in an attribute": model(
        node("Constant", attributes=field(5, field(1, "value") + field(5, tensor(elsewhere("w")))))
    ),
    "other file, in a list of an attribute": model(
        node("Constant", attributes=field(5, field(1, "value") + field(10, tensor(elsewhere("w")))))
    ),
    "other file, in a sub-graph": model(subgraph(field(5, tensor(elsewhere("w"))))),
    "other file, in a second graph": model(
        more=field(7, field(2, "h") + field(5, tensor(elsewhere("w"))))
    ),
    "other file, in a function": model(
        more=field(
            25,
            field(1, "f") + field(10, "own") + field(7, subgraph(field(5, tensor(elsewhere("w"))))),
        )
    ),
    "sparse tensor": model(graph=field(15, field(1, tensor(RAW)))),
    "sparse attribute": model(node("Constant", attributes=field(5, field(1, "s") + SPARSE))),
    "training graph": model(more=field(20, field(1, b""))),
    "custom operator": model(node("Shell", "x", domain="com.evil")),
    "custom operator, python": model(node("PyOp", "x", domain="ai.onnx.contrib")),
    "custom operator, in a sub-graph": model(subgraph(field(1, node("Shell", "x", domain="evil")))),
    "custom operator, second name": model(node("Relu", "x", domain="evil") + field(7, "")),
    "custom operator, in a function": model(
        node("f", "x", domain="own"),
        more=field(25, field(1, "f") + field(10, "own") + field(7, node("g", "x", domain="evil"))),
    ),
    "function of another name": model(
        node("other", "x", domain="own"), more=field(25, field(1, "f") + field(10, "own"))
    ),
    "operator that names a file": model(node("EPContext", "x", domain="com.microsoft")),
    "size bomb, no data": model(tensors=(tensor(sizes=HUGE),)),
    "size bomb, little data": model(tensors=(tensor(RAW, sizes=HUGE),)),
    "size bomb, a bit too large": model(tensors=(tensor(RAW, sizes=(3,)),)),
    "size bomb, numbers that overflow": model(tensors=(tensor(RAW, sizes=(1 << 62, 4)),)),
    "size bomb, negative": model(tensors=(tensor(RAW, sizes=(-2,)),)),
    "size bomb, no type": model(tensors=(field(1, 2) + RAW,)),
    "size bomb, unknown type": model(tensors=(tensor(RAW, kind=99),)),
    "size bomb, constant shape": model(node("ConstantOfShape", "w"), tensors=(int64(*HUGE),)),
    "size bomb, expand": model(node("Expand", "x", "w"), tensors=(int64(*HUGE),)),
    "size bomb, tile": model(node("Tile", "x", "w"), tensors=(int64(*HUGE),)),
    "size bomb, resize": model(node("Resize", "x", "", "", "w"), tensors=(int64(*HUGE),)),
    "size bomb, random": model(
        node("RandomNormal", attributes=field(5, field(1, "shape") + field(8, 1 << 40)))
    ),
    "size bomb, shape in a node": model(
        node("Constant", attributes=field(5, field(1, "value_ints") + field(8, 1 << 40))),
        node("ConstantOfShape", "y"),
    ),
    "nesting bomb": nested(200),
    "field that nobody knows": model(tensors=(tensor(RAW, field(77, 1)),)),
    "own format of the runtime": b"\x08\x08\x12\x40ORTM" + bytes(100),
    "no graph": field(1, 8),
    "no protobuf": b"MZ\x90\x00",
    "cut off": network(weights())[:-7],
    "nothing": b"",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_model_is_refused(kind: str) -> None:
    with pytest.raises(ModelError) as caught:
        refuse_unsafe(HOSTILE[kind])
    assert caught.value.code == "E_MODEL_INTEGRITY"


HARMLESS = {
    "tensor with its data": model(tensors=(tensor(RAW),)),
    "numbers one by one": model(tensors=(tensor(field(4, struct.pack("<2f", 1, 2))),)),
    "empty tensor": model(tensors=(tensor(sizes=(0, 3)),)),
    "one number": model(tensors=(tensor(field(9, bytes(4)), sizes=()),)),
    "four bits": model(tensors=(tensor(field(9, b"\x12\x03"), sizes=(3,), kind=22),)),
    "texts": model(tensors=(tensor(field(6, "a"), field(6, "b"), kind=8),)),
    "operator of the runtime": model(node("FusedConv", "x", domain="com.microsoft")),
    "function of its own": model(
        node("f", "x", domain="own"), more=field(25, field(1, "f") + field(10, "own"))
    ),
    "shape that is large but not huge": model(
        node("Expand", "x", "w"), tensors=(int64(1 << 14, 1 << 14),)
    ),
    "graphs in graphs": nested(10),
}


@pytest.mark.parametrize("kind", HARMLESS)
def test_a_harmless_model_is_not_refused(kind: str) -> None:
    refuse_unsafe(HARMLESS[kind])


def test_the_models_of_the_catalogue_that_are_here_pass() -> None:
    paths = [locate(load_card(name)) for name in card_names()]
    here = [path for path in paths if path is not None]

    for path in here:
        refuse_unsafe(path.read_bytes())
    assert len(here) >= 3


def test_a_model_of_too_many_parts_is_refused_before_it_takes_long() -> None:
    with pytest.raises(ModelError, match="too many parts"):
        refuse_unsafe(field(1, 8) + field(7, field(16, b"") * (1 << 19)))


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_check(data: bytes) -> None:
    with pytest.raises(ModelError):
        refuse_unsafe(data)


@given(at=st.integers(0, 400), bit=st.integers(0, 7))
def test_a_damaged_model_passes_or_is_refused_but_never_crashes(at: int, bit: int) -> None:
    data = bytearray(network(weights()))
    data[at] ^= 1 << bit
    with suppress(ModelError):
        refuse_unsafe(bytes(data))


@pytest.mark.parametrize("how", ["../", "absolute", "symlink", "hard link", "beside"])
def test_weights_in_another_file_are_never_read(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELCHECK_MODELS", str(tmp_path / "store"))
    monkeypatch.setenv("REELCHECK_CONFIG", str(tmp_path / "config"))
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(8))
    locations = {"../": "../secret.bin", "absolute": str(secret)}
    hostile = model(tensors=(tensor(elsewhere(locations.get(how, "w.bin"))),))
    bundle = write_bundle(tmp_path / "bundle", model=hostile)
    if how == "symlink":
        (bundle / "w.bin").symlink_to(secret)
    elif how == "hard link":
        os.link(secret, bundle / "w.bin")
    elif how == "beside":
        (bundle / "w.bin").write_bytes(bytes(8))
    add_bundle(bundle)

    def never(*_: object, **__: object) -> None:
        pytest.fail("ONNX Runtime was asked to load it")

    monkeypatch.setattr(onnxruntime, "InferenceSession", never)
    for folder in (None, bundle):
        with pytest.raises(ModelError, match="lie in another file"):
            open_session(load_card("mine"), folder=folder)


def test_a_model_that_the_runtime_cannot_load_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELCHECK_MODELS", str(tmp_path / "store"))
    add_bundle(write_bundle(tmp_path / "bundle", model=model(node("Relu", "nothing"))))

    with pytest.raises(ModelError, match="ONNX Runtime cannot load model 'mine'"):
        open_session(load_card("mine"))


def test_a_sound_model_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELCHECK_MODELS", str(tmp_path / "store"))
    add_bundle(write_bundle(tmp_path / "bundle"))
    picture = np.ones((1, 3, 16, 24), np.float32)

    told = open_session(load_card("mine")).run(picture)

    assert np.allclose(told, weights().sum(axis=0), atol=1e-4)


def test_loading_a_model_leaves_no_trace_of_telemetry(tmp_path: Path) -> None:
    code = (
        "from reelcheck.models.card import load_card\n"
        "from reelcheck.models.session import open_session\n"
        "open_session(load_card('fights'))\n"
    )
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}

    subprocess.run([sys.executable, "-c", code], env={**kept, "HOME": str(tmp_path)}, check=True)

    assert not list(tmp_path.iterdir()), "ONNX Runtime made an id of this machine"
