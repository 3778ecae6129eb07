"""``distortions``: quality ladders; one scene, one kind of distortion, six grades of strength.

Scenes are ours: leaves with texture, shade and hard edges that hide each other ("dead leaves", Lee,
Mumford and Huang, IJCV 2001: such pictures have the statistics of natural ones) over a texture
with a falling spectrum, seen by a camera that pans while one leaf moves.

Rule that puts all kinds on one scale: at equal strength, each kind costs equal structural
similarity. Strength s, from 0 to 1, means that SSIM (Wang et al. 2004, of luma) falls to
``1 - 0.4 s`` on average over scenes; the tables below were solved for this on 48 scenes. The score
is ``5 - 4 s``: 5 for the untouched scene, 1 for the worst, and it falls with strength whatever the
scene. It is a test of learning, not of perception: SSIM is no mean opinion.
"""

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

KINDS: Final = ("blur", "noise", "blocks", "bands", "halos", "upscaled")
"""Gaussian blur, Gaussian noise (new in each frame), JPEG, few levels per channel, unsharp mask
beyond measure, and a small picture enlarged."""
STEPS: Final = 6
"""Samples of a ladder: the untouched scene, then five grades."""
BEST: Final = 5.0
WORST: Final = 1.0
SSIM_COST: Final = 0.4
"""What strength 1 costs of structural similarity."""

_STRENGTHS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_AMOUNTS: Final = {
    "blur": (0.0, 0.866, 1.23, 1.6, 2.04, 2.55),
    "noise": (0.0, 8.06, 12.5, 16.8, 21.5, 26.9),
    "blocks": (0.0, 48.5, 83.5, 91.5, 94.5, 96.5),
    "bands": (1.0, 31.2, 53.8, 79.5, 108.0, 147.0),
    "halos": (0.0, 93.0, 152.0, 219.0, 304.0, 424.0),
    "upscaled": (0.0, 0.788, 1.58, 2.41, 3.2, 4.22),
}
_LEAVES: Final = 120
_SIZES_PX: Final = (4.0, 48.0)
"""Radii of leaves; their number falls with the cube of the size, so that every scale is seen."""
_SPECTRUM: Final = 1.4
"""Amplitudes of textures fall with this power of the frequency. Of natural pictures: 1 to 1.5
(Tolhurst, Tadmor and Chao 1992)."""
_PAN_PX: Final = 12
_SOFT_PX: Final = 0.7
_GRAIN: Final = 4.0
"""Of a scene's own softness and grain at difficulty 1."""

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is known of one sample."""

    score: float
    """5 (untouched) to 1."""
    kind: str
    strength: float
    group: str
    """Samples of one scene share it."""


def truth(index: int, *, seed: int) -> Truth:
    """Return what sample ``index`` is: grade ``index % 6`` of scene ``index // 6``.

    Kinds take turns from scene to scene. Within its grade the strength is drawn at random.
    """
    scene, step = divmod(index, STEPS)
    chance = float(np.random.default_rng((seed, scene, step, 1)).uniform())
    strength = 0.0 if step == 0 else (step - chance) / (STEPS - 1)
    return Truth(
        score=BEST - (BEST - WORST) * strength,
        kind=KINDS[scene % len(KINDS)],
        strength=strength,
        group=f"{seed}-{scene}",
    )


def ladder(
    scene: int, *, seed: int, difficulty: float = 0.5, frames: int = 2, size_px: int = 128
) -> list[Pixels]:
    """Return the pictures of the six samples of a scene, each RGB, [T, size_px, size_px, 3].

    Args:
        scene: Its samples are those from ``6 * scene``.
        seed: Of all scenes.
        difficulty: How soft and grainy scenes are by themselves, 0 to 1.
        frames: Pictures of a sample.
        size_px: Side of the pictures.
    """
    pristine = scene_frames(scene, seed=seed, difficulty=difficulty, frames=frames, size_px=size_px)
    steps = [truth(STEPS * scene + step, seed=seed) for step in range(STEPS)]
    return [
        distort(
            pristine,
            known.kind,
            strength=known.strength,
            rng=np.random.default_rng((seed, scene, step, 2)),
        )
        for step, known in enumerate(steps)
    ]


def distort(frames: Pixels, kind: str, *, strength: float, rng: np.random.Generator) -> Pixels:
    """Return frames, shape [T, H, W, 3], with a distortion of a strength from 0 to 1."""
    amount = float(np.interp(strength, _STRENGTHS, _AMOUNTS[kind]))
    return frames if strength == 0 else apply(frames, kind, amount=amount, rng=rng)


def apply(frames: Pixels, kind: str, *, amount: float, rng: np.random.Generator) -> Pixels:
    """Return frames with a distortion given by its own amount.

    Amounts: blur sigma in px; noise sigma in levels; blocks 100 less the quality of the JPEG; bands
    levels per step; halos percent of the unsharp mask; upscaled the factor less 1.
    """
    if kind == "noise":
        return _levels(frames + rng.normal(0, amount, frames.shape))
    if kind == "bands":
        step = max(1.0, amount)
        return _levels((np.floor(frames / step) + 0.5) * step)
    change = {"blur": _blur, "blocks": _jpeg, "halos": _sharpen, "upscaled": _small}[kind]
    return np.stack([np.asarray(change(Image.fromarray(one), amount)) for one in frames])


def _blur(image: Image.Image, amount: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(amount))


def _jpeg(image: Image.Image, amount: float) -> Image.Image:
    with io.BytesIO() as file:
        image.save(file, "JPEG", quality=max(1, round(100 - amount)))
        file.seek(0)
        with Image.open(file) as decoded:
            return decoded.convert("RGB")


def _sharpen(image: Image.Image, amount: float) -> Image.Image:
    return image.filter(ImageFilter.UnsharpMask(radius=1.5, percent=round(amount), threshold=0))


def _small(image: Image.Image, amount: float) -> Image.Image:
    size = [max(1, round(side / (1 + amount))) for side in image.size]
    return image.resize((size[0], size[1]), Image.Resampling.BICUBIC).resize(
        image.size, Image.Resampling.BICUBIC
    )


def scene_frames(
    scene: int, *, seed: int, difficulty: float = 0.5, frames: int = 2, size_px: int = 128
) -> Pixels:
    """Return the untouched frames of a scene, RGB, shape [T, size_px, size_px, 3]."""
    rng = np.random.default_rng((seed, scene))
    side = size_px + _PAN_PX
    texture = _texture(rng, side)
    canvas = 128 + 34 * texture + _shade(rng, side)
    radii = _SIZES_PX[0] * rng.uniform(0, 1, _LEAVES) ** -0.5
    for radius in sorted(np.minimum(radii, _SIZES_PX[1]), reverse=True):
        _add_leaf(canvas, rng, texture, radius=float(radius), at=rng.uniform(0, side, 2))
    pan = rng.integers(-2, 3, 2)
    start, drift = rng.uniform(0.2, 0.8, 2) * size_px, rng.uniform(-3, 3, 2)
    look = int(rng.integers(2**31))
    found = []
    for at in range(frames):
        top, left = np.mod(pan * at, _PAN_PX)
        view = canvas[top : top + size_px, left : left + size_px].copy()
        own = np.random.default_rng(look)  # the moving leaf looks the same in every frame
        _add_leaf(view, own, texture, radius=0.09 * size_px, at=start + drift * at)
        view += rng.normal(0, 1, view.shape) * _GRAIN * difficulty
        found.append(_levels(view))
    softness = _SOFT_PX * difficulty * float(rng.uniform())
    return np.stack([np.asarray(_blur(Image.fromarray(one), softness)) for one in found])


def _texture(rng: np.random.Generator, side: int) -> Floats:
    """Return a texture with a falling spectrum, about unit size, shape [S, S, 3].

    Channels are alike but not equal, as those of photographs are.
    """
    rows, columns = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    frequency = np.maximum(np.hypot(rows, columns), 1 / side)
    layers = []
    for _ in range(4):
        spectrum = np.fft.rfft2(rng.normal(0, 1, (side, side))) / frequency**_SPECTRUM
        spectrum[0, 0] = 0
        layer = np.fft.irfft2(spectrum, (side, side))
        layers.append(layer / layer.std())
    joined = layers[0][..., None] + 0.35 * np.stack(layers[1:], axis=-1)
    return np.asarray(joined, dtype=np.float32)


def _shade(rng: np.random.Generator, side: int) -> Floats:
    """Return a slow change of light across the scene, shape [S, S, 1]."""
    y, x = np.mgrid[0:side, 0:side] / side - 0.5
    return np.asarray((rng.uniform(-70, 70) * x + rng.uniform(-70, 70) * y)[..., None], np.float32)


def _add_leaf(
    canvas: Floats,
    rng: np.random.Generator,
    texture: Floats,
    *,
    radius: float,
    at: NDArray[np.float64],
) -> None:
    """Draw a disc or a turned square with its own colour, shade and texture over the canvas."""
    side = canvas.shape[0]
    reach = radius * 1.5
    low = np.clip(np.floor(at - reach), 0, side).astype(int)
    high = np.clip(np.ceil(at + reach), 0, side).astype(int)
    colour, contrast = rng.uniform(20, 235, 3), rng.uniform(0, 30)
    turn, slope, is_round = rng.uniform(0, np.pi), rng.uniform(-0.3, 0.3), rng.uniform() < 0.5  # noqa: PLR2004 - half of them
    shift = rng.integers(0, texture.shape[0], 2)
    y, x = np.mgrid[low[0] : high[0], low[1] : high[1]].astype(np.float32) + 0.5
    dy, dx = y - at[0], x - at[1]
    along, across = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
    gap = np.hypot(dx, dy) if is_round else np.maximum(np.abs(along), np.abs(across))
    cover = np.clip(radius - gap + 0.5, 0, 1)[..., None]
    rows, columns = (
        np.arange(low[axis], high[axis]) + shift[axis] for axis in (0, 1)
    )  # of a texture that repeats itself
    own = texture[rows[:, None] % texture.shape[0], columns % texture.shape[1]]
    painted = colour + contrast * own + (slope * 60 / radius * along)[..., None]
    part = canvas[low[0] : high[0], low[1] : high[1]]
    part += cover * (painted - part)


def _levels(values: NDArray[np.floating]) -> Pixels:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
