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
from numpy.typing import NDArray

from reelcheck.lab.measure.classification import Bins, Rankings

_SIDE: Final = 240
_GAP: Final = 70
_COLOURS: Final = {"scf": "#0b6fa4", "hockey": "#c8560c"}

Points = NDArray[np.float64]


def _panel(place: int, title: str, across: str, up: str, body: str) -> str:
    ticks = "".join(
        f'<text x="{_SIDE * one / 4}" y="{_SIDE + 16}" text-anchor="middle">{one / 4:g}</text>'
        f'<text x="-6" y="{_SIDE - _SIDE * one / 4 + 4}" text-anchor="end">{one / 4:g}</text>'
        for one in range(5)
    )
    return (
        f'<g transform="translate({_GAP + place * (_SIDE + _GAP)},40)">'
        f'<rect width="{_SIDE}" height="{_SIDE}" fill="#fff" stroke="#999"/>{ticks}{body}'
        f'<text x="{_SIDE / 2}" y="-12" text-anchor="middle" font-weight="bold">{title}</text>'
        f'<text x="{_SIDE / 2}" y="{_SIDE + 34}" text-anchor="middle">{across}</text>'
        f'<text transform="translate(-38,{_SIDE / 2}) rotate(-90)" text-anchor="middle">{up}</text>'
        "</g>"
    )


def _line(points: Points, colour: str) -> str:
    shown = " ".join(f"{x * _SIDE:.1f},{(1 - y) * _SIDE:.1f}" for x, y in points)
    return f'<polyline points="{shown}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _word(text: str, colour: str, row: int) -> str:
    return f'<text x="10" y="{_SIDE - 14 - 18 * row}" fill="{colour}">{text}</text>'


def _precision(held: list[Held]) -> str:
    body = ""
    for row, (which, colour) in enumerate(_COLOURS.items()):
        own = [one for one in held if one.clip.set == which]
        told = np.array([[one.logit] for one in own])
        truth = np.array([[bool(one.clip.label)] for one in own])
        body += _line(np.stack(Rankings(told, truth).curve(0), axis=1), colour)
        body += _word(which, colour, row)
    return _panel(0, "Clips", "recall", "precision", body)


def _reliability(held: list[Held], slope: float, shift: float) -> str:
    own = [one for one in held if one.clip.set == "scf"]
    told = probability([one.logit for one in own], slope, shift)
    labels = np.array([one.clip.label for one in own], dtype=np.int64)
    table = Bins(np.stack([1 - told, told], axis=1), labels).table()
    dots = "".join(
        f'<circle cx="{sure * _SIDE:.1f}" cy="{(1 - right) * _SIDE:.1f}" '
        f'r="{2 + count**0.5:.1f}" fill="{_COLOURS["scf"]}" fill-opacity="0.6"/>'
        for count, sure, right in table
    )
    diagonal = _line(np.array([[0.0, 0.0], [1.0, 1.0]]), "#bbb")
    return _panel(1, "Calibration, scf", "probability told", "share that is right", diagonal + dots)


def _operating(held: list[Held], slope: float, shift: float) -> str:
    fights = [one for one in held if one.clip.set == "scf" and one.clip.label]
    calm = [one for one in held if one.clip.set in {"benign", "sources"}]
    top = 120.0
    points, marks = [], ""
    for threshold in np.arange(0.3, 0.96, 0.025):
        logit = (np.log(threshold / (1 - threshold)) - shift) / slope
        recall = float(np.mean([one.moments.max() >= logit for one in fights]))
        events, hours = alarms(calm, float(probability(logit, 1, 0)))
        points.append((min(1.0, events / hours / top), recall))
        if round(threshold, 3) in {0.6, 0.75}:
            x, y = points[-1][0] * _SIDE, (1 - recall) * _SIDE
            marks += f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#c8560c"/>'
            marks += f'<text x="{x + 8:.1f}" y="{y + 12:.1f}">{threshold:.2f}</text>'
    body = _line(np.array(points), _COLOURS["scf"]) + marks
    return _panel(2, "Threshold", f"false alarms an hour / {top:.0f}", "fights found", body)


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    held = hold_out(read_clips(given.rows))
    slope, shift = platt(held)
    panels = _precision(held) + _reliability(held, slope, shift) + _operating(held, slope, shift)
    width, height = 3 * _SIDE + 4 * _GAP, _SIDE + 90
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="12"><rect width="{width}" height="{height}" '
        f'fill="#fff"/>{panels}</svg>\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
