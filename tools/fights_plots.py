"""Draws what ``fights_train.py`` measured on held-out clips, as one SVG.

    python tools/fights_plots.py rows.npz docs/images/fights.svg

Left: precision and recall of the clips of SCF and hockey. Middle: how often people fight where the
network says so with some probability (SCF). Right: fights of SCF that are found against false
alarms an hour in everyday clips, over thresholds.
"""

import argparse
from pathlib import Path
from typing import Final

import numpy as np
import torch
from fights_train import Held, alarms, hold_out, platt, probability, read_clips
from svg_panels import COLOURS, Panel, write_svg

from reelcheck.lab.measure.classification import Bins, Rankings

_COLOURS: Final = dict(zip(("scf", "hockey"), COLOURS, strict=False))
_TOP: Final = 120.0
"""False alarms an hour at the right end."""


def _precision(held: list[Held]) -> str:
    panel, body = Panel(title="Clips", across="recall", up="precision"), ""
    for row, (which, colour) in enumerate(_COLOURS.items()):
        own = [one for one in held if one.clip.set == which]
        told = np.array([[one.logit] for one in own])
        truth = np.array([[bool(one.clip.label)] for one in own])
        body += panel.line(np.stack(Rankings(told, truth).curve(0), axis=1), colour)
        body += panel.word(which, colour, row)
    return panel.drawn(0, body)


def _reliability(held: list[Held], slope: float, shift: float) -> str:
    own = [one for one in held if one.clip.set == "scf"]
    told = probability([one.logit for one in own], slope, shift)
    labels = np.array([one.clip.label for one in own], dtype=np.int64)
    table = np.array(Bins(np.stack([1 - told, told], axis=1), labels).table())
    panel = Panel(title="Calibration, scf", across="probability told", up="share that is right")
    sizes = 2 + np.sqrt(table[:, 0])
    dots = panel.dots(table[:, 1:], _COLOURS["scf"], radius_px=sizes)
    return panel.drawn(1, panel.diagonal() + dots)


def _operating(held: list[Held], slope: float, shift: float) -> str:
    fights = [one for one in held if one.clip.set == "scf" and one.clip.label]
    calm = [one for one in held if one.clip.set in {"benign", "sources"}]
    across = f"false alarms an hour / {_TOP:.0f}"
    panel = Panel(title="Threshold", across=across, up="fights found")
    points, marks = [], ""
    for threshold in np.arange(0.3, 0.96, 0.025):
        logit = (np.log(threshold / (1 - threshold)) - shift) / slope
        recall = float(np.mean([one.moments.max() >= logit for one in fights]))
        events, hours = alarms(calm, float(probability(logit, 1, 0)))
        points.append((min(1.0, events / hours / _TOP), recall))
        if round(threshold, 3) in {0.6, 0.75}:
            marks += panel.mark(points[-1], f"{threshold:.2f}", COLOURS[1])
    return panel.drawn(2, panel.line(np.array(points), _COLOURS["scf"]) + marks)


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    held = hold_out(read_clips(given.rows))
    slope, shift = platt(held)
    panels = [_precision(held), _reliability(held, slope, shift), _operating(held, slope, shift)]
    write_svg(given.out, panels)


if __name__ == "__main__":
    main()
