"""Pictures and clips on which stored models are attacked: a folder of them, or generated scenes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from reelcheck.errors import SettingError
from reelcheck.lab.attack.victims import CLIP_FPS, CLIP_SIDE_PX, WHITE, Targets, Victim
from reelcheck.lab.errors import DataError
from reelcheck.lab.tasks import distortions

_PICTURES: Final = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp"})
_SIDE_PX: Final = 384
_SEED: Final = 11
Pixels = NDArray[np.uint8]


def pictures_for(victim: Victim, folder: Path | None, *, count: int) -> Targets:
    """Return pictures to attack a stored model on: luma for scores, RGB for names.

    Args:
        victim: What is attacked; its unattacked answers are taken for right.
        folder: Pictures, and videos of which the middle picture of the first second is taken; each
            file is a group. ``None`` for scenes of ``distortions``, each a group of six grades. Of
            a model of clips, the first seconds of videos alone.
        count: Most pictures, or clips.

    Raises:
        DataError: the folder holds nothing that can be read.
    """
    if victim.clip_frames > 1:
        return _clips_for(victim, folder, count=count)
    if folder is None:
        found = _generated(count)
    else:
        found = [(path.name, one) for path, one in _read(folder)][:count]
        if not found:
            raise DataError(f"there is no picture or video that can be read in {folder}")
    shape = np.array([one.shape[:2] for _, one in found]).min(axis=0)
    cut = np.stack([_middle(one, *shape.tolist()) for _, one in found])
    if victim.kind == "score":
        cut = np.stack([np.asarray(Image.fromarray(one).convert("L")) for one in cut])[..., None]
    pixels = torch.from_numpy(cut).permute(0, 3, 1, 2)[:, None].float() / WHITE
    return _targets(victim, pixels, [name for name, _ in found])


def _targets(victim: Victim, pixels: Tensor, groups: list[str]) -> Targets:
    """Return samples whose right class is what the victim says of them."""
    with torch.no_grad():
        told = torch.cat([victim.tell(one[None]) for one in pixels])
    labels = told.argmax(dim=1) if victim.kind == "classes" else torch.zeros(len(pixels)).long()
    return Targets(pixels=pixels, labels=labels, groups=tuple(groups))


def _clips_for(victim: Victim, folder: Path | None, *, count: int) -> Targets:
    if folder is None:
        raise SettingError(
            f"{victim.name!r} judges clips, and none are generated", hint="--pictures FOLDER"
        )
    found: list[tuple[str, Pixels]] = []
    for path in sorted(folder.rglob("*")):
        clip = _first_frames(path, victim.clip_frames) if path.is_file() else None
        if clip is not None:
            found.append((path.name, clip))
        if len(found) == count:
            break
    if not found:
        raise DataError(f"there is no video of two seconds that can be read in {folder}")
    pixels = torch.from_numpy(np.stack([one for _, one in found]))
    return _targets(victim, pixels.permute(0, 1, 4, 2, 3).float() / WHITE, [n for n, _ in found])


def _first_frames(path: Path, count: int) -> Pixels | None:
    """Return the first frames at ``CLIP_FPS``, squeezed to a square; ``None`` of fewer."""
    chosen: list[Pixels] = []
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                if frame.time is not None and frame.time >= len(chosen) / CLIP_FPS:
                    square = frame.reformat(width=CLIP_SIDE_PX, height=CLIP_SIDE_PX, format="rgb24")
                    chosen.append(np.asarray(square.to_ndarray(), dtype=np.uint8))
                if len(chosen) == count:
                    return np.stack(chosen)
    except (av.FFmpegError, IndexError):
        return None
    return None


def _generated(count: int) -> list[tuple[str, Pixels]]:
    found = []
    for scene in range(-(-count // distortions.STEPS)):
        grades = distortions.ladder(scene, seed=_SEED, frames=1, size_px=_SIDE_PX)
        found += [(f"scene-{scene}", grade[0]) for grade in grades]
    return found[:count]


def _read(folder: Path) -> Iterator[tuple[Path, Pixels]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            picture = _picture(path) if path.suffix.lower() in _PICTURES else _of_video(path)
            if picture is not None:
                yield path, picture


def _picture(path: Path) -> Pixels | None:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError):
        return None


def _of_video(path: Path) -> Pixels | None:
    """Return the picture in the middle of the first second; ``None`` of what is no video."""
    try:
        with av.open(str(path)) as container:
            seen = []
            for frame in container.decode(video=0):
                seen.append(frame)
                if frame.time is not None and frame.time > 1:
                    break
            return np.asarray(seen[len(seen) // 2].to_ndarray(format="rgb24"), dtype=np.uint8)
    except (av.FFmpegError, IndexError):
        return None


def _middle(picture: Pixels, height: int, width: int) -> Pixels:
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]
