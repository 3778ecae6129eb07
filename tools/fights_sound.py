"""Asks whether sound tells fights from other clips of SCF.

    python tools/fights_sound.py DATA

A logistic regression on the log-mel spectrum of each clip (40 bands of 16 kHz sound: means, spreads
and mean changes over time), trained on three of the given folds and told of the fourth. Whether a
clip has sound at all is printed and not learned: it says where a clip was found, not what it shows.
"""

import argparse
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import torch
from fights_rows import Clip, clips
from numpy.typing import NDArray
from torch.nn import functional

from reelcheck.lab.measure.bootstrap import resample
from reelcheck.lab.measure.classification import Classifier

_RATE: Final = 16_000
_WINDOW: Final = 512
_STEP: Final = 256
_BANDS: Final = 40
_ENDS_HZ: Final = (50.0, 7600.0)
_SILENT: Final = 1e-3
"""Largest amplitude of full scale below which a stream holds no sound."""
_FLOOR: Final = 1e-6
_DECAYS: Final = (1.0, 0.1, 0.01)
_FOLDS: Final = 4

Floats = NDArray[np.float64]


def main() -> None:
    """Print what can be heard, and what it tells."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    given = parser.parse_args()
    scf = [clip for clip in clips(given.data) if clip.set == "scf"]
    sounds = [_sound(clip.path) for clip in scf]
    states = np.array(
        ["none" if one is None else "silent" if _is_silent(one) else "sound" for one in sounds]
    )
    labels = np.array([clip.label for clip in scf], dtype=np.int64)
    for state in np.unique(states):
        mine = states == state
        print(f"{state}: {mine.sum()} clips, {labels[mine].mean():.0%} of them fights")
    heard = [(clip, one) for clip, one in zip(scf, sounds, strict=True) if _is_heard(one)]
    described = np.stack([_described(one) for _, one in heard if one is not None])
    for decay in _DECAYS:
        print(f"decay {decay}: {_held_out([clip for clip, _ in heard], described, decay)}")


def _sound(path: Path) -> Floats | None:
    """Return the first sound stream, one channel from -1 to 1; ``None`` when there is none."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        resampler = av.AudioResampler("flt", "mono", _RATE)
        frames = [
            made.to_ndarray()[0]
            for frame in container.decode(audio=0)
            for made in resampler.resample(frame)
        ]
    return np.concatenate(frames).astype(np.float64) if frames else None


def _is_silent(sound: Floats) -> bool:
    return float(np.abs(sound).max()) < _SILENT or len(sound) < 2 * _WINDOW


def _is_heard(sound: Floats | None) -> bool:
    return sound is not None and not _is_silent(sound)


def _mel_bands() -> Floats:
    """Return triangles on O'Shaughnessy's mel scale, shape [40, 257]."""
    low, high = (2595 * np.log10(1 + one / 700) for one in _ENDS_HZ)
    edges = 700 * (10 ** (np.linspace(low, high, _BANDS + 2) / 2595) - 1)
    at = np.linspace(0, _RATE / 2, _WINDOW // 2 + 1)
    left, middle, right = (edges[first : first + _BANDS, None] for first in range(3))
    rising, falling = (at - left) / (middle - left), (right - at) / (right - middle)
    return np.maximum(np.minimum(rising, falling), 0.0)


def _described(sound: Floats) -> Floats:
    windows = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_STEP]
    power = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW))) ** 2
    levels = np.log(power @ _mel_bands().T + _FLOOR)
    loud = levels.mean(axis=1)
    course = [loud.mean(), loud.std(), loud.max() - np.median(loud)]
    changes = np.abs(np.diff(levels, axis=0)).mean(axis=0)
    return np.concatenate([levels.mean(axis=0), levels.std(axis=0), changes, course])


def _held_out(heard: list[Clip], described: Floats, decay: float) -> dict[str, str]:
    """Return the figures over all folds, with 95 % intervals over sources."""
    labels = np.array([clip.label for clip in heard], dtype=np.int64)
    folds = np.array([clip.fold for clip in heard])
    told = np.zeros(len(heard))
    for fold in range(_FOLDS):
        own = folds != fold
        mean, spread = described[own].mean(axis=0), described[own].std(axis=0) + _FLOOR
        scaled = torch.from_numpy((described - mean) / spread)
        told[~own] = _fitted(scaled[own], torch.from_numpy(labels[own]), decay)(scaled[~own])
    measured = Classifier(np.stack([1 - told, told], axis=1), labels)
    intervals = resample(measured, [clip.group for clip in heard]).intervals()
    return {name: str(intervals[name]) for name in ("top1", "pr_auc/1", "roc_auc/1")}


def _fitted(rows: torch.Tensor, labels: torch.Tensor, decay: float) -> Any:  # noqa: ANN401 - a function of rows
    slopes = torch.zeros(rows.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([slopes], max_iter=200)

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        logits = rows @ slopes[:-1] + slopes[-1]
        wrong = functional.binary_cross_entropy_with_logits(logits, labels.double())
        whole = wrong + decay * slopes[:-1].square().sum()
        torch.autograd.backward(whole)
        return whole

    optimiser.step(loss)  # type: ignore[no-untyped-call]  # LBFGS comes without types
    fixed = slopes.detach()
    return lambda others: (others @ fixed[:-1] + fixed[-1]).sigmoid().numpy()


if __name__ == "__main__":
    main()
