"""Splits by group, and the check that nothing leaks from training into the test."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reelcheck.lab.data.manifest import Row
from reelcheck.lab.errors import DataError

_SHARES: Final = (("test", 0.2), ("validation", 0.35))
"""A fifth of the groups tests; of the rest about as many validate."""
_HASH_SIDE: Final = 8
_LIKE_BITS: Final = 4
"""Bits of 64 by which difference hashes of the same picture may differ. Ours: rescaling and
re-encoding of real clips changes at most three."""


def with_splits(rows: Sequence[Row], *, seed: int) -> list[Row]:
    """Return rows that all have a split: chosen by a hash of group and seed where there is none.

    Within every label the first groups in the order of the hash are for testing, so that each
    label is tested when it has at least three groups. A group whose rows have several labels goes
    where its first label puts it.
    """
    chosen: dict[str, str] = {}
    groups: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.source not in chosen:
            chosen[row.source] = row.split
            groups[row.label].append(row.source)
    for names in groups.values():
        free = [name for name in names if not chosen[name]]
        free.sort(key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).hexdigest())
        for place, name in enumerate(free):
            share = (place + 0.5) / len(free)
            chosen[name] = next((part for part, limit in _SHARES if share < limit), "train")
    return [row if row.split else replace(row, split=chosen[row.source]) for row in rows]


def shared_groups(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Return the groups that stand in several parts, and in which."""
    sides: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        sides[row.source].add(row.split)
    return {group: sorted(splits) for group, splits in sides.items() if len(splits) > 1}


def refuse_shared_groups(rows: Sequence[Row]) -> None:
    """Refuse a group on both sides of a split.

    Raises:
        DataError: naming the group and its splits.
    """
    for group, splits in shared_groups(rows).items():
        raise DataError(
            f"group {group!r} stands in {' and '.join(splits)}",
            hint="figures on sources that were trained on say nothing; split by group",
        )


def untrained(rows: Sequence[Row]) -> list[Row]:
    """Return the rows whose label is never trained on."""
    trained = {row.label for row in rows if row.split == "train"}
    return [row for row in rows if row.label and row.label not in trained]


def refuse_missing_classes(rows: Sequence[Row]) -> None:
    """Refuse a label that is tested but never trained on.

    Raises:
        DataError: naming the label.
    """
    for row in untrained(rows):
        raise DataError(
            f"class {row.label!r} has no clip to train on ({row.file!r}{_at(row)} is of it)"
        )


def difference_hash(picture: NDArray[np.uint8]) -> int:
    """Return the 64-bit difference hash of an RGB picture (Krawetz 2013, "dHash").

    Each bit says whether one of 9 x 8 grey cells is brighter than the one to its right.
    """
    grey = Image.fromarray(picture).convert("L").resize((_HASH_SIDE + 1, _HASH_SIDE))
    cells = np.asarray(grey, dtype=np.int16)
    bits = (cells[:, :-1] > cells[:, 1:]).ravel()
    return int("".join("1" if bit else "0" for bit in bits), 2)


def near_duplicates(
    rows: Sequence[Row], hashes: Mapping[int, Sequence[int]]
) -> list[tuple[int, int]]:
    """Return pairs of rows of different groups that look the same, as numbers in order.

    Clips of which every compared picture is plain (its hash has hardly a bit set, or hardly one
    clear) are left out: black looks like black whatever the source.

    Args:
        rows: Of the manifest.
        hashes: Of some pictures of each row, in the order of time and equally many of each, by the
            number of the row.
    """
    telling = [
        number
        for number, own in hashes.items()
        if any(_LIKE_BITS < one.bit_count() < _HASH_SIDE**2 - _LIKE_BITS for one in own)
    ]
    if not telling:
        return []
    table = np.array([hashes[number] for number in telling], dtype=np.uint64)
    pairs = []
    for place, number in enumerate(telling):
        gaps = np.bitwise_count(table[place + 1 :] ^ table[place])
        for other in np.flatnonzero((gaps <= _LIKE_BITS).all(axis=1)):
            partner = telling[place + 1 + int(other)]
            if rows[number].source != rows[partner].source:
                pairs.append((number, partner))
    return pairs


def refuse_near_duplicates(rows: Sequence[Row], pairs: Iterable[tuple[int, int]]) -> None:
    """Refuse a clip of the test part that looks like one that is trained on.

    Args:
        rows: Of the manifest.
        pairs: Of ``near_duplicates``.

    Raises:
        DataError: naming both files.
    """
    for pair in pairs:
        by_split = {rows[number].split: rows[number] for number in pair}
        if {"train", "test"} == set(by_split):
            test, train = by_split["test"], by_split["train"]
            raise DataError(
                f"{test.clip!r} (test{_at(test)}) shows the same as "
                f"{train.clip!r} (train{_at(train)})",
                hint="give both the same group, or leave one out; `reelcheck lab inspect` lists "
                "all such pairs",
            )


def _at(row: Row) -> str:
    return f", row {row.line}" if row.line else ""
