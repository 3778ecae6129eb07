"""Trains the network ``shots`` on sequences of real clips with known borders.

    python tools/shots_train.py DATA --out src/reelcheck/models/weights/shots.onnx

``DATA`` is that of ``fights_rows.py``. Clips with a border of their own are left out. A fifth of
the sources takes no part: with ``--videos FOLDER``, borders between them are coded as H.264 with a
``.json`` beside each that says where they are, for ``benchmarks/shots.py``.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import av
import numpy as np
import torch
from clip_views import see_clip
from fights_rows import Clip, clips
from numpy.typing import NDArray
from PIL import Image
from shots_scenes import KINDS, faded, gradual_frames, progress, sequence
from torch import Tensor, nn
from torch.nn import functional

from reelcheck.analyzers.shots.learned import WINDOW
from reelcheck.analyzers.shots.tiny import HEIGHT, WIDTH, tiny_levels
from reelcheck.errors import ReelcheckError
from reelcheck.frames import FrameBatch, FrameNeeds, Layout
from reelcheck.lab.export.interface import Interface
from reelcheck.lab.export.onnx import export_onnx
from reelcheck.lab.measure.classification import Classifier

_FRAMES: Final = 96
_BATCH: Final = 10
_RATE: Final = 2e-3
_WORTH: Final = (4.0, 1.0, 1.0, 1.0)
"""Of one frame that is marked: a cut has only one."""
_MOST_FRAMES: Final = 220
_LEAST_FRAMES: Final = 20
_OWN_BORDER: Final = (10.0, 5.0)
"""Mean change in levels, and how often the usual one, from which a clip has a border of its own."""
_STEPS: Final = (1, 2, 4, 8, 16)
_SIZE_PX: Final = (640, 360)

Levels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Scene:
    """A clip without borders."""

    path: Path
    held_out: bool
    frames: Levels
    """uint8 [N, 27, 48, 3]."""


def read_scenes(data: Path) -> list[Scene]:
    """Read every clip that can be read and has no border of its own; a quarter of ice hockey."""
    found = []
    for number, clip in enumerate(clips(data)):
        if clip.set == "hockey" and number % 4:
            continue
        frames = _tiny(clip.path)
        if frames is not None and not _has_border(frames):
            found.append(Scene(clip.path, _is_held_out(clip), frames))
    return found


def _tiny(path: Path) -> Levels | None:
    kept: list[Levels] = []

    def see(batch: FrameBatch) -> None:
        kept.extend(tiny_levels(grid) for grid in batch.pixels)

    try:
        see_clip(path, [FrameNeeds(layout=Layout.GRID, batch_frames=16)], see)
    except ReelcheckError as error:
        print(f"{path.name}: {error}")
    return np.stack(kept[:_MOST_FRAMES]) if len(kept) >= _LEAST_FRAMES else None


def _has_border(frames: Levels) -> bool:
    change = np.abs(np.diff(frames[..., 0].astype(np.float64), axis=0)).mean(axis=(1, 2))
    least, times = _OWN_BORDER
    return bool(((change > least) & (change > times * (np.median(change) + 0.5))).any())


def _is_held_out(clip: Clip) -> bool:
    return hashlib.sha256(f"{clip.set}/{clip.group}".encode()).digest()[0] % 5 == 0


class TinyShots(nn.Module):
    """Names frames [N, T, 27 * 48 * 3], levels 0 to 255: logits [N, T, 4] of ``KINDS``.

    Ours: maps of each frame, followed through time by dilated convolutions; and, as in TransNet
    V2, how much each frame differs from those around it, here up to 16 frames away.
    """

    def __init__(self, *, maps: int = 24, width: int = 64) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(3, maps // 2, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(maps // 2, maps, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(maps, maps, 3, 2, 1),
            nn.ReLU(),
        )
        self.follow = nn.ModuleList(
            nn.Sequential(
                nn.Conv3d(maps, maps, (3, 1, 1), padding=(far, 0, 0), dilation=(far, 1, 1)),
                nn.GroupNorm(4, maps),
                nn.ReLU(),
            )
            for far in (1, 2, 4, 8)
        )
        self.seen = nn.Conv1d(maps * 24, width, 1)
        self.differs = nn.Conv1d(len(_STEPS) * 2 * 25, width, 1)
        self.first = nn.Conv1d(2 * width, width, 3, padding=1)
        self.more = nn.ModuleList(
            nn.Conv1d(width, width, 3, padding=far, dilation=far) for far in (4, 12)
        )
        self.dropout = nn.Dropout(0.2)
        self.last = nn.Conv1d(width, len(KINDS), 1)

    def forward(self, frames: Tensor) -> Tensor:
        """Name every frame."""
        count, length = frames.shape[:2]
        x = (frames.reshape(-1, HEIGHT, WIDTH, 3).permute(0, 3, 1, 2) - 128) / 64
        maps = self.look(x).reshape(count, length, -1, 4, 6).transpose(1, 2)
        for layer in self.follow:
            maps = maps + layer(maps)
        seen = self.seen(maps.permute(0, 1, 3, 4, 2).flatten(1, 3))
        told = functional.relu(torch.cat((seen, self._differences(x, count, length)), dim=1))
        told = functional.relu(self.first(self.dropout(told)))
        for layer in self.more:
            told = told + functional.relu(layer(self.dropout(told)))
        logits: Tensor = self.last(told).transpose(1, 2)
        return logits

    def _differences(self, x: Tensor, count: int, length: int) -> Tensor:
        coarse = functional.adaptive_avg_pool2d(x, (4, 6)).reshape(count, length, 3, 24)
        light = functional.adaptive_avg_pool2d(x[:, :1], (9, 16)).reshape(count, length, 1, 144)
        found = []
        for step in _STEPS:
            for far in (step, -step):
                found.append((_shifted(coarse, far) - coarse).abs().mean(dim=2))
                found.append((_shifted(light, far) - light).abs().mean(dim=3))
        said: Tensor = self.differs(torch.cat(found, dim=2).transpose(1, 2))
        return said


def _shifted(x: Tensor, far: int) -> Tensor:
    """Return the values ``far`` frames later; the ends are repeated."""
    if far > 0:
        return torch.cat((x[:, far:], x[:, -1:].expand(-1, far, -1, -1)), dim=1)
    return torch.cat((x[:, :1].expand(-1, -far, -1, -1), x[:, :far]), dim=1)


def train(own: Sequence[Levels], other: Sequence[Levels], *, steps: int, seed: int) -> TinyShots:
    """Train, and say now and then how well borders between ``other`` clips are told."""
    torch.manual_seed(seed)
    chance = np.random.default_rng(seed)
    net, started = TinyShots(), time.process_time()
    optimiser = torch.optim.AdamW(net.parameters(), _RATE, weight_decay=0.01)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps, pct_start=0.1)
    worth = torch.tensor(_WORTH)
    check = _batch(other, np.random.default_rng(seed + 1), 120)
    for step in range(1, steps + 1):
        frames, truth = _batch(own, chance, _BATCH)
        told = net.train()(frames)
        loss = functional.binary_cross_entropy_with_logits(told, truth, pos_weight=worth)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        rates.step()
        if step % 400 == 0 or step == steps:
            seconds = time.process_time() - started
            print(f"step {step}, {seconds:.0f} s: {_measured(net, *check)}", flush=True)
    return net.eval()


def _batch(
    scenes: Sequence[Levels], chance: np.random.Generator, count: int, *, length: int = _FRAMES
) -> tuple[Tensor, ...]:
    drawn = [sequence(scenes, length, chance) for _ in range(count)]
    frames, truth = (torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
    return frames.flatten(2), truth


@torch.inference_mode()
def _measured(net: TinyShots, frames: Tensor, truth: Tensor) -> dict[str, float]:
    told = (
        torch.cat([net.eval()(part) for part in torch.split(frames, 20)])
        .flatten(0, 1)
        .double()
        .numpy()
    )
    flat = truth.flatten(0, 1).numpy() > 0
    sure = 1 / (1 + np.exp(-told))
    ones = np.ones(len(flat))
    return {
        kind: round(
            Classifier(
                np.stack([1 - sure[:, place], sure[:, place]], axis=1),
                flat[:, place].astype(np.int64),
            )(ones)["pr_auc/1"],
            3,
        )
        for place, kind in enumerate(KINDS)
    }


def write_videos(folder: Path, scenes: Sequence[Scene], *, count: int, seed: int) -> None:
    """Write coded videos of nine shots each, with their truth."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(seed)
    for number in range(count):
        drawn = chance.choice(len(scenes), 9, replace=False)
        frames, truth = _film([scenes[one].path for one in drawn], chance)
        with av.open(str(folder / f"v{number:02d}.mp4"), "w") as container:
            options = {"crf": str(chance.integers(20, 32)), "preset": "veryfast", "threads": "1"}
            stream = container.add_stream("libx264", rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = *_SIZE_PX, "yuv420p"
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode(None))
        text = json.dumps({"truth": truth})
        (folder / f"v{number:02d}.json").write_text(text, encoding="utf-8")


def _film(
    paths: Sequence[Path], chance: np.random.Generator
) -> tuple[list[Levels], list[tuple[str, int, int]]]:
    frames: list[Levels] = []
    truth = []
    shown = [_pictures(path) for path in paths]
    now = _run(shown[0], chance)
    used = 0
    for new in (_run(one, chance) for one in shown[1:]):
        length = int(chance.integers(20, 70))
        frames += list(now[used : used + length])
        kind = str(chance.choice(KINDS, p=[0.35, 0.25, 0.12, 0.28]))
        count = 0 if kind == "cut" else gradual_frames(chance)
        truth.append((kind, len(frames) - 1, len(frames) + count))
        if count:
            old = now[used + length : used + length + count].astype(np.float32)
            frames += list(_between(kind, old, new[:count].astype(np.float32), chance))
        now, used = new, count
    return frames + list(now[used : used + 40]), truth


def _between(
    kind: str, old: NDArray[np.float32], new: NDArray[np.float32], chance: np.random.Generator
) -> Levels:
    if kind == "fade":
        made = faded(old, new, [int(chance.choice([0, 0, 255]))] * 3, chance)
    else:
        share = progress(kind, len(old), chance, size=old.shape[1:3])
        made = old * (1 - share) + new * share
    return np.clip(np.rint(made), 0, 255).astype(np.uint8)


def _pictures(path: Path) -> Levels:
    with av.open(str(path)) as container:
        images: list[Image.Image] = [
            frame.to_image()  # type: ignore[no-untyped-call]  # PyAV leaves it without types
            for frame in islice(container.decode(video=0), 120)
        ]
    return np.stack([np.asarray(one.resize(_SIZE_PX, Image.Resampling.BILINEAR)) for one in images])


def _run(pictures: Levels, chance: np.random.Generator) -> Levels:
    """Return 200 frames of a clip, to and fro."""
    place = (chance.integers(len(pictures)) + np.arange(200)) % (2 * len(pictures) - 2)
    return pictures[np.where(place >= len(pictures), 2 * len(pictures) - 2 - place, place)]


def main() -> None:
    """Train and export, or write videos."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--videos", type=Path)
    parser.add_argument("--steps", type=int, default=3200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    scenes = read_scenes(given.data)
    held_out = [one for one in scenes if one.held_out]
    print(f"{len(scenes)} clips, {len(held_out)} of them held out", flush=True)
    if given.videos:
        write_videos(given.videos, held_out, count=24, seed=given.seed)
    if given.out:
        own = [one.frames for one in scenes if not one.held_out]
        other = [one.frames for one in held_out]
        net = train(own, other, steps=given.steps, seed=given.seed)
        sample = {"rows": _batch(other, np.random.default_rng(0), 1, length=WINDOW)[0][0]}
        named = nn.Sequential(net, nn.Sigmoid()).eval()
        interface = Interface(network=named, sample=sample, output="borders", kind="classes")
        export_onnx(interface, given.out)
        digest = hashlib.sha256(given.out.read_bytes()).hexdigest()
        print(f"{given.out.stat().st_size / 1e6:.2f} MB, sha256 {digest}")


if __name__ == "__main__":
    main()
