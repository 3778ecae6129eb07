"""The analyzer ``fights`` as its attacker sees it: from the frames of two seconds on.

A sample is 25 frames of 256 x 256 pixels at 12.5 a second, as if that were the video: the views are
made by the shipped code, so are moments and motion. Gradients flow through the four pictures that
are looked at; what moves is taken as it is at every step, without slopes (BPDA, Athalye et al.,
arXiv 1802.00420). So the attacker cannot paint motion on purpose; what his pixels do to it counts.

Limits: slopes do not know of black borders, which the shipped code cuts off.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - what everybody calls it
from av import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray
from torch import Tensor

from reelcheck.analyzers.fights import FightsAnalyzer
from reelcheck.analyzers.fights.moments import Moment, MomentMaker
from reelcheck.frames import Colour, FrameBatch, VideoInfo
from reelcheck.lab.attack.onnx_torch import OnnxFunction
from reelcheck.lab.attack.victims import CLIP_FPS, WHITE, Victim
from reelcheck.media.decode import TimedFrame
from reelcheck.media.planes import colour_of, planar_yuv
from reelcheck.media.views import Views
from reelcheck.models.card import Card, load_card
from reelcheck.models.session import Runner, open_session
from reelcheck.models.store import read_parts
from reelcheck.spans import Observation

FIGHTS: Final = "fights"
FRAMES: Final = 25
CLASSES: Final = ("none", "fight")
_SMALLEST: Final = 1e-6
"""Probability below which logits are cut."""
Frames = NDArray[np.uint8]
"""RGB, shape [25, 256, 256, 3]."""


def fights_victim() -> Victim:
    """Return the shipped analyzer as its attacker sees it; right is what it says unattacked.

    Raises:
        ModelError: its weights are missing or were changed.
    """
    recipe = FightsAnalyzer()
    copy = _Copy(recipe)

    def real(pixels: Tensor) -> Tensor:
        return _logits(torch.tensor([_shipped(recipe, _bytes(one)) for one in pixels]))

    return Victim(
        name=recipe.name,
        kind="classes",
        tell=lambda pixels: _logits(torch.stack([copy(one) for one in pixels])),
        classes=CLASSES,
        real=real,
        clip_frames=FRAMES,
        notes=("Motion is computed from the attacked frames, but has no slopes.",),
    )


class _Recorder:
    """A session that remembers what it was asked."""

    def __init__(self, session: Runner) -> None:
        self._session = session
        self.sha256 = session.sha256
        self.asked: list[Mapping[str, NDArray[Any]]] = []

    def run(
        self, batch: NDArray[np.float32], extra: Mapping[str, NDArray[np.float32]] | None = None
    ) -> NDArray[np.float32]:
        self.asked.append({"picture": batch, **(extra or {})})
        return self._session.run(batch, extra)


class _Copy:
    """Two seconds of frames, float32 [25, 3, 256, 256] from 0 to 1 -> how likely people fight."""

    def __init__(self, recipe: FightsAnalyzer) -> None:
        self._recipe = recipe
        self._card, judge = (load_card(name) for name in recipe.models)
        self._session = open_session(self._card)
        self._look, self._judge = _graph(self._card), _graph(judge)
        self._rows = judge.input.name

    def __call__(self, pixels: Tensor) -> Tensor:
        recorder = _Recorder(self._session)
        every = self._recipe.every_seconds
        maker = MomentMaker(self._card, recorder, every_seconds=every)
        moments = list[Moment]()
        _show(_bytes(pixels), self._recipe, lambda batch: moments.extend(maker.see(batch)))
        moments += maker.end()
        chosen = [int(moment.start * CLIP_FPS) for moment in moments]
        fed = {
            name: torch.from_numpy(np.concatenate([one[name] for one in recorder.asked]))
            for name in recorder.asked[0]
        }
        sloped = self._tensor(pixels[chosen])
        looks = self._look({**fed, self._card.input.name: _with_slopes(fed["picture"], sloped)})
        rows = torch.from_numpy(np.stack([moment.row for moment in moments]))
        sloped = torch.cat([looks, rows[:, looks.shape[1] :]], dim=1)
        told: Tensor = self._judge({self._rows: _with_slopes(rows, sloped)[None]})
        return told[0, 0]

    def _tensor(self, pictures: Tensor) -> Tensor:
        spec = self._card.input
        width, height = spec.resize_px
        x = F.interpolate(pictures * WHITE, size=(height, width), mode="bilinear", antialias=True)
        mean, scale = (torch.tensor(one)[:, None, None] for one in (spec.mean, spec.scale))
        return (x - mean) / scale


def _with_slopes(real: Tensor, sloped: Tensor) -> Tensor:
    """Return the values of one and the slopes of the other."""
    return sloped + (real - sloped).detach()


def _graph(card: Card) -> OnnxFunction:
    return OnnxFunction(read_parts(card).content[card.weights.file], output=card.output.name)


def _show(frames: Frames, recipe: FightsAnalyzer, sink: Callable[[FrameBatch], None]) -> None:
    """Show frames to a sink as the one pass would."""
    made = [VideoFrame.from_ndarray(one, format="rgb24") for one in frames]
    views = Views(
        {needs: [sink] for needs in recipe.needs},
        time_base=1 / CLIP_FPS,
        origin=Fraction(0),
        colour=_colour(made[0]),
        rotation_degrees=0,
    )
    for number, frame in enumerate(made):
        views.see(TimedFrame(frame=frame, tick=number, length=1, ordinal=number))
    views.end()


def _shipped(recipe: FightsAnalyzer, frames: Frames) -> float:
    """Return what the analyzer itself says of two seconds."""
    running = recipe.watch(_info(frames))
    found = list[Observation]()
    _show(frames, recipe, lambda batch: found.extend(running.see(batch)))
    found += running.end()
    return float(np.mean([one.score for one in found]))


def _info(frames: Frames) -> VideoInfo:
    height, width = frames.shape[1:3]
    return VideoInfo(
        stream=0,
        codec="rawvideo",
        width_px=width,
        height_px=height,
        sample_aspect_ratio=Fraction(1),
        rotation_degrees=0,
        pixel_format="rgb24",
        colour=_colour(VideoFrame.from_ndarray(frames[0], format="rgb24")),
        rate_fps_from_header=CLIP_FPS,
        duration_seconds_from_header=None,
        frames_from_header=None,
        key_frames_only=False,
    )


def _colour(frame: VideoFrame) -> Colour:
    return colour_of(frame, planar_yuv(frame, VideoReformatter()))


def _bytes(pixels: Tensor) -> Frames:
    levels = (pixels.detach() * WHITE).round().clamp(0, WHITE).byte()
    frames: Frames = np.ascontiguousarray(levels.permute(0, 2, 3, 1).numpy())
    return frames


def _logits(told: Tensor) -> Tensor:
    """Return the logarithms of both probabilities: their differences are logits."""
    likely = told.double().clamp(_SMALLEST, 1 - _SMALLEST)
    return torch.stack([(1 - likely).log(), likely.log()], dim=1).float()
