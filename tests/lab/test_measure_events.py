"""Events of stored reports against a table of what there is."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import reelcheck
from reelcheck.errors import ReportError
from reelcheck.exporters.json import JsonExporter
from reelcheck.lab.commands import app
from reelcheck.lab.errors import DataError
from reelcheck.lab.evaluation.events import measure_events, read_reports, read_truth
from reelcheck.lab.measure.events import Events, Matching, Span, count, joined
from reelcheck.media.synth import write_scenes


@pytest.mark.parametrize(("end", "hits"), [(2.0, 1), (2.01, 0)])
def test_a_finding_is_a_hit_from_half_the_joined_time(end: float, hits: int) -> None:
    assert count([(0.0, 1.0)], [(0.0, end)], seconds=10).hits == hits


@pytest.mark.parametrize(("start", "hits"), [(1.08, 1), (1.09, 0), (0.93, 1)])
def test_moments_are_matched_by_their_distance(start: float, hits: int) -> None:
    found = count(
        [(start, start)], [(1.0, 1.0)], seconds=10, matching=Matching(within_seconds=0.081)
    )

    assert found.hits == hits


def test_the_second_finding_of_one_event_is_false() -> None:
    counts = count([(0.0, 1.0), (0.1, 1.0)], [(0.0, 1.0)], seconds=3600)
    figures = Events([counts])(np.ones(1))

    assert (figures["precision"], figures["recall"]) == (0.5, 1)
    assert figures["f1"] == pytest.approx(2 / 3)
    assert figures["false_per_hour"] == 1
    assert (figures["overlap"], figures["delay_seconds"]) == (1, 0)


def test_an_event_in_a_part_that_was_not_seen_is_neither_found_nor_missed() -> None:
    truth: list[Span] = [(1.0, 2.0), (11.0, 12.0)]
    counts = count([(1.0, 2.0)], truth, seconds=20, unseen=[(10.0, 15.0), (14.0, 20.0)])
    figures = Events([counts])(np.ones(1))

    assert (counts.hits, counts.truth, counts.unseen) == (1, 1, 1)
    assert counts.seen_seconds == 10
    assert figures["recall"] == 1


def test_silence_that_nobody_saw_is_no_hour_without_alarm() -> None:
    figures = Events([count([], [], seconds=100, unseen=[(0.0, 100.0)])])(np.ones(1))

    assert all(np.isnan(value) for value in figures.values())


def test_stretches_are_joined() -> None:
    assert joined([(3, 4), (0, 1), (0.5, 2), (5, 5)]) == [(0, 2), (3, 4)]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports of two videos: one is black from 1 s to 3 s, the other never."""
    folder = tmp_path_factory.mktemp("reports")
    grey, black = (128, 128, 128), (0, 0, 0)
    scenes = {"dark": [(grey, 1.0), (black, 2.0), (grey, 1.0)], "light": [(grey, 4.0)]}
    for name, parts in scenes.items():
        video = write_scenes(folder / f"{name}.mkv", parts)
        report = reelcheck.analyze(video, only=["defects"])
        (folder / f"{name}.json").write_bytes(JsonExporter().render(report))
    return folder


def table(folder: Path, *rows: str) -> Path:
    path = folder / "truth.csv"
    path.write_text("\n".join(["file,start_seconds,end_seconds,label", *rows]) + "\n")
    return path


def both(folder: Path) -> list[Path]:
    return [folder / "dark.json", folder / "light.json"]


def test_stored_reports_are_measured_by_one_command(reports: Path, tmp_path: Path) -> None:
    truth = table(tmp_path, "videos/dark.mkv,1,3,defects.black", "light.mkv,,,")
    words = ["events", str(truth), *(str(path) for path in both(reports))]

    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert "defects.black: 1 of 1 found, 0 false, 0 in parts that were not seen" in done.output
    assert "f1               1.000" in done.output
    assert "Only 2 files" in done.output


def test_a_damaged_part_of_a_report_is_told_apart(reports: Path, tmp_path: Path) -> None:
    content: dict[str, Any] = json.loads((reports / "dark.json").read_text())
    content["events"] = []
    whole = {"start_seconds": 0, "end_seconds": 4, "stream": 0}
    content["coverage"]["spans"] = [{**whole, "state": "damaged", "cause": "test"}]
    path = tmp_path / "blind.json"
    path.write_text(json.dumps(content))
    truth = read_truth(table(tmp_path, "dark.mkv,1,3,defects.black"))

    (found,) = measure_events(truth, read_reports([path], truth), matching=Matching())
    assert (found.truth, found.unseen, found.seen_seconds) == (0, 1, 0)
    assert found.figures == {}


def measured_dark(reports: Path, path: Path) -> None:
    truth = read_truth(path)
    measure_events(truth, read_reports(both(reports)[:1], truth), matching=Matching())


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("dark.mkv,1,3,defects.blak", "unknown label 'defects.blak'"),
        ("other.mkv,1,3,defects.black", "does not name 'dark.mkv'"),
        ("dark.mkv,3,1,defects.black", "row 2: an event must not end before it starts"),
        ("dark.mkv,one,3,defects.black", "row 2: start or end is no number"),
        ("dark.mkv,1,nan,defects.black", "row 2: an event must not end before it starts"),
        ("dark.mkv,1,3,", "row 2: there is no label"),
        ("dark.mkv,1,3", "row 2: it must have 4 entries"),
    ],
)
def test_a_wrong_table_is_refused(reports: Path, tmp_path: Path, row: str, message: str) -> None:
    path = table(tmp_path, row)

    with pytest.raises(DataError, match=message):
        measured_dark(reports, path)


def test_what_is_no_report_is_refused(tmp_path: Path) -> None:
    truth = read_truth(table(tmp_path, "dark.mkv,,,"))
    (tmp_path / "no.json").write_text("{}")

    with pytest.raises(ReportError, match=r"no\.json"):
        read_reports([tmp_path / "no.json"], truth)
    with pytest.raises(DataError, match=r"no report of 'dark\.mkv'"):
        read_reports([], truth)
