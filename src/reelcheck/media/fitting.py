"""Makes frames of two files comparable pixel by pixel: one size, one format, one reading.

The reference keeps its own planes wherever it can; the other file is turned upright, cut to its
picture and scaled to the reference by FFmpeg's bicubic filter, as a player of that size would
show it. Code values are brought to the reference's range, and to its matrix when both files state
theirs: an untagged file that was scaled down would else be read with another matrix by its height.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from reelcheck.frames import Colour, Matrix
from reelcheck.media.planes import planar_yuv, plane

SCALING: Final = "bicubic"
_FLAGS: Final = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
_SAMPLINGS: Final = frozenset({"420", "422", "444"})
_DEPTHS: Final = (8, 10, 12, 16)
"""Those that libvmaf takes."""
_TURNS: Final = {
    0: (),
    90: (("transpose", "clock"),),
    180: (("hflip", ""), ("vflip", "")),
    270: (("transpose", "cclock"),),
}
_SCALE_MATRIX: Final = {Matrix.BT601: "bt601", Matrix.BT709: "bt709", Matrix.BT2020: "bt2020"}

_Step = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """A part of the upright picture, in pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What every compared frame looks like."""

    width_px: int
    height_px: int
    format_name: str
    """FFmpeg's name of a planar Y'CbCr format, such as ``yuv420p10le``."""
    bit_depth: int
    colour: Colour


def comparison_format(format_: VideoFormat) -> tuple[str, int]:
    """Return (name, bits) of the format in which frames like the reference's are compared.

    Args:
        format_: Of what ``planar_yuv`` made of a frame of the reference.
    """
    bits = next((depth for depth in _DEPTHS if depth >= format_.components[0].bits), _DEPTHS[-1])
    sampling = format_.name.removeprefix("yuvj").removeprefix("yuv")[:3]
    known = sampling if sampling in _SAMPLINGS else "444"
    suffix = "" if bits == _DEPTHS[0] else f"{bits}le"
    return f"yuv{known}p{suffix}", bits


class Fitter:
    """Brings the frames of one stream to the target.

    Args:
        target: What comes out.
        colour: How the code values of the stream are to be read.
        rotation_degrees: Clockwise turn that shows the picture upright.
        crop: Part of the upright picture to keep; ``None`` for all.
    """

    def __init__(
        self, target: Target, *, colour: Colour, rotation_degrees: int, crop: Crop | None
    ) -> None:
        self._target = target
        self._colour = colour
        self._turn: tuple[_Step, ...] = _TURNS[rotation_degrees]
        self._crop = crop
        self._reformatter = VideoReformatter()
        self._graph: Graph | None = None
        self._input: tuple[int, int, str] | None = None

    def fit(self, frame: VideoFrame) -> VideoFrame:
        """Return the frame as the target wants it."""
        planar = planar_yuv(frame, self._reformatter)
        if self._fits(planar):
            return planar
        shape = (planar.width, planar.height, planar.format.name)
        if self._graph is None or shape != self._input:
            self._graph, self._input = self._build(planar), shape
        self._graph.vpush(planar)
        return self._graph.vpull()

    def _fits(self, planar: VideoFrame) -> bool:
        target = self._target
        return (
            not self._turn
            and self._crop is None
            and (planar.width, planar.height) == (target.width_px, target.height_px)
            and planar.format.name.replace("yuvj", "yuv") == target.format_name
            and self._colour.full_range == target.colour.full_range
            and not self._other_matrix()
        )

    def _other_matrix(self) -> bool:
        both_stated = not (self._colour.assumed or self._target.colour.assumed)
        return both_stated and self._colour.matrix is not self._target.colour.matrix

    def _build(self, planar: VideoFrame) -> Graph:
        graph = Graph()
        graph.threads = 1
        nodes = [
            graph.add_buffer(
                width=planar.width,
                height=planar.height,
                format=planar.format,
                time_base=planar.time_base or Fraction(1, 1000),
            )
        ]
        nodes += [graph.add(name, options) for name, options in self._steps()]
        graph.link_nodes(*nodes, graph.add("buffersink")).configure()
        return graph

    def _steps(self) -> list[_Step]:
        steps = list(self._turn)
        if self._crop is not None:
            crop = self._crop
            steps.append(("crop", f"{crop.width}:{crop.height}:{crop.x}:{crop.y}"))
        target = self._target
        options = {
            "w": target.width_px,
            "h": target.height_px,
            "flags": _FLAGS,
            "in_range": _range(self._colour),
            "out_range": _range(target.colour),
        }
        if self._other_matrix():
            options["in_color_matrix"] = _SCALE_MATRIX[self._colour.matrix]
            options["out_color_matrix"] = _SCALE_MATRIX[target.colour.matrix]
        steps.append(("scale", ":".join(f"{name}={value}" for name, value in options.items())))
        steps.append(("format", target.format_name))
        return steps


def _range(colour: Colour) -> str:
    return "full" if colour.full_range else "limited"


def planes_of(frame: VideoFrame) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return Y, Cb and Cr of a fitted frame, uint8 or uint16. Valid with its frame."""
    return plane(frame, 0), plane(frame, 1), plane(frame, 2)


def raw_bytes(frame: VideoFrame) -> bytes:
    """Return the planes of a fitted frame one after the other, rows packed: FFmpeg's rawvideo."""
    return b"".join(part.tobytes() for part in planes_of(frame))
