"""Probes of an exported bundle: inputs with the answers of the runtime that it was exported for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from reelcheck.lab.export.interface import Interface
from reelcheck.models.card import Card
from reelcheck.models.protect.making import make_probes
from reelcheck.models.protect.probes import MARGIN, PROBES_FILE, to_bytes
from reelcheck.models.session import Runner
from reelcheck.models.store import read_probes

_PICTURES: Final = {"clip", "image"}
"""Names of inputs that ``reelcheck.models.tensors`` makes of pictures; others stay as they are."""
_RAW: Final = 4
"""Probes with inputs that are no pictures."""

Raw = Sequence[Mapping[str, NDArray[Any]]]


def raw_inputs(interface: Interface) -> Raw:
    """Return inputs for probes where a network takes more than pictures: real ones with noise."""
    if set(interface.sample) <= _PICTURES:
        return ()
    batch = {name: value.numpy() for name, value in interface.batch(_RAW).items()}
    return [{name: values[index] for name, values in batch.items()} for index in range(_RAW)]


def raw_inputs_of(bundle: Path, card: Card) -> Raw:
    """Return the inputs that are no pictures of the probes of another bundle."""
    probes = read_probes(card, folder=bundle)
    return [sample.raw for sample in probes.samples if sample.raw] if probes else ()


def write_probes(
    folder: Path, card: Card, runner: Runner, *, raw: Raw, margin: float = MARGIN
) -> None:
    """Write the probes of a bundle, unless they would tell nothing."""
    probes = make_probes(card, runner, raw=raw, margin=margin)
    if probes is not None:
        (folder / PROBES_FILE).write_bytes(to_bytes(probes))
