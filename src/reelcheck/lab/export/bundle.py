"""A bundle: a folder with the weights of a model and ``card.toml``, ready for the model store."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

from reelcheck.errors import OutputError
from reelcheck.lab.engine.run import Trained
from reelcheck.lab.export.caffe import export_caffe
from reelcheck.lab.export.cards import card_of, to_toml
from reelcheck.lab.export.interface import Interface, interface_of
from reelcheck.lab.export.onnx import export_onnx
from reelcheck.lab.export.parity import difference, refuse_difference
from reelcheck.lab.export.probing import raw_inputs, write_probes
from reelcheck.lab.export.savedmodel import VERSION_FOLDER, export_savedmodel
from reelcheck.lab.recipe import Recipe
from reelcheck.models.card import CARD_FILE, Card, parse_card
from reelcheck.models.protect.probes import PROBES_FILE
from reelcheck.models.session import open_session
from reelcheck.models.store import read_parts

Format = Literal["onnx", "savedmodel", "caffe"]
MODEL_FILE: Final = "model.onnx"
STRUCTURE_FILE: Final = "model.prototxt"
CAFFE_FILE: Final = "model.caffemodel"
_WEIGHTS: Final[dict[Format, dict[str, str]]] = {
    "onnx": {"file": MODEL_FILE},
    "savedmodel": {"file": VERSION_FOLDER},
    "caffe": {"file": CAFFE_FILE, "structure": STRUCTURE_FILE},
}
_OURS: Final = (
    MODEL_FILE,
    VERSION_FOLDER,
    CAFFE_FILE,
    STRUCTURE_FILE,
    CARD_FILE,
    "drift.json",
    PROBES_FILE,
)


def export_bundle(
    recipe: Recipe,
    trained: Trained,
    *,
    figures: dict[str, str],
    licence: str,
    out: Path,
    format: Format = "onnx",  # noqa: A002 - what the command calls it
) -> Path:
    """Write model and card; return the folder.

    Args:
        recipe: Of the training.
        trained: What it left behind.
        figures: What was measured, for the card.
        licence: Of the weights: the user's to say.
        out: Folder of the bundle; its name is the name of the model.
        format: For which runtime.

    Raises:
        TrainingError: the network does not fit the format, or computes something else there.
        MissingExtraError: what writes or checks the format is not installed.
        OutputError: the folder cannot be written.
    """
    interface = interface_of(trained.network, trained.data.test[0][0])
    card = card_of(recipe, trained, interface, figures=figures, licence=licence)

    def write(folder: Path) -> dict[str, Any]:
        _write_model(interface, folder, format)
        ready = {**card, "runtime": format, "weights": _WEIGHTS[format]}
        session = open_session(as_card(ready, name=out.name), folder=folder)
        worst = difference(interface, session)
        refuse_difference(worst, runtime=format)
        write_probes(folder, as_card(ready, name=out.name), session, raw=raw_inputs(interface))
        return {**ready, "figures": {**figures, f"{format}_difference": f"{worst:.2g}"}}

    return write_bundle(out, write)


def _write_model(interface: Interface, folder: Path, format: Format) -> None:  # noqa: A002 - as above
    """Write the weights of one format; others than ONNX are made from ONNX."""
    if format == "onnx":
        return export_onnx(interface, folder / MODEL_FILE)
    with tempfile.TemporaryDirectory() as other:
        path = Path(other) / MODEL_FILE
        export_onnx(interface, path)
        if format == "savedmodel":
            return export_savedmodel(path, folder / VERSION_FOLDER)
        return export_caffe(path, folder / STRUCTURE_FILE, folder / CAFFE_FILE)


def write_bundle(out: Path, write: Callable[[Path], dict[str, Any]]) -> Path:
    """Make a bundle beside its place and move it there when it is whole; return its folder.

    Args:
        out: Where; what an earlier export left there is replaced, other files stay.
        write: Fills a folder with weights, returns the card without name and checksum.

    Raises:
        OutputError: the folder cannot be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as name:
            fresh = Path(name)
            values = write(fresh)
            sha256 = read_parts(as_card(values, name=out.name), folder=fresh).sha256
            text = to_toml({"name": out.name, **values, "sha256": sha256})
            parse_card(text, where=str(out))
            (fresh / CARD_FILE).write_text(text, "utf-8")
            out.mkdir(exist_ok=True)
            for ours in _OURS:
                _remove(out / ours)
            for path in fresh.iterdir():
                shutil.move(path, out / path.name)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"cannot write to {out}: {error.strerror or error}") from error
    return out


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def as_card(values: dict[str, Any], *, name: str) -> Card:
    """Return what will stand in a card, as a card."""
    return parse_card(to_toml({"name": name, **values}), where=name)
