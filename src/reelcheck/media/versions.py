"""What takes part in decoding, in which version, and which FFmpeg is too old to be trusted.

The floor is FFmpeg 8.1.2: the first release with the fix of CVE-2026-8461 ("PixelSmash", an
out-of-bounds write in the MagicYUV decoder; a decoder may run while FFmpeg probes, before our
allow-list of codecs is asked).

Source: the versions of the libraries in that release, as PyAV 18.1.0 carries it. Limits: older
branches that a distribution maintains may carry the fixes under an older number; that cannot be
told from the number. Whether later holes are open is not known here.
"""

import platform
import sys
from typing import Final

from reelcheck import __version__

FFMPEG_FLOOR: Final = "8.1.2"
LIBRARY_FLOORS: Final[dict[str, tuple[int, int, int]]] = {
    "libavutil": (60, 26, 102),
    "libavcodec": (62, 28, 102),
    "libavformat": (62, 12, 102),
    "libswscale": (9, 5, 102),
    "libswresample": (6, 3, 102),
}
"""The last number of a library counts the fixes inside one release."""


def versions() -> dict[str, str]:
    """Return the versions of what is loaded in this process, by name."""
    found = {"reelcheck": __version__, "python": platform.python_version()}
    for package, module in (("av", "av"), ("numpy", "numpy"), ("onnxruntime", "onnxruntime")):
        loaded = sys.modules.get(module)
        if loaded is not None:
            found[package] = str(getattr(loaded, "__version__", ""))
    found |= {name: _dotted(version) for name, version in libraries().items()}
    return found


def libraries() -> dict[str, tuple[int, int, int]]:
    """Return the versions of FFmpeg's libraries that have a floor."""
    import av  # noqa: PLC0415 - only those who decode touch FFmpeg

    return {
        name: version for name, version in av.library_versions.items() if name in LIBRARY_FLOORS
    }


def too_old(found: dict[str, tuple[int, int, int]]) -> list[str]:
    """Return what is below the floor, in words; nothing when all is well."""
    return [
        f"{name} {_dotted(found[name])} is older than {_dotted(floor)} of FFmpeg {FFMPEG_FLOOR}"
        for name, floor in LIBRARY_FLOORS.items()
        if name in found and found[name] < floor
    ]


def _dotted(version: tuple[int, int, int]) -> str:
    return ".".join(str(number) for number in version)
