"""``reelcheck models convert``: a checkpoint becomes safetensors without PyTorch or its pickle."""

import json
import pickle
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from reelcheck.cli.app import app
from reelcheck.errors import ModelError
from reelcheck.models.protect.checkpoint import read_checkpoint
from test_protect_pickles import BY_HAND, PROGRAMS, TENSOR, packed

FLOATS = struct.pack("<2f", 1.5, -2)
HONEST = packed(TENSOR, version=b"3", **{"data/0": FLOATS})
HEADS = b"".join(
    pickle.dumps(one, 2) for one in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
)
LEGACY = HEADS + TENSOR + pickle.dumps(["0"], 2) + struct.pack("<q", 2) + FLOATS
INSTRUCTION = {"INST": "INST", "OBJ": "GLOBAL|os system", "NEWOBJ": "os system", "EXT": "EXT1"}


def convert(data: bytes, folder: Path) -> tuple[int, str, Path]:
    """Run the command on a file; return exit code, what it said, and where it wrote."""
    path, out = folder / "weights.pth", folder / "weights.safetensors"
    path.write_bytes(data)
    done = CliRunner().invoke(app, ["models", "convert", str(path), "--out", str(out)])
    return done.exit_code, done.output, out


def tables(path: Path) -> dict[str, tuple[str, list[int], bytes]]:
    """Return the content of a safetensors file by the text of its format."""
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    body = data[end:]
    return {
        name: (one["dtype"], one["shape"], body[slice(*one["data_offsets"])])
        for name, one in json.loads(data[8:end]).items()
    }


@pytest.mark.parametrize("data", [HONEST, LEGACY], ids=["zip", "legacy"])
def test_the_numbers_are_those_of_the_checkpoint(data: bytes, tmp_path: Path) -> None:
    code, told, out = convert(data, tmp_path)

    assert code == 0, told
    assert "1 tensors" in told
    assert tables(out) == {"w": ("F32", [2], FLOATS)}


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_text("mine")

    code, told, out = convert(HONEST, tmp_path)

    assert code == 3
    assert "it exists" in told
    assert out.read_text() == "mine"


@pytest.mark.parametrize(
    ("program", "named"),
    [
        (PROGRAMS["system, protocol 2"], "would call 'posix system'"),
        (PROGRAMS["eval, protocol 2"], "would call '__builtin__ eval'"),
        (PROGRAMS["system, protocol 4"], "the instruction STACK_GLOBAL"),
        (BY_HAND["INST"], "the instruction INST"),
        (BY_HAND["NEWOBJ"], "would call 'os system'"),
        (BY_HAND["EXT"], "the instruction EXT1"),
    ],
)
def test_a_malicious_pickle_is_refused_by_the_name_of_what_it_holds(
    program: bytes, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    code, told, out = convert(packed(program), tmp_path)

    assert code == 3
    assert named in told
    assert not out.exists()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["weights.pth"]


def rebuilt(*, count: int, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """Return a state dict with one tensor, written as text."""

    def numbers(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(b"I%d\n" % one for one in values) + b"t"

    return (
        b"(dS'w'\nctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\nFloatStorage\n"
        b"S'0'\nS'cpu'\nI%d\ntQI%d\n"
        % (count, offset)
        + numbers(shape)
        + numbers(strides)
        + b"I00\n(dtRs."
    )


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"count": 2, "offset": 0, "shape": (3,), "strides": (1,)}, "beyond its storage"),
        ({"count": 2, "offset": 1, "shape": (2,), "strides": (1,)}, "beyond its storage"),
        ({"count": 2, "offset": 0, "shape": (2,), "strides": (-1,)}, "impossible shape"),
        ({"count": 2, "offset": -1, "shape": (1,), "strides": (1,)}, "impossible shape"),
        ({"count": 9, "offset": 0, "shape": (9,), "strides": (1,)}, "not all there"),
        ({"count": 2, "offset": 0, "shape": (1 << 40,), "strides": (0,)}, "times as large"),
        ({"count": 2, "offset": 0, "shape": (2, 2), "strides": (1,)}, "impossible shape"),
    ],
)
def test_a_tensor_that_reaches_beyond_its_numbers_is_refused(
    form: dict[str, int], said: str
) -> None:
    program = rebuilt(**form)  # type: ignore[arg-type]  # tuples among them

    with pytest.raises(ModelError, match=said):
        read_checkpoint(packed(program, **{"data/0": FLOATS}), where="weights.pth").numbers("w")


def test_a_tensor_that_is_a_view_is_written_out() -> None:
    program = rebuilt(count=4, offset=1, shape=(2, 2), strides=(0, 2))
    numbers = struct.pack("<4f", 0, 1, 2, 3)

    read = read_checkpoint(packed(program, **{"data/0": numbers}), where="weights.pth")

    assert read.numbers("w") == struct.pack("<4f", 1, 3, 1, 3)


@pytest.mark.parametrize("value", [{}, {"epoch": 3}, ["no", "table"], {"state_dict": {}}])
def test_a_checkpoint_without_tensors_is_refused(value: object) -> None:
    with pytest.raises(ModelError):
        read_checkpoint(packed(pickle.dumps(value, 2)), where="weights.pth")


@given(st.data())
def test_no_change_of_a_byte_crashes_the_reader(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from([HONEST, LEGACY])))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = read_checkpoint(bytes(whole), where="weights.pth")
        for name in read.tensors:
            read.numbers(name)
    except ModelError:
        pass
