"""Measures whether the quality network finds the quarter of a picture that is spoilt.

    python tools/quality_places.py ladders/ladders.csv ladders/clips.csv

On scenes of the validation and test parts. First, pictures of the ladders, which are spoilt
everywhere: how far the first quarter is ahead of the second, and how often it is named. Then one
quarter of clean pictures is blurred, made noisy, coded as a JPEG, or torn into shifted blocks as
lost data do: how often that quarter comes first by the cause that was planted, how often a quarter
is named, and how often it is the right one.
"""

import argparse
import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from reelcheck.analyzers.quality import Judge, QualityAnalyzer
from reelcheck.analyzers.quality.judge import FAR, QUARTERS
from reelcheck.frames import Colour
from reelcheck.models.card import load_card
from reelcheck.models.session import open_session

_COLOUR: Final = Colour(full_range=True)
_EVERY: Final = 3
"""One of so many spoilt pictures is taken."""

Levels = NDArray[np.uint8]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("ladders", type=Path)
    parser.add_argument("clips", type=Path)
    given = parser.parse_args()
    with given.clips.open(encoding="utf-8", newline="") as file:
        unseen = {row["group"] for row in csv.DictReader(file) if row["split"] != "train"}
    card = load_card("quality")
    judge = Judge(card, open_session(card))
    _tell_even(judge, list(_pictures(given.ladders, unseen, clean=False))[::_EVERY])
    clean = list(_pictures(given.ladders, unseen, clean=True))
    for cause, spoil in SPOILT.items():
        _tell_quarters(judge, clean, cause, spoil)


def _pictures(ladders: Path, scenes: set[str], *, clean: bool) -> Iterator[Levels]:
    with ladders.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        is_clean = row["kind"] == "clean"
        if row["scene"] in scenes and is_clean == clean and row["kind"] != "loss":
            with av.open(str(ladders.parent / row["file"])) as container:
                last = list(container.decode(video=0))[-1]
                yield last.to_ndarray(format="gray").astype(np.uint8)


def _tell_even(judge: Judge, pictures: list[Levels]) -> None:
    ahead = []
    for picture in pictures:
        seen = judge.views(picture, _COLOUR)
        told = seen and judge.judged(*seen)
        if seen and told and told.cause and told.score < QualityAnalyzer().blamed_below:
            odds = np.sort(judge.quarter_odds(*seen, told.cause))
            ahead.append(odds[-1] - odds[-2])
    shares = ", ".join(f"{one:.1f}" for one in np.quantile(ahead, (0.5, 0.8, 0.9, 0.95)))
    print(f"{len(ahead)} of {len(pictures)} spoilt everywhere have a cause; the first quarter is")
    print(
        f"ahead by (50, 80, 90, 95 %) {shares} log odds; named: "
        f"{np.mean([one >= FAR for one in ahead]):.1%}"
    )


def _tell_quarters(
    judge: Judge, clean: list[Levels], cause: str, spoil: Callable[[Levels], Levels]
) -> None:
    first, named = [], []
    for picture in clean:
        spoilt = spoil(picture)
        for number, quarter in enumerate(QUARTERS):
            seen = judge.views(_patched(picture, spoilt, number), _COLOUR)
            if seen is None:
                continue
            first.append(int(judge.quarter_odds(*seen, cause).argmax()) == number)
            found = judge.quarter(*seen, cause)
            if found:
                named.append(found[0] == quarter)
    print(
        f"{cause}: {len(first)} quarters; first: {np.mean(first):.1%}; named: "
        f"{len(named) / len(first):.1%}, of which rightly {np.mean(named):.1%}"
    )


def _patched(picture: Levels, spoilt: Levels, number: int) -> Levels:
    height, width = (side // 2 for side in picture.shape)
    y, x = divmod(number, 2)
    made = picture.copy()
    part = (slice(y * height, (y + 1) * height), slice(x * width, (x + 1) * width))
    made[part] = spoilt[part]
    return made


def _blurred(picture: Levels) -> Levels:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(2)))


def _noisy(picture: Levels) -> Levels:
    noise = np.random.default_rng(1).normal(0, 12, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def _coded(picture: Levels) -> Levels:
    packed = io.BytesIO()
    Image.fromarray(picture).save(packed, "JPEG", quality=12)
    return np.asarray(Image.open(packed))


def _torn(picture: Levels) -> Levels:
    rng = np.random.default_rng(1)
    made = picture.copy()
    for row in range(0, len(picture) - 16, 16):
        if rng.random() < 0.6:  # noqa: PLR2004 - most rows of macroblocks, not all
            by: Any = rng.integers(8, 120)
            made[row : row + 16] = np.roll(np.roll(picture, 8, axis=0)[row : row + 16], by, axis=1)
    return made


SPOILT: Final = {"blur": _blurred, "noise": _noisy, "compression": _coded, "loss": _torn}


if __name__ == "__main__":
    main()
