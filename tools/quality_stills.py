"""Compares the shipped quality network with what people said of still pictures.

    python tools/quality_stills.py human_stills/index.csv

The stills are coded at 144 to 896 lines, but people saw them enlarged to one size: each is first
enlarged to ``--size`` lines (bicubic), then the code of the analyzer judges it. Told are SROCC
and PLCC over all, and SROCC inside three ranges of the coded height, for height alone goes far;
with 95 % intervals over contents (1,000 draws of whole contents).
"""

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import spearmanr

from reelcheck.analyzers.quality import Judge, Judged
from reelcheck.lab.measure.quality import Logistic
from reelcheck.models.card import load_card
from reelcheck.models.session import open_session

Floats = NDArray[np.float64]

STRATA: Final = {
    "all": (0, 9999),
    "144-239": (144, 239),
    "240-399": (240, 399),
    "400-899": (400, 899),
}
_DRAWS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """A still picture, what people said of it, and what we say."""

    judged: Judged
    mos: float
    height_px: int
    """As it was coded."""
    source: str


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path)
    parser.add_argument("--size", type=int, default=1080)
    given = parser.parse_args()
    stills = read_stills(given.index, size_px=given.size)
    told = np.array([one.judged.score for one in stills])
    mos = np.array([one.mos for one in stills])
    height = np.array([one.height_px for one in stills])
    source = np.array([one.source for one in stills])
    for name, (low, high) in STRATA.items():
        chosen = (height >= low) & (height <= high)
        low_end, high_end = _interval(told[chosen], mos[chosen], source[chosen])
        rank = float(spearmanr(told[chosen], mos[chosen]).statistic)
        print(f"{name}: {chosen.sum()} stills, SROCC {rank:.3f} [{low_end:.3f}, {high_end:.3f}]")
    curve = Logistic.fit(told, mos)
    plcc = float(np.corrcoef(curve(told) if curve else told, mos)[0, 1])
    held = np.mean([one.judged.lower <= one.mos <= one.judged.upper for one in stills])
    print(f"PLCC after the logistic {plcc:.3f}; intervals hold {held:.1%}; mean {told.mean():.2f}")


def read_stills(index: Path, *, size_px: int = 1080) -> list[Still]:
    """Judge every still of an index by the shipped code and weights."""
    card = load_card("quality")
    judge = Judge(card, open_session(card))
    found = []
    with index.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            with Image.open(index.parent / row["file"]) as image:
                shown = image.convert("RGB").resize((size_px,) * 2, Image.Resampling.BICUBIC)
            judged = judge(np.asarray(shown.convert("L")))
            if judged is None:
                raise SystemExit(f"{row['file']} is plain: it has no score")
            mos, height_px = float(row["mos"]), int(row["height"])
            found.append(
                Still(judged=judged, mos=mos, height_px=height_px, source=row["source_id"])
            )
    return found


def _interval(told: Floats, mos: Floats, source: NDArray[np.str_]) -> tuple[float, float]:
    rng = np.random.default_rng(1)
    names = np.unique(source)
    found = []
    for _ in range(_DRAWS):
        drawn = rng.choice(names, len(names))
        at = np.concatenate([np.flatnonzero(source == name) for name in drawn])
        found.append(float(spearmanr(told[at], mos[at]).statistic))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


if __name__ == "__main__":
    main()
