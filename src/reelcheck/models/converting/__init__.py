"""From the weights of others to ONNX, with nothing but numpy.

What is written depends on the weights alone, byte for byte: so a card can state the SHA-256 of a
converted model, and a user's conversion is the very file that was measured.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final, cast

_CONVERTERS: Final = {
    "tfjs-layers": "reelcheck.models.converting.keras:convert_keras",
    "transnetv2": "reelcheck.models.converting.transnetv2:convert_transnetv2",
}


def convert(kind: str, members: Sequence[bytes]) -> bytes:
    """Return the ONNX file that ``members`` make.

    Args:
        kind: As in ``Origin.convert``.
        members: In the order of the card.

    Raises:
        ModelError: they are not what this kind is made of.
    """
    if not kind:
        return members[0]
    module, _, name = _CONVERTERS[kind].partition(":")
    function = cast("Callable[[Sequence[bytes]], bytes]", getattr(import_module(module), name))
    return function(members)
