"""Which licence a text is."""

import re
from typing import Final

_SIGNS: Final = {
    "AGPL-3.0": ("gnu affero general public license version 3",),
    "Apache-2.0": ("apache license version 2.0",),
    "BSD-2-Clause": (
        "redistribution and use in source and binary forms",
        "the following disclaimer in the documentation",
        'this software is provided by the copyright holders and contributors "as is"',
    ),
    "MIT": (
        "permission is hereby granted, free of charge, to any person obtaining a copy",
        "the above copyright notice and this permission notice shall be included in all copies",
        'the software is provided "as is"',
    ),
}
"""Words of each licence after SPDX; all of them must be there."""
_THIRD_BSD_CLAUSE: Final = "endorse or promote products"


def licences_in(text: bytes) -> set[str]:
    """Return the SPDX names of the licences whose words a text has.

    Limits: knows the licences of the catalogue only; what it does not know it does not find.
    """
    plain = re.sub(r"[\s>*]+", " ", text.decode("utf-8", errors="replace")).lower()
    plain = plain.replace("“", '"').replace("”", '"').replace("license, version", "license version")
    found = {name for name, signs in _SIGNS.items() if all(sign in plain for sign in signs)}
    if _THIRD_BSD_CLAUSE in plain:
        found.discard("BSD-2-Clause")
    return found
