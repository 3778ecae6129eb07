"""Makes the rows that the fights network learns from, by the code that the analyzer runs.

    python tools/fights_rows.py DATA --out rows.npz

``DATA`` holds ``fights/scf/index.csv`` (label, group, fold), ``fights/hockey/index.csv`` (label,
cluster_finer), ``benign/labels.csv`` and ``quality/sources/index.csv`` (all harmless). Every clip
is seen as it is and mirrored, four times a second.

Written: ``table`` (set, file, label, group, fold of each clip) and ``NUMBER|0``, ``NUMBER|1``: its
rows, plain and mirrored, float16 [moments, 1542].
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from clip_views import see_clip
from numpy.typing import NDArray

from reelcheck.analyzers.fights import FightsAnalyzer
from reelcheck.analyzers.fights.moments import MomentMaker
from reelcheck.frames import FrameBatch, Layout
from reelcheck.models.card import load_card
from reelcheck.models.session import open_session

_EVERY: Final = Fraction(1, 4)
_LONGEST_MOMENTS: Final = 80
"""Twenty seconds are enough of one scene."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One labelled clip."""

    set: str
    path: Path
    label: int
    group: str
    fold: int = -1


def clips(data: Path) -> Iterator[Clip]:
    """Yield all clips of the data pack."""
    for row in _table(data / "fights/scf/index.csv"):
        path, label = data / "fights/scf" / row["file"], int(row["label"])
        yield Clip(set="scf", path=path, label=label, group=row["group"], fold=int(row["fold"]))
    for row in _table(data / "fights/hockey/index.csv"):
        path, label = data / "fights/hockey" / row["file"], int(row["label"])
        yield Clip(set="hockey", path=path, label=label, group=row["cluster_finer"])
    for row in _table(data / "benign/labels.csv"):
        yield Clip(set="benign", path=data / "benign" / row["file"], label=0, group=row["file"])
    for row in _table(data / "quality/sources/index.csv"):
        path = data / "quality/sources" / row["file"]
        yield Clip(set="sources", path=path, label=0, group=row["scene"])


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class _Rows:
    """Makes the rows of one clip, plain and mirrored."""

    def __init__(self) -> None:
        card = load_card("moving-look")
        session = open_session(card)
        self._makers = [MomentMaker(card, session, every_seconds=_EVERY) for _ in range(2)]
        self.rows: tuple[list[NDArray[np.float32]], ...] = ([], [])

    def see(self, batch: FrameBatch) -> None:
        for maker, kept, shown in zip(
            self._makers, self.rows, (batch, _mirrored(batch)), strict=True
        ):
            if len(kept) < _LONGEST_MOMENTS:
                kept.extend(moment.row for moment in maker.see(shown))

    def end(self) -> None:
        for maker, kept in zip(self._makers, self.rows, strict=True):
            if len(kept) < _LONGEST_MOMENTS:
                kept.extend(moment.row for moment in maker.end())


def _mirrored(batch: FrameBatch) -> FrameBatch:
    across = batch.pixels[..., ::-1] if batch.layout is Layout.GRID else batch.pixels[:, :, ::-1]
    return replace(batch, pixels=across)


def rows_of(path: Path) -> tuple[NDArray[np.float16], ...]:
    """Return the rows of the first video stream, plain and mirrored."""
    made = _Rows()
    see_clip(path, FightsAnalyzer().needs, made.see)
    made.end()
    return tuple(np.stack(kept).astype(np.float16) for kept in made.rows)


def main() -> None:
    """Make all rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    kept: dict[str, Any] = {}
    table = []
    for number, clip in enumerate(clips(given.data)):
        for flip, rows in enumerate(rows_of(clip.path)):
            kept[f"{number}|{flip}"] = rows
        table.append((clip.set, clip.path.name, clip.label, clip.group, clip.fold))
        if number % 50 == 0:
            print(number, clip.set, clip.path.name, flush=True)
    np.savez(given.out, table=np.array(table, dtype=str), **kept)
    print(f"{len(table)} clips, {sum(len(kept[f'{n}|0']) for n in range(len(table)))} moments")


if __name__ == "__main__":
    main()
