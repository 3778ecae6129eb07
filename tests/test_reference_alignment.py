"""Full-reference mode finds which frames belong together, or refuses to give a number."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from reelcheck.errors import VideoError
from reelcheck.verdict.reference import AlignmentError, ReferenceReport
from reference_clips import Planes, compared, cut_at, moving, noisy, write

X264 = {"crf": "20", "preset": "ultrafast", "g": "25"}
COUNT = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def original(folder: Path) -> Path:
    return write(folder / "original.mkv", (moving(i) for i in range(COUNT)))


def pairs_of(report: ReferenceReport) -> list[tuple[float, float]]:
    frames = report.frames
    return list(zip(frames.times_seconds, frames.reference_times_seconds, strict=True))


def test_identical_files_are_without_difference(original: Path) -> None:
    report = compared(original, original)

    assert report.complete
    assert report.alignment.frames_compared == COUNT
    assert report.alignment.offset_exact == "0"
    assert report.measures["ssim"].mean == 1.0
    assert report.measures["psnr_yuv"].pooled is None
    assert set(report.frames.psnr_y) == {None}
    assert report.not_scored == ()


@pytest.mark.parametrize("deviation", [2.0, 8.0])
def test_noise_of_known_strength_gives_the_known_psnr(
    original: Path, tmp_path: Path, deviation: float
) -> None:
    noise = (noisy(moving(i), deviation=deviation, seed=i) for i in range(COUNT))

    report = compared(original, write(tmp_path / "noisy.mkv", noise))

    # Rounding to whole code values adds a twelfth to the variance.
    expected = 10 * np.log10(255**2 / (deviation**2 + 1 / 12))
    assert report.measures["psnr_y"].pooled == pytest.approx(expected, abs=0.1)
    assert report.measures["psnr_u"].pooled is None
    assert report.alignment.scaling == "none"


@pytest.mark.parametrize("skip", [1, 7, 23])
@pytest.mark.parametrize("bframes", ["0", "3"])
def test_a_later_start_is_found_to_the_frame(
    original: Path, tmp_path: Path, skip: int, bframes: str
) -> None:
    coded = write(
        tmp_path / "late.mp4",
        (moving(i) for i in range(skip, COUNT)),
        codec="libx264",
        options={**X264, "bf": bframes},
    )

    report = compared(original, coded)

    assert report.alignment.offset_seconds == pytest.approx(skip / 25, abs=0.0006)
    assert all(ours - at == pytest.approx(skip / 25, abs=0.002) for at, ours in pairs_of(report))
    assert report.alignment.frames_compared == COUNT - skip
    missing = report.not_scored[0]
    assert (missing.file, missing.start_seconds) == ("reference", 0.0)
    assert missing.end_seconds == pytest.approx(skip / 25, abs=0.002)
    assert not missing.damaged
    assert report.complete


def test_a_reference_that_starts_later_gives_a_negative_offset(
    original: Path, tmp_path: Path
) -> None:
    part = write(tmp_path / "part.mkv", (moving(i) for i in range(12, COUNT)))

    report = compared(part, original)

    assert report.alignment.offset_seconds == pytest.approx(-12 / 25, abs=0.0006)
    assert report.alignment.frames_without_partner == 12
    assert report.not_scored[0].reason == "the reference shows nothing at this time"
    assert report.measures["psnr_y"].pooled is None


def test_a_container_that_starts_before_zero_is_no_offset(original: Path, tmp_path: Path) -> None:
    shifted = write(
        tmp_path / "negative.mp4",
        (moving(i) for i in range(COUNT)),
        ticks=[(i - 10) * 1200 for i in range(COUNT)],
        codec="libx264",
        options={**X264, "bf": "2"},
    )

    report = compared(original, shifted)

    shown = report.distorted.frames
    found = pairs_of(report)
    assert len(found) == shown
    assert all(ours - at == pytest.approx((COUNT - shown) / 25, abs=0.002) for at, ours in found)
    assert min(value or 99 for value in report.frames.psnr_y) > 35


def test_dropped_frames_are_compared_with_their_own_originals(
    original: Path, tmp_path: Path
) -> None:
    half = write(
        tmp_path / "half.mkv",
        (moving(i) for i in range(0, COUNT, 2)),
        rate_fps=Fraction(25, 2),
    )

    report = compared(original, half)

    assert report.measures["psnr_y"].pooled is None
    assert report.alignment.reference_frames_skipped == COUNT // 2 - 1
    assert any("have no frame of their own" in words for words in report.alignment.words)


def test_duplicated_frames_share_their_original(original: Path, tmp_path: Path) -> None:
    double = write(
        tmp_path / "double.mkv",
        (moving(i // 2) for i in range(2 * COUNT)),
        rate_fps=Fraction(50),
    )

    report = compared(original, double)

    assert report.measures["psnr_y"].pooled is None
    assert report.alignment.frames_repeating == COUNT


def test_the_same_frames_at_29_97_and_at_30_fps_belong_together(tmp_path: Path) -> None:
    count = 1100  # at 30 fps the last frame is more than a frame early
    small = [moving(i, width_px=48, height_px=32) for i in range(count)]
    slow = write(tmp_path / "slow.mkv", small, rate_fps=Fraction(30000, 1001))
    fast = write(tmp_path / "fast.mkv", small, rate_fps=Fraction(30))

    report = compared(slow, fast)

    assert report.alignment.speed_exact == "1001/1000"
    assert report.alignment.frames_compared == count
    assert report.measures["psnr_y"].pooled is None


def test_frames_resampled_from_25_to_30_fps_keep_the_time_of_the_original(tmp_path: Path) -> None:
    slow = write(tmp_path / "slow.mkv", (moving(i) for i in range(100)))
    fast = write(
        tmp_path / "fast.mkv", (moving(i * 5 // 6) for i in range(120)), rate_fps=Fraction(30)
    )

    report = compared(slow, fast)

    assert report.alignment.speed_exact == "1"
    assert abs(report.alignment.offset_seconds) < 1 / 50
    perfect = sum(value is None for value in report.frames.psnr_y)
    assert perfect >= 0.95 * report.alignment.frames_compared


def variable() -> list[int]:
    """Return ticks that stand for 20, 40 and 120 ms by turns."""
    return [int(at) for at in np.cumsum([0, *([600, 1200, 3600] * 20)])][:COUNT]


def test_variable_rate_is_paired_frame_by_frame(tmp_path: Path) -> None:
    ticks = variable()
    ours = write(tmp_path / "a.mkv", (moving(i) for i in range(COUNT)), ticks=ticks)
    theirs = write(
        tmp_path / "b.mkv",
        (moving(i) for i in range(9, COUNT)),
        ticks=[tick - ticks[9] for tick in ticks[9:]],
    )

    report = compared(ours, theirs)

    assert report.alignment.offset_seconds == pytest.approx(ticks[9] / 30000, abs=0.0011)
    assert report.measures["psnr_y"].pooled is None
    assert report.alignment.frames_compared == COUNT - 9


def test_variable_against_steady_rate_shows_what_stands(tmp_path: Path) -> None:
    ticks = variable()
    ours = write(tmp_path / "vfr.mkv", (moving(i) for i in range(COUNT)), ticks=ticks)
    standing = np.searchsorted(ticks, np.arange(0, ticks[-1], 600), side="right") - 1
    theirs = write(tmp_path / "cfr.mkv", (moving(int(i)) for i in standing), rate_fps=Fraction(50))

    report = compared(ours, theirs)

    assert report.measures["psnr_y"].pooled is None


def test_a_shorter_file_leaves_the_rest_of_the_original_unscored(
    original: Path, tmp_path: Path
) -> None:
    short = write(tmp_path / "short.mkv", (moving(i) for i in range(40)))

    report = compared(original, short)

    (missing,) = report.not_scored
    assert missing.file == "reference"
    assert (missing.start_seconds, missing.end_seconds) == pytest.approx((1.6, 2.4), abs=0.002)
    assert report.complete


def test_too_little_overlap_is_refused(tmp_path: Path) -> None:
    early = write(tmp_path / "early.mkv", (moving(i) for i in range(60)))
    late = write(tmp_path / "late.mkv", (moving(i) for i in range(45, 105)))

    with pytest.raises(AlignmentError):
        compared(early, late)


def test_an_offset_beyond_the_search_is_refused_and_found_when_the_range_is_wider(
    original: Path, tmp_path: Path
) -> None:
    late = write(tmp_path / "late.mkv", (moving(i) for i in range(30, COUNT)))

    with pytest.raises(AlignmentError):
        compared(original, late, search=Fraction(1, 2))
    assert compared(original, late).alignment.offset_seconds == pytest.approx(1.2, abs=0.001)


@pytest.mark.parametrize(
    ("words", "change"),
    [("mirrored", lambda p: p[:, ::-1]), ("upside down", lambda p: p[::-1])],
)
def test_flipped_pictures_are_refused_by_name(
    original: Path, tmp_path: Path, words: str, change: object
) -> None:
    def flipped() -> Iterator[Planes]:
        for i in range(COUNT):
            planes = moving(i)
            luma = np.ascontiguousarray(change(planes[:96]))  # type: ignore[operator] # a lambda
            yield np.concatenate([luma, np.full((48, 160), 128, np.uint8)])

    with pytest.raises(AlignmentError, match=words):
        compared(original, write(tmp_path / "flipped.mkv", flipped()))


def test_other_content_is_refused(original: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other.mkv", (moving(i, seed=2) for i in range(COUNT)))

    with pytest.raises(AlignmentError, match="do not show the same") as caught:
        compared(original, other)
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_a_part_cut_out_of_the_middle_is_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.mkv", (moving(i) for i in range(200)))
    cut = write(tmp_path / "cut.mkv", (moving(i) for i in range(200) if not 90 <= i < 110))

    with pytest.raises(AlignmentError, match="cut out or put in") as caught:
        compared(whole, cut)
    assert "0.80 s" in str(caught.value)


def still(_: int) -> Planes:
    return moving(0)


def test_a_still_clip_is_not_ambiguous_because_all_offsets_score_alike(tmp_path: Path) -> None:
    ours = write(tmp_path / "a.mkv", (still(i) for i in range(50)))
    theirs = write(tmp_path / "b.mkv", (noisy(still(i), deviation=4, seed=i) for i in range(50)))

    report = compared(ours, theirs)

    assert report.alignment.offset_exact == "0"
    assert report.measures["psnr_y"].pooled == pytest.approx(36.0, abs=0.2)


def test_fine_grain_tells_the_offset_where_coarse_pictures_cannot(tmp_path: Path) -> None:
    grain = [noisy(still(i), deviation=6, seed=i) for i in range(50)]
    ours = write(tmp_path / "a.mkv", grain)
    theirs = write(tmp_path / "b.mkv", grain[3:])

    report = compared(ours, theirs)

    assert report.alignment.offset_seconds == pytest.approx(3 / 25, abs=0.001)
    assert report.measures["psnr_y"].pooled is None


@pytest.mark.parametrize("other", [0, 30])
def test_clips_of_one_frame_are_scored_or_refused(tmp_path: Path, other: int) -> None:
    ours = write(tmp_path / "a.mkv", [moving(0)])
    theirs = write(tmp_path / "b.mkv", [moving(other, seed=1 if other else 0)])

    if other:
        with pytest.raises(AlignmentError):
            compared(ours, theirs)
    else:
        report = compared(ours, theirs)
        assert report.alignment.frames_compared == 1
        assert report.measures["ssim"].mean == 1.0


def test_a_damaged_part_is_not_scored(original: Path, tmp_path: Path) -> None:
    coded = write(
        tmp_path / "coded.mp4",
        (moving(i) for i in range(COUNT)),
        codec="libx264",
        options={**X264, "g": "20"},
    )
    cut_at(coded, 0.7)

    report = compared(original, coded)

    assert not report.complete
    damage = [part for part in report.not_scored if part.damaged]
    assert damage
    assert all(part.file == "distorted" for part in damage)
    last = max(report.frames.times_seconds)
    assert all(part.end_seconds > last for part in damage)
    assert report.alignment.frames_compared < COUNT
    assert min(value or 99 for value in report.frames.psnr_y) > 30


def test_a_file_that_the_gate_refuses_is_named_by_its_role(original: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(bytes(1000))

    with pytest.raises(VideoError, match=r"^distorted file: ") as caught:
        compared(original, broken)
    assert caught.value.code == "E_FORMAT_NOT_ALLOWED"
    with pytest.raises(VideoError, match=r"^reference file: "):
        compared(broken, original)
    with pytest.raises(VideoError, match=r"^reference file: "):
        compared(tmp_path / "absent.mp4", original)


def test_a_freeze_is_scored_low_and_not_taken_for_a_cut(tmp_path: Path) -> None:
    ours = write(tmp_path / "a.mkv", (moving(i) for i in range(100)))
    frozen = (moving(30 if 30 <= i < 70 else i) for i in range(100))

    report = compared(ours, write(tmp_path / "b.mkv", frozen))

    values = report.frames.psnr_y
    assert {values[i] for i in (*range(31), *range(70, 100))} == {None}
    assert all(value is not None and value < 30 for value in values[31:70])
    assert report.measures["psnr_y"].worst_second.start_seconds in {1.0, 2.0}


def test_damage_in_the_middle_of_either_file_makes_the_scores_incomplete(
    original: Path, tmp_path: Path
) -> None:
    coded = write(
        tmp_path / "coded.ts", (moving(i) for i in range(COUNT)), codec="libx264", options=X264
    )
    data = bytearray(coded.read_bytes())
    middle = len(data) // 2 // 188 * 188
    data[middle : middle + 40 * 188] = bytes(40 * 188)
    coded.write_bytes(data)

    for pair, role in (((original, coded), "distorted"), ((coded, original), "reference")):
        report = compared(*pair)

        damage = [part for part in report.not_scored if part.damaged]
        assert not report.complete
        assert {part.file for part in damage} == {role}
        times = (
            report.frames.times_seconds
            if role == "distorted"
            else report.frames.reference_times_seconds
        )
        assert not any(
            part.start_seconds <= at < part.end_seconds for part in damage for at in times
        )


def test_offsets_that_fit_alike_but_score_differently_are_ambiguous(tmp_path: Path) -> None:
    """The still part of the original has noise of its own, stronger and weaker by chance."""
    strength = np.random.default_rng(3).uniform(3, 7, 50)
    still_part = [noisy(still(0), deviation=strength[i], seed=i) for i in range(50)]
    ours = write(tmp_path / "a.mkv", [*(moving(i + 20) for i in range(50)), *still_part])
    theirs = write(
        tmp_path / "b.mkv", (noisy(still(0), deviation=2, seed=100 + i) for i in range(40))
    )

    with pytest.raises(AlignmentError, match="ambiguous") as caught:
        compared(ours, theirs)
    assert "--offset" in caught.value.hint
    assert compared(ours, theirs, offset=Fraction(52, 25)).alignment.frames_compared == 40
