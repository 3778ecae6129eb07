"""What the child that decodes may not do, layer by layer; each where the kernel lets us.

In order: models are loaded, then ``close_doors`` shuts the network, files, privileges and calls of
the kernel, and only then does FFmpeg see the first byte of the video. Nothing here needs root or a
program beside Python. A layer that cannot be had is named in every report, with the reason.
"""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from reelcheck.errors import SetupError
from reelcheck.media.isolation.kernel import Unavailable
from reelcheck.media.isolation.landlock import NETWORK_FILES, places_of_code, shut_files
from reelcheck.media.isolation.privileges import drop_capabilities, leave_network
from reelcheck.media.isolation.seccomp import filter_calls
from reelcheck.settings import Isolation

DOORS: Final = ("network_namespace", "landlock", "capabilities", "seccomp")
"""In the order in which they shut: each would forbid the ones before it."""
_ALL_THREADS: Final = ("seccomp",)


@dataclass(slots=True)
class Layers:
    """Which layers hold, and why the others do not."""

    held: dict[str, bool] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """Words for a person, by the name of a layer that does not hold."""

    def note(self, name: str, *, why_not: str = "") -> None:
        """Take note of one layer."""
        self.held[name] = not why_not
        if why_not:
            self.missing[name] = why_not


def close_doors(layers: Layers, *, how: Isolation, network_for: str) -> None:
    """Shut all that can be shut, for good; write down which.

    Args:
        layers: Those that hold already; added to.
        how: ``OFF`` shuts nothing; ``STRICT`` fails unless every layer holds.
        network_for: The model that is asked over the network, if there is one.

    Raises:
        SetupError: a layer does not hold, and it must.
    """
    others = _other_threads()
    for name, shut in _doors(network=bool(network_for)):
        layers.note(name, why_not=_try(name, shut, how=how, others=others))
    if network_for:
        layers.note("network_namespace", why_not=f"{network_for} is asked over the network")
    if how is Isolation.STRICT and layers.missing:
        raise _refusal(layers)


def _doors(*, network: bool) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the doors by name. What has to be looked up is, before anything is shut."""
    code = [*places_of_code(sys.path, _packages()), *(Path(one) for one in NETWORK_FILES)]
    places = code if network else code[: -len(NETWORK_FILES)]
    yield DOORS[0], partial(_stay) if network else leave_network
    yield DOORS[1], partial(shut_files, places, network=network)
    yield DOORS[2], drop_capabilities
    yield DOORS[3], partial(filter_calls, network=network)


def _stay() -> None:
    """Keep the network."""


def _try(name: str, shut: Callable[[], None], *, how: Isolation, others: int) -> str:
    if how is Isolation.OFF:
        return "switched off"
    try:
        shut()
    except Unavailable as reason:
        return str(reason)
    if others and name not in _ALL_THREADS:
        return f"{others} threads of a runtime, started before, are outside of it"
    return ""


def _other_threads() -> int:
    try:
        return len(os.listdir("/proc/self/task")) - 1  # noqa: PTH208 - a count of names
    except OSError:
        return 0


def _packages() -> Iterator[str]:
    for module in list(sys.modules.values()):
        name = getattr(module, "__name__", "")
        if "." not in name:
            yield from getattr(module, "__path__", ())


def _refusal(layers: Layers) -> SetupError:
    told = "; ".join(f"{name.replace('_', ' ')} ({why})" for name, why in layers.missing.items())
    return SetupError(
        f"strict isolation is not to be had here: {told}",
        code="E_ISOLATION",
        hint="reelcheck doctor shows what holds; --isolation auto goes on without the rest",
    )
