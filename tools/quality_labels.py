"""Turns what libvmaf said of the ladders into scores on the five-point scale, and a manifest.

    python tools/quality_labels.py LADDERS [--also MORE ...] --opinions vmaf_to_mos.csv

Reads ``LADDERS/ladders.csv`` of ``quality_ladders.py``, writes ``LADDERS/clips.csv`` for
``reelcheck lab train``: the score, the likely cause as label, the scene as group, and a split.
Ladders after ``--also``, of stills or of compressed clips, are trained on and never tested; of
them, scenes that the first ones have are left out, and what lost data left unrecognisable.

Scores come from rated sequences (AVT-VQDB-UHD-1, Rao et al., ISM 2019: columns ``test``,
``src``, ``mos``, ``vmaf``, ``ssim``, ``height``): the logistic curve of VMAF, and that of SSIM in
decibels and the octaves by which the picture was enlarged, each with an offset for each of the four
tests, whose viewers used the scale differently. Where VMAF is blind, the second has a say:

- enlarged pictures: up to 0.75 of the logit from one and a half octaves on. Near its lower end VMAF
  does not tell grades apart, and viewers judge enlarging more harshly than it does;
- noise, bands and smeared details: 0.25. VMAF calls strong noise excellent;
- halos: 0.25, and VMAF without enhancement gain (NEG) in place of VMAF, which rewards them.

The program prints how well the two curves predict sequences of sources that were left out.
"""

import argparse
import csv
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.stats import spearmanr

from reelcheck.lab.data.manifest import Row, write_manifest

Floats = NDArray[np.float64]

_TESTS: Final = 4
_FOLDS: Final = 5
_UHD_LINES: Final = 2160
_LEAST_LOSS: Final = 1e-5
"""Of SSIM: 50 dB is the best."""
_ENLARGED_WEIGHT: Final = 0.75
_ENLARGED_OCTAVES: Final = 1.5
_BLIND_WEIGHT: Final = 0.25
_BLIND: Final = frozenset({"noise", "banding", "sharpening", "smoothing"})
_PARTS: Final = {"test": 0.2, "validation": 0.15}
_SCALED_OCTAVES: Final = 0.75
_RATE_FACTOR: Final = {"h264", "hevc", "vp9", "av1"}
_WRECK_VMAF: Final = 10.0
_MILD_CRF: Final = 24
"""Coding below it is hardly seen where the picture is enlarged by more than that."""


def decibels(ssim: Floats) -> Floats:
    """Return SSIM as decibels, 0 to 50."""
    return np.asarray(-10 * np.log10(1 - ssim + _LEAST_LOSS))


def scale(logit: Floats) -> Floats:
    """Return a logit on the scale from 1 to 5."""
    return np.asarray(1 + 4 / (1 + np.exp(-logit)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """``1 + 4 / (1 + exp(-(a + b x + ...)))``."""

    weights: Floats

    def logit(self, columns: Floats) -> Floats:
        """Return the logit for rows of columns."""
        return np.asarray(self.weights[0] + columns @ self.weights[1:])


def fit(columns: Floats, mos: Floats, test: NDArray[np.int64]) -> tuple[Curve, Floats]:
    """Return the curve and the offset of each test; the offsets add up to 0."""
    count = columns.shape[1]
    start = np.concatenate([np.zeros(1), np.full(count, 0.02), np.zeros(_TESTS - 1)])

    def offsets(values: Floats) -> Floats:
        free = values[1 + count :]
        return np.append(free, -free.sum())

    def miss(values: Floats) -> Floats:
        curve = Curve(weights=values[: 1 + count])
        return np.asarray(scale(curve.logit(columns)) + offsets(values)[test] - mos)

    found = least_squares(miss, start, loss="soft_l1").x
    return Curve(weights=found[: 1 + count]), offsets(found)


def left_out(columns: Floats, mos: Floats, test: NDArray[np.int64], groups: list[str]) -> str:
    """Return how a curve predicts the sources that it was not fitted to."""
    names = sorted(set(groups))
    fold = np.array([names.index(one) % _FOLDS for one in groups])
    told = np.zeros(len(mos))
    for number in range(_FOLDS):
        out = fold == number
        curve, offsets = fit(columns[~out], mos[~out], test[~out])
        told[out] = scale(curve.logit(columns[out])) + offsets[test[out]]
    ranks = [spearmanr(told[test == one], mos[test == one]).statistic for one in range(_TESTS)]
    error = float(np.sqrt(np.mean((told - mos) ** 2)))
    return f"RMSE {error:.3f}, mean SROCC inside the tests {np.mean(ranks):.3f}"


def curves(path: Path) -> tuple[Curve, Curve]:
    """Return the curves of VMAF, and of SSIM with enlargement, fitted to opinions."""
    rows = _table(path)
    mos, vmaf, ssim, height = (_floats(rows, key) for key in ("mos", "vmaf", "ssim", "height"))
    test = np.array([int(row["test"]) - 1 for row in rows])
    groups = [row["src"].split("_8s")[0].split("_cropped")[0] for row in rows]
    by_vmaf = vmaf[:, None]
    by_ssim = np.stack([decibels(ssim), np.log2(_UHD_LINES / height)], axis=1)
    found = []
    for name, columns in (("VMAF", by_vmaf), ("SSIM and octaves", by_ssim)):
        curve, _ = fit(columns, mos, test)
        weights = ", ".join(f"{one:.4f}" for one in curve.weights)
        print(f"{name}: logit weights {weights}; left out: {left_out(columns, mos, test, groups)}")
        found.append(curve)
    return found[0], found[1]


def scores(rows: list[dict[str, str]], by_vmaf: Curve, by_ssim: Curve) -> Floats:
    """Return the score of every rung."""
    kind = np.array([row["kind"] for row in rows])
    moves = np.array([row["moves"] == "True" for row in rows])
    vmaf = np.where(moves, _floats(rows, "vmaf"), _floats(rows, "vmaf_still"))
    vmaf = np.where(kind == "sharpening", _floats(rows, "vmaf_neg"), vmaf)
    octaves = np.log2(1 / _floats(rows, "ratio"))
    weight = _ENLARGED_WEIGHT * np.clip(octaves / _ENLARGED_OCTAVES, 0, 1)
    weight[np.isin(kind, list(_BLIND))] = _BLIND_WEIGHT
    first = by_vmaf.logit(vmaf[:, None])
    second = by_ssim.logit(np.stack([decibels(_floats(rows, "ssim")), octaves], axis=1))
    return scale((1 - weight) * first + weight * second)


def cause(row: dict[str, str]) -> str:
    """Return what a person would blame first."""
    octaves = float(np.log2(1 / float(row["ratio"])))
    if row["codec"] in _RATE_FACTOR and octaves > _SCALED_OCTAVES and int(row["crf"]) < _MILD_CRF:
        return "scaling"
    return {"mixed": "compression", "smoothing": "blur"}.get(row["kind"], row["kind"])


def splits(groups: list[str], *, seed: int) -> dict[str, str]:
    """Return the part of every scene."""
    names = sorted(set(groups))
    np.random.default_rng(seed).shuffle(names)
    parts = dict.fromkeys(names, "train")
    at = 0
    for part, share in _PARTS.items():
        count = round(share * len(names))
        parts |= dict.fromkeys(names[at : at + count], part)
        at += count
    return parts


def _wrecked(row: dict[str, str]) -> bool:
    """Return whether lost data left little: stripes of any two scenes look like copies."""
    return row["kind"] == "loss" and float(row["vmaf"]) < _WRECK_VMAF


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _floats(rows: list[dict[str, Any]], key: str) -> Floats:
    return np.array([float(row[key]) for row in rows])


def main() -> None:
    """Write the manifest."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("ladders", type=Path)
    parser.add_argument("--also", type=Path, nargs="*", default=[])
    parser.add_argument("--opinions", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rungs = _table(given.ladders / "ladders.csv")
    parts = splits([rung["scene"] for rung in rungs], seed=given.seed)
    for folder in given.also:
        there = os.path.relpath(folder, given.ladders)
        rungs += [
            {**rung, "file": f"{there}/{rung['file']}"}
            for rung in _table(folder / "ladders.csv")
            if rung["scene"] not in parts and not _wrecked(rung)
        ]
    told = scores(rungs, *curves(given.opinions))
    rows = [
        Row(
            file=rung["file"],
            label=cause(rung),
            score=round(float(score), 4),
            group=rung["scene"],
            split=parts.get(rung["scene"], "train"),
        )
        for rung, score in zip(rungs, told, strict=True)
    ]
    write_manifest(rows, given.ladders / "clips.csv")
    scenes, counts = {row.group for row in rows}, Counter(row.split for row in rows)
    print(f"{len(rows)} clips, {len(scenes)} scenes; {dict(counts)}")


if __name__ == "__main__":
    main()
