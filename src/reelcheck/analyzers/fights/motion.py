"""What moves between two small pictures, and how: block matching.

Source: full search over a square neighbourhood with the sum of absolute differences, as in video
coders (e.g. Jain & Jain, IEEE Trans. Communications 29, 1981). Ours: the size of blocks and of the
neighbourhood, chosen for pictures of about 80 x 45 cells, 0.08 s apart.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

BLOCK_CELLS: Final = 5
_REACH_CELLS: Final = 4
"""Farther than people's limbs get in 0.08 s when the people fill a third of the picture."""
_MOVED_COST: Final = BLOCK_CELLS * BLOCK_CELLS
"""One level per cell that a displacement must save: flat areas would drift by chance."""
_USUAL_SECONDS: Final = 0.08
_FAST_CELLS: Final = (2.0, 3.5)
_DIRECTIONS: Final = 8
_SMALL: Final = 1e-6

STATISTICS: Final = 19
"""Numbers that ``statistics`` returns for each pair."""

Floats = NDArray[np.float32]


def small_levels(luma: Floats) -> NDArray[np.int16]:
    """Return a small picture at half its size in 8-bit levels.

    Args:
        luma: float32 Y' of the grid view, 0 black to 1 white, shape [h, w].
    """
    height, width = (side // 2 * 2 for side in luma.shape)
    if height and width:
        luma = luma[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return np.clip(np.rint(luma * 255), 0, 255).astype(np.int16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """Of every block of one pair, shape [rows, columns]."""

    right: Floats
    """Displacement in cells per 0.08 s, without that of the median block: of the camera."""
    down: Floats
    change: Floats
    """Mean absolute difference in levels, 0 to 255."""
    rest: Floats
    """The same after the best displacement: what is new, or turns."""

    @property
    def speed(self) -> Floats:
        """Return the length of the displacement in cells per 0.08 s."""
        return np.asarray(np.hypot(self.right, self.down), dtype=np.float32)


def block_motion(before: NDArray[np.int16], after: NDArray[np.int16], *, seconds: float) -> Motion:
    """Compare two small pictures of one size that lie ``seconds`` apart."""
    before, after = _at_least_a_block(before), _at_least_a_block(after)
    height, width = (side // BLOCK_CELLS * BLOCK_CELLS for side in before.shape)
    now = after[:height, :width]
    around = np.pad(before[:height, :width], _REACH_CELLS, mode="edge")
    side = 2 * _REACH_CELLS + 1
    blocks = (height // BLOCK_CELLS, width // BLOCK_CELLS)
    costs = np.empty((side, side, *blocks), dtype=np.int16)
    shifted = sliding_window_view(around, (height, width))
    for down in range(side):
        costs[down] = _sums(np.abs(shifted[down] - now))
    costs = costs.reshape(side * side, *blocks)  # by displacement
    still = costs[side * side // 2]
    chosen = costs + _MOVED_COST
    chosen[side * side // 2] = still
    y, x = np.divmod(chosen.argmin(axis=0), side)
    per_usual = _USUAL_SECONDS / max(seconds, _SMALL)
    cells = float(BLOCK_CELLS * BLOCK_CELLS)
    return Motion(
        right=_without_camera(_REACH_CELLS - x, per_usual),
        down=_without_camera(_REACH_CELLS - y, per_usual),
        change=(still / cells).astype(np.float32),
        rest=(costs.min(axis=0) / cells).astype(np.float32),
    )


def _at_least_a_block(picture: NDArray[np.int16]) -> NDArray[np.int16]:
    missing = [max(0, BLOCK_CELLS - side) for side in picture.shape]
    if not any(missing):
        return picture
    return np.pad(picture, [(0, one) for one in missing], mode="edge")


def _sums(cells: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return the sum of each block, at most 255 * 25, shape [N, h, w] -> [N, rows, columns]."""
    # Whole arrays are added: numpy's reductions over a short axis take several times as long.
    rows = cells[:, ::BLOCK_CELLS].copy()
    for place in range(1, BLOCK_CELLS):
        rows += cells[:, place::BLOCK_CELLS]
    blocks = rows[:, :, ::BLOCK_CELLS].copy()
    for place in range(1, BLOCK_CELLS):
        blocks += rows[:, :, place::BLOCK_CELLS]
    return blocks


def _without_camera(cells: NDArray[np.intp], per_usual: float) -> Floats:
    return ((cells - np.median(cells)) * per_usual).astype(np.float32)


def statistics(pairs: list[Motion]) -> Floats:
    """Return what tells fast, disordered motion in one place from other motion.

    Returns:
        float32, shape [P, 19], logarithms of: quantiles, mean and shares of the speed; quantiles of
        rest and change; how evenly the eight directions are used; how much one place moves more
        than others; how much speed and change differ from the pair before.
    """
    speed, change, rest, right, down = (
        np.stack([getattr(one, name) for one in pairs])
        for name in ("speed", "change", "rest", "right", "down")
    )
    flat = speed.reshape(len(pairs), -1)
    found = [*_quantiles(flat, (50, 75, 90, 97)), flat.mean(axis=1)]
    found += [(flat > limit).mean(axis=1) for limit in _FAST_CELLS]
    found += _quantiles(rest, (50, 90))
    found += [*_quantiles(change, (50, 90, 97)), change.mean(axis=(1, 2))]
    found += _directions(speed, np.arctan2(down, right))
    share = change / (change.sum(axis=(1, 2), keepdims=True) + 1e-3)
    found.append((share * share).sum(axis=(1, 2)) * share[0].size)
    turned = np.hypot(_from_before(right), _from_before(down))
    found += [turned.mean(axis=(1, 2)), *_quantiles(turned, (95,))]
    found += _quantiles(np.abs(_from_before(change)), (95,))
    table = np.stack(found, axis=1)
    return np.asarray(np.sign(table) * np.log1p(np.abs(table)), dtype=np.float32)


def _quantiles(values: Floats, percents: tuple[int, ...]) -> list[NDArray[Any]]:
    return list(np.percentile(values.reshape(len(values), -1), percents, axis=1))


def _from_before(values: Floats) -> Floats:
    return np.asarray(np.diff(values, axis=0, prepend=values[:1]), dtype=np.float32)


def _directions(speed: Floats, angle: Floats) -> list[NDArray[Any]]:
    """Return the entropy of directions, and how much the strongest exceeds the mean."""
    edges = np.linspace(-np.pi, np.pi, _DIRECTIONS, endpoint=False)
    step = 2 * np.pi / _DIRECTIONS
    sums = [(speed * ((angle >= one) & (angle < one + step))).mean(axis=(1, 2)) for one in edges]
    table = np.stack(sums, axis=1)
    share = table / (table.sum(axis=1, keepdims=True) + _SMALL)
    entropy = -(share * np.log(share + _SMALL)).sum(axis=1)
    return [entropy, table.max(axis=1) / (table.mean(axis=1) + 0.05)]
