"""A planted full-frame event is reported within one frame, whatever the container does to time."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

import reelcheck
from planted import H264, steady, variable_ticks, write_event
from reelcheck.media.synth import LOSSLESS, Recipe

NTSC = Fraction(1001, 30000)


def found(path: Path) -> tuple[float, float]:
    """Return from where to where the planted colour was seen, in seconds."""
    report = reelcheck.analyze(path, only=["defects"])
    spans = [(e.start_seconds, e.end_seconds) for e in report.events if e.label == "solid_colour"]
    assert len(spans) == 1
    assert report.coverage.decoded_ratio == 1
    return spans[0]


@pytest.mark.parametrize(
    ("recipe", "ticks", "shift"),
    [
        pytest.param(H264, steady(500), 0, id="constant rate"),
        pytest.param(
            replace(H264, time_base=Fraction(1, 40), rate_fps=Fraction(40)),
            variable_ticks(),
            0,
            id="rate changing by 4",
        ),
        pytest.param(
            replace(H264, time_base=NTSC, rate_fps=1 / NTSC), steady(600), 0, id="29.97 fps"
        ),
        pytest.param(H264, steady(525, first=-25), 0, id="negative start and edit list"),
        pytest.param(replace(H264, rotation_degrees=90), steady(500), 0, id="rotated"),
        pytest.param(
            replace(H264, container="mpegts", container_options={}),
            steady(500, first=90000),
            90000,
            id="transport stream that starts at 3600 s",
        ),
        pytest.param(
            LOSSLESS, steady(500, first=90000), 90000, id="Matroska that starts at 3600 s"
        ),
        pytest.param(
            replace(H264, options={**H264.options, "preset": "veryfast", "bf": "3"}),
            steady(500),
            0,
            id="B-frames",
        ),
    ],
)
def test_the_event_is_found_within_one_frame(
    tmp_path: Path, recipe: Recipe, ticks: list[int], shift: int
) -> None:
    path = write_event(tmp_path / "clip", recipe, ticks=ticks, shift=shift)
    times = [float((tick - shift) * recipe.time_base) for tick in ticks]
    truth = min(t for t in times if t >= 15), min(t for t in times if t >= 17)

    # Containers round to a millisecond (Matroska) or to 1/90000 s (transport stream).
    assert found(path) == pytest.approx(truth, abs=0.0011)


def test_an_event_of_three_tenths_of_a_second_is_found_by_default(tmp_path: Path) -> None:
    path = write_event(tmp_path / "clip", H264, start=Fraction(10), end=Fraction(103, 10))

    report = reelcheck.analyze(path)

    spans = [(e.start_seconds, e.end_seconds) for e in report.events if e.label == "solid_colour"]
    assert spans == [pytest.approx((10.0, 10.32), abs=0.021)]
