"""Figures, slices, comparison and page of networks whose answers are known."""

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reelcheck.errors import SettingError
from reelcheck.lab.errors import DataError
from reelcheck.lab.evaluate import Measured, evaluate, predict, to_text
from reelcheck.lab.evaluation.against import compare
from reelcheck.lab.evaluation.page import render, write_page
from reelcheck.lab.evaluation.parts import Joined
from reelcheck.lab.evaluation.record import write_record
from reelcheck.lab.evaluation.rows import ClassRows
from reelcheck.lab.evaluation.slices import bucket, slices
from reelcheck.lab.recipe import Recipe

HOSTILE = '<img src=x onerror=alert(1)>"\u202e\x1b[31m'
PLAN = Recipe.model_validate(
    {
        "name": "page",
        "data": {"task": "motion-classes"},
        "network": {"name": "tsm", "options": {"width_mult": 0.1}},
    }
)


class Clips:
    """Clips whose brightness is their class; groups of three."""

    epoch = 0

    def __init__(self, labels: list[int], group: str = "g") -> None:
        self.labels: list[int] | list[float] = labels
        self.groups = [f"{group}{index // 3}" for index in range(len(labels))]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, float, int]:
        return torch.full((4, 3, 8, 8), float(self.labels[index])), self.labels[index], index


class Reader(nn.Module):
    """Tells the class from the brightness; of a class of its choice it is never sure."""

    kind = "clip"

    def __init__(self, *, classes: int, blind: int = -1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self._classes, self._blind = classes, blind

    def forward(self, clips: Tensor) -> Tensor:
        level = clips.mean(dim=(1, 2, 3, 4)).round().long()
        logits: Tensor = 4 * nn.functional.one_hot(level, self._classes).float()
        return torch.where((level == self._blind)[:, None], torch.zeros_like(logits), logits)


def measured(names: tuple[str, ...], labels: list[int], *, blind: int = -1) -> Measured:
    samples = Clips(labels)
    rows = predict(Reader(classes=len(names), blind=blind), samples, batch=4)
    evaluation = evaluate(rows, names, worst=3)
    found = slices(rows, samples, "class", classes=names, folder=None)
    return Measured(plan=PLAN, samples=samples, evaluation=evaluation, slices=tuple(found))


def test_nothing_is_lost_when_a_figure_cannot_be_computed(tmp_path: Path) -> None:
    result = measured(("a", "b", "never"), [0, 1] * 20)
    write_record(result, tmp_path / "evaluation.json")

    data = json.loads((tmp_path / "evaluation.json").read_text(), parse_constant=pytest.fail)
    assert data["figures"]["top1"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert data["missing"]["pr_auc of never"] == "there is no sample of the class"
    assert data["missing"]["precision of never"] == "the class was never told"
    assert set(data["by_class"]) == {"a", "b"}
    assert "pr_auc of never" in to_text(result)
    assert [one["value"] for one in data["slices"]] == ["a", "b"]


def test_text_from_data_is_plain_and_escaped_and_nothing_is_fetched() -> None:
    result = measured((HOSTILE, "b"), [0, 1] * 20, blind=0)
    samples: Any = result.samples
    samples.groups[0] = HOSTILE
    rows = replace(result.evaluation.rows, groups=tuple(samples.groups))
    page = render(replace(result, evaluation=replace(result.evaluation, rows=rows)))

    assert "<img src=x" not in page
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert "\\u202e" in unescape(page)
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=\"(?!data:image/jpeg;base64,)", page)
    assert not re.search(r"\sstyle=", page)  # the policy would not let it work
    assert "default-src &#39;none&#39;" in page
    assert page.count("data:image/jpeg;base64,") == 3


def test_few_groups_are_told(tmp_path: Path) -> None:
    few, many = (measured(("a", "b"), [0, 1] * count) for count in (9, 20))
    write_page(few, tmp_path / "evaluation.html")

    assert "Only 6 groups" in (tmp_path / "evaluation.html").read_text()
    assert not many.evaluation.notes


def test_the_better_of_two_is_told_with_a_paired_interval() -> None:
    good = measured(("a", "b", "c"), [0, 1, 2] * 10)
    bad = measured(("a", "b", "c"), [0, 1, 2] * 10, blind=2)

    better = compare(good.evaluation, bad.evaluation.rows, name="old")
    worse = compare(bad.evaluation, good.evaluation.rows, name="new")
    same = compare(good.evaluation, good.evaluation.rows, name="itself")
    assert better.conclusion.startswith("Better than old: top1 differs by +0.333")
    assert worse.conclusion.startswith("Worse than new: top1 differs by -0.333")
    assert same.conclusion.startswith("No difference can be told with 10 groups")
    assert better.mcnemar is not None
    assert (better.mcnemar.only_this, better.mcnemar.only_other) == (10, 0)
    assert better.mcnemar.p_value == pytest.approx(2 / 2**10)
    page = render(replace(good, comparison=better))
    assert '<header class="better">' in page


def test_five_groups_tell_no_difference() -> None:
    good, bad = (measured(("a", "b", "c"), [0, 1, 2] * 5, blind=blind) for blind in (-1, 2))

    conclusion = compare(good.evaluation, bad.evaluation.rows, name="old").conclusion
    assert conclusion.startswith("No difference can be told with 5 groups")


def test_models_of_two_kinds_are_not_compared() -> None:
    good = measured(("a", "b"), [0, 1] * 9)
    boxes: Any = object()

    with pytest.raises(SettingError, match="another kind"):
        compare(good.evaluation, boxes, name="old")


def test_joined_parts_number_their_samples_anew_and_know_their_split() -> None:
    joined = Joined([("train", Clips([0, 1, 0])), ("test", Clips([1, 1, 1, 0], "t"))])
    rows = predict(Reader(classes=2), joined, batch=3)
    assert isinstance(rows, ClassRows)

    assert rows.numbers == tuple(range(7))
    assert rows.labels.tolist() == [0, 1, 0, 1, 1, 1, 0]
    assert [joined[index][2] for index in range(7)] == list(range(7))
    found = slices(rows, joined, "split", classes=("a", "b"), folder=None)
    assert [(one.value, one.samples, one.groups) for one in found] == [
        ("test", 4, 2),
        ("train", 3, 1),
    ]


def test_files_that_broke_are_left_out_and_told(tmp_path: Path) -> None:
    samples: Any = Clips([0, 1, 0, 1])
    samples.rows = [type("Row", (), {"file": f"{index}.mkv"}) for index in range(4)]
    samples.failed = {"1.mkv": "it ends early"}
    rows = predict(Reader(classes=2), samples, batch=4)
    evaluation = evaluate(rows, ("a", "b"))

    assert rows.numbers == (0, 2, 3)
    assert "1 files broke" in " ".join(evaluation.notes)
    write_record(
        Measured(plan=PLAN, samples=samples, evaluation=evaluation), tmp_path / "evaluation.json"
    )
    data = json.loads((tmp_path / "evaluation.json").read_text())
    assert data["failed"] == {"1.mkv": "it ends early"}
    samples.failed = {f"{index}.mkv": "it ends early" for index in range(4)}
    with pytest.raises(DataError, match="no sample"):
        predict(Reader(classes=2), samples, batch=4)


@pytest.mark.parametrize(("column", "hint"), [("length", "do not have"), ("nose", "known columns")])
def test_a_column_that_the_samples_do_not_have_is_refused(column: str, hint: str) -> None:
    samples = Clips([0, 1])
    rows = predict(Reader(classes=2), samples, batch=2)

    with pytest.raises(SettingError) as refusal:
        slices(rows, samples, column, classes=("a", "b"), folder=None)
    assert hint in refusal.value.hint


@pytest.mark.parametrize(
    ("value", "name"),
    [(0.9, "under 1 s"), (1, "1 to 2 s"), (9.99, "2 to 10 s"), (10, "from 10 s")],
)
def test_buckets_hold_their_lower_edge(value: float, name: str) -> None:
    assert bucket(value, (1, 2, 10), "s") == name


def test_many_classes_show_their_confusions_as_a_list() -> None:
    names = tuple(f"class {number:02}" for number in range(25))
    page = render(measured(names, list(np.arange(25).repeat(2)), blind=7))

    assert "The most frequent confusions" in page
    assert "<td>class 07</td><td>class 00</td><td>2</td>" in page
    assert "The 8 weakest of 25 classes." in page
