"""A clip through a real video codec, as augmentation."""

from fractions import Fraction
from typing import Any, Final

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

CRF: Final = (18, 40)
"""From hardly visible to strong loss, of x264's scale of 0 to 51."""
_OPTIONS: Final = {"preset": "ultrafast", "x264-params": "log-level=none"}


def recompressed(frames: NDArray[np.uint8], *, crf: int) -> NDArray[np.uint8]:
    """Return frames encoded as H.264 and decoded again, shape [T, H, W, 3] as given.

    Sides that are odd are encoded with their last line or column twice: the codec halves colour.
    """
    height, width = frames.shape[1:3]
    even = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = even.shape[2], even.shape[1], "yuv420p"
    encoder.time_base, encoder.thread_count = Fraction(1, 25), 1
    encoder.options = {**_OPTIONS, "crf": str(crf)}
    packets = []
    for place, one in enumerate(even):
        frame = VideoFrame.from_ndarray(one, format="rgb24")
        frame.pts = place
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    decoder: Any = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    decoded = [frame for packet in packets for frame in decoder.decode(packet)]
    decoded += decoder.decode(None)
    pictures = np.stack([frame.to_ndarray(format="rgb24") for frame in decoded])
    return np.asarray(pictures[:, :height, :width], dtype=np.uint8)
