"""Work on stored reports: judging them anew, and their schema."""

import json
import sys
from pathlib import Path

from reelcheck.cli.summary import print_summary
from reelcheck.cli.writing import load_exporters
from reelcheck.errors import ReportError
from reelcheck.verdict.judge import exit_code, rejudge
from reelcheck.verdict.policy import load_policy
from reelcheck.verdict.report import json_schema, parse_report
from reelcheck.verdict.sealing import sealed


def judge_stored(path: Path, *, policy: str, format_: str | None, strict: bool) -> int:
    """Judge a stored report with another policy; print the result; return the exit code.

    Raises:
        ReportError: the file cannot be read or is no report.
        SettingError: the policy or the format is unknown.
    """
    rules = load_policy(policy)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ReportError(f"cannot read {path}: {error.strerror}") from error
    report = sealed(rejudge(parse_report(data), rules))
    if format_:
        for exporter in load_exporters([format_]):
            sys.stdout.buffer.write(exporter.render(report))
            sys.stdout.buffer.flush()
    else:
        print_summary(report, to_stdout=True)
    return exit_code(report.verdict.decision, strict=strict)


def schema_text() -> str:
    """Return the JSON Schema of the report as text."""
    return json.dumps(json_schema(), indent=2, sort_keys=True)
