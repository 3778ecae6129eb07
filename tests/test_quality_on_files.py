"""What the quality analyzer says of whole videos, however they are wrapped."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import reelcheck
from inprocess import watched
from quality_pictures import (
    CODED,
    LOSSLESS_YUV,
    Levels,
    clip,
    enlarged,
    samples,
    scene,
)
from reelcheck.analyzers.quality import (
    QualityAnalyzer,
)
from reelcheck.media.synth import Recipe, plain, textured, write_video


def mean_of(path: Path) -> float:
    scores = samples(watched(path, QualityAnalyzer()), "score")
    assert scores
    return sum(one.score for one in scores) / len(scores)


def coded(crf: int) -> Recipe:
    return replace(CODED, options={**CODED.options, "crf": str(crf)})


def test_much_coarser_coding_gives_a_lower_score(tmp_path: Path) -> None:
    scores = [
        mean_of(clip(tmp_path / f"{crf}.mp4", moving(1.0), coded(crf))) for crf in (12, 32, 46)
    ]

    assert all(finer > coarser - SAME for finer, coarser in pairwise(scores))
    assert scores[0] - scores[-1] > 0.5


SAME = 0.2
"""How far the same picture may move the score in another wrapping."""
ALIKE = 0.3
"""How far the same content may move it once it was coded anew, or turned."""
SHOWN = {strength: enlarged(scene(3), strength) for strength in (1.0, 4.0)}


def same(picture: Levels) -> Levels:
    return picture


def moving(
    strength: float, change: Callable[[Levels], Levels] = same
) -> Callable[[Fraction], Levels]:
    """Return a picture that differs from second to second, and is spoilt to a known degree."""
    return lambda at: change(np.roll(SHOWN[strength], 7 * int(at), axis=1))


def boxed(picture: Levels) -> Levels:
    return np.pad(picture, ((60, 60), (0, 0)))


def pillared(picture: Levels) -> Levels:
    return np.pad(picture, ((0, 0), (90, 90)))


def tinted(picture: Levels) -> Levels:
    """Return an RGB picture of the same luma (ITU-R BT.601)."""
    colour = 25 * np.array([1.0, -0.299 / 0.587, 0.0])
    return np.asarray(np.clip(picture[..., None] + colour, 0, 255).round(), dtype=np.uint8)


def turned(picture: Levels) -> Levels:
    return np.ascontiguousarray(np.rot90(picture))


FULL_RANGE = Recipe(codec="libx264", pixel_format="yuvj420p", options={"qp": "0"})
WRAPPINGS: Mapping[str, tuple[Callable[[Levels], Levels], Recipe, int]] = {
    "ten frames a second": (same, LOSSLESS_YUV, 10),
    "120 frames a second": (same, LOSSLESS_YUV, 120),
    "letterbox": (boxed, LOSSLESS_YUV, 5),
    "pillarbox": (pillared, LOSSLESS_YUV, 5),
    "ten bits": (same, replace(LOSSLESS_YUV, pixel_format="yuv420p10le"), 5),
    "full range": (same, FULL_RANGE, 5),
    "in colour": (tinted, LOSSLESS_YUV, 5),
    "turned by a flag": (turned, replace(LOSSLESS_YUV, rotation_degrees=-90), 5),
}


@pytest.mark.parametrize("strength", list(SHOWN))
def test_the_same_picture_in_another_wrapping_has_the_same_score(
    strength: float, tmp_path: Path
) -> None:
    usual = mean_of(clip(tmp_path / "usual.mkv", moving(strength)))
    moved = {}
    for name, (change, recipe, rate) in WRAPPINGS.items():
        path = clip(tmp_path / f"{name}.mkv", moving(strength, change), recipe, rate=rate)
        moved[name] = abs(mean_of(path) - usual)

    assert {name: by for name, by in moved.items() if by > SAME} == {}


@pytest.mark.parametrize("crf", [16, 40])
def test_turning_and_letterboxing_before_coding_hardly_move_the_score(
    crf: int, tmp_path: Path
) -> None:
    changes: dict[str, Callable[[Levels], Levels]] = {
        "turned": turned,
        "boxed": boxed,
    }
    usual = mean_of(clip(tmp_path / "usual.mp4", moving(1.0), coded(crf)))
    moved = {}
    for name, change in changes.items():
        path = clip(tmp_path / f"{name}.mp4", moving(1.0, change), coded(crf))
        moved[name] = abs(mean_of(path) - usual)

    assert {name: by for name, by in moved.items() if by > ALIKE} == {}


def cuts() -> Iterator[tuple[Levels, int]]:
    """Yield three seconds at 10 fps with cuts at 1.5 s and 2.2 s."""
    for index in range(30):
        seed = 0 if index < 15 else 1 if index < 22 else 2
        yield textured(index, seed=3 * seed, width_px=192, height_px=108), index


def test_every_shot_that_begins_with_a_cut_is_judged(tmp_path: Path) -> None:
    path = write_video(tmp_path / "cuts.mkv", cuts(), Recipe(time_base=Fraction(1, 10)))

    starts = {one.span.start for one in samples(watched(path, QualityAnalyzer()), "score")}

    assert {Fraction(0), Fraction(3, 2), Fraction(11, 5)} <= starts


def test_a_video_of_one_picture_is_judged_and_a_plain_one_is_not(tmp_path: Path) -> None:
    one = write_video(tmp_path / "one.mkv", [(textured(0), 0)])
    black = write_video(tmp_path / "black.mkv", [(plain((0, 0, 0)), 0)])

    assert samples(watched(one, QualityAnalyzer()), "score")
    assert not watched(black, QualityAnalyzer())


def test_the_digits_do_not_depend_on_threads_or_batches(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving(1.0), coded(30), rate=25)

    reports = [reelcheck.analyze(path, only=["quality"], threads=count) for count in (1, 3)]
    batches = [watched(path, QualityAnalyzer(), batch_frames=count) for count in (1, 2, 9)]

    assert reports[0].signals == reports[1].signals
    assert reports[0].quality == reports[1].quality
    assert batches[0] == batches[1] == batches[2]
    assert list(reports[0].signals["quality.score"].values) == [
        one.score for one in samples(batches[0], "score")
    ]
