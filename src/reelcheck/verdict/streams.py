"""What a report says of the streams of a file."""

from reelcheck.verdict.parts import Number, Part, Text


class ColourReport(Part):
    """How the code values of a stream were read."""

    matrix: Text
    """One of bt601, bt709 and bt2020."""
    transfer: Text
    """One of sdr, pq and hlg."""
    full_range: bool
    bit_depth: int
    assumed: bool
    """True when the file says nothing and the matrix was chosen by picture height."""


class VideoStream(Part):
    """What the container claims about one video stream, and what the gate found out."""

    stream: int
    """Index of the stream in its container."""
    codec: Text
    width_px: int
    """As displayed: after rotation, before the sample aspect ratio."""
    height_px: int
    sample_aspect_ratio: Number
    sample_aspect_ratio_exact: Text
    """As a fraction, such as 1/1."""
    rotation_degrees: int
    """Clockwise turn that was applied to show the picture upright."""
    pixel_format: Text
    colour: ColourReport
    rate_fps_from_header: Number | None
    rate_fps_from_header_exact: Text | None
    """As a fraction, such as 30000/1001."""
    duration_seconds_from_header: Number | None
    frames_from_header: int | None
    interlaced_from_header: bool
    key_frames_only: bool
    """True when frames between key frames were never decoded."""


class AudioStream(Part):
    """What the container claims about one audio stream."""

    stream: int
    """Index of the stream in its container."""
    codec: Text
    rate_hz: int
    channels: int
    layout: Text
    duration_seconds_from_header: Number | None
