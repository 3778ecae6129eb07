"""Small JPEG pictures kept as evidence."""

from collections.abc import Callable
from fractions import Fraction
from typing import Final

import numpy as np
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from reelcheck.frames import FrameBatch, FrameNeeds, Layout, VideoInfo

_LONG_SIDE_PX: Final = 240
_RATE_FPS: Final = Fraction(1)
_MIN_STEP: Final = Fraction(1, 4)
"""Changes faster than this are shown by one picture: strobes must not fill the memory."""
_QUALITY: Final = 8
"""``qscale`` of FFmpeg's JPEG encoder, 2 best to 31 worst: about 5 KB a picture."""


def picture_size(video: VideoInfo) -> tuple[int, int]:
    """Return (width, height) in pixels of the evidence pictures of a stream, both even."""
    wide = video.width_px * video.sample_aspect_ratio
    scale = min(Fraction(1), Fraction(_LONG_SIDE_PX) / max(wide, Fraction(video.height_px)))
    width, height = (max(2, int(side * scale) // 2 * 2) for side in (wide, video.height_px))
    return min(width, _LONG_SIDE_PX), min(height, _LONG_SIDE_PX)


class PictureMaker:
    """Turns sampled frames into JPEG and hands them on.

    Args:
        video: The stream.
        give: Takes the time of a picture in seconds, and its JPEG.
    """

    def __init__(self, video: VideoInfo, give: Callable[[Fraction, bytes], None]) -> None:
        self._give = give
        self._last: Fraction | None = None
        self._size = picture_size(video)
        self.needs = FrameNeeds(
            layout=Layout.RGB, rate_fps=_RATE_FPS, on_change=True, size_px=self._size
        )

    def put(self, batch: FrameBatch) -> None:
        """Take frames of the view ``needs``."""
        for index in range(len(batch)):
            at = batch.start(index)
            if self._last is not None and at - self._last < _MIN_STEP:
                continue
            self._last = at
            self._give(at, encode_jpeg(batch.pixels[index]))


def encode_jpeg(rgb: NDArray[np.uint8]) -> bytes:
    """Return a JPEG of a uint8 RGB picture, shape [H, W, 3], both sides even."""
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    encoder = CodecContext.create("mjpeg", "w")
    if not isinstance(encoder, VideoCodecContext):
        raise TypeError("mjpeg is a video codec")
    encoder.width, encoder.height = frame.width, frame.height
    encoder.pix_fmt = "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.thread_count = 1
    encoder.options = {"qmin": str(_QUALITY), "qmax": str(_QUALITY)}
    frame.pts = 0
    return b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))
