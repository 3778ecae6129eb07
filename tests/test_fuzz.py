"""A short piece of the fuzzing that `make fuzz` does for longer: the same inputs every time."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fuzz_loaders
import fuzz_videos
from fuzz_changes import MAX_BYTES, changed
from fuzz_parts import Walker
from fuzz_videos import SEEDS, seed_bytes
from reelcheck.pipeline import watch

VIDEOS = 46
"""Two of every kind of container."""
INPUTS_OF_A_LOADER = 40
KINDS = sorted(SEEDS)


@pytest.mark.parametrize("number", range(VIDEOS))
def test_a_changed_video_ends_in_a_report_or_a_typed_error(
    number: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data, extension, told = fuzz_videos.changed_video(5, number)
    path = tmp_path_factory.mktemp("fuzz") / f"a{extension}"
    path.write_bytes(data)

    ended = fuzz_videos.end_of(path)

    assert not ended.fault, told


@pytest.mark.parametrize("name", fuzz_loaders.NAMES)
def test_a_changed_input_of_a_loader_is_taken_or_refused(name: str) -> None:
    first = fuzz_loaders.NAMES.index(name)
    ended = [
        (told, fuzz_loaders.end_of_input(name, data))
        for number in range(first, 10_000, len(fuzz_loaders.NAMES))[:INPUTS_OF_A_LOADER]
        for _, data, told in [fuzz_loaders.changed_input(5, number)]
    ]

    assert [(told, one.fault) for told, one in ended if one.fault] == []
    assert any(one.outcome.startswith("E_") for _, one in ended), "no change was refused"


@pytest.mark.parametrize("name", fuzz_loaders.NAMES)
def test_what_is_changed_was_valid_before(name: str) -> None:
    loader = fuzz_loaders.loaders()[name]
    if name == "versions":
        pytest.skip("what it holds refuses the older model on purpose")

    outcomes = {fuzz_loaders.end_of_input(name, data).outcome for data in loader.valid}

    assert outcomes == {"ok"}


@pytest.mark.parametrize(
    "bad",
    [
        ("card", b"a = " + b"[" * 100_000),
        ("settings", b"mode = " + b"[" * 100_000),
        ("recipe", b"a = " + b"[" * 100_000),
        ("versions", b"[" * 200_000),
        ("manifestrows", b"[" * 200_000),
        ("manifest", b"file,label\n" + b"x" * 5000 + b",calm\n"),
    ],
    ids=lambda bad: bad[0],
)
def test_what_fuzzing_once_found_stays_mended(bad: tuple[str, bytes]) -> None:
    ended = fuzz_loaders.end_of_input(*bad)

    assert (ended.fault, ended.outcome[:2]) == ("", "E_")


@pytest.mark.parametrize("kind", KINDS)
def test_parts_are_found_where_the_container_has_them(kind: str) -> None:
    data = seed_bytes(kind)
    parts = SEEDS[kind].walker(data)

    for one in parts:
        assert 0 <= one.start < one.body <= one.end <= len(data)
        assert all(parts[index].start < one.start for index in one.parents)
    if kind in {"mp4", "mkv", "avi", "webm", "sound", "ts", "flv"}:
        assert len(parts) > 10
        assert sum(one.end - one.start for one in parts if not one.parents) > 0.9 * len(data)


@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi", "flv", "apng"])
def test_a_size_that_is_stated_anew_is_the_one_that_stood_there(kind: str) -> None:
    data = seed_bytes(kind)
    trailer = {"flv": 4, "apng": 4}.get(kind, 0)

    for one in SEEDS[kind].walker(data):
        there = data[one.size_at : one.size_at + one.size_bytes]
        if one.marked and set(there[1:]) <= {0xFF} and there[0] & (there[0] + 1) == 0:
            continue  # EBML's mark of an unknown size
        assert one.stated(one.end - one.body - trailer) == there


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 2**32))
def test_the_same_chance_makes_the_same_file_and_none_grows_without_end(
    kind: str, seed: int
) -> None:
    walker: Walker = SEEDS[kind].walker
    first = changed(seed_bytes(kind), walker, random.Random(seed))

    assert first == changed(seed_bytes(kind), walker, random.Random(seed))
    assert len(first[0]) <= MAX_BYTES


@given(st.binary(max_size=300))
def test_no_walker_breaks_on_any_bytes(data: bytes) -> None:
    for seed in SEEDS.values():
        assert all(one.end <= max(len(data), one.start + 188) for one in seed.walker(data))


def test_a_leap_of_time_ends_the_run_before_every_moment_of_it_is_judged(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    name = "ivf"
    data = bytearray(seed_bytes(name))
    second = 32 + 12 + int.from_bytes(data[32:36], "little")
    data[second + 4 : second + 12] = (1 << 40).to_bytes(8, "little")  # its time, in ticks
    path = tmp_path_factory.mktemp("leap") / "a.ivf"
    path.write_bytes(data)

    timeline = watch(path, only=["flashes"])

    assert {one.code for one in timeline.failures} == {"E_DURATION_LIMIT"}
    assert timeline.timings["decoder_cpu_seconds"] < 5
    assert timeline.coverage.duration < 10


def test_seeds_are_small() -> None:
    assert all(len(seed_bytes(kind)) < 40_000 for kind in KINDS)
