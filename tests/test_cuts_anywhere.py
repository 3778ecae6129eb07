"""A file that lost its end never passes, wherever it was cut. ``benchmarks/robustness.py`` does
the same by the thousand."""

import random
from pathlib import Path

import pytest

import reelcheck
from bad_input_case import valid

CONTAINERS = ("mp4", "fragmented", "with_sound", "mkv", "webm", "ts", "avi", "flv", "mpeg", "gif")


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_file_cut_at_random_places_never_passes(container: str, tmp_path: Path) -> None:
    data, rnd = valid(container), random.Random(container)
    ends = [rnd.randrange(1, len(data)) for _ in range(6)]
    path = tmp_path / "clip"
    for end in ends:
        path.write_bytes(data[:end])
        try:
            report = reelcheck.analyze(path, only=["defects"])
        except reelcheck.VideoError:
            continue

        assert report.verdict.decision in {"INCONCLUSIVE", "FAIL"}, end
        assert {span.state for span in report.coverage.spans} & {"damaged", "sampled"} or (
            report.coverage.warnings
        ), end
