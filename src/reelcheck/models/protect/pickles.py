"""Looking through a PyTorch checkpoint before PyTorch reads it: an allow-list of instructions.

A pickle is a program. It is disassembled here (``pickletools``), never run: instructions that build
plain values and tensors pass, and so do calls of the few functions that a state dict needs; all
else is refused by name. PyTorch then gets the very bytes that were looked through, and is told
``weights_only=True`` besides, which had a hole of its own once (CVE-2025-32434).

Source: ours, after the functions that PyTorch 2.14 allows without being asked. Limits: this is a
tripwire in front of PyTorch's own refusal, not a boundary; only the lab reads such files at all.
Checkpoints in the form of before PyTorch 1.6 are looked through too; TorchScript is refused.
"""

import io
import pickletools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from reelcheck.models.protect.folder import refusal

_CALLS: Final = re.compile(
    r"collections OrderedDict"
    r"|torch (\w+Storage|Size|device|[a-z]*float[0-9]*|u?int[0-9]+|bool)"
    r"|torch\._utils _rebuild_(tensor|tensor_v2|parameter|parameter_with_state)"
    r"|torch\.storage (UntypedStorage|TypedStorage)"
    r"|numpy dtype"
    r"|numpy\._?core\.multiarray scalar"
    r"|_codecs encode"
)
_PLAIN: Final = frozenset(
    "PROTO FRAME STOP MARK POP POP_MARK DUP MEMOIZE PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET "
    "NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT "
    "STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 "
    "BINBYTES SHORT_BINBYTES BINBYTES8 "
    "EMPTY_DICT EMPTY_LIST EMPTY_TUPLE EMPTY_SET DICT LIST TUPLE TUPLE1 TUPLE2 TUPLE3 "
    "SETITEM SETITEMS APPEND APPENDS ADDITEMS BINPERSID REDUCE BUILD".split()
)
_LEGACY_PICKLES: Final = 5
"""Magic number, version, system, content and names of the storages; then come plain numbers."""
_MAX_PROGRAM_BYTES: Final = 64 << 20
_MAX_FILE_BYTES: Final = 16 << 30
_PROTOCOL: Final = b"\x80"


def looked_through(path: Path) -> io.BytesIO:
    """Return a checkpoint in memory, after its programs were looked through.

    Raises:
        ModelError: it would do more than build tensors, or is damaged.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(_MAX_FILE_BYTES)
    refuse_program(data, where=path.name)
    return io.BytesIO(data)


def refuse_program(data: bytes, *, where: str) -> None:
    """Refuse a checkpoint that would do more than build tensors.

    Raises:
        ModelError: it would, or it is damaged.
    """
    try:
        for name, stream in _programs(data):
            for instruction, argument, _ in pickletools.genops(stream):
                _refuse_instruction(instruction.name, argument, where=f"{where}: {name}")
    except (ValueError, KeyError, IndexError, OSError, RuntimeError, zipfile.BadZipFile) as error:
        raise refusal(f"{where} is no PyTorch checkpoint, or damaged: {error}") from error
    except NotImplementedError as error:
        raise refusal(f"{where} is packed in an unknown way") from error


def _programs(data: bytes) -> Iterator[tuple[str, io.BytesIO]]:
    if not zipfile.is_zipfile(io.BytesIO(data)):
        if not data.startswith(_PROTOCOL):
            raise ValueError("neither a zip nor a pickle")
        stream = io.BytesIO(data)
        for index in range(_LEGACY_PICKLES):
            yield f"part {index}", stream
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        programs = [name for name in names if name.endswith(".pkl")]
        if (
            len(programs) != 1
            or not programs[0].endswith("data.pkl")
            or len({*names}) != len(names)
        ):
            raise ValueError("it must hold one data.pkl and no other program")
        with archive.open(programs[0]) as member:
            program = member.read(_MAX_PROGRAM_BYTES + 1)
    if len(program) > _MAX_PROGRAM_BYTES:
        raise ValueError("its program is too large")
    yield programs[0], io.BytesIO(program)


def _refuse_instruction(name: str, argument: object, *, where: str) -> None:
    if name == "GLOBAL":
        if not _CALLS.fullmatch(str(argument)):
            raise refusal(f"{where} would call {ascii(argument)[:80]}")
    elif name not in _PLAIN:
        raise refusal(f"{where} holds the instruction {name}, which no state dict needs")
