"""DeepSense: several sensors, one convolutional net each, merged and followed through time.

Source: Yao et al., DeepSense, WWW 2017. Two forms:

- ``InertialDeepSense`` is the paper's: accelerometer and gyroscope, spectra of 0.25 s intervals.
- ``VideoDeepSense`` is ours: the sensors are three streams of a video. Fusion "merge" is the
  paper's convolution across sensors; "late" gives every stream its own GRU and joins them at the
  end, as in FOCAL (Liu et al., NeurIPS 2023). It normalises by groups, never over the batch, so
  that no clip can change the result of another, and replaces a missing stream by learned numbers.

Limits: the GRUs look back only, which is what lets ``step`` follow a live stream; a clip's logits
are the mean over its intervals, so that a short event in a long clip is diluted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from reelcheck.errors import SettingError
from reelcheck.lab.networks.deepsense_parts import (
    POSITIONS,
    MergeNet,
    PictureNet,
    SensorNet,
    StackedGru,
)
from reelcheck.lab.networks.layers import check_choice, check_count, check_range, group_norm

STREAMS: Final = ("rgb", "motion", "audio")
"""Order of the columns of ``present``."""

FUSIONS: Final = ("merge", "late")
_NARROWEST: Final = 8
_SENSORS: Final = 2
_NUMBERS: Final = 60
_WIDTH: Final = 64
_HIDDEN: Final = 120


class InertialDeepSense(nn.Module):
    """The paper's network for human activity: [N, I, 120] to logits [N, outputs].

    The 120 numbers of an interval are two sensors x three axes x (10 magnitudes, 10 phases).
    516,150 parameters are published for 6 activities (ours: 0.1 % more, torch's GRU has two sets
    of biases).
    """

    def __init__(self, *, outputs: int) -> None:
        super().__init__()
        self.sensors = nn.ModuleList(
            SensorNet(_NUMBERS, width=_WIDTH, norm=nn.BatchNorm1d, dropout=0.2)
            for _ in range(_SENSORS)
        )
        self.merge = MergeNet(_SENSORS, width=_WIDTH, norm=nn.BatchNorm2d, dropout=0.2)
        self.recurrent = StackedGru(_SENSORS * _WIDTH * POSITIONS, hidden=_HIDDEN, dropout=0.5)
        self.head = nn.Linear(_HIDDEN, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Name each window of intervals."""
        parts = x.reshape(-1, _SENSORS, _NUMBERS).unbind(dim=1)
        found = [net(part) for net, part in zip(self.sensors, parts, strict=True)]
        merged = self.merge(torch.stack(found, dim=2)).reshape(*x.shape[:2], -1)
        outputs, _ = self.recurrent(merged, None)
        logits: Tensor = self.head(outputs.mean(dim=1))
        return logits


def build_inertial_deepsense(*, outputs: int) -> InertialDeepSense:
    """Build the paper's form. It is a reference for size, and takes no video.

    Raises:
        SettingError: ``outputs`` is out of range.
    """
    return InertialDeepSense(outputs=check_count("outputs", outputs))


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """What ``VideoDeepSense.step`` remembers between calls; its size does not grow."""

    hidden: tuple[Tensor, ...]
    """Of each GRU, [2, N, hidden]."""
    summed: Tensor
    """Sum of the logits of all intervals so far, [N, outputs]."""
    intervals: int
    """How many intervals were seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoDesign:
    """Sizes of a ``VideoDeepSense``; see ``build_deepsense``."""

    motion_bins: int = 16
    audio_bands: int = 64
    fusion: str = "merge"
    width: int = 64
    hidden: int = 120
    dropout: float = 0.2
    stream_dropout: float = 0.2

    def __post_init__(self) -> None:
        check_count("motion_bins", self.motion_bins, high=4096)
        check_count("audio_bands", self.audio_bands, high=4096)
        check_choice("fusion", self.fusion, FUSIONS)
        check_count("width", self.width, low=_NARROWEST, high=1024)
        check_count("hidden", self.hidden, high=4096)
        check_range("dropout", self.dropout, low=0, high=0.95)
        check_range("stream_dropout", self.stream_dropout, low=0, high=0.95)


class VideoDeepSense(nn.Module):
    """DeepSense for three streams of a video, of kind "streams".

    Input is a table of float32 tensors over I intervals of 0.25 s, already normalised:

    - ``rgb`` [N, I, 3, h, w]: one picture per interval, sides of 16 px or more;
    - ``motion`` [N, I, motion_bins] and ``audio`` [N, I, audio_bands];
    - ``present`` [N, 3]: above 0.5 where that stream is there, in the order of ``STREAMS``.

    A stream that is not in the table is missing in every clip; without ``present``, all others are
    there. Whatever stands in the place of a missing stream has no effect.
    """

    kind = "streams"

    def __init__(self, design: VideoDesign, *, outputs: int) -> None:
        super().__init__()
        width, dropout = design.width, design.dropout
        self._stream_dropout = design.stream_dropout
        self.nets = nn.ModuleDict(
            {
                "rgb": PictureNet(width=width, norm=group_norm, dropout=dropout),
                "motion": SensorNet(
                    design.motion_bins, width=width, norm=group_norm, dropout=dropout
                ),
                "audio": SensorNet(
                    design.audio_bands, width=width, norm=group_norm, dropout=dropout
                ),
            }
        )
        self.absent = nn.Parameter(torch.zeros(len(STREAMS), width, POSITIONS))
        early = design.fusion == "merge"
        self.merge = (
            MergeNet(len(STREAMS), width=width, norm=group_norm, dropout=dropout) if early else None
        )
        numbers = width * POSITIONS * (len(STREAMS) if early else 1)
        self.recurrent = nn.ModuleList(
            StackedGru(numbers, hidden=design.hidden, dropout=dropout)
            for _ in range(1 if early else len(STREAMS))
        )
        self.head = nn.Linear(design.hidden * len(self.recurrent), outputs)

    def forward(self, streams: Mapping[str, Tensor]) -> Tensor:
        """Name each clip: logits [N, outputs], the mean over its intervals."""
        logits, _ = self._follow(streams, hidden=None)
        return logits.mean(dim=1)

    def per_interval(self, streams: Mapping[str, Tensor]) -> Tensor:
        """Return logits [N, I, outputs] that know the clip up to each interval."""
        logits, _ = self._follow(streams, hidden=None)
        return logits

    def step(
        self, streams: Mapping[str, Tensor], state: StreamState | None
    ) -> tuple[Tensor, StreamState]:
        """Read the next intervals of a live stream, one or more.

        Args:
            streams: as in ``forward``.
            state: what the last call returned; None at the start.

        Returns:
            The logits [N, outputs] that ``forward`` would give for everything so far, and the
            state to hand to the next call.
        """
        logits, hidden = self._follow(streams, hidden=None if state is None else state.hidden)
        summed, count = logits.sum(dim=1), logits.shape[1]
        if state is not None:
            summed, count = summed + state.summed, count + state.intervals
        return summed / count, StreamState(hidden=hidden, summed=summed, intervals=count)

    def _follow(
        self, streams: Mapping[str, Tensor], *, hidden: tuple[Tensor, ...] | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        sequences = self._fuse(self._describe(streams))
        states = hidden or (None,) * len(sequences)
        read = [
            gru(sequence, state)
            for gru, sequence, state in zip(self.recurrent, sequences, states, strict=True)
        ]
        logits: Tensor = self.head(torch.cat([out for out, _ in read], dim=-1))
        return logits, tuple(state for _, state in read)

    def _describe(self, streams: Mapping[str, Tensor]) -> Tensor:
        """Return what every stream says in every interval: [N, I, width, streams, 4]."""
        given = [name for name in STREAMS if name in streams]
        if not given:
            raise SettingError(f"none of the streams {', '.join(STREAMS)} was given")
        clips, intervals = streams[given[0]].shape[:2]
        present = self._present(streams, clips=clips)
        found = []
        for index, name in enumerate(STREAMS):
            absent = self.absent[index].expand(clips, intervals, -1, -1)
            if name not in streams:
                found.append(absent)
                continue
            x = streams[name]
            is_there = present[:, index]
            clean = torch.where(_like(is_there, x), x, torch.zeros_like(x))
            said = self.nets[name](clean.flatten(0, 1)).reshape(absent.shape)
            found.append(torch.where(_like(is_there, said), said, absent))
        return torch.stack(found, dim=3)

    def _present(self, streams: Mapping[str, Tensor], *, clips: int) -> Tensor:
        """Return which streams count, bool [N, 3]; in training some are dropped by chance."""
        anything = next(streams[name] for name in STREAMS if name in streams)
        given = anything.new_tensor([float(name in streams) for name in STREAMS])
        known = streams["present"] * given if "present" in streams else given.expand(clips, -1)
        present = known > 0.5  # noqa: PLR2004 - halfway between absent and present
        if not self.training or self._stream_dropout == 0:
            return present
        kept = present & (torch.rand_like(known) >= self._stream_dropout)
        return torch.where(kept.any(dim=1, keepdim=True), kept, present)

    def _fuse(self, found: Tensor) -> list[Tensor]:
        """Return what each GRU reads, [N, I, numbers]."""
        if self.merge is not None:
            merged = self.merge(found.flatten(0, 1))
            return [merged.reshape(*found.shape[:2], -1)]
        return [part.flatten(2) for part in found.unbind(dim=3)]


def _like(mask: Tensor, x: Tensor) -> Tensor:
    """Give a mask [N] as many dimensions as ``x``."""
    return mask.reshape(-1, *[1] * (x.dim() - 1))


class FlatStreams(nn.Module):
    """A ``VideoDeepSense`` with four arguments instead of a table: ONNX knows no tables."""

    input_names: Final = (*STREAMS, "present")

    def __init__(self, network: VideoDeepSense) -> None:
        super().__init__()
        self.network = network

    def forward(self, rgb: Tensor, motion: Tensor, audio: Tensor, present: Tensor) -> Tensor:
        """Name each clip; shapes as in ``VideoDeepSense``."""
        table = {"rgb": rgb, "motion": motion, "audio": audio, "present": present}
        logits: Tensor = self.network(table)
        return logits


def build_deepsense(  # noqa: PLR0913 - the options of a recipe are flat
    *,
    outputs: int,
    motion_bins: int = 16,
    audio_bands: int = 64,
    fusion: str = "merge",
    width: int = 64,
    hidden: int = 120,
    dropout: float = 0.2,
    stream_dropout: float = 0.2,
) -> VideoDeepSense:
    """Build DeepSense for video.

    Args:
        outputs: number of classes.
        motion_bins: numbers of the motion stream in each interval.
        audio_bands: numbers of the audio stream in each interval.
        fusion: "merge" (convolution across streams) or "late" (one GRU each, then joined).
        width: channels of the convolutions; 64 in the paper.
        hidden: numbers that a GRU remembers; 120 in the paper.
        dropout: share of channels and of GRU outputs dropped in training.
        stream_dropout: chance that a stream is treated as missing in training, for each clip;
            at least one stays. 0.2 is ours, chosen so that about half of the clips are whole.

    Raises:
        SettingError: an option is out of range.
    """
    design = VideoDesign(
        motion_bins=motion_bins,
        audio_bands=audio_bands,
        fusion=fusion,
        width=width,
        hidden=hidden,
        dropout=dropout,
        stream_dropout=stream_dropout,
    )
    return VideoDeepSense(design, outputs=check_count("outputs", outputs))
