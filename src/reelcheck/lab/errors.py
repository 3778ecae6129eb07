"""What can go wrong in the lab, beyond wrong settings."""

from reelcheck.errors import InputError, ReelcheckError


class DataError(InputError):
    """A manifest, an annotation or a clip is wrong; the message names the file and the row."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Keep one line for the user, and what to do."""
        super().__init__(message, code="E_DATA", hint=hint)


class TrainingError(ReelcheckError):
    """Training cannot go on. The last good checkpoint stays."""

    exit_code = 5

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Keep one line for the user, and what to do."""
        super().__init__(message, code="E_TRAINING", hint=hint)


class StoppedError(ReelcheckError):
    """Somebody stopped a training. The checkpoint of the last whole epoch stays."""

    exit_code = 4

    def __init__(self, message: str) -> None:
        """Keep one line for the user; the hint is the same every time."""
        hint = "--resume goes on from the last whole epoch"
        super().__init__(message, code="E_CANCELLED", hint=hint)
