"""Animated WebP, which FFmpeg 8 and 9 cannot decode: Pillow does, losslessly re-packed in memory.

The result is FFV1 in Matroska with the delays of the animation in milliseconds. Sizes are checked
before the first frame is decoded.
"""

import io
from fractions import Fraction

import av
import numpy as np
from av.video.frame import VideoFrame
from PIL import Image, ImageSequence, UnidentifiedImageError

from reelcheck.errors import VideoError
from reelcheck.media.structure import FileReader
from reelcheck.settings import Limits

_MILLISECOND = Fraction(1, 1000)
_SHORTEST_MS = 10
_DEFAULT_MS = 100
"""Browsers show frames of less than 10 ms for 100 ms, as they do with GIF."""


def canvas_size(head: bytes) -> tuple[int, int] | None:
    """Return (width, height) in pixels of an extended WebP (RFC 9649, 2.7), else ``None``."""
    if head[12:16] != b"VP8X":
        return None
    width, height = (int.from_bytes(head[at : at + 3], "little") for at in (24, 27))
    return width + 1, height + 1


def repack(file: FileReader, limits: Limits) -> io.BytesIO:
    """Return the animation as FFV1 in Matroska.

    Raises:
        VideoError: Pillow cannot read it, or it breaks a limit.
    """
    packed = io.BytesIO()
    tick, pixels = 0, 0
    try:
        with (
            Image.open(io.BytesIO(file.at(0, file.size)), formats=["WEBP"]) as image,
            av.open(packed, "w", format="matroska") as container,
        ):
            stream = container.add_stream("ffv1", rate=Fraction(25))
            stream.width, stream.height = image.size
            stream.pix_fmt = "bgra" if image.has_transparency_data else "bgr0"
            stream.codec_context.time_base = _MILLISECOND
            for picture in ImageSequence.Iterator(image):
                pixels += picture.width * picture.height
                if pixels > limits.total_pixels:
                    raise VideoError("the budget of decoded pixels is spent", code="E_PIXEL_BUDGET")
                frame = VideoFrame.from_ndarray(np.asarray(picture.convert("RGBA")), format="rgba")
                frame.pts, frame.time_base = tick, _MILLISECOND
                container.mux(stream.encode(frame))
                delay = int(picture.info.get("duration", _DEFAULT_MS))
                tick += delay if delay >= _SHORTEST_MS else _DEFAULT_MS
            container.mux(stream.encode(None))
    except (UnidentifiedImageError, OSError, ValueError, EOFError, SyntaxError) as error:
        raise VideoError(f"the WebP cannot be decoded ({error})", code="E_OPEN_FAILED") from error
    packed.seek(0)
    return packed
