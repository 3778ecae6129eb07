"""Compares forms of the fights head on the same rows, folds and training: an ablation.

    python tools/fights_forms.py rows.npz

Forms are those of ``fights_heads.py``, and means of their logits. The second line of each is of
training on ice hockey alone, told of SCF.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Final

import torch
from fights_heads import FORMS
from fights_train import (
    Clip,
    Held,
    by_fold,
    figures,
    hold_out,
    moments_of,
    platt,
    read_clips,
    train,
)

_JOINED: Final = (
    ("pooled", "motion"),
    ("early", "motion"),
    ("pooled", "early", "motion"),
    ("pooled", "early", "late"),
    ("pooled", "early", "late", "motion"),
)


def main() -> None:
    """Measure every form."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    clips = read_clips(given.rows)
    found = {}
    for form in FORMS:
        found[form] = hold_out(clips, forms=(form,)), across(clips, form)
        tell(form, *found[form])
    for forms in _JOINED:
        within, without = ([found[form][part] for form in forms] for part in (0, 1))
        tell(" + ".join(forms), joined(within), joined(without))


def across(clips: list[Clip], form: str) -> list[Held]:
    """Return what heads say of SCF that were trained on ice hockey alone."""
    judges = train([clip for clip in clips if clip.set == "hockey"], forms=(form,))
    scf = [clip for clip in clips if clip.set == "scf"]
    return [Held(clip=clip, moments=moments_of(judges, clip.takes()[0])) for clip in scf]


def joined(told: list[list[Held]]) -> list[Held]:
    """Return the mean of what several forms say of the same clips."""
    return [
        replace(same[0], moments=sum(one.moments for one in same) / len(same))
        for same in zip(*told, strict=True)
    ]


def tell(name: str, held: list[Held], other: list[Held]) -> None:
    """Print the figures of one form."""
    slope, shift = platt(held)
    scf = [one for one in held if one.clip.set == "scf"]
    print(name, json.dumps(by_fold(scf, slope, shift)), json.dumps(figures(scf, slope, shift)))
    print(name, "hockey alone", json.dumps(figures(other, 1.0, 0.0)), flush=True)


if __name__ == "__main__":
    main()
