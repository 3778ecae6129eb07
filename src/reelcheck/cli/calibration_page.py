"""A calibration as one HTML file in the look of the report: no script, no other file."""

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources

from jinja2 import Environment
from markupsafe import Markup

from reelcheck import __version__
from reelcheck.calibration.calibrate import Calibrated
from reelcheck.calibration.choose import Goal
from reelcheck.cli.calibration_plots import plots_of
from reelcheck.cli.calibration_text import OUTCOMES, facts_of, rows_of, share
from reelcheck.exporters.base import plain_text
from reelcheck.verdict.policy import Policy


def render(
    results: Sequence[Calibrated], *, base: Policy, goal: Goal, left_out: Sequence[str]
) -> str:
    """Return the page."""
    style = _asset("reelcheck.exporters.html", "report.css") + _asset(
        "reelcheck.cli", "calibration.css"
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["plain"] = lambda value: plain_text(str(value))
    template = environment.from_string(_asset("reelcheck.cli", "calibration.html.j2"))
    return template.render(
        style=Markup(style),  # noqa: S704 - our own files
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'",
        version=__version__,
        outcomes=OUTCOMES,
        goal=goal,
        base=base,
        left_out=left_out,
        kept=all(one.choice.rule is not None for one in results),
        sections=[
            {
                "one": one,
                "facts": facts_of(one, base, goal),
                "plots": plots_of(one, goal),
                "rows": rows_of(one.choice),
            }
            for one in results
        ],
        share=share,
    )


def _asset(package: str, name: str) -> str:
    return (resources.files(package) / "templates" / name).read_text("utf-8")
