"""``reelcheck lab``: one module per job."""

import logging
import warnings

from reelcheck.lab.commands import (
    attacking,
    comparing,
    data,
    exporting,
    leaking,
    measuring,
    training,
    watermarking,
)
from reelcheck.lab.commands.app import app

__all__ = [
    "app",
    "attacking",
    "comparing",
    "data",
    "exporting",
    "leaking",
    "main",
    "measuring",
    "training",
    "watermarking",
]


def main(arguments: list[str]) -> None:
    """Run one command of the lab. Errors are those of ``reelcheck.errors``."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning_utilities"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    app(arguments, prog_name="reelcheck lab", standalone_mode=False)
