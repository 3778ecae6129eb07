"""Makes clips of ten frames from still pictures: a window that pans slowly, without loss.

    python tools/quality_pans.py recipes/quality-stills.txt UNPACKED --out stills
    python tools/quality_ladders.py stills/index.csv --ffmpeg FFMPEG --out recipes/ladders-stills

The list names pictures below ``UNPACKED``, where the packages that its head tells are unpacked.
Stills are sharp and of many kinds; scenes, not distortions, are what the network has too few of.
"""

import argparse
import csv
import re
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_FRAMES: Final = 10
_RATE_FPS: Final = 10
_FASTEST_PX: Final = 3
"""Per frame, either way."""
_SHORT_PX: Final = (420, 800)
"""Of the clip. Most pictures are much larger: shrinking them hides their coding."""
_LONG_PX: Final = 1200


def pan(path: Path, target: Path, chance: np.random.Generator) -> tuple[int, int]:
    """Write a clip; return its (width, height) in pixels."""
    picture = Image.open(path).convert("RGB")
    zoom = int(chance.integers(*_SHORT_PX)) / min(picture.size)
    if zoom < 1:
        size = tuple(round(side * zoom) for side in picture.size)
        picture = picture.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    left, top = (max(0, (side - _LONG_PX) // 2) for side in picture.size)
    picture = picture.crop((left, top, picture.width - left, picture.height - top))
    right, down = (int(step) for step in chance.integers(0, _FASTEST_PX + 1, 2))
    width, height = (
        (side - step * _FRAMES) // 2 * 2
        for side, step in zip(picture.size, (right, down), strict=True)
    )
    pixels: NDArray[Any] = np.asarray(picture)
    with av.open(str(target), "w") as container:
        stream = container.add_stream("ffv1", rate=_RATE_FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(_FRAMES):
            y, x = number * down, number * right
            shown = np.ascontiguousarray(pixels[y : y + height, x : x + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        container.mux(stream.encode(None))
    return width, height


def main() -> None:
    """Write the clips and their table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("unpacked", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    (given.out / "clips").mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(given.seed)
    lines = given.pictures.read_text("utf-8").splitlines()
    rows = []
    for number, line in enumerate(one for one in lines if one and not one.startswith("#")):
        stem = re.sub("[^a-z0-9]+", "-", Path(line).stem.lower())[:24]
        file = f"clips/still-{number:03d}-{stem}.mkv"
        width, height = pan(given.unpacked / line, given.out / file, chance)
        rows.append(
            {
                "file": file,
                "scene": f"still-{number:03d}-{stem}",
                "width": width,
                "height": height,
                "fps": _RATE_FPS,
                "frames": _FRAMES,
                "tier": "A",
            }
        )
    with (given.out / "index.csv").open("w", encoding="utf-8", newline="") as file_:
        writer = csv.DictWriter(file_, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} clips")


if __name__ == "__main__":
    main()
