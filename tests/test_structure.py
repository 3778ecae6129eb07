"""The structure of a container tells a cut file from a whole one."""

import contextlib
import os
import random
from pathlib import Path

import pytest

from bad_input_case import VALID, valid
from reelcheck.errors import VideoError
from reelcheck.media.sniff import CONTAINERS, HEAD_BYTES, sniff
from reelcheck.media.structure import FileReader, Structure, walk

BINARY = [name for name in VALID if name != "h264"]
ENDLESS = {"mpeg": 0.02, "ts": 0.02}
"""Share of cuts that may go unseen where a container has no end mark, see its docstring."""


def structure_of(data: bytes, folder: Path) -> Structure:
    path = folder / "file"
    path.write_bytes(data)
    fd = os.open(path, os.O_RDONLY)
    try:
        return walk(sniff(data[:HEAD_BYTES]).name, FileReader(fd))
    finally:
        os.close(fd)


@pytest.mark.parametrize("name", BINARY)
def test_a_whole_file_looks_whole(name: str, tmp_path: Path) -> None:
    found = structure_of(valid(name), tmp_path)

    assert (found.cut, found.broken, found.trailing_bytes) == ("", "", 0)


@pytest.mark.parametrize("name", BINARY)
def test_a_cut_file_looks_cut(name: str, tmp_path: Path) -> None:
    data, rnd, unseen, tries = valid(name), random.Random(7), 0, 120
    for _ in range(tries):
        part = data[: rnd.randrange(len(data) // 20, len(data))]
        try:
            found = structure_of(part, tmp_path)
        except VideoError:
            continue  # refused before it was walked
        unseen += not (found.cut or found.broken)

    assert unseen <= ENDLESS.get(name, 0) * tries


@pytest.mark.parametrize("name", ["mp4", "mkv", "apng", "avi"])
def test_bytes_after_the_end_are_counted(name: str, tmp_path: Path) -> None:
    found = structure_of(valid(name) + b"PK\x03\x04" + b"z" * 96, tmp_path)

    assert found.trailing_bytes == 100 or found.broken == "" == found.cut


@pytest.mark.parametrize("name", list(VALID))
def test_every_valid_file_is_known_by_its_bytes(name: str) -> None:
    assert sniff(valid(name)[:HEAD_BYTES]).name in CONTAINERS


@pytest.mark.parametrize("size", [0, 1, 3, 7, 11, 187, 188])
@pytest.mark.parametrize("name", list(VALID))
def test_a_few_bytes_crash_nothing(name: str, size: int, tmp_path: Path) -> None:
    with contextlib.suppress(VideoError):
        structure_of(valid(name)[:size], tmp_path)


def test_a_fragmented_file_cut_between_fragments_is_not_taken_for_whole(tmp_path: Path) -> None:
    data = valid("fragmented")
    ends = [at - 4 for at in range(len(data)) if data[at : at + 4] in {b"moof", b"mfra"}]

    assert len(ends) > 4
    assert not structure_of(data, tmp_path).cut
    for end in ends[1:]:
        for more in range(12):  # within the header of the next box, too
            assert structure_of(data[: end + more], tmp_path).cut
