"""The cache of pictures: never more than its limit, never wrong, never in the way."""

import os
import resource
from pathlib import Path

import numpy as np
import pytest

from reelcheck.lab.data.cache import PictureCache

ENTRY = np.arange(1000, dtype=np.uint8)
SIZE = 1000 + 128 + 4
"""Bytes of an entry: pixels, NumPy's header, checksum."""


def used(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    cache = PictureCache(tmp_path / "new" / "folder", limit_bytes=10 * SIZE)
    pictures = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    cache.put("a", pictures)

    kept = cache.get("a")
    assert kept is not None
    assert kept.dtype == np.uint8
    assert (kept == pictures).all()
    assert cache.get("b") is None


def test_the_limit_holds_and_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = PictureCache(tmp_path, limit_bytes=3 * SIZE)
    for place, key in enumerate("abc"):
        cache.put(key, ENTRY)
        (newest,) = [p for p in tmp_path.iterdir() if p.stat().st_mtime > 1e9]
        os.utime(newest, (place, place))
    cache.get("a")
    cache.put("d", ENTRY)

    assert [cache.get(key) is not None for key in "abcd"] == [True, False, True, True]
    assert used(tmp_path) <= 3 * SIZE


@pytest.mark.parametrize("limit", [0, SIZE - 200])
def test_what_does_not_fit_is_not_kept(limit: int, tmp_path: Path) -> None:
    cache = PictureCache(tmp_path, limit_bytes=limit)
    cache.put("a", ENTRY)

    assert cache.get("a") is None
    assert used(tmp_path) == 0


@pytest.mark.parametrize("at", [0, 60, 500, -1])
def test_a_damaged_entry_is_as_if_it_were_not_there(at: int, tmp_path: Path) -> None:
    cache = PictureCache(tmp_path, limit_bytes=10 * SIZE)
    cache.put("a", ENTRY)
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)

    assert cache.get("a") is None
    assert not path.exists()


@pytest.mark.parametrize("length", [0, 3, 100, SIZE - 1])
def test_a_truncated_entry_is_as_if_it_were_not_there(length: int, tmp_path: Path) -> None:
    cache = PictureCache(tmp_path, limit_bytes=10 * SIZE)
    cache.put("a", ENTRY)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:length])

    assert cache.get("a") is None


def test_leavings_of_a_killed_process_make_room(tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(bytes(3 * SIZE))
    cache = PictureCache(tmp_path, limit_bytes=3 * SIZE)
    cache.put("a", ENTRY)

    assert cache.get("a") is not None
    assert used(tmp_path) <= 3 * SIZE


def test_files_of_others_are_never_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_bytes(bytes(3 * SIZE))
    cache = PictureCache(tmp_path, limit_bytes=2 * SIZE)
    cache.put("a", ENTRY)

    assert (tmp_path / "thesis.doc").exists()


def test_a_folder_that_cannot_be_made_stops_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    cache = PictureCache(blocked, limit_bytes=10 * SIZE)
    cache.put("a", ENTRY)

    assert cache.get("a") is None


def test_a_disk_that_takes_no_more_stops_nothing(tmp_path: Path) -> None:
    cache = PictureCache(tmp_path, limit_bytes=10 * SIZE)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE // 2, usual[1]))
    try:
        cache.put("a", ENTRY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)

    assert cache.get("a") is None
    assert used(tmp_path) == 0
