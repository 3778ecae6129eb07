"""Draws sequences of tiny frames with borders whose place and kind are known.

Shots are real clips, played at one to three times their speed, mirrored, brightened, zoomed and
panned. They are joined by cuts, dissolves, fades and wipes; gradual transitions are as long as in
ClipShots (Tang et al., arXiv 1808.04234): log-normal, median 13 frames. What looks like a border
and is none is drawn too: flashes, damaged frames, changes of light, something that passes in front
of the camera, and the frame that is repeated at the ends of a stream.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.analyzers.shots.tiny import HEIGHT, WIDTH

KINDS: Final = ("cut", "dissolve", "fade", "wipe")
_CALM: Final = 0.4
"""Share of sequences without a border: in films most seconds have none."""
_LONGEST: Final = 90

Floats = NDArray[np.float32]
Levels = NDArray[np.uint8]
Chance = np.random.Generator


def gradual_frames(chance: Chance) -> int:
    """Draw how many frames a gradual transition blends."""
    return int(np.clip(np.exp(chance.normal(2.6, 0.6)), 3, 60))


def progress(kind: str, frames: int, chance: Chance, *, size: tuple[int, int]) -> Floats:
    """Return how much of the new shot shows: float32 [frames, h, w, 1], 0 to 1.

    Args:
        kind: ``dissolve`` or ``wipe``.
        frames: How many.
        chance: Source of chance.
        size: (h, w).
    """
    time = (np.arange(frames) + 1) / (frames + 1)
    if kind == "dissolve":
        return np.broadcast_to(time[:, None, None, None], (frames, *size, 1)).astype(np.float32)
    y, x = (
        axis / side
        for axis, side in zip(np.mgrid[0 : size[0], 0 : size[1]] + 0.5, size, strict=True)
    )
    when = _order(x, y, chance)
    when = (when - when.min()) / max(1e-9, float(when.max() - when.min()))
    if chance.random() < 0.5:  # noqa: PLR2004 - either way
        when = 1 - when
    soft = float(chance.choice([0.01, 0.02, 0.1, 0.25]))
    edge = time[:, None, None] * (1 + soft)
    share: Floats = np.clip((edge - when) / soft, 0, 1)[..., None].astype(np.float32)
    return share


def _order(x: NDArray[Any], y: NDArray[Any], chance: Chance) -> NDArray[Any]:
    """Return the order in which places turn into the new shot."""
    angle, bands = chance.uniform(0, 2 * np.pi), int(chance.integers(3, 9))
    forms = (
        x,
        x,
        y,
        np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5),
        np.hypot((x - 0.5) * WIDTH / HEIGHT, y - 0.5),
        np.maximum(abs(x - 0.5), abs(y - 0.5)),
        abs(x - 0.5),
        abs(y - 0.5),
        np.arctan2(y - 0.5, x - 0.5),
        (x if chance.random() < 0.5 else y) * bands % 1,  # noqa: PLR2004 - either way
    )
    return np.asarray(forms[chance.integers(len(forms))])


def faded(old: Floats, new: Floats, plain: Sequence[int], chance: Chance) -> Floats:
    """Return ``old`` going to a picture of the colour ``plain``, and ``new`` coming from it."""
    frames = len(old)
    held = int(chance.integers(0, max(1, frames // 3)))
    half = (frames - held) // 2
    place = np.arange(frames)
    before = np.clip(1 - (place + 1) / (half + 1), 0, 1)[:, None, None, None]
    after = np.clip((place - (frames - half - 1)) / (half + 1), 0, 1)[:, None, None, None]
    return np.asarray(
        np.array(plain) * (1 - before - after) + old * before + new * after, dtype=np.float32
    )


def pushed(old: Floats, new: Floats, chance: Chance) -> Floats:
    """Return ``new`` pushing ``old`` out of the picture."""
    axis = 2 if chance.random() < 0.6 else 1  # noqa: PLR2004 - mostly sideways
    side, forward = old.shape[axis], chance.random() < 0.5  # noqa: PLR2004 - either way
    both = np.concatenate([old, new] if forward else [new, old], axis=axis)
    made = np.empty_like(old)
    for index in range(len(old)):
        moved = round((index + 1) / (len(old) + 1) * side)
        first = moved if forward else side - moved
        made[index] = np.take(both[index], np.arange(first, first + side), axis=axis - 1)
    return made


def shot(clips: Sequence[Levels], frames: int, chance: Chance) -> Floats:
    """Draw one shot, float32 [frames, 27, 48, 3]; a short clip runs to and fro."""
    clip = clips[int(chance.integers(len(clips)))]
    place = chance.integers(len(clip)) + chance.choice([1, 1, 1, 1, 2, 3]) * np.arange(frames)
    place = place % (2 * len(clip) - 2)
    turned = np.where(place >= len(clip), 2 * len(clip) - 2 - place, place)
    shown: Floats = clip[turned].astype(np.float32)
    if chance.random() < 0.5:  # noqa: PLR2004 - either way
        shown = shown[:, :, ::-1]
    if chance.random() < 0.15:  # noqa: PLR2004 - some are black and white
        shown[..., 1:] = 128
    gain, shift = chance.uniform(0.6, 1.2), chance.uniform(-25, 25)
    drift = chance.uniform(-25, 25) if chance.random() < 0.2 else 0.0  # noqa: PLR2004 - light that changes
    light = shift + np.linspace(0, drift, frames)[:, None, None]
    shown[..., 0] = np.clip(shown[..., 0] * gain + light, 0, 255)
    if chance.random() < 0.35:  # noqa: PLR2004 - a camera that moves
        shown = _moved(shown, chance)
    if chance.random() < 0.1:  # noqa: PLR2004 - a bad camera
        shown = shown + chance.normal(0, chance.uniform(1, 6), shown.shape).astype(np.float32)
    return shown


def _moved(shown: Floats, chance: Chance) -> Floats:
    frames = len(shown)
    ends = [chance.uniform(low, 1, 2) for low in (0.45, 0.0, 0.0)]
    zoom, down, right = (np.linspace(first, last, frames) for first, last in ends)
    made = np.empty_like(shown)
    for index in range(frames):
        y, x = (
            (start * (1 - zoom[index]) * side + np.arange(side) * zoom[index]).astype(int)
            for start, side in ((down[index], HEIGHT), (right[index], WIDTH))
        )
        made[index] = shown[index][y[:, None], x[None]]
    return made


def sequence(clips: Sequence[Levels], frames: int, chance: Chance) -> tuple[Floats, Floats]:
    """Draw a sequence and its truth.

    Returns:
        Levels 0 to 255, float32 [frames, 27, 48, 3], and for each frame whether it is the first
        one of a new shot after a cut, or lies within a dissolve, a fade or a wipe: float32
        [frames, 4].
    """
    made = np.zeros((frames, HEIGHT, WIDTH, 3), dtype=np.float32)
    truth = np.zeros((frames, len(KINDS)), dtype=np.float32)
    reach = frames + 70
    now, used, at, calm = shot(clips, reach, chance), 0, 0, chance.random() < _CALM
    while True:
        wanted = frames if calm else int(np.clip(chance.lognormal(3.5, 0.7), 6, _LONGEST))
        end = min(frames, at + wanted)
        made[at:end] = now[used : used + end - at]
        used, at = used + end - at, end
        if at >= frames:
            break
        new, kind = shot(clips, reach, chance), str(chance.choice(KINDS, p=[0.3, 0.27, 0.15, 0.28]))
        if kind == "cut":
            truth[at, 0] = 1
            now, used = new, 0
            continue
        count = gradual_frames(chance)
        old = now[np.minimum(np.arange(used, used + count), reach - 1)]
        shown = _joined(kind, old, new[:count], chance)[: frames - at]
        made[at : at + len(shown)] = shown
        truth[at : at + len(shown), KINDS.index(kind)] = 1
        now, used, at = new, count, at + len(shown)
    _mislead(made, truth, clips, chance)
    return np.clip(np.rint(made), 0, 255), truth


def _joined(kind: str, old: Floats, new: Floats, chance: Chance) -> Floats:
    if kind == "fade":
        plain = (int(chance.choice([16, 16, 235])), 128, 128)
        return faded(old, new, plain, chance)
    if kind == "wipe" and chance.random() < 0.25:  # noqa: PLR2004 - a push is a wipe that moves
        return pushed(old, new, chance)
    share = progress(kind, len(old), chance, size=(HEIGHT, WIDTH))
    return np.asarray(old * (1 - share) + new * share, dtype=np.float32)


def _mislead(made: Floats, truth: Floats, clips: Sequence[Levels], chance: Chance) -> None:
    """Add what is no border, where none is near."""
    frames, border = len(made), truth.sum(axis=1) > 0
    if chance.random() < 0.25:  # noqa: PLR2004 - flashes and damage
        for place in chance.integers(frames, size=chance.integers(1, 4)):
            if not border[max(0, place - 2) : place + 3].any():
                _spoil(made, int(place), chance)
    if chance.random() < 0.2:  # noqa: PLR2004 - somebody passes
        count = int(chance.integers(6, 40))
        first = int(chance.integers(0, frames - count))
        if not border[max(0, first - 2) : first + count + 2].any():
            _pass(made[first : first + count], clips, chance)
    if chance.random() < 0.25:  # noqa: PLR2004 - the ends of a stream
        count = int(chance.integers(4, 40))
        if chance.random() < 0.5:  # noqa: PLR2004 - either end
            if not border[: count + 1].any():
                made[:count] = made[count]
        elif not border[frames - count - 1 :].any():
            made[frames - count :] = made[frames - count - 1]


def _spoil(made: Floats, place: int, chance: Chance) -> None:
    what = chance.random()
    if what < 0.5:  # noqa: PLR2004 - a flash
        made[place : place + chance.integers(1, 3), ..., 0] += chance.uniform(40, 160)
    elif what < 0.75:  # noqa: PLR2004 - lost rows
        made[place, chance.integers(0, HEIGHT - 6) :] = made[place, 0, 0]
    else:
        made[place] *= 0.2


def _pass(part: Floats, clips: Sequence[Levels], chance: Chance) -> None:
    frames, wide = len(part), chance.uniform(0.2, 0.9)
    cover = np.empty_like(part)
    cover[:] = [chance.uniform(10, 230), chance.uniform(110, 146), chance.uniform(110, 146)]
    if chance.random() < 0.6:  # noqa: PLR2004 - mostly something with a picture on it
        cover = shot(clips, frames, chance)
    left = np.linspace(-wide, 1, frames)
    if chance.random() < 0.5:  # noqa: PLR2004 - either way
        left = left[::-1]
    if chance.random() < 0.2:  # noqa: PLR2004 - it goes back
        left = np.concatenate([left[: frames // 2], left[: frames - frames // 2][::-1]])
    x, top = (np.arange(WIDTH) + 0.5) / WIDTH, chance.uniform(-0.3, 0.4)
    across = (x > left[:, None]) & (x < left[:, None] + wide)
    below = (np.arange(HEIGHT) + 0.5) / HEIGHT > top
    part[:] = np.where(across[:, None, :, None] & below[None, :, None, None], cover, part)
