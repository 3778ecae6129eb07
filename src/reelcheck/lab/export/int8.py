"""Whole numbers of eight bits instead of floats, and what that changes.

Method: static quantisation by ONNX Runtime (quantize/dequantize nodes, weights per channel, both
signed, ranges by least and largest value), calibrated on samples of the training part as training
sees them, augmentation included. The test part is never used for calibration.

Limits: how much faster it is depends on the processor; a network with few channels may get slower.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnxruntime import quantization
from onnxruntime.quantization import shape_inference

from reelcheck.lab.data.sources import Samples
from reelcheck.lab.engine.run import Trained
from reelcheck.lab.errors import TrainingError
from reelcheck.lab.export.bundle import MODEL_FILE, as_card, write_bundle
from reelcheck.lab.export.drift import Drift, measure_drift, write_drift
from reelcheck.lab.export.interface import named_inputs
from reelcheck.lab.export.probing import raw_inputs_of, write_probes
from reelcheck.lab.recipe import Recipe
from reelcheck.models.card import CARD_FILE, parse_card
from reelcheck.models.protect.probes import WIDE_MARGIN
from reelcheck.models.session import open_session

CALIBRATION_SAMPLES: Final = 200
"""Ours; ONNX Runtime's examples take 100 to 1000."""


_QUANTISED: Final = (
    "Add AveragePool Clip Conv Gemm GlobalAveragePool MatMul MaxPool Mul Relu Sigmoid".split()
)
"""What computes; of changes of shape ONNX Runtime refuses some that touch weights."""


class _Reader(quantization.CalibrationDataReader):  # type: ignore[misc]  # it has no types
    """Hands out samples one by one."""

    def __init__(self, samples: Samples, *, kind: str, count: int) -> None:
        self._rows = _spread(samples, kind=kind, count=count)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next sample as a batch of one, or ``None``."""
        return next(self._rows, None)


def _spread(samples: Samples, *, kind: str, count: int) -> Iterator[dict[str, NDArray[np.float32]]]:
    for number in np.unique(np.linspace(0, len(samples) - 1, count).round().astype(int)):
        inputs, _, _ = samples[int(number)]
        yield {name: one[None].float().numpy() for name, one in named_inputs(kind, inputs).items()}


def export_int8(
    recipe: Recipe,
    trained: Trained,
    float_bundle: Path,
    *,
    out: Path,
    samples: int = CALIBRATION_SAMPLES,
) -> Drift:
    """Write an int8 bundle beside a float one; return what changed.

    Args:
        recipe: Of the training.
        trained: What it left behind.
        float_bundle: Folder of the network as ONNX.
        out: Folder of the new bundle, with ``drift.json``.
        samples: Most samples to calibrate on.

    Raises:
        TrainingError: the network is a detector, or cannot be quantised.
        OutputError: the folder cannot be written.
    """
    card = parse_card((float_bundle / CARD_FILE).read_text("utf-8"), where=str(float_bundle))
    if card.output.kind == "boxes":
        raise TrainingError("int8 is not for detectors", hint="leave --int8 out")
    kind = str(trained.network.kind)
    known = card.model_dump(
        mode="json", exclude_none=True, exclude_defaults=True, exclude={"name", "sha256"}
    )
    found: list[Drift] = []

    def write(folder: Path) -> dict[str, Any]:
        reader = _Reader(trained.data.train, kind=kind, count=samples)
        _quantise(float_bundle / MODEL_FILE, folder / MODEL_FILE, reader)
        told = f"int8 of {card.name}, calibrated on at most {samples} samples of the training part"
        changed: dict[str, Any] = {**known, "source": f"{card.source}; {told}"}
        drift = measure_drift(
            trained.network,
            trained.data,
            floats=open_session(card, folder=float_bundle),
            ints=open_session(as_card(changed, name=out.name), folder=folder),
            files=(float_bundle / MODEL_FILE, folder / MODEL_FILE),
            batch=recipe.training.batch,
        )
        found.append(drift)
        again = as_card(changed, name=out.name)
        raw = raw_inputs_of(float_bundle, card)
        session = open_session(again, folder=folder)
        write_probes(folder, again, session, raw=raw, margin=WIDE_MARGIN)
        write_drift(drift, folder / "drift.json")
        return {**changed, "figures": {**drift.figures(), **_words(drift)}}

    write_bundle(out, write)
    return found[0]


def _words(drift: Drift) -> dict[str, str]:
    return {
        "int8_largest_difference": f"{drift.largest_difference:.3g}",
        "int8_agreement": "not told" if drift.agreement is None else f"{drift.agreement:.4f}",
    }


def _quantise(source: Path, target: Path, reader: _Reader) -> None:
    ready = target.with_suffix(".ready.onnx")
    try:
        shape_inference.quant_pre_process(source, ready, skip_symbolic_shape=True)
        quantization.quantize_static(
            ready,
            target,
            reader,
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=_QUANTISED,
            per_channel=True,
            activation_type=quantization.QuantType.QInt8,
            weight_type=quantization.QuantType.QInt8,
        )
    except (RuntimeError, ValueError) as error:
        first: Sequence[str] = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise TrainingError(f"the network cannot become int8: {first[0]}") from error
    finally:
        ready.unlink(missing_ok=True)
