"""Where in the reference the distorted file begins: a search over coarse looks of both.

First all shifts at once, by correlation on a common time grid; then, around the best of them,
every shift that puts one frame exactly on another. Shifts that the looks cannot tell apart are
all returned: whoever sees the pictures at full size decides among them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.onepass.reference.pairing import NO_PARTNER, Indices, Line, Shift, partners

SEARCH_SECONDS: Final = Fraction(60)
"""Ours: how far the starts of the two files may lie apart."""
MIN_OVERLAP: Final = Fraction(1, 2)
"""Ours: share of the shorter file that must lie beside the other."""
_SPEEDS: Final = tuple(
    Fraction(a, b) * tuned
    for a, b in ((1, 1), (24, 25), (25, 24))
    for tuned in (Fraction(1), Fraction(1001, 1000), Fraction(1000, 1001))
)
"""Film, PAL and NTSC rates played as one another."""
_SPEED_TOLERANCE: Final = 2e-4
_SPEED_GAIN: Final = 0.7
"""Ours: another speed than 1 is taken when it leaves less than this of the difference."""
_MAX_CELLS: Final = 1 << 17
"""Ours: 73 minutes at 30 fps; longer files are first searched on a coarser grid."""
_COARSE: Final = 8
_APART_STEPS: Final = 2
_NEAR_FRAMES: Final = 1.5
_ANCHORS: Final = 6
_SAMPLED_PAIRS: Final = 400
_RIVAL_RATIO: Final = 1.3
_RIVAL_FLOOR: Final = (0.1 / 219) ** 2
"""Ours: looks that differ by this much more are not told apart: 30 % of the squared difference,
or a tenth of a code value of 8 bits."""
MAX_RIVALS: Final = 6

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """One file as the search sees it."""

    line: Line
    looks: NDArray[np.float16]
    """Luma means, shape [N, rows, columns]."""
    valid: NDArray[np.bool_]
    """Frames that may be trusted, shape [N]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One shift, and how much the looks of the pairs differ under it."""

    shift: Shift
    cost: float
    """Mean squared difference of luma from 0 to 1, brightness and contrast left aside."""


def find_shifts(
    reference: Look, distorted: Look, *, search: Fraction = SEARCH_SECONDS
) -> list[Candidate]:
    """Return the best shift and those that the looks cannot tell from it, the best first.

    Args:
        reference: The file that is measured against.
        distorted: The other one.
        search: Largest offset in seconds, either way.

    Returns:
        At most ``MAX_RIVALS`` shifts with different pairs; none when no shift within the range
        lets enough of the two overlap.
    """
    found = [
        _fine(reference, distorted, candidates, speed)
        for speed in _speeds(reference.line, distorted.line)
        if (candidates := _coarse(reference, distorted, speed, search))
    ]
    if not found or not any(found):
        return []
    plain, *others = (group for group in found if group)
    chosen = min([plain, *others], key=lambda group: group[0].cost)
    if chosen is not plain and chosen[0].cost > _SPEED_GAIN * plain[0].cost:
        chosen = plain
    limit = _RIVAL_RATIO * chosen[0].cost + _RIVAL_FLOOR
    rivals = [one for one in chosen[1:] if one.cost <= limit]
    rivals.sort(key=lambda one: abs(one.shift.offset))
    return [chosen[0], *rivals[: MAX_RIVALS - 1]]


def _speeds(reference: Line, distorted: Line) -> list[Fraction]:
    """Return 1, and the known speed at which the two would have the same frames, if any."""
    if not distorted.step or not reference.step:
        return [Fraction(1)]
    ratio = reference.step / distorted.step
    near = min(_SPEEDS, key=lambda speed: abs(speed - ratio))
    fits = abs(float(near / ratio) - 1) < _SPEED_TOLERANCE
    return [Fraction(1), near] if fits and near != 1 else [Fraction(1)]


def _coarse(reference: Look, distorted: Look, speed: Fraction, search: Fraction) -> list[float]:
    """Return offsets in seconds whose looks differ least, on a grid of one frame."""
    step = _grid_step(reference.line, distorted.line, speed)
    if step <= 0:
        return [0.0]
    ours, ours_valid = _on_grid(reference, 1.0, step)
    theirs, theirs_valid = _on_grid(distorted, float(speed), step)
    costs, overlap = _costs(ours, ours_valid, theirs, theirs_valid)
    origin = reference.line.starts_seconds[0] - float(speed) * distorted.line.starts_seconds[0]
    offsets = origin + (np.arange(len(costs)) - (len(theirs) - 1)) * step
    needed = float(MIN_OVERLAP) * min(ours_valid.sum(), theirs_valid.sum()) - _NEAR_FRAMES
    allowed = (overlap >= max(1.0, needed)) & (np.abs(offsets) <= float(search) + step)
    if not allowed.any():
        return []
    ranked = np.flatnonzero(allowed)[np.argsort(costs[allowed], kind="stable")]
    chosen = list[int]()
    for lag in ranked:
        if all(abs(int(lag) - other) >= _APART_STEPS for other in chosen):
            chosen.append(int(lag))
        if len(chosen) == _COARSE:
            break
    level = int(np.argmin(np.abs(offsets)))
    return [float(offsets[lag]) for lag in dict.fromkeys([*chosen, level])]


def _grid_step(reference: Line, distorted: Line, speed: Fraction) -> float:
    """Return the step of the common grid, seconds: a frame, more when the files are long."""
    longest = max(
        float(reference.ends[-1] - reference.starts[0]),
        float(speed * (distorted.ends[-1] - distorted.starts[0])),
    )
    return max(float(min(reference.usual, speed * distorted.usual)), longest / _MAX_CELLS)


def _on_grid(
    look: Look, speed: float, step: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the looks on a grid of ``step`` seconds, flat, and where one is standing."""
    starts, ends = speed * look.line.starts_seconds, speed * look.line.ends_seconds
    count = max(1, round((ends[-1] - starts[0]) / step))
    at = starts[0] + (np.arange(count) + 0.5) * step
    index = np.clip(np.searchsorted(starts, at, side="right") - 1, 0, len(starts) - 1)
    valid = (at < ends[index]) & look.valid[index]
    small = look.looks
    count_rows, count_columns = small.shape[1] // 2, small.shape[2] // 2
    pooled = small.reshape(len(small), count_rows, 2, count_columns, 2).mean(
        axis=(2, 4), dtype=np.float32
    )
    flat = pooled.reshape(len(pooled), -1)[index]
    flat[~valid] = 0
    return flat, valid


def _costs(
    ours: NDArray[np.float32],
    ours_valid: NDArray[np.bool_],
    theirs: NDArray[np.float32],
    theirs_valid: NDArray[np.bool_],
) -> tuple[Floats, Floats]:
    """Return (mean squared difference, frames that overlap) of every lag, the most negative first.

    At lag k, ``theirs[m]`` lies beside ``ours[m + k]``; entry 0 is k = 1 - len(theirs).
    """
    total = len(ours) + len(theirs) - 1
    size = 1 << (total - 1).bit_length()
    mask_ours = np.fft.rfft(ours_valid.astype(np.float64), size)
    mask_theirs = np.conj(np.fft.rfft(theirs_valid.astype(np.float64), size))
    squares_ours = np.fft.rfft((ours**2).sum(axis=1, dtype=np.float64), size)
    squares_theirs = np.conj(np.fft.rfft((theirs**2).sum(axis=1, dtype=np.float64), size))
    spectrum = squares_ours * mask_theirs + mask_ours * squares_theirs
    for cell in range(ours.shape[1]):
        left = np.fft.rfft(ours[:, cell], size)
        spectrum -= 2 * left * np.conj(np.fft.rfft(theirs[:, cell], size))
    order = np.arange(1 - len(theirs), len(ours))
    overlap = np.round(np.fft.irfft(mask_ours * mask_theirs, size)[order])
    sums = np.fft.irfft(spectrum, size)[order]
    costs = np.maximum(sums, 0) / np.maximum(overlap, 1) / ours.shape[1]
    return costs, overlap


def _fine(
    reference: Look, distorted: Look, offsets: list[float], speed: Fraction
) -> list[Candidate]:
    """Return the shifts near ``offsets`` that put a frame on a frame, with different pairs."""
    made = dict[bytes, Candidate]()
    for offset in offsets:
        for shift in _exact_near(reference.line, distorted.line, offset, speed):
            found = partners(reference.line, distorted.line, shift)
            key = found.tobytes()
            if key in made:
                continue
            cost = _pair_cost(reference, distorted, found)
            if cost is not None:
                made[key] = Candidate(shift=shift, cost=cost)
    return sorted(made.values(), key=lambda one: (one.cost, abs(one.shift.offset)))


def _exact_near(
    reference: Line, distorted: Line, offset: float, speed: Fraction
) -> Iterator[Shift]:
    frame = max(float(reference.usual), float(speed * distorted.usual))
    reach = max(_NEAR_FRAMES * frame, _grid_step(reference, distorted, speed))
    at = offset + float(speed) * distorted.starts_seconds
    inside = np.flatnonzero((at >= reference.starts_seconds[0]) & (at < reference.ends_seconds[-1]))
    if not len(inside):
        return
    middle = len(inside) // 2
    for j in inside[max(0, middle - _ANCHORS // 2) :][:_ANCHORS]:
        near = np.flatnonzero(np.abs(reference.starts_seconds - at[j]) <= reach)
        for i in near:
            yield Shift(
                offset=reference.starts[int(i)] - speed * distorted.starts[int(j)], speed=speed
            )


def _pair_cost(reference: Look, distorted: Look, found: Indices) -> float | None:
    """Return how much the looks of pairs differ; ``None`` when too few of them can be trusted."""
    usable = np.flatnonzero((found != NO_PARTNER) & distorted.valid)
    usable = usable[reference.valid[found[usable]]]
    fewer = min(int(distorted.valid.sum()), int(reference.valid.sum()))
    if len(usable) < max(1.0, float(MIN_OVERLAP) * fewer - _NEAR_FRAMES):
        return None
    if len(usable) > _SAMPLED_PAIRS:
        usable = usable[np.linspace(0, len(usable) - 1, _SAMPLED_PAIRS).astype(np.intp)]
    ours, theirs = reference.looks[found[usable]], distorted.looks[usable]
    return float(differences(ours, theirs).mean() + level_changes(ours, theirs))


def differences(ours: NDArray[np.float16], theirs: NDArray[np.float16]) -> Floats:
    """Return how much pairs of looks differ when brightness and contrast are left aside, [N].

    That is 2 (|a| |b| - a b) per cell of the looks less their means: a squared difference of luma.
    """
    a, b = _centred(ours), _centred(theirs)
    lengths = np.sqrt(np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", b, b))
    products = np.einsum("ij,ij->i", a, b)
    return np.asarray(2 * np.maximum(lengths - products, 0) / a.shape[1], dtype=np.float64)


def level_changes(ours: NDArray[np.float16], theirs: NDArray[np.float16]) -> float:
    """Return how much the difference in brightness varies from pair to pair, squared."""
    axes = (1, 2)
    gap = ours.mean(axis=axes, dtype=np.float64) - theirs.mean(axis=axes, dtype=np.float64)
    return float(np.var(gap))


def _centred(looks: NDArray[np.float16]) -> NDArray[np.float32]:
    flat = looks.reshape(len(looks), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat
