"""Fragments: small patches of full resolution that stand for a whole video.

Source: Wu et al., FAST-VQA, ECCV 2022, section 3.1 (grid mini-patch sampling). Shrinking a frame
hides noise, blocks and blur; reading it whole costs too much. So one patch is cut from every cell
of a grid, at the same place in every frame, and the patches are laid side by side.

Limits: what lies between the patches is not seen; the ``glance`` of the network sees it, shrunk.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.errors import SettingError

GRID: Final = 7
"""Cells per side (section 4.1 of the paper)."""
PATCH_PX: Final = 32
"""Side of a patch (the same)."""

_FRAMES_NDIM: Final = 4


def patch_corners(
    length_px: int, *, grid: int, patch_px: int, chance: np.random.Generator | None
) -> NDArray[np.int64]:
    """Choose where the patches of one axis begin.

    Each of ``grid`` cells gets one patch that lies inside it: in its middle, or anywhere by
    ``chance``. Where cells are smaller than a patch, the patches are spread evenly and overlap.

    Returns:
        First pixels, shape [grid], never decreasing, each in [0, length_px - patch_px].

    Raises:
        SettingError: the axis is shorter than one patch, or grid or patch is below 1.
    """
    _check_grid(grid, patch_px)
    if length_px < patch_px:
        raise SettingError(
            f"frames with a side of {length_px} px are smaller than a patch of {patch_px} px",
            hint="enlarge the frames first, or take smaller patches",
        )
    if length_px < grid * patch_px:
        return np.linspace(0, length_px - patch_px, grid).round().astype(np.int64)
    edges = np.arange(grid + 1, dtype=np.int64) * length_px // grid
    room = np.diff(edges) - patch_px  # at least 0, because cells are at least a patch wide
    inside = room // 2 if chance is None else chance.integers(0, room, endpoint=True)
    return edges[:-1] + inside


def sample_fragments(
    frames: NDArray[np.uint8],
    *,
    grid: int = GRID,
    patch_px: int = PATCH_PX,
    chance: np.random.Generator | None = None,
) -> NDArray[np.uint8]:
    """Cut the same patches from every frame and lay them side by side.

    Args:
        frames: uint8 RGB, shape [T, H, W, 3], at the resolution of the video.
        grid: patches per side.
        patch_px: side of a patch.
        chance: where in their cells the patches lie, drawn once for all frames; None takes the
            middle of each cell, the same every time.

    Returns:
        uint8 RGB, shape [T, grid * patch_px, grid * patch_px, 3]; every patch is an exact crop.

    Raises:
        SettingError: the frames have another shape or are smaller than a patch, or grid or patch is
            below 1.
    """
    if frames.ndim != _FRAMES_NDIM:
        raise SettingError(f"frames must have the shape [T, H, W, 3]; got {list(frames.shape)}")
    _check_grid(grid, patch_px)
    corners_y = _drawn(frames.shape[1], grid=grid, patch_px=patch_px, chance=chance)
    corners_x = _drawn(frames.shape[2], grid=grid, patch_px=patch_px, chance=chance)
    side_px = np.arange(patch_px)
    rows = corners_y[..., None, None] + side_px[:, None]  # [grid, grid, patch, 1]
    columns = corners_x.transpose(1, 0)[..., None, None] + side_px  # [grid, grid, 1, patch]
    patches = frames[:, rows, columns]  # [T, grid, grid, patch, patch, 3]
    count, channels = frames.shape[0], frames.shape[-1]
    joined = patches.transpose(0, 1, 3, 2, 4, 5)
    return joined.reshape(count, grid * patch_px, grid * patch_px, channels)


def _check_grid(grid: int, patch_px: int) -> None:
    if grid < 1 or patch_px < 1:
        raise SettingError(f"grid and patch_px must be at least 1; got {grid} and {patch_px}")


def _drawn(
    length_px: int, *, grid: int, patch_px: int, chance: np.random.Generator | None
) -> NDArray[np.int64]:
    """Draw the corners along one axis afresh for each line of cells: [grid along, grid across]."""
    lines = [
        patch_corners(length_px, grid=grid, patch_px=patch_px, chance=chance) for _ in range(grid)
    ]
    return np.stack(lines, axis=1)
