"""What a stream is, once its first frame has been seen."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from reelcheck.frames import Transfer, VideoInfo
from reelcheck.media.decode import StreamDecoder
from reelcheck.media.planes import colour_of, has_alpha, planar_yuv
from reelcheck.media.source import Source

_SAME_START: Final = Fraction(1, 10)
"""Ours: sound that starts this much before the picture is encoder delay, not a lead-in."""
_RIGHT_ANGLE: Final = 90


def origin_of(source: Source) -> Fraction:
    """Return the container time that is second 0: where a player starts.

    That is the earliest start of any video or audio stream, except that encoder delay of the
    sound does not move the picture.
    """
    pictures = _starts(source.video)
    sounds = _starts(source.audio)
    picture = min(pictures, default=Fraction(0))
    sound = min(sounds, default=picture)
    return sound if sound < picture - _SAME_START else picture


def _starts(streams: Sequence[VideoStream | AudioStream]) -> list[Fraction]:
    return [
        stream.start_time * Fraction(stream.time_base)
        for stream in streams
        if stream.start_time is not None and stream.time_base
    ]


def rotation_of(frame: VideoFrame) -> tuple[int, bool]:
    """Return (clockwise turn that shows the frame upright: 0, 90, 180, 270; whether exact)."""
    clockwise = -frame.rotation % 360
    nearest = round(clockwise / _RIGHT_ANGLE) * _RIGHT_ANGLE
    return nearest % 360, nearest == clockwise


def picture_warnings(decoder: StreamDecoder, frame: VideoFrame) -> tuple[str, ...]:
    """Return what a reader should know about the picture: turned, stretched, HDR or see-through."""
    stream = decoder.stream
    turn, exact = rotation_of(frame)
    roughly = "" if exact else f", the nearest right angle to {-frame.rotation % 360}"
    aspect = stream.sample_aspect_ratio or Fraction(1)
    transfer = colour_of(frame, frame).transfer
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    alpha = has_alpha(frame.format) or tags.get("alpha_mode") == "1"
    facts = (
        (turn or not exact, f"W_ROTATED: shown upright, turned by {turn} degrees{roughly}"),
        (aspect not in {0, 1}, f"W_SAR: pixels are {aspect.numerator}:{aspect.denominator}"),
        (transfer is not Transfer.SDR, f"W_HDR: {transfer} light"),
        (alpha, "W_ALPHA_IGNORED: seen as on black; players may show it otherwise"),
    )
    return tuple(text for holds, text in facts if holds)


def describe_video(
    decoder: StreamDecoder, frame: VideoFrame, claimed: Fraction | None
) -> VideoInfo:
    """Return what is known of a video stream at its first frame.

    Args:
        decoder: Of the stream.
        frame: The first decoded frame.
        claimed: Duration of the container in seconds, used where the stream claims none.
    """
    stream = decoder.stream
    rotation, _ = rotation_of(frame)
    sideways = rotation % 180 == _RIGHT_ANGLE
    size = (frame.height, frame.width) if sideways else (frame.width, frame.height)
    aspect = stream.sample_aspect_ratio or Fraction(1)
    duration = stream.duration * stream.time_base if stream.duration and stream.time_base else None
    rate = stream.average_rate or stream.guessed_rate
    return VideoInfo(
        stream=stream.index,
        codec=stream.codec_context.name,
        width_px=size[0],
        height_px=size[1],
        sample_aspect_ratio=1 / aspect if sideways else aspect,
        rotation_degrees=rotation,
        pixel_format=frame.format.name,
        colour=colour_of(frame, planar_yuv(frame, VideoReformatter())),
        rate_fps_from_header=Fraction(rate) if rate else None,
        duration_seconds_from_header=duration or claimed,
        frames_from_header=stream.frames or None,
        interlaced_from_header=bool(frame.interlaced_frame),
        key_frames_only=decoder.key_frames_only,
    )
