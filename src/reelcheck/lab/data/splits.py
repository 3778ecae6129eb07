"""Splits by group, and the check that nothing leaks from training into the test."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
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


def refuse_shared_groups(rows: Sequence[Row]) -> None:
    """Refuse a group on both sides of a split.

    Raises:
        DataError: naming the group and its splits.
    """
    sides: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        sides[row.source].add(row.split)
    for group, splits in sides.items():
        if len(splits) > 1:
            raise DataError(
                f"group {group!r} stands in {' and '.join(sorted(splits))}",
                hint="figures on sources that were trained on say nothing; split by group",
            )


def refuse_missing_classes(rows: Sequence[Row]) -> None:
    """Refuse a label that is tested but never trained on.

    Raises:
        DataError: naming the label.
    """
    trained = Counter(row.label for row in rows if row.split == "train")
    for row in rows:
        if row.label and not trained[row.label]:
            raise DataError(f"class {row.label!r} has no clip to train on ({row.file!r})")


def difference_hash(picture: NDArray[np.uint8]) -> int:
    """Return the 64-bit difference hash of an RGB picture (Krawetz 2013, "dHash").

    Each bit says whether one of 9 x 8 grey cells is brighter than the one to its right.
    """
    grey = Image.fromarray(picture).convert("L").resize((_HASH_SIDE + 1, _HASH_SIDE))
    cells = np.asarray(grey, dtype=np.int16)
    bits = (cells[:, :-1] > cells[:, 1:]).ravel()
    return int("".join("1" if bit else "0" for bit in bits), 2)


def refuse_near_duplicates(rows: Sequence[Row], hashes: Mapping[int, Sequence[int]]) -> None:
    """Refuse a clip of the test part that looks like one that is trained on.

    Args:
        rows: Of the manifest.
        hashes: Of some pictures of each row, in the order of time, by the number of the row.

    Raises:
        DataError: naming both files.
    """
    train = [number for number in hashes if rows[number].split == "train"]
    for number, own in hashes.items():
        if rows[number].split != "test":
            continue
        for other in train:
            pairs = zip(own, hashes[other], strict=False)
            if all((one ^ two).bit_count() <= _LIKE_BITS for one, two in pairs):
                raise DataError(
                    f"{rows[number].file!r} (test) shows the same as {rows[other].file!r} (train)",
                    hint="give both the same group, or leave one out",
                )
