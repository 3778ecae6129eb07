"""What attacks found: text for a terminal, JSON for programs, a page with curves and pictures."""

import base64
import hashlib
import json
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment
from markupsafe import Markup

from reelcheck import __version__
from reelcheck.errors import OutputError
from reelcheck.exporters.base import plain_text
from reelcheck.lab.attack.battery import AS_SHIPPED, ENSEMBLE, OUTSIDE, Outcome
from reelcheck.lab.attack.certified import Certified
from reelcheck.lab.attack.masking import Masking
from reelcheck.lab.attack.pictures import Shown, shown
from reelcheck.lab.evaluation.plots import Axes, Line, Plot
from reelcheck.lab.measure.bootstrap import FEW_GROUPS, Interval

MEANINGS: Final = {
    "noise": "no attack: random signs, the worst of ten draws",
    "square": "black box: sees answers only",
    "fgsm": "one step along the sign of the gradient",
    "i-fgsm-10": "ten steps, no random start",
    "mi-fgsm-10": "ten steps with momentum",
    "pgd-20": "twenty steps from a random start",
    "pgd-50": "fifty steps, with restarts, half of them on the margin",
    "universal": "one push for all, learned from other samples",
    "pgd-50-l2": "another kind of budget: a root mean square of a quarter of it",
    AS_SHIPPED: "the same pictures, judged by the shipped code",
    ENSEMBLE: "for every sample the worst of all (L-infinity)",
}
_MOST_LINES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attacked:
    """Everything that was found of one network."""

    outcome: Outcome
    masking: Masking
    certified: Certified | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what a reader of the figures has to know."""
        groups = len(set(self.outcome.targets.groups))
        few = (f"{groups} groups only: intervals are too narrow.",) if groups < FEW_GROUPS else ()
        return (*self.outcome.victim.notes, *few)


def to_text(found: Attacked) -> str:
    """Return the figures for a terminal."""
    outcome = found.outcome
    score = outcome.victim.kind == "score"
    budgets = outcome.effort.budgets
    groups = len(set(outcome.targets.groups))
    clean = f"{'mean score' if score else 'accuracy'} without attack {outcome.clean_figure()}"
    lines = [
        f"{outcome.victim.name}: {len(outcome.targets)} samples of {groups} groups; {clean}",
        f"{'inflation' if score else 'accuracy'} under attack, budget in levels of 255",
        f"{'':12}" + "".join(f"{levels:>24g}" for levels in budgets),
    ]
    for name in outcome.harm:
        told = "".join(f"{outcome.figure(name, levels)!s:>24}" for levels in budgets)
        lines.append(f"{name:12}{told}")
    lines += [found.masking.conclusion]
    lines += [
        f"  {'ok    ' if one.passed else 'FAILED'} {one.name}: {one.told}"
        for one in found.masking.checks
    ]
    if found.certified is not None:
        told = ", ".join(f"{radius:g}: {one}" for radius, one in found.certified.accuracy.items())
        lines.append(f"certified accuracy by L2 radius: {told}")
    return "\n".join([*lines, *found.notes])


def write(found: Attacked, folder: Path, *, name: str = "attack") -> Path:
    """Write ``attack.json`` and ``attack.html``; return the path of the latter.

    Raises:
        OutputError: a file cannot be written.
    """
    page = folder / f"{name}.html"
    record = json.dumps(as_numbers(found), indent=2, allow_nan=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(record, "utf-8")
        page.write_bytes(render(found).encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror or error}") from error
    return page


def as_numbers(found: Attacked) -> dict[str, Any]:
    """Return everything that was found, ready for JSON."""
    outcome, certified = found.outcome, found.certified
    victim = outcome.victim
    data: dict[str, Any] = {
        "model": victim.name,
        "kind": victim.kind,
        "measured": "inflation" if victim.kind == "score" else "accuracy",
        "white_box": victim.white_box,
        "samples": len(outcome.targets),
        "groups": len(set(outcome.targets.groups)),
        "effort": asdict(outcome.effort),
        "seconds": round(outcome.seconds, 1),
        "clean": asdict(outcome.clean_figure()),
        "attacks": {
            name: {f"{levels:g}": asdict(outcome.figure(name, levels)) for levels in by_budget}
            for name, by_budget in outcome.harm.items()
        },
        "masking": {
            "conclusion": found.masking.conclusion,
            "checks": [asdict(one) for one in found.masking.checks],
            "harm_by_budget": {f"{levels:g}": one for levels, one in found.masking.ladder.items()},
        },
        "notes": list(found.notes),
    }
    if certified is not None:
        data["certified"] = {
            "sigma_levels": certified.sigma_levels,
            "draws": certified.draws,
            "abstained": certified.abstained,
            "accuracy_by_radius": {
                f"{radius:g}": asdict(one) for radius, one in certified.accuracy.items()
            },
        }
    return data


def render(found: Attacked) -> str:
    """Return the page: one file without script."""
    outcome = found.outcome
    style = _asset("reelcheck.lab.evaluation", "evaluation.css")
    style += _asset("reelcheck.lab.attack", "attack.css")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["plain"] = lambda value: plain_text(str(value))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    most = max(outcome.effort.budgets)
    pictures: list[Shown] = shown(outcome, most)
    return environment.from_string(_asset("reelcheck.lab.attack", "attack.html.j2")).render(
        style=Markup(style),  # noqa: S704 - our own files
        policy=f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'",
        version=__version__,
        found=found,
        outcome=outcome,
        score=outcome.victim.kind == "score",
        clean=outcome.clean_figure(),
        most=most,
        headline=outcome.figure(ENSEMBLE, most),
        table=[
            (name, MEANINGS.get(name, ""), [outcome.figure(name, one) for one in by_budget])
            for name, by_budget in outcome.harm.items()
        ],
        groups=len(set(outcome.targets.groups)),
        plots=plots(found),
        pictures=pictures,
    )


def _asset(package: str, name: str) -> str:
    return (resources.files(package) / "templates" / name).read_text("utf-8")


def plots(found: Attacked) -> list[Plot]:
    """Return the curves: every attack by budget, harm by budget, and what is certified."""
    drawn = [_by_budget(found.outcome)]
    if found.masking.ladder:
        drawn.append(_ladder(found))
    if found.certified is not None:
        drawn.append(_certified(found.certified))
    return drawn


def _by_budget(outcome: Outcome) -> Plot:
    score = outcome.victim.kind == "score"
    budgets = [0.0, *outcome.effort.budgets]
    start = 0.0 if score else outcome.clean_figure().value
    names = [ENSEMBLE, *(one for one in outcome.harm if one not in {ENSEMBLE, *OUTSIDE}), "noise"]
    curves = {
        name: [start, *(outcome.figure(name, one).value for one in budgets[1:])]
        for name in names[:_MOST_LINES]
    }
    top = max(0.1, *(max(one) for one in curves.values())) if score else 1.0
    low = min(0.0, *(min(one) for one in curves.values())) if score else 0.0
    axes = Axes(x=(0.0, max(budgets)), y=(low, top), ticks=4)
    return Plot(
        title="Inflation of the score by budget" if score else "Accuracy by budget",
        x_label="budget, levels of 255",
        y_label="mean inflation" if score else "share still right",
        x_ticks=axes.x_ticks(),
        y_ticks=axes.y_ticks(),
        lines=tuple(
            Line(axes.line(budgets, curve), f"c{number}", f"{name} {curve[-1]:.2f}")
            for number, (name, curve) in enumerate(curves.items())
        ),
    )


def _ladder(found: Attacked) -> Plot:
    ladder = found.masking.ladder
    budgets, means = list(ladder), list(ladder.values())
    spread = max(max(means) - min(means), 1e-3)
    axes = Axes(x=(0.0, max(budgets)), y=(min(means), min(means) + spread))
    score = found.outcome.victim.kind == "score"
    return Plot(
        title="Does harm grow with the budget? (PGD-20)",
        x_label="budget, levels of 255",
        y_label="mean score" if score else "mean margin of the wrong class",
        x_ticks=axes.x_ticks(),
        y_ticks=axes.y_ticks(),
        lines=(Line(axes.line(budgets, means), "c0"),),
        note="A curve that falls or stays flat would mean hidden gradients.",
    )


def _certified(certified: Certified) -> Plot:
    radii = list(certified.accuracy)
    axes = Axes(x=(0.0, max(radii)))
    curves: list[tuple[str, str, list[float]]] = [
        ("c0", "certain", [one.value for one in certified.accuracy.values()]),
        ("interval", "", [_end(one, one.low) for one in certified.accuracy.values()]),
        ("interval", "", [_end(one, one.high) for one in certified.accuracy.values()]),
    ]
    return Plot(
        title="Accuracy that no attack can take",
        x_label="L2 radius, pixels from 0 to 1",
        y_label="share right, and certain to stay",
        x_ticks=axes.x_ticks(),
        y_ticks=axes.y_ticks(),
        lines=tuple(Line(axes.line(radii, ys), kind, name) for kind, name, ys in curves),
        note=f"Of the network smoothed with {certified.sigma_levels:g} levels of noise.",
    )


def _end(one: Interval, end: float | None) -> float:
    return one.value if end is None else end
