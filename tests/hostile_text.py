"""Text that files and strangers may bring, and a report that is full of it."""

from hypothesis import strategies as st

from reelcheck.verdict.judge import judge
from reelcheck.verdict.policy import Waiver, load_policy
from reelcheck.verdict.report import Report
from reelcheck.verdict.timeline import Failure
from sample_policy import black, policy
from sample_timeline import coverage, event, realistic_timeline, timeline

NASTY = (
    "\x1b[31m",
    "\x9b31m",
    "\u202egpj.exe",
    "-->",
    "]]>",
    "</script>",
    "=cmd()",
    "+1",
    "-1",
    "@x",
    "\t=1",
    "\r=1",
    "\n\n1\n00:00:00.000 --> 00:00:09.000\nx",
    '","',
    "|C:ResolveColorRed",
    "\udcff",
    "\ud800",
    "\ufffe",
    "\x00",
    "&amp;",
    "\\u001b",
    "\U000e0041",
)
HOSTILE = st.text(st.characters(codec=None, categories=None), max_size=12) | st.lists(
    st.sampled_from(NASTY), min_size=1, max_size=3
).map("".join)


def sample_report() -> Report:
    return judge(realistic_timeline(), load_policy("default"))


def hostile_report(text: str) -> Report:
    """Return a report with ``text`` in every place that a file, a stranger or a user can fill."""
    watched = timeline(
        event("defects.black", 3, 6, note=text, unit=text),
        event("defects.blur", 7, 8, note=text),
        event("shots.x", 1, 2, note=text),
        name=text,
        covered=coverage(warnings=(f"W_PARTIAL: {text}",)),
        failures=(
            Failure(code="E_ANALYZER", message=text, analyzer="shots"),
            Failure(code="E_TIMEOUT", message=text),
        ),
    )
    rules = black("fail", why=f"{text}."), black("warn", event="defects.blur")
    waiver = Waiver(code="defects.blur", reason=f"ours {text}")
    return judge(watched, policy(*rules, waivers=(waiver,)))
