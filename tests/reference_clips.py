"""Pairs of generated videos whose difference, offset and rates are known by construction."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from reelcheck.cli.comparing import Wishes, compare
from reelcheck.media.synth import textured
from reelcheck.verdict.reference import ReferenceReport

WIDTH, HEIGHT = 160, 96
BASE = Fraction(1, 600)
Luma = NDArray[np.uint8]
Planes = NDArray[np.uint8]
"""YUV 4:2:0 as PyAV stacks it, shape [3 H / 2, W]."""


def moving(index: int, *, seed: int = 0, width_px: int = WIDTH, height_px: int = HEIGHT) -> Planes:
    """Return picture ``index`` of a moving texture, limited range, with colour."""
    picture = textured(index, seed=seed, width_px=width_px, height_px=height_px)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    return np.asarray(frame.reformat(format="yuv420p").to_ndarray())


def noisy(planes: Planes, *, deviation: float, seed: int) -> Planes:
    """Return planes with Gaussian noise on the luma, clipped to bytes."""
    height = planes.shape[0] * 2 // 3
    noise = np.random.default_rng(seed).normal(0, deviation, (height, planes.shape[1]))
    out = planes.copy()
    out[:height] = np.clip(np.round(planes[:height] + noise), 0, 255).astype(np.uint8)
    return out


def write(  # noqa: PLR0913 - one keyword for each thing that may differ
    path: Path,
    pictures: Iterable[Planes],
    *,
    ticks: Sequence[int] | None = None,
    rate_fps: Fraction = Fraction(25),
    codec: str = "ffv1",
    options: dict[str, str] | None = None,
    change: Callable[[av.VideoFrame], av.VideoFrame] | None = None,
    rotation_degrees: int = 0,
) -> Path:
    """Write pictures at ``ticks`` of 1/30000 s, or at the steady rate."""
    base = Fraction(1, 30000)
    flags = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    with av.open(path, "w", options=flags) as container:
        stream: Any = None
        for index, planes in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame = change(frame) if change else frame
            if stream is None:
                stream = container.add_stream(codec, rate=rate_fps, options=options or {})
                stream.width, stream.height = frame.width, frame.height
                stream.pix_fmt = frame.format.name
                stream.codec_context.time_base = base
                stream.codec_context.thread_count = 1
                stream.codec_context.color_range = frame.color_range
                if rotation_degrees:
                    stream.set_display_rotation(rotation_degrees)
            frame.pts = ticks[index] if ticks is not None else round(index / rate_fps / base)
            frame.time_base = base
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))
    return path


def compared(reference: Path, distorted: Path, **changes: object) -> ReferenceReport:
    """Compare two files without VMAF."""
    wishes = Wishes(reference=reference, distorted=distorted, search=Fraction(60))
    return compare(replace(wishes, **changes))  # type: ignore[arg-type] # fields by name


def cut_at(path: Path, ratio: float) -> Path:
    """Cut a file in place to a share of its bytes."""
    os.truncate(path, int(path.stat().st_size * ratio))
    return path
