"""A checkpoint that would do more than build tensors is refused before anything of it runs."""

import io
import os
import pickle
import pkgutil
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelcheck.errors import ModelError
from reelcheck.models.protect.pickles import looked_through, refuse_program


class Evil:
    """Calls a function when it is unpickled."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return self._call


def packed(program: bytes, **more: bytes) -> bytes:
    """Return a checkpoint as torch writes it since 1.6."""
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("model/data.pkl", program)
            for name, data in more.items():
                archive.writestr(f"model/{name.replace('_pkl', '.pkl')}", data)
        return file.getvalue()


TENSOR = (
    b"\x80\x02ccollections\nOrderedDict\n)Rq\x00X\x01\x00\x00\x00w"
    b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
    b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQK\x00K\x02\x85K\x01\x85\x89"
    b"ccollections\nOrderedDict\n)RtRs."
)
"""What torch.save writes of a state dict with one tensor of two numbers."""

PROGRAMS = {
    f"{name}, protocol {protocol}": pickle.dumps({"w": evil}, protocol)
    for protocol in range(6)
    for name, evil in {
        "system": Evil(os.system, "touch pwned"),
        "eval": Evil(eval, "1"),
        "getattr": Evil(getattr, "a", "upper"),
        "resolve_name": Evil(pkgutil.resolve_name, "os:system"),
        "inner reduce": [Evil(OrderedDict), Evil(os.system, "touch pwned")],
    }.items()
}
BY_HAND = {
    "INST": b"(S'touch pwned'\nios\nsystem\n.",
    "OBJ": b"\x80\x02(cos\nsystem\nX\x01\x00\x00\x00ao.",
    "NEWOBJ": b"\x80\x02cos\nsystem\n)\x81.",
    "EXT": b"\x80\x02\x82\x01.",
    "STACK_GLOBAL of parts": b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
    "name with a trick": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n.",
    "name that ends like a good one": b"\x80\x02cevil.collections\nOrderedDict\n.",
    "result thrown away": b"\x80\x02cos\nsystem\nX\x01\x00\x00\x00a\x85R0N.",
    "no end": b"\x80\x02N",
    "unknown instruction": b"\x80\x02\xff.",
}


@pytest.mark.parametrize("kind", [*PROGRAMS, *BY_HAND])
@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_a_malicious_pickle_is_refused_and_does_not_run(
    kind: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program = {**PROGRAMS, **BY_HAND}[kind]
    path = tmp_path / "weights.pth"
    path.write_bytes(packed(program) if form == "zip" else program)

    with pytest.raises(ModelError) as caught:
        looked_through(path)

    assert caught.value.code == "E_MODEL_INTEGRITY"
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "file",
    [
        packed(TENSOR, constants_pkl=b"\x80\x02N."),
        packed(TENSOR, more_pkl=PROGRAMS["system, protocol 2"]),
        b"",
        b"PK\x03\x04",
        packed(TENSOR)[:-9],
    ],
)
def test_another_program_in_the_archive_or_a_damaged_one_is_refused(file: bytes) -> None:
    with pytest.raises(ModelError):
        refuse_program(file, where="weights.pth")


def test_a_later_part_of_a_legacy_file_is_looked_through_too() -> None:
    parts = [pickle.dumps(one, 2) for one in (0x1950A86A20F9469CFC6C, 1001, {"little": True})]
    evil = b"".join(parts) + PROGRAMS["system, protocol 2"]

    with pytest.raises(ModelError, match="part 3"):
        refuse_program(evil, where="weights.pth")


def test_an_honest_state_dict_passes_in_either_form(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(packed(TENSOR, version=b"3", **{"data/0": struct.pack("<2f", 1, 2)}))
    assert looked_through(path).read() == path.read_bytes()

    parts = [pickle.dumps(one, 2) for one in (0x1950A86A20F9469CFC6C, 1001, {"little": True})]
    refuse_program(b"".join(parts) + TENSOR + pickle.dumps(["0"], 2) + bytes(8), where="old.pth")


@given(st.binary(max_size=200) | st.binary(max_size=200).map(packed))
def test_no_bytes_crash_the_look(data: bytes) -> None:
    try:
        refuse_program(data, where="weights.pth")
    except ModelError as error:
        assert "weights.pth" in str(error)  # noqa: PT017 - either outcome is right, a crash is not
