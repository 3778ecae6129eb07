"""Trains the fights network on rows of ``fights_rows.py``, and measures it by cross-validation.

    python tools/fights_train.py rows.npz --measure              # figures only
    python tools/fights_train.py rows.npz --out weights/fights.onnx

Folds are those of SCF (by source video); groups of the other sets fall into folds by a hash. Every
figure is of clips whose group was not trained on. The calibration (Platt, 1999) is fitted on the
scores of held-out clips.
"""

import argparse
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from fights_heads import FORMS, Rows
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from reelcheck.lab.export.interface import Interface
from reelcheck.lab.export.onnx import export_onnx
from reelcheck.lab.measure.bootstrap import resample
from reelcheck.lab.measure.classification import Classifier

FOLDS: Final = 4
MOMENTS: Final = 4
"""Of a window of two seconds, twice a second."""
_EPOCHS: Final = 25
_BATCH: Final = 32
_RATE: Final = 3e-3
_DECAY: Final = 0.05
_SMOOTHED: Final = 0.05
_SEEDS: Final = 5
_WORTH: Final = {"scf": 1.0, "hockey": 0.1, "benign": 0.5, "sources": 0.5}
"""How much a clip counts in training: hockey is one scene with other pictures."""
POLICIES: Final = (0.6, 0.75)
"""Thresholds of the policies ``ugc-strict`` and ``default``."""
SHIPPED: Final = ("early", "motion")
"""Forms of which there is a head for each seed; the mean of all heads ships."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """Rows of one clip, plain and mirrored, four a second."""

    set: str
    name: str
    label: int
    group: str
    fold: int
    rows: tuple[Rows, ...]

    def takes(self) -> list[Rows]:
        """Return the clip twice a second: plain and mirrored, from either phase."""
        found = [rows[phase::2] for rows in self.rows for phase in (0, 1)]
        return [one for one in found if len(one)]


def read_clips(path: Path) -> list[Clip]:
    """Read what ``fights_rows.py`` wrote."""
    held = np.load(path)
    clips = []
    for number, (which, name, label, group, fold) in enumerate(held["table"]):
        own = int(fold) if int(fold) >= 0 else _hashed(f"{which}/{group}")
        rows = tuple(held[f"{number}|{flip}"].astype(np.float32) for flip in (0, 1))
        clip = Clip(set=which, name=name, label=int(label), group=group, fold=own, rows=rows)
        clips.append(clip)
    return clips


def _hashed(name: str) -> int:
    return hashlib.sha256(name.encode()).digest()[0] % FOLDS


class Judges(nn.Module):
    """The mean of several heads as a calibrated probability, [N, 1]."""

    def __init__(
        self, heads: Iterable[nn.Module], *, slope: float = 1.0, shift: float = 0.0
    ) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)
        self.slope, self.shift = slope, shift

    def logits(self, rows: Tensor) -> Tensor:
        """Return the mean logit, [N]."""
        return torch.stack([head(rows) for head in self.heads]).mean(dim=0)

    def forward(self, rows: Tensor) -> Tensor:
        """Judge each window."""
        return (self.logits(rows) * self.slope + self.shift).sigmoid()[:, None]


def _window(take: Rows, rng: np.random.Generator) -> Rows:
    """Return a window by chance; a short clip stands still at its end."""
    if len(take) < MOMENTS:
        return np.concatenate([take, np.repeat(take[-1:], MOMENTS - len(take), axis=0)])
    first = rng.integers(len(take) - MOMENTS + 1)
    return take[first : first + MOMENTS]


def fit(clips: list[Clip], *, seed: int, form: str) -> nn.Module:
    """Train one head."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    head = FORMS[form](np.concatenate([clip.rows[0] for clip in clips]))
    optimiser = torch.optim.AdamW(head.parameters(), lr=_RATE, weight_decay=_DECAY)
    per_epoch = max(1, len(clips) // _BATCH)
    rates = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, _RATE, total_steps=_EPOCHS * per_epoch, pct_start=0.2
    )
    labels = torch.tensor([float(clip.label) for clip in clips])
    worth = torch.tensor([_WORTH[clip.set] for clip in clips])
    takes = [clip.takes() for clip in clips]
    head.train()
    for _ in range(_EPOCHS):
        for some in np.array_split(rng.permutation(len(clips)), per_epoch):
            rows = [_window(takes[one][rng.integers(len(takes[one]))], rng) for one in some]
            truth = labels[some] * (1 - 2 * _SMOOTHED) + _SMOOTHED
            told = head(torch.from_numpy(np.stack(rows)))
            losses = functional.binary_cross_entropy_with_logits(told, truth, reduction="none")
            loss = (losses * worth[some]).sum() / worth[some].sum()
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            rates.step()
    return head.eval()


def train(clips: list[Clip], *, forms: Sequence[str] = SHIPPED) -> Judges:
    """Train all heads."""
    return Judges(fit(clips, seed=seed, form=form) for form in forms for seed in range(_SEEDS))


@torch.inference_mode()
def moments_of(judges: Judges, take: Rows) -> NDArray[np.float64]:
    """Return the logit of each moment, as the analyzer joins them: the mean over its windows."""
    size = min(MOMENTS, len(take))
    windows = np.stack([take[one : one + size] for one in range(len(take) - size + 1)])
    told = judges.logits(torch.from_numpy(windows)).numpy()
    return np.array(
        [told[max(0, one - size + 1) : one + 1].mean() for one in range(len(take))], dtype=float
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What was said of a clip that was not trained on."""

    clip: Clip
    moments: NDArray[np.float64]
    """Logits, twice a second."""

    @property
    def logit(self) -> float:
        """Return the mean."""
        return float(self.moments.mean())


def hold_out(clips: list[Clip], *, forms: Sequence[str] = SHIPPED) -> list[Held]:
    """Return what heads say of clips of folds that they were not trained on."""
    held = []
    for fold in range(FOLDS):
        judges = train([clip for clip in clips if clip.fold != fold], forms=forms)
        held += [
            Held(clip=clip, moments=moments_of(judges, clip.takes()[0]))
            for clip in clips
            if clip.fold == fold
        ]
    return held


def platt(held: list[Held]) -> tuple[float, float]:
    """Return slope and shift that make probabilities of the logits of SCF."""
    own = [one for one in held if one.clip.set == "scf"]
    logits = torch.tensor([one.logit for one in own])
    truth = torch.tensor([float(one.clip.label) for one in own])
    both = torch.tensor([1.0, 0.0], requires_grad=True)
    optimiser = torch.optim.LBFGS([both], max_iter=100)

    def loss() -> Tensor:
        optimiser.zero_grad()
        told = functional.binary_cross_entropy_with_logits(logits * both[0] + both[1], truth)
        torch.autograd.backward(told)
        return told

    optimiser.step(loss)  # type: ignore[no-untyped-call]  # LBFGS comes without types
    return float(both[0].detach()), float(both[1].detach())


def probability(logits: Any, slope: float, shift: float) -> NDArray[np.float64]:  # noqa: ANN401 - number or array
    """Return calibrated probabilities."""
    return np.asarray(1 / (1 + np.exp(-(np.asarray(logits) * slope + shift))))


def figures(held: list[Held], slope: float, shift: float) -> dict[str, str]:
    """Return the figures of one set, with 95 % intervals over groups."""
    told = probability([one.logit for one in held], slope, shift)
    labels = np.array([one.clip.label for one in held], dtype=np.int64)
    measured = Classifier(np.stack([1 - told, told], axis=1), labels)
    intervals = resample(measured, [one.clip.group for one in held]).intervals()
    names = ("top1", "pr_auc/1", "roc_auc/1", "calibration_error_adaptive")
    return {name.removesuffix("/1"): str(intervals[name]) for name in names}


def by_fold(held: list[Held], slope: float, shift: float) -> dict[str, str]:
    """Return accuracy and area under precision and recall, mean and spread over folds."""
    rows = []
    for fold in range(FOLDS):
        own = [one for one in held if one.clip.fold == fold]
        told = probability([one.logit for one in own], slope, shift)
        labels = np.array([one.clip.label for one in own], dtype=np.int64)
        all_of = Classifier(np.stack([1 - told, told], axis=1), labels)(np.ones(len(own)))
        rows.append((all_of["top1"], all_of["pr_auc/1"]))
    table = np.array(rows)
    names = ("accuracy", "pr_auc")
    return {
        name: f"{column.mean():.3f} (folds {', '.join(f'{one:.3f}' for one in column)})"
        for name, column in zip(names, table.T, strict=True)
    }


def alarms(held: list[Held], threshold: float) -> tuple[int, float]:
    """Return events of harmless clips (a second or more above a threshold), and hours watched."""
    events, moments = 0, 0
    for one in held:
        above = np.concatenate([[False], probability(one.moments, 1, 0) >= threshold, [False]])
        edges = np.flatnonzero(np.diff(above.astype(int)))
        events += int((edges[1::2] - edges[::2] >= 2).sum())  # noqa: PLR2004 - two moments, 1 s
        moments += len(one.moments)
    return events, moments / 2 / 3600


def report(held: list[Held], slope: float, shift: float) -> None:
    """Print all figures."""
    scf = [one for one in held if one.clip.set == "scf"]
    print("scf", json.dumps(by_fold(scf, slope, shift)))
    for which in ("scf", "hockey"):
        own = [one for one in held if one.clip.set == which]
        print(which, json.dumps(figures(own, slope, shift)))
    fights = np.array([probability(one.moments, 1, 0).max() for one in scf if one.clip.label])
    harmless = [one for one in held if one.clip.set in {"benign", "sources"}]
    calm = [one for one in held if one.clip.set in {"scf", "hockey"} and not one.clip.label]
    for recall in (0.9, 0.8, 0.7, 0.6, 0.5):
        threshold = float(np.quantile(fights, 1 - recall))
        shown = probability(np.log(threshold / (1 - threshold)), slope, shift)
        parts = []
        for name, part in (("everyday", harmless), ("no fight, scf and hockey", calm)):
            events, hours = alarms(part, threshold)
            parts.append(f"{name}: {events} in {hours:.3f} h = {events / hours:.0f} an hour")
        print(f"recall {recall}: threshold {float(shown):.3f}; {'; '.join(parts)}")
    for asked in POLICIES:
        raw = float(probability((np.log(asked / (1 - asked)) - shift) / slope, 1, 0))
        events, hours = alarms(harmless, raw)
        share = float((fights >= raw).mean())
        print(f"threshold {asked}: recall {share:.3f}, everyday {events} in {hours:.3f} h")


def main() -> None:
    """Measure, and train on everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    clips = read_clips(given.rows)
    held = hold_out(clips)
    slope, shift = platt(held)
    print(f"{len(clips)} clips; calibration: {slope:.3f} * logit + {shift:+.3f}")
    report(held, slope, shift)
    other = train([clip for clip in clips if clip.set != "scf"])
    scf = [clip for clip in clips if clip.set == "scf"]
    across = [Held(clip=clip, moments=moments_of(other, clip.takes()[0])) for clip in scf]
    print("trained without scf, told of scf", json.dumps(figures(across, slope, shift)))
    if given.out:
        judges = train(clips).eval()
        judges.slope, judges.shift = slope, shift
        sample = {"rows": torch.from_numpy(clips[0].takes()[0][:MOMENTS])}
        interface = Interface(network=judges, sample=sample, output="fight", kind="classes")
        _export(interface, given.out)


def _export(interface: Interface, out: Path) -> None:
    export_onnx(interface, out)
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    print(f"{out.stat().st_size / 1e6:.2f} MB, sha256 {digest}")


if __name__ == "__main__":
    main()
