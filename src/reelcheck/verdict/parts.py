"""What every part of a report is made of: frozen, strict, and safe to write down."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from reelcheck.verdict.rounding import rounded


def escape_surrogates(text: object) -> object:
    r"""Return text that UTF-8 can hold: half characters of file names become ``\udc80``."""
    if isinstance(text, str):
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


Number = Annotated[float, AfterValidator(rounded)]
Text = Annotated[str, BeforeValidator(escape_surrogates)]


class Part(BaseModel):
    """A frozen part of a report that refuses unknown keys and numbers that are not finite."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )
