"""The one text of a JSON value: RFC 8785, JSON Canonicalization Scheme.

Keys are sorted by their UTF-16 code units, numbers are written as ECMAScript does, so that two
readers who agree on the value agree on the bytes. One departure: whole numbers beyond 2^53, which
the RFC would round to a double, are written in full, so that none can be changed unseen.
"""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

_POINT_FROM: Final = -6
_POINT_TO: Final = 21
"""Powers of ten between which ECMAScript writes no exponent (ECMA-262, Number::toString)."""

_text: Final = json.JSONEncoder(ensure_ascii=False).encode


def canonical(value: Any) -> bytes:  # noqa: ANN401 - what JSON can hold
    """Return the canonical JSON of a value.

    Raises:
        ValueError: a number is not finite, or a text holds half a character.
        TypeError: JSON cannot hold a value.
    """
    return "".join(_pieces(value)).encode("utf-8")


def _pieces(value: Any) -> Iterator[str]:  # noqa: ANN401 - beside it
    if value is None or isinstance(value, bool | str):
        yield _text(value)
    elif isinstance(value, int):
        yield str(value)
    elif isinstance(value, float):
        yield _number(value)
    elif isinstance(value, Mapping):
        mark = "{"
        for key in sorted(value, key=_utf16):
            yield f"{mark}{_text(key)}:"
            yield from _pieces(value[key])
            mark = ","
        yield "}" if value else "{}"
    elif isinstance(value, list | tuple):
        mark = "["
        for item in value:
            yield mark
            yield from _pieces(item)
            mark = ","
        yield "]" if value else "[]"
    else:
        raise TypeError(f"JSON cannot hold {type(value).__name__}")


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


def _number(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - is it a number?
        raise ValueError(f"{value} is not finite")
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    text = "".join(str(digit) for digit in digits).lstrip("0")
    if not text or not isinstance(exponent, int):
        return "0"
    point = len(text) + exponent  # the value is 0.text times ten to the power of this
    text = text.rstrip("0")
    return "-" * sign + _placed(text, point)


def _placed(digits: str, point: int) -> str:
    if len(digits) <= point <= _POINT_TO:
        return digits.ljust(point, "0")
    if 0 < point <= _POINT_TO:
        return f"{digits[:point]}.{digits[point:]}"
    if _POINT_FROM < point <= 0:
        return f"0.{digits.rjust(len(digits) - point, '0')}"
    power = point - 1
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{tail}e{'+' if power > 0 else '-'}{abs(power)}"
