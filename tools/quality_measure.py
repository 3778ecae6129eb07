"""Measures the shipped quality analyzer on held-out clips and on rated stills, and draws it.

    python tools/quality_measure.py ladders/clips.csv human_stills/index.csv docs/images/quality.svg

The clips are those of the test part of the ladders, each watched whole as `reelcheck analyze` does;
the stills are those of ``quality_stills.py``. Left: what is told of each clip, a colour for each
scene. Middle: how often the label lies within the interval told, by score. Right: what is told of
each still, a colour for each range of coded heights. Figures have 95 % intervals over scenes; last
comes how often the likeliest cause that is told is the way in which the clip was spoilt.
"""

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from quality_stills import STRATA, read_stills
from svg_panels import COLOURS, Panel, write_svg

import reelcheck
from reelcheck.lab.measure.bootstrap import resample
from reelcheck.lab.measure.quality import Judge, Opinions, Told

_BINS: Final = np.arange(1.0, 5.01, 0.5)
_SCALE: Final = (1.0, 5.0)
_FEWEST: Final = 10
"""Clips in a bin below which it is not drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A clip of the test part."""

    scene: str
    label: float
    told: tuple[float, float, float]
    """Score, lower and upper."""
    spoilt: str
    """How."""
    cause: str
    """The likeliest that is told; empty when none is."""


def main() -> None:
    """Print the figures, and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("stills", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    clips = watch(given.clips)
    told = np.array([clip.told for clip in clips])
    labels = np.array([clip.label for clip in clips])
    measured = Judge(
        Told(scores=told[:, 0], lower=told[:, 1], upper=told[:, 2]), Opinions(scores=labels)
    )
    figures = resample(measured, [clip.scene for clip in clips]).intervals()
    print(f"{len(clips)} clips of {len({clip.scene for clip in clips})} scenes")
    for name, figure in figures.items():
        print(f"{name:15} {figure}")
    blamed = [clip for clip in clips if clip.cause]
    rightly = sum(clip.cause == clip.spoilt for clip in blamed)
    print(f"causes told of {len(blamed)} clips, rightly of {rightly / max(1, len(blamed)):.1%}")
    panels = [_scatter(clips), _held(told, labels), _stills(given.stills)]
    write_svg(given.out, panels)


def watch(table: Path) -> list[Watched]:
    """Analyze every clip of the test part; what has no score is told and left out."""
    found = []
    with table.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    for row in rows:
        quality = reelcheck.analyze(table.parent / row["file"], only=["quality"]).quality
        if quality is None:
            print(f"{row['file']} has no score")
            continue
        told = (quality.score, *quality.interval)
        found.append(
            Watched(
                scene=row["group"],
                label=float(row["score"]),
                told=told,
                spoilt=row["label"],
                cause=quality.causes[0].cause if quality.causes else "",
            )
        )
    return found


def _scatter(clips: Sequence[Watched]) -> str:
    panel = Panel(title="Unseen scenes", across="label, from VMAF", up="told", x=_SCALE, y=_SCALE)
    body = panel.diagonal()
    for row, scene in enumerate(sorted({clip.scene for clip in clips})):
        own = np.array([(clip.label, clip.told[0]) for clip in clips if clip.scene == scene])
        body += panel.dots(own, COLOURS[row % len(COLOURS)], radius_px=1.8)
        body += panel.word(scene, COLOURS[row % len(COLOURS)], row)
    return panel.drawn(0, body)


def _held(told: NDArray[np.float64], labels: NDArray[np.float64]) -> str:
    panel = Panel(title="90 % intervals", across="told", up="share that holds", x=_SCALE)
    held = (told[:, 1] <= labels) & (labels <= told[:, 2])
    bins = np.digitize(told[:, 0], _BINS)
    chosen = [bins == one for one in np.unique(bins) if (bins == one).sum() >= _FEWEST]
    points = np.array([(told[one, 0].mean(), held[one].mean()) for one in chosen])
    sizes = np.array([2 + one.sum() ** 0.5 / 2 for one in chosen])
    promised = panel.line(np.array([[_SCALE[0], 0.9], [_SCALE[1], 0.9]]), "#bbb")
    return panel.drawn(1, promised + panel.dots(points, COLOURS[0], radius_px=sizes))


def _stills(index: Path) -> str:
    panel = Panel(title="Rated stills", across="opinion of people", up="told", x=_SCALE, y=_SCALE)
    stills, body = read_stills(index), panel.diagonal()
    for row, (name, (low, high)) in enumerate(list(STRATA.items())[1:]):
        own = [one for one in stills if low <= one.height_px <= high]
        points = np.array([(one.mos, one.judged.score) for one in own])
        body += panel.dots(points, COLOURS[row])
        body += panel.word(f"{name} lines", COLOURS[row], row)
    return panel.drawn(2, body)


if __name__ == "__main__":
    main()
