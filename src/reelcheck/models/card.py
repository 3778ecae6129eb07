"""Model cards: everything that is known about a model, in one TOML file beside its weights."""

import os
import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from reelcheck.errors import SettingError
from reelcheck.models.origin import Origin

CARD_FILE = "card.toml"
_SAFE_NAME = re.compile(r"[a-z0-9][a-z0-9_]*")


def store_folder() -> Path:
    """Return the folder of the user's own weights: ``$REELCHECK_MODELS`` or the XDG data home."""
    chosen = os.environ.get("REELCHECK_MODELS")
    if chosen:
        return Path(chosen)
    data_home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data_home) / "reelcheck" / "models"


def _inside(name: str) -> str:
    """Refuse a name that leads out of the bundle."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        raise ValueError("must stay inside the bundle")
    return name


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Weights(_Strict):
    """Where the weights lie: in a package, or by file name in the model store."""

    package: str = ""
    """Import name of the package that carries them; empty for the store."""
    file: Annotated[str, AfterValidator(_inside)] = ""
    """A file; for ``savedmodel`` a folder; empty for a remote model."""
    structure: Annotated[str, AfterValidator(_inside)] = ""
    """Only for ``caffe``: the prototxt; ``file`` is the caffemodel."""


class InputSpec(_Strict):
    """How a picture becomes the input tensor."""

    name: str
    layout: Literal["NHWC", "NCHW", "NTHWC", "NTCHW", "NTF"]
    """``NTF``: rows of numbers that an analyzer makes; nothing below holds for them."""
    channels: Literal["RGB", "BGR"] = "RGB"
    resize_px: tuple[int, int] = (1, 1)
    """(width, height), bilinear with antialiasing, aspect ratio not kept."""
    crop_px: tuple[int, int] | None = None
    """(width, height) cut from the centre after resizing."""
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Subtracted, in the order of ``channels``, on the 0-255 scale."""
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Divided by, after the mean."""
    frames: int = Field(default=1, ge=1)
    """Pictures of a clip."""
    clip_seconds: float = Field(default=1.0, gt=0)
    """How much time a clip covers; for models that take clips."""
    sampling: Literal["segments", "dense", "middle"] = "segments"
    """Which pictures: the middles of equal segments, neighbours, or the middle one repeated."""
    resize: Literal["stretch", "crop", "letterbox"] = "stretch"
    """How a clip comes to ``resize_px``: stretched, cut to its shape, or with grey bars."""
    grayscale: bool = False
    denoise: Literal["none", "median"] = "none"
    """Median of 3 x 3 pixels."""
    jpeg_round_trip: bool = False
    """Whether the picture passes through a JPEG of quality 75 after the crop."""


class ExtraInput(_Strict):
    """An input beside the pictures. It is made by the caller, not by ``models.tensors``."""

    name: str
    shape: tuple[int, ...]
    """Of one sample."""
    summary: str


class OutputSpec(_Strict):
    """What comes out."""

    name: str
    labels: tuple[str, ...]
    kind: Literal["classes", "boxes", "quality", "embedding"] = "classes"
    """Logits of the labels; rows of raw boxes, not yet suppressed; score, lower, upper; or a vector
    that stands for the picture."""


Runtime = Literal["onnx", "savedmodel", "caffe", "serving"]
"""ONNX Runtime; TensorFlow; Caffe through OpenCV; a remote TensorFlow Serving."""


class Training(_Strict):
    """Where the knowledge comes from."""

    data: str


class Notes(_Strict):
    """What the model cannot do."""

    notes: tuple[str, ...] = ()


class Card(_Strict):
    """One model."""

    name: str
    version: str
    task: str
    summary: str
    licence: str
    source: str
    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    """Of the weights; empty when they are made on the user's machine and recorded there.

    Where they are several files: of one line per file, sorted by name, as ``sha256sum`` writes it.
    """
    runtime: Runtime = "onnx"
    url: str = ""
    """Only for ``serving``: ``http://host:8501/v1/models/NAME``, perhaps ``/versions/V``."""
    weights: Weights = Weights()
    origin: Origin | None = None
    """Where the weights can be got; only for models of the catalogue."""
    input: InputSpec
    extra_inputs: tuple[ExtraInput, ...] = ()
    """Of a network that takes more than pictures."""
    output: OutputSpec
    training: Training
    figures: dict[str, str]
    thresholds: dict[str, float] = Field(default_factory=dict)
    """Probability from which a label of a trained model is an event."""
    limits: Notes = Notes()

    @model_validator(mode="after")
    def _fits_its_runtime(self) -> Self:
        remote = self.runtime == "serving"
        if remote != bool(self.url):
            raise ValueError("a url belongs to the runtime 'serving', and only there")
        if remote and not _is_model_url(self.url):
            raise ValueError("the url must look like http://host:8501/v1/models/NAME")
        if remote == bool(self.weights.file):
            raise ValueError("weights.file belongs to every runtime but 'serving'")
        if remote and self.sha256:
            raise ValueError("the weights of a remote model cannot be checked: leave sha256 out")
        if (self.runtime == "caffe") != bool(self.weights.structure):
            raise ValueError("weights.structure belongs to the runtime 'caffe', and only there")
        return self


_MODEL_PATH = re.compile(r"/v1/models/[^/?#]+(/versions/[0-9]+)?")


def _is_model_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    plain = parts.username is None and not parts.query and not parts.fragment
    return known and plain and bool(_MODEL_PATH.fullmatch(parts.path))


def parse_card(text: str, *, where: str) -> Card:
    """Return the card in a TOML text.

    Raises:
        SettingError: it is no TOML, or a key is unknown, missing or of the wrong type.
    """
    try:
        data: dict[str, Any] = tomllib.loads(text)
        return Card.model_validate(data)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingError(f"model card {where}: {error}") from error
    except ValidationError as error:
        unknown = [one for one in error.errors() if one["type"] == "extra_forbidden"]
        first = (unknown or error.errors())[0]
        key = ".".join(str(part) for part in first["loc"]) or "card"
        raise SettingError(f"model card {where}: {key}: {first['msg']}") from error


def card_names() -> Iterator[str]:
    """Yield the names of the models in the catalogue, sorted."""
    folder = resources.files("reelcheck.models") / "cards"
    for item in sorted(folder.iterdir(), key=lambda one: one.name):
        if item.name.endswith(".toml"):
            yield item.name.removesuffix(".toml")


def is_safe_name(name: str) -> bool:
    """Return whether a model of one's own may have this name: it becomes a folder and a signal."""
    return bool(_SAFE_NAME.fullmatch(name))


def is_trained(name: str) -> bool:
    """Return whether the user's store has a model of this name."""
    return is_safe_name(name) and (store_folder() / name / CARD_FILE).is_file()


def load_card(name: str) -> Card:
    """Return the card of a model in the catalogue or in the user's store.

    Raises:
        SettingError: there is no such model, or its card is wrong.
    """
    known = list(card_names())
    if name not in known and is_trained(name):
        return parse_card((store_folder() / name / CARD_FILE).read_text("utf-8"), where=name)
    if name not in known:
        raise SettingError(f"unknown model {name!r}", hint=f"known models: {', '.join(known)}")
    file = resources.files("reelcheck.models") / "cards" / f"{name}.toml"
    return parse_card(file.read_text("utf-8"), where=name)
