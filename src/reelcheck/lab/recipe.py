"""A recipe: one TOML file that says what is trained, on what, how, and how it is measured.

    name = "motion-tsm"
    seed = 7
    [data]
    task = "motion-classes"
    [network]
    name = "tsm"
    [training]
    epochs = 20

Unknown keys are refused, so that a misspelt learning rate cannot silently become the default.
"""

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reelcheck.errors import SettingError

_Positive = Annotated[int, Field(ge=1)]
_Share = Annotated[float, Field(ge=0, le=1)]
Option = int | float | str


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataPart(_Part):
    """Where the samples come from: a generated task, or a manifest."""

    task: str | None = None
    """Name of a generated task in ``reelcheck.lab.tasks``."""
    train_count: _Positive = 400
    test_count: _Positive = 200
    difficulty: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Of a generated task: 0 easy to 1 hard."""
    streams: tuple[Literal["rgb", "motion", "audio"], ...] = ("rgb", "motion", "audio")
    """Which streams a network with several is given; the others are marked as missing."""
    manifest: Path | None = None
    """CSV, JSONL or COCO JSON; relative to the recipe."""
    clip_seconds: Annotated[float, Field(gt=0)] | None = None
    """Length of the stretch of a clip that a sample shows: its middle, in training with
    ``temporal_jitter`` any; ``None`` for the whole clip."""
    target: Literal["label", "score"] | None = None
    """Which column of a manifest is learned; ``None``: scores if every row has one and none has a
    label, else labels."""
    score_range: tuple[float, float] | None = None
    """Least and greatest score that a manifest may hold; rows beyond are refused."""
    cache_mib: Annotated[int, Field(ge=0)] = 0
    """How much disk decoded pictures may take, so that later epochs need not decode; 0 is off."""
    cache_folder: Path | None = None
    """Where they lie, relative to the recipe; ``.reelcheck-cache`` beside the manifest if not
    given."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.task is None) == (self.manifest is None):
            raise ValueError("give either task or manifest")
        if self.score_range is not None and self.score_range[0] >= self.score_range[1]:
            raise ValueError("score_range must grow")
        return self


class InputPart(_Part):
    """What a network sees, in training, in measurement and in use alike. Goes into the card."""

    frames: _Positive = 8
    size_px: tuple[_Positive, _Positive] = (224, 224)
    """(width, height)."""
    sampling: Literal["segments", "dense", "middle"] = "segments"
    resize: Literal["stretch", "crop", "letterbox"] = "stretch"
    grayscale: bool = False
    denoise: Literal["none", "median"] = "none"
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    """Subtracted, RGB on the 0-255 scale. The default is that of ImageNet."""
    scale: tuple[float, float, float] = (58.395, 57.12, 57.375)
    """Divided by, after the mean."""
    fragments_grid: _Positive = 7
    """Fragments per side of a picture; quality networks only, which see ``size_px`` as a glance."""
    fragments_px: _Positive = 32
    """Side of a fragment, cut at the resolution of the video."""


class AugmentationPart(_Part):
    """What is varied in training only."""

    flip: _Share = 0.0
    """Chance of mirroring. Off by default: labels may be directional."""
    crop_scale: tuple[_Share, _Share] = (1.0, 1.0)
    """Share of the area that a random crop keeps."""
    colour: _Share = 0.0
    """Strength of random brightness, contrast and saturation."""
    recompress: _Share = 0.0
    """Chance of passing through H.264 at a random CRF from 18 to 40."""
    temporal_jitter: bool = True
    """Random places within segments instead of their middles, a random first picture of dense
    sampling, and a random stretch of ``clip_seconds``."""
    mixup: Annotated[float, Field(ge=0)] = 0.0
    """Parameter of the beta distribution; 0 is off. Zhang et al., arXiv 1710.09412."""
    cutmix: Annotated[float, Field(ge=0)] = 0.0
    """The same for CutMix, Yun et al., arXiv 1905.04899."""
    mosaic: _Share = 0.0
    """Chance of a mosaic of four pictures; detection only."""
    mosaic_off_epochs: Annotated[int, Field(ge=0)] = 2
    """Last epochs without mosaic, after YOLOX."""

    @model_validator(mode="after")
    def _some_crop(self) -> Self:
        if not 0 < self.crop_scale[0] <= self.crop_scale[1]:
            raise ValueError("crop_scale must be two shares above 0 that do not fall")
        return self


class NetworkPart(_Part):
    """Which network, with which options."""

    name: str
    options: dict[str, Option] = Field(default_factory=dict)


class AdversarialPart(_Part):
    """Training against an attacker who changes pixels; see ``engine.adversarial``."""

    method: Literal["pgd-at", "trades"] = "pgd-at"
    epsilon_levels: Annotated[float, Field(gt=0, le=255)] = 8.0
    """How far a pixel may be moved, in levels of 0-255."""
    steps: _Positive = 5
    """Of the ascent, for every batch: each costs as much as learning from it."""
    step_levels: Annotated[float, Field(gt=0, le=255)] = 2.5
    ramp_epochs: Annotated[float, Field(ge=0)] = 0.0
    """In which budget and steps grow from nothing: a network that can tell nothing yet learns
    nothing from an attacker. Curriculum: Cai et al., arXiv 1805.04807."""
    beta: Annotated[float, Field(gt=0)] = 6.0
    """Of TRADES: how much steadiness counts beside being right. 6 is the authors'."""


class SmoothingPart(_Part):
    """Training under noise, so that ``reelcheck lab attack`` can certify a radius."""

    sigma_levels: Annotated[float, Field(gt=0, le=255)] = 32.0
    """Standard deviation of the noise, in levels of 0-255."""


class TrainingPart(_Part):
    """How the weights are found."""

    epochs: _Positive = 10
    batch: _Positive = 16
    optimiser: Literal["adamw", "sgd"] = "adamw"
    rate: Annotated[float, Field(gt=0)] = 1e-3
    """Learning rate after warm-up."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    momentum: _Share = 0.9
    warmup_epochs: Annotated[float, Field(ge=0)] = 1.0
    schedule: Literal["cosine", "constant"] = "cosine"
    clip_norm: Annotated[float, Field(ge=0)] = 20.0
    """Largest norm of a gradient; 0 is off. 20 after ACTION-Net."""
    accumulate: _Positive = 1
    """Batches per step."""
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Of the moving average of the weights that is measured and exported; 0 is off."""
    label_smoothing: _Share = 0.0
    precision: Literal["64-true", "32-true", "bf16-mixed", "16-mixed"] = "32-true"
    early_stop_epochs: Annotated[int, Field(ge=0)] = 0
    """Stop when so many epochs brought nothing; 0 is off."""
    balance_classes: bool = False
    """Draw every class equally often."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes that read clips."""
    described_draws: Annotated[int, Field(ge=0)] = 0
    """Of a network with a frozen trunk: how often the trunk describes each training sample before
    the head learns from that; 0 runs the trunk in every epoch."""
    adversarial: AdversarialPart | None = None
    """``[training.adversarial]``; without it nobody attacks."""
    smoothing: SmoothingPart | None = None
    """``[training.smoothing]``; without it there is no noise."""


class Recipe(_Part):
    """One training, repeatable."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    seed: Annotated[int, Field(ge=0)] = 0
    data: DataPart
    input: InputPart = InputPart()
    augmentation: AugmentationPart = AugmentationPart()
    network: NetworkPart
    training: TrainingPart = TrainingPart()

    @property
    def digest(self) -> str:
        """SHA-256 of everything that the recipe says."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def load_recipe(path: Path) -> Recipe:
    """Return the recipe in a TOML file; a relative manifest is looked for beside it.

    Raises:
        SettingError: the file is missing or no TOML, or a key is unknown, missing or wrong.
    """
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingError(f"recipe {path}: {error}") from error
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        unknown = [one for one in error.errors() if one["type"] == "extra_forbidden"]
        first = (unknown or error.errors())[0]
        key = ".".join(str(part) for part in first["loc"]) or "recipe"
        raise SettingError(f"recipe {path}: {key}: {first['msg']}") from error
    beside = {
        name: path.parent / place
        for name, place in (
            ("manifest", recipe.data.manifest),
            ("cache_folder", recipe.data.cache_folder),
        )
        if place is not None
    }
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=beside)})
