"""Write the probes of the models of the catalogue whose weights are on this machine.

    python tools/make_probes.py [NAME ...]

To be run again whenever weights, a card or the preprocessing change on purpose. Inputs that are no
pictures are made here, smooth and of the size that analyzers feed; CLIP has none, since its 8-bit
scales are found while it runs and rounding moves its answers as much as other weights would.
"""

import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import reelcheck.models
from reelcheck.analyzers.shots.learned import WINDOW
from reelcheck.models.card import card_names, load_card
from reelcheck.models.protect.making import make_probes
from reelcheck.models.protect.probes import to_bytes
from reelcheck.models.session import open_session
from reelcheck.models.store import locate

FOLDER: Final = Path(reelcheck.models.__file__).parent / "probes"
Raw = list[dict[str, NDArray[Any]]]


def raw_inputs(name: str) -> Raw:
    """Return what a model takes beside pictures, for each probe."""
    rng = np.random.default_rng(9)
    if name == "quality":
        return [{"glance": _half(rng.normal(scale=0.5, size=(3, 128, 128)))} for _ in range(4)]
    if name == "moving-look":
        return [
            {"coarse": _half(rng.random((4, 7, 7)) / 49), "fine": _half(rng.random((14, 14)) / 98)}
            for _ in range(4)
        ]
    if name == "fights":
        return [{"rows": _half(rng.normal(size=(4, 1542)))} for _ in range(8)]
    if name == "transnetv2":
        return [{"frames": _scenes(rng)} for _ in range(2)]
    if name == "shots":
        return [{"rows": _borders(rng)} for _ in range(2)]
    return []


def _half(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return values.astype(np.float16).astype(np.float32)


def _scenes(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return 100 frames of four scenes that move, uint8 RGB, shape [100, 27, 48, 3]."""
    coarse = rng.integers(0, 256, (4, 9, 16, 3), dtype=np.uint8)
    whole = coarse.repeat(3, axis=1).repeat(3, axis=2)
    return np.concatenate([np.stack([np.roll(one, k, axis=1) for k in range(25)]) for one in whole])


def _borders(rng: np.random.Generator) -> NDArray[np.float32]:
    """Return levels of seven noisy scenes that blend into each other, shape [144, 3888]."""
    scenes = rng.integers(0, 256, (7, 9, 16, 3)).astype(np.float64)
    scenes = scenes.repeat(3, axis=1).repeat(3, axis=2)
    time = np.linspace(0, 5.99, WINDOW)
    share = np.clip(time % 1 * 3 - 1, 0, 1)[:, None, None, None]
    shown = scenes[time.astype(int)] * (1 - share) + scenes[time.astype(int) + 1] * share
    shown += rng.normal(0, 8, shown.shape)
    levels: NDArray[np.float32] = np.clip(np.rint(shown), 0, 255).astype(np.float32)
    return levels.reshape(WINDOW, -1)


def main(names: list[str]) -> None:
    """Write one file per model."""
    FOLDER.mkdir(exist_ok=True)
    for name in names or card_names():
        card = load_card(name)
        if locate(card) is None:
            print(f"{name}: not on this machine")
            continue
        probes = make_probes(card, open_session(card), raw=raw_inputs(name))
        if probes is None:
            print(f"{name}: probes would tell nothing")
            continue
        path = FOLDER / f"{name}.safetensors"
        path.write_bytes(to_bytes(probes))
        print(f"{name}: {path.stat().st_size} bytes, shows {', '.join(probes.sees)}")


if __name__ == "__main__":
    main(sys.argv[1:])
