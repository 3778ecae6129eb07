"""Tensors of a PyTorch checkpoint, read without PyTorch and without running its pickle.

The instructions passed the allow-list of ``pickles``; here each of them is carried out by a few
lines of our own on plain values. What a call stands for is decided here, so nothing of the file can
name anything else. Tensors stay descriptions until their numbers are copied.

Source: the forms that ``torch.save`` writes: a zip with ``data.pkl`` and ``data/KEY`` since 1.6;
before, five pickles and then the storages, each its length (8 bytes) and its numbers. Limits: dense
tensors of the kinds in ``_KINDS``, little-endian, not compressed, on any device (read as if on the
CPU).
"""

import io
import math
import pickletools
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.models.protect.folder import refusal
from reelcheck.models.protect.pickles import refuse_program

_KINDS: Final = {
    "DoubleStorage": ("F64", 8),
    "FloatStorage": ("F32", 4),
    "HalfStorage": ("F16", 2),
    "BFloat16Storage": ("BF16", 2),
    "LongStorage": ("I64", 8),
    "IntStorage": ("I32", 4),
    "ShortStorage": ("I16", 2),
    "CharStorage": ("I8", 1),
    "ByteStorage": ("U8", 1),
    "BoolStorage": ("BOOL", 1),
}
"""Class of a storage -> name in safetensors, bytes of a number."""
_WRAPPERS: Final = ("state_dict", "model_state_dict", "model", "params", "net")
"""Where checkpoints keep the weights, when not at the top."""
_LARGER: Final = 4
"""A tensor may show one number many times; all of them together may be so many times the file."""
_LONGEST_NAME: Final = 1000
_LEGACY_HEAD: Final = 3
_LEGACY_LENGTH: Final = 8


@dataclass(frozen=True, slots=True)
class _Name:
    """What a pickle calls, by name only."""

    text: str


@dataclass(frozen=True, slots=True)
class _Storage:
    """A row of numbers in the file."""

    key: str
    kind: str
    width: int
    count: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor that lies in a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def kind(self) -> str:
        """Of its numbers, as safetensors calls it."""
        return self.storage.kind

    @property
    def size_bytes(self) -> int:
        """Of its numbers, one after the other."""
        return math.prod(self.shape) * self.storage.width


@dataclass(slots=True)
class _Machine:
    """The stack on which a pickle builds its value."""

    stack: list[Any] = field(default_factory=list)
    under: list[list[Any]] = field(default_factory=list)
    """Stacks below the marks."""
    memo: dict[int, Any] = field(default_factory=dict)

    def since_mark(self) -> list[Any]:
        """Return what lies above the last mark, and take both away."""
        above, self.stack = self.stack, self.under.pop()
        return above

    def take(self, count: int) -> list[Any]:
        """Return the last values, in their order, and take them away."""
        if len(self.stack) < count:
            raise ValueError("it takes more than it has")
        taken = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return taken

    def put(self, pairs: list[Any]) -> None:
        """Put keys and values, in turn, into the table on top."""
        table = self.stack[-1]
        if not isinstance(table, dict):
            raise TypeError("it fills something that is no table")
        table.update(zip(pairs[::2], pairs[1::2], strict=True))

    def add(self, values: list[Any]) -> None:
        """Put values into the list or set on top."""
        top = self.stack[-1]
        if isinstance(top, list):
            top.extend(values)
        elif isinstance(top, set):
            top.update(values)
        else:
            raise TypeError("it fills something that is no list")


def _reduce(machine: _Machine) -> None:
    name, arguments = machine.take(2)
    if not isinstance(name, _Name) or not isinstance(arguments, tuple):
        raise TypeError("it calls what is no name")
    machine.stack.append(_called(name.text, arguments))


def _called(name: str, arguments: tuple[Any, ...]) -> Any:  # noqa: ANN401 - any value of a pickle
    """Return what one of the few calls stands for; what no tensor needs is forgotten."""
    if name == "collections OrderedDict":
        return dict(*arguments)
    if name.startswith("torch._utils _rebuild_tensor"):
        storage, offset, shape, strides = arguments[:4]
        return _tensor(storage, offset, shape, strides)
    if name.startswith("torch._utils _rebuild_parameter"):
        return arguments[0]
    if name == "torch Size":
        return tuple(arguments[0])
    return None


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> Tensor:  # noqa: ANN401 - as above
    numbers = (offset, *shape, *strides)
    if not isinstance(storage, _Storage) or not all(type(one) is int for one in numbers):
        raise TypeError("a tensor of something else than numbers")
    if min(numbers) < 0 or len(shape) != len(strides):
        raise ValueError("a tensor of an impossible shape")
    reach = sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    if math.prod(shape) and offset + reach >= storage.count:
        raise ValueError("a tensor beyond its storage")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _storage(machine: _Machine) -> None:
    (told,) = machine.take(1)
    word, kind, key, _, count, *view = told
    if word != "storage" or not isinstance(kind, _Name) or any(one is not None for one in view):
        raise ValueError("an unknown kind of storage")
    name = kind.text.rpartition(" ")[2]
    if name not in _KINDS or type(count) is not int or count < 0:
        raise ValueError(f"numbers of the kind {name}")
    machine.stack.append(_Storage(str(key), *_KINDS[name], count))


def _mark(machine: _Machine) -> None:
    machine.under.append(machine.stack)
    machine.stack = []


_MAKE: Final[dict[str, Callable[[_Machine], Any]]] = {
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_DICT": lambda _: {},
    "EMPTY_LIST": lambda _: [],
    "EMPTY_TUPLE": lambda _: (),
    "EMPTY_SET": lambda _: set(),
    "DICT": lambda machine: _paired(machine.since_mark()),
    "LIST": lambda machine: machine.since_mark(),
    "TUPLE": lambda machine: tuple(machine.since_mark()),
    "TUPLE1": lambda machine: tuple(machine.take(1)),
    "TUPLE2": lambda machine: tuple(machine.take(2)),
    "TUPLE3": lambda machine: tuple(machine.take(3)),
    "DUP": lambda machine: machine.stack[-1],
}
"""Instructions that put one value on the stack."""
_DO: Final[dict[str, Callable[[_Machine], Any]]] = {
    "MARK": _mark,
    "POP": lambda machine: machine.take(1),
    "POP_MARK": lambda machine: machine.since_mark(),
    "BUILD": lambda machine: machine.take(1),  # of a table only what hangs on it besides
    "REDUCE": _reduce,
    "BINPERSID": _storage,
    "SETITEM": lambda machine: machine.put(machine.take(2)),
    "SETITEMS": lambda machine: machine.put(machine.since_mark()),
    "APPEND": lambda machine: machine.add(machine.take(1)),
    "APPENDS": lambda machine: machine.add(machine.since_mark()),
    "ADDITEMS": lambda machine: machine.add(machine.since_mark()),
    "PROTO": lambda _: None,
    "FRAME": lambda _: None,
    "STOP": lambda _: None,
}
_KEEP: Final = frozenset({"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"})
_FETCH: Final = frozenset({"GET", "BINGET", "LONG_BINGET"})


def _paired(values: list[Any]) -> dict[Any, Any]:
    return dict(zip(values[::2], values[1::2], strict=True))


def _value(stream: io.BytesIO) -> Any:  # noqa: ANN401 - any value of a pickle
    """Return the value that one pickle builds."""
    machine = _Machine()
    for instruction, argument, _ in pickletools.genops(stream):
        name = instruction.name
        if name in _MAKE:
            made = _MAKE[name](machine)  # before the stack is looked up, for it may be another then
            machine.stack.append(made)
        elif name in _DO:
            _DO[name](machine)
        elif name in _KEEP:
            place = len(machine.memo) if name == "MEMOIZE" else int(str(argument))
            machine.memo[place] = machine.stack[-1]
        elif name in _FETCH:
            machine.stack.append(machine.memo[int(str(argument))])
        elif name == "GLOBAL":
            machine.stack.append(_Name(str(argument)))
        else:  # what is left in the allow-list are numbers and texts
            machine.stack.append(argument)
    (value,) = machine.take(1)
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The tensors of a checkpoint."""

    tensors: Mapping[str, Tensor]
    storages: Mapping[str, memoryview]
    left_out: int
    """Values beside the tensors, such as the number of the epoch."""

    def numbers(self, name: str) -> bytes:
        """Return the numbers of a tensor, one after the other, little-endian.

        Raises:
            ModelError: its storage is not there, or is shorter than it says.
        """
        tensor = self.tensors[name]
        storage = tensor.storage
        if not tensor.size_bytes:
            return b""
        data = self.storages.get(storage.key)
        if data is None or len(data) < storage.count * storage.width:
            raise refusal(f"the numbers of {ascii(name)[:80]} are not all there")
        flat: NDArray[Any] = np.frombuffer(data, f"<u{storage.width}", storage.count)
        seen = np.lib.stride_tricks.as_strided(
            flat[tensor.offset :],
            tensor.shape,
            [stride * storage.width for stride in tensor.strides],
            writeable=False,
        )
        return seen.tobytes()


def read_checkpoint(data: bytes, *, where: str) -> Checkpoint:
    """Return the tensors of a checkpoint.

    Args:
        data: The file.
        where: Its name, for messages.

    Raises:
        ModelError: it would do more than build tensors, is damaged, or holds no named tensors.
    """
    refuse_program(data, where=where)
    try:
        whole, storages = _opened(data)
        tensors, left_out = _named(whole)
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        RecursionError,
        RuntimeError,
        NotImplementedError,
        zipfile.BadZipFile,
    ) as error:
        raise refusal(f"{where} is no checkpoint that can be converted: {error}") from error
    if not tensors:
        raise refusal(f"{where} holds no table of named tensors")
    if sum(one.size_bytes for one in tensors.values()) > _LARGER * len(data):
        raise refusal(f"{where} would become more than {_LARGER} times as large")
    return Checkpoint(tensors=tensors, storages=storages, left_out=left_out)


def _opened(data: bytes) -> tuple[Any, dict[str, memoryview]]:
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return _of_legacy(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {one.filename: one for one in archive.infolist()}
        program = next(name for name in members if name.endswith("data.pkl"))
        root = program.removesuffix("data.pkl")
        if any(one.compress_type != zipfile.ZIP_STORED for one in members.values()):
            raise ValueError("it is compressed, which torch.save never does")
        order = f"{root}byteorder"
        if order in members and archive.read(order) != b"little":
            raise ValueError("its numbers are big-endian")
        whole = _value(io.BytesIO(archive.read(program)))
        start = f"{root}data/"
        storages = {
            name.removeprefix(start): memoryview(archive.read(name))
            for name in members
            if name.startswith(start)
        }
    return whole, storages


def _of_legacy(data: bytes) -> tuple[Any, dict[str, memoryview]]:
    stream = io.BytesIO(data)
    head = [_value(stream) for _ in range(_LEGACY_HEAD)]
    if isinstance(head[2], dict) and head[2].get("little_endian") is False:
        raise ValueError("its numbers are big-endian")
    whole, keys = _value(stream), _value(stream)
    widths = {one.storage.key: one.storage.width for one in _all_tensors(whole)}
    left = memoryview(data)[stream.tell() :]
    storages = {}
    for key in keys:
        count = int.from_bytes(left[:_LEGACY_LENGTH], "little")
        if key not in widths:
            raise ValueError("a storage that no tensor uses")
        end = _LEGACY_LENGTH + count * widths[key]
        if end > len(left):
            raise ValueError("its numbers are not all there")
        storages[str(key)] = left[_LEGACY_LENGTH:end]
        left = left[end:]
    return whole, storages


def _all_tensors(value: Any) -> list[Tensor]:  # noqa: ANN401 - any value of a pickle
    """Return the tensors anywhere in a value; what is met twice is looked at once."""
    found, seen, left = [], set[int](), [value]
    while left:
        one = left.pop()
        if isinstance(one, Tensor):
            found.append(one)
        elif isinstance(one, dict | list | tuple | set) and id(one) not in seen:
            seen.add(id(one))
            left.extend(one.values() if isinstance(one, dict) else one)
    return found


def _named(whole: Any) -> tuple[dict[str, Tensor], int]:  # noqa: ANN401 - any value of a pickle
    if not isinstance(whole, dict):
        raise TypeError("it is no table")
    tables = [whole, *(whole[name] for name in _WRAPPERS if isinstance(whole.get(name), dict))]
    for table in tables:
        tensors = {name: one for name, one in table.items() if isinstance(one, Tensor)}
        if tensors:
            if not all(isinstance(name, str) and len(name) <= _LONGEST_NAME for name in tensors):
                raise TypeError("a tensor without a name, or with an endless one")
            return tensors, len(whole) - (len(tensors) if table is whole else 1)
    return {}, len(whole)
