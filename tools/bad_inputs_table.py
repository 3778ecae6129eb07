"""Write docs/bad-inputs.md: what each of the 92 bad inputs comes to, through the real gate.

python tools/bad_inputs_table.py            a minute; writes docs/bad-inputs.md
"""

import re
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import bad_inputs_bytes  # noqa: E402 - the path first
import bad_inputs_content  # noqa: E402 - the path first
import bad_inputs_picture  # noqa: E402 - the path first
from bad_input_case import Case  # noqa: E402 - the path first
from reelcheck.errors import ReelcheckError  # noqa: E402 - the path first
from reelcheck.exporters.base import plain_text  # noqa: E402 - the path first
from reelcheck.pipeline import analyze  # noqa: E402 - the path first
from reelcheck.verdict.report import Report  # noqa: E402 - the path first

PAGE: Final = ROOT / "docs" / "bad-inputs.md"
_LONGEST: Final = 160
_GROUPS: Final = (
    (1, "Cut and damaged"),
    (19, "Geometry and resources"),
    (34, "Time"),
    (47, "Pixels and colour"),
    (63, "Streams and containers"),
    (83, "Files, names, the machine"),
)
_HEAD: Final = """\
# Bad inputs: what each comes to

What a file that is damaged, odd or hostile comes to. Every case is a test, in
`tests/test_bad_inputs.py` or in the file that is named; this page is written by

```
python tools/bad_inputs_table.py
```

Where the run ends without a report, the code and the line are those of the error. Where there is a
report, you read its decision and its warnings; a file that was not seen whole never gets PASS. Only
the analyzer `flashes` runs here.
"""


def main() -> None:
    """Run every case and write the page."""
    cases = [*bad_inputs_bytes.CASES, *bad_inputs_picture.CASES, *bad_inputs_content.CASES]
    lines = [_HEAD]
    groups = dict(_GROUPS)
    for case in sorted(cases, key=lambda one: one.number):
        if case.number in groups:
            lines += [f"## {groups.pop(case.number)}\n", "| # | case | outcome | what you read |"]
            lines.append("|-|-|-|-|")
        outcome, words = _outcome(case)
        lines.append(f"| {case.number} | {_cell(case.title)} | {outcome} | {_cell(words)} |")
        if case.number + 1 in groups and case is _last_of(cases, case.number):
            lines.append("")
    PAGE.write_text("\n".join(lines) + "\n", "utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}: {len(cases)} cases of {len({c.number for c in cases})}")


def _last_of(cases: list[Case], number: int) -> Case:
    return [case for case in cases if case.number == number][-1]


def _outcome(case: Case) -> tuple[str, str]:
    if case.make is None:
        return "-", case.why_not
    with tempfile.TemporaryDirectory() as folder:
        path = case.make(Path(folder))
        try:
            report = analyze(path, only=["flashes"])
        except ReelcheckError as error:
            return f"`{error.code}`", _readable(f"{error}. {error.hint}".rstrip(". "), folder)
        return report.verdict.decision, _readable(_told(report), folder)


def _told(report: Report) -> str:
    failures = [f"{one.code}: {one.message}" for one in report.failures]
    return "; ".join([*failures, *report.coverage.warnings]) or "nothing to warn of"


def _readable(text: str, folder: str) -> str:
    short = plain_text(text).replace(folder, "")
    return short if len(short) <= _LONGEST else f"{short[:_LONGEST].rsplit(' ', 1)[0]} …"


def _cell(text: str) -> str:
    return re.sub(
        r"([|<>`*_\[\]\\])", r"\\\1", ascii(text)[1:-1] if not text.isprintable() else text
    )


if __name__ == "__main__":
    main()
