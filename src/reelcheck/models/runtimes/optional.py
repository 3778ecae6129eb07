"""Libraries that come with an extra."""

from importlib import import_module
from typing import Any

from reelcheck.errors import MissingExtraError


def load_optional(module: str, *, extra: str, needed_by: str) -> Any:  # noqa: ANN401 - a module
    """Return a module.

    Raises:
        MissingExtraError: it is not installed. A broken one raises what it raises.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise MissingExtraError(extra=extra, needed_by=needed_by) from error
