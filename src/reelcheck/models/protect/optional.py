"""The library ``cryptography``: it comes with an extra, so it is imported when it is needed."""

from typing import Any

from reelcheck.models.runtimes.optional import load_optional


def load_cryptography(*modules: str) -> list[Any]:
    """Return modules of the library.

    Raises:
        MissingExtraError: it is not installed.
    """
    needed_by = "a model that is signed or encrypted"
    load_optional("cryptography", extra="protect", needed_by=needed_by)
    return [
        load_optional(f"cryptography.{name}", extra="protect", needed_by=needed_by)
        for name in modules
    ]
