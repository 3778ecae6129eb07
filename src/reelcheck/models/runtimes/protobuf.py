"""Reading the fields of a protobuf message without knowing what it means.

Source: the protobuf encoding guide. Nothing is copied but what is asked for, and how many fields
are read of one file is bounded, since a field of two bytes takes a microsecond to read.
Limits: no groups, which proto3 has not.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from reelcheck.models.protect.folder import refusal

_MAX_BYTES: Final = (2 << 30) - 1
"""Of a protobuf message."""
_MAX_FIELDS: Final = 1 << 19
"""Read of one file, which takes about a second. Ours: the 60 models that we tried take 5e4 at
most."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED: Final = {_FIXED64: 8, _FIXED32: 4}
_MAX_VARINT_BYTES: Final = 10
_SIGN: Final = 1 << 63
_SHAPE_BYTES: Final = 8 * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """One message: what it holds, by field number."""

    found: dict[int, list[int | memoryview]]
    left: Iterator[int]
    """Runs out when as much was read of the file as may be."""

    @classmethod
    def of(cls, data: bytes | memoryview, *, left: Iterator[int] | None = None) -> Self:
        """Return the fields of a message.

        Args:
            data: The message.
            left: Of the message that it is a part of.

        Raises:
            ModelError: it is none, or too large.
        """
        left = iter(range(_MAX_FIELDS)) if left is None else left
        if len(data) > _MAX_BYTES:
            raise refusal("the model is larger than 2 GiB")
        found: dict[int, list[int | memoryview]] = {}
        try:
            for number, value in _fields(memoryview(data)):
                _spend(left)
                found.setdefault(number, []).append(value)
        except (IndexError, ValueError, struct.error) as error:
            raise refusal(f"the model is no ONNX, or damaged: {error}") from error
        return cls(found=found, left=left)

    @property
    def numbers(self) -> set[int]:
        """The field numbers that occur."""
        return set(self.found)

    def messages(self, number: int) -> list["Fields"]:
        """Return the messages in a field."""
        return [Fields.of(one, left=self.left) for one in self._views(number)]

    def texts(self, number: int) -> list[str]:
        """Return the texts in a field."""
        return [bytes(one).decode("utf-8", "replace") for one in self._views(number)]

    def text(self, number: int) -> str:
        """Return the text of a field: the last one, empty for none."""
        return (self.texts(number) or [""])[-1]

    def data(self, number: int) -> memoryview | None:
        """Return the bytes of a field: the last ones."""
        return next(reversed(self._views(number)), None)

    def ints(self, number: int) -> list[int]:
        """Return the signed integers of a field, packed or not."""
        numbers: list[int] = []
        for one in self.found.get(number, ()):
            numbers += [_signed(one)] if isinstance(one, int) else self._packed(one)
        return numbers

    def count(self, number: int) -> int:
        """Return how often a field occurs."""
        return len(self.found.get(number, ()))

    def size(self, number: int) -> int:
        """Return how many bytes a field of numbers takes; one that is not packed counts as one."""
        values = self.found.get(number, ())
        return sum(1 if isinstance(one, int) else len(one) for one in values)

    def _packed(self, data: memoryview) -> list[int]:
        numbers: list[int] = []
        at = 0
        try:
            while at < len(data):
                _spend(self.left)
                value, at = _varint(data, at)
                numbers.append(_signed(value))
        except (IndexError, ValueError) as error:
            raise refusal(f"the model is no ONNX, or damaged: {error}") from error
        return numbers

    def _views(self, number: int) -> list[memoryview]:
        values = self.found.get(number, [])
        views = [one for one in values if isinstance(one, memoryview)]
        if len(views) != len(values):
            raise refusal("the model is no ONNX, or damaged: a number where there is none")
        return views


def ints_of(raw: memoryview) -> list[int]:
    """Return the 64-bit integers that raw data hold, if they are few enough to be a shape."""
    if len(raw) > _SHAPE_BYTES or len(raw) % 8:
        return []
    return list(struct.unpack(f"<{len(raw) // 8}q", raw))


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        value: int | memoryview
        if number == 0:
            raise ValueError("a field without a number")
        if wire == _VARINT:
            value, at = _varint(data, at)
        else:
            if wire == _BYTES:
                length, at = _varint(data, at)
            elif wire in _FIXED:
                length = _FIXED[wire]
            else:
                raise ValueError("a field of an unknown kind")
            if length > len(data) - at:
                raise ValueError("it ends early")
            value, at = data[at : at + length], at + length
        yield number, value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place in range(_MAX_VARINT_BYTES):
        byte = data[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that more follows
            return value & ((1 << 64) - 1), at + place + 1
    raise ValueError("a number that does not end")


def _spend(left: Iterator[int]) -> None:
    if next(left, None) is None:
        raise refusal("the model holds too many parts")


def _signed(value: int) -> int:
    return value - 2 * _SIGN if value >= _SIGN else value
