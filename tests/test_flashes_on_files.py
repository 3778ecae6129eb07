"""Flash rules on real files, either side of each limit: what an outside tester would try."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import reelcheck
from reelcheck.media.synth import LOSSLESS, Recipe, Timed, write_video

WIDTH, HEIGHT = 320, 180
FAILURES = {"general_flash", "red_flash", "extended_flash"}
RATES = [
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(50),
    Fraction(60),
]
Colour = tuple[int, int, int]


def grey(relative_luminance: float) -> Colour:
    """Return the sRGB grey of a relative luminance (WCAG), rounded to 8 bits."""
    linear = relative_luminance
    code = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return (round(255 * code),) * 3


def picture(colour: Colour, base: Colour, area: float) -> NDArray[np.uint8]:
    """Return ``base`` with ``colour`` over a share of the picture, from its left edge on."""
    made = np.full((HEIGHT, WIDTH, 3), base, np.uint8)
    rows = round(HEIGHT * area**0.5)
    columns = round(WIDTH * HEIGHT * area / rows)
    made[:rows, :columns] = colour
    return made


def flashing(
    rate_fps: Fraction, flashes: int, *, dark: Colour, light: Colour, area: float = 1.0
) -> Iterator[Timed]:
    """Yield two quiet seconds, ``flashes`` evenly within one second, two quiet seconds."""
    for index in range(int(5 * rate_fps)):
        seconds = index / rate_fps - 2
        on = 0 <= seconds < 1 and int(seconds * flashes * 2) % 2 == 0
        yield picture(light if on else dark, dark, area), index


def findings(path: Path, frames: Iterator[Timed], recipe: Recipe) -> set[str]:
    report = reelcheck.analyze(write_video(path, frames, recipe), only=["flashes"])
    assert report.coverage.decoded_ratio == 1
    labels = {event.label for event in report.events} & FAILURES
    assert (report.verdict.decision == "FAIL") == bool(labels)
    return labels


def lossless(rate_fps: Fraction) -> Recipe:
    return Recipe(time_base=1 / rate_fps, rate_fps=rate_fps)


@pytest.mark.parametrize("rate_fps", [*RATES, Fraction(120)], ids=str)
@pytest.mark.parametrize(("flashes", "expected"), [(3, set()), (4, {"general_flash"})])
def test_three_flashes_in_a_second_pass_and_four_fail(
    tmp_path: Path, rate_fps: Fraction, flashes: int, expected: set[str]
) -> None:
    frames = flashing(rate_fps, flashes, dark=grey(0.1), light=grey(0.6))

    assert findings(tmp_path / "clip.mkv", frames, lossless(rate_fps)) == expected


@pytest.mark.parametrize(
    ("dark", "light", "area", "expected"),
    [
        (grey(0.1), grey(0.6), 0.24, set()),
        (grey(0.1), grey(0.6), 0.26, {"general_flash"}),
        (grey(0.3), grey(0.39), 1.0, set()),
        (grey(0.3), grey(0.41), 1.0, {"general_flash"}),
        (grey(0.79), grey(0.97), 1.0, {"general_flash"}),
        (grey(0.81), grey(0.99), 1.0, set()),
        ((0, 0, 0), (255, 0, 0), 1.0, {"general_flash", "red_flash"}),
        ((100, 100, 100), (180, 30, 30), 1.0, {"red_flash"}),
        ((100, 100, 100), (130, 100, 100), 1.0, set()),
    ],
    ids=[
        "24 % of the area",
        "26 % of the area",
        "contrast of 0.09",
        "contrast of 0.11",
        "dark state of 0.79",
        "dark state of 0.81",
        "red from black",
        "red of the same brightness",
        "faint red",
    ],
)
@pytest.mark.parametrize("codec", ["lossless", "h264"])
def test_both_sides_of_a_limit(
    tmp_path: Path, codec: str, dark: Colour, light: Colour, area: float, expected: set[str]
) -> None:
    rate = Fraction(30)
    frames = flashing(rate, 5, dark=dark, light=light, area=area)
    recipe = lossless(rate)
    if codec == "h264":
        recipe = Recipe(
            codec="libx264",
            pixel_format="yuv420p",
            container="mp4",
            time_base=1 / rate,
            rate_fps=rate,
            options={"crf": "10", "preset": "veryfast"},
        )

    assert findings(tmp_path / "clip", frames, recipe) == expected


def vfr(pattern: Callable[[float], bool]) -> Iterator[Timed]:
    """Yield frames at 50, then 12.5 frames a second; ticks of 1/100 s."""
    ticks = [*range(0, 200, 2), *range(200, 500, 8)]
    for tick in ticks:
        level = grey(0.6) if pattern(tick / 100) else grey(0.1)
        yield picture(level, level, 1.0), tick


@pytest.mark.parametrize(("flashes", "expected"), [(3, set()), (5, {"general_flash"})])
@pytest.mark.parametrize("begin", [0.5, 2.5])
def test_flashes_are_counted_in_true_time_when_the_rate_varies(
    tmp_path: Path, begin: float, flashes: int, expected: set[str]
) -> None:
    frames = vfr(lambda s: begin <= s < begin + 1 and int((s - begin) * flashes * 2) % 2 == 0)
    recipe = Recipe(time_base=Fraction(1, 100), rate_fps=Fraction(50))

    assert findings(tmp_path / "clip.mkv", frames, recipe) == expected


def test_a_long_gentle_flicker_is_an_extended_flash(tmp_path: Path) -> None:
    levels = [grey(0.6 if (index // 6) % 2 else 0.1) for index in range(200)]
    frames = ((picture(level, level, 1.0), index) for index, level in enumerate(levels))

    assert findings(tmp_path / "clip.mkv", frames, LOSSLESS) == {"extended_flash"}
