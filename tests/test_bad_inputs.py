"""Every case of the table of bad inputs ends as the table says, through the real gate."""

from pathlib import Path

import pytest

import bad_inputs_bytes
import bad_inputs_content
import bad_inputs_picture
from bad_input_case import Case
from reelcheck.errors import ReelcheckError
from reelcheck.pipeline import watch
from reelcheck.verdict.judge import judge
from reelcheck.verdict.policy import load_policy

CASES = [*bad_inputs_bytes.CASES, *bad_inputs_picture.CASES, *bad_inputs_content.CASES]
MADE = [case for case in CASES if case.make]
MAX_SECONDS = 15
MAX_MIB = 512


@pytest.mark.parametrize("case", MADE, ids=lambda case: f"{case.number}: {case.title}")
def test_the_case_ends_as_the_table_says(case: Case, tmp_path: Path) -> None:
    assert case.make is not None
    path = case.make(tmp_path)
    error: ReelcheckError | None = None
    try:
        timeline = watch(path, only=["flashes"])
    except ReelcheckError as refusal:
        error = refusal
    if error is not None:
        assert error.code in case.allowed, f"{error.code}: {error}"
        return
    report = judge(timeline, load_policy("default"))

    codes = {text.split(":")[0] for text in report.coverage.warnings}
    codes |= {failure.code for failure in report.failures}
    reasons = [reason.text for reason in report.verdict.reasons]
    assert report.verdict.decision in case.allowed, (reasons, report.coverage.warnings)
    assert case.warnings <= codes, report.coverage.warnings
    assert timeline.timings["wall_seconds"] < MAX_SECONDS
    assert timeline.timings["decoder_peak_mib"] < MAX_MIB


def test_every_case_of_the_table_is_made_or_says_why_not() -> None:
    assert {case.number for case in CASES} == set(range(1, 93))
    assert all(case.make or case.why_not for case in CASES)
